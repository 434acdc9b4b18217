"""Answers to exercise 11."""

WRONG = []
RIGHT = {}
