"""Pieces to play with, in chapters: a control is moved, and labkit's own mechanism says what comes of it.

view     what is shown: lanes over one axis, as a page, a picture and words
play     the controls; where nobody looks on, the view as it is at first
backoff  clients that try again: how much they ask of a service, second by second
lease    a worker that stalls, and one that takes its task
saga     what is in the world when a saga dies, and after the restart
window   what a model's window is filled with
"""
