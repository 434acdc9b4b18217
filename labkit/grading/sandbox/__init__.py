"""Where students' code runs when a class is graded, and what it may touch.

guarantees   what this machine enforces, by what; what student code may read and know
room         the enclosure of one submission, and the crash lab in it
warm         the fork servers: a judge and a crash lab for each exercise, one for notebooks
lending      databases for each submission, on a server of the grading's own
"""
