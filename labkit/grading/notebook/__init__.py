"""Which answers are in this file.

cells         the cells of a notebook file, of whatever age and however damaged
submission    the answers among them; what else the student's cells define
"""
