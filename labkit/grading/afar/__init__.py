"""A class graded by workers on any number of machines, over one PostgreSQL, on a queue of DBOS.

place       the database that they share: found, connected to, and refused in one line
version     what must be the same on both sides: labkit, the course, Python
tables      our rows beside those of DBOS: gradings, their jobs, workers, and contents by their hash
parcels     what travels: the steps of a submission, and what they came to, as JSON; whoever opens one checks it
folder      an instructor's own criteria on their way to a worker, and there
engine      DBOS as it is set up here: one queue, JSON and no pickle, a workflow for each attempt
asker       `labkit grade --on`: hands out, waits, collects; the book is made where it was asked for
slots       who a worker is, by an advisory lock; the dead are those who hold none
judging     one job at a time, in the same sandbox as on one machine
worker      `labkit grade-worker`: lives until it is told to stop, or loses its lock
adopting    a short process under a dead worker's name, by which DBOS gives its job back to the queue
status      `labkit grade-status`

A job is a submission: its answers, as the reader found them where grading was asked for. No name travels. An attempt
at it is begun once; if its worker dies the next attempt waits behind everybody else's first, and there is no third.
"""
