"""A class graded by workers on any number of machines, over one PostgreSQL, on a queue of DBOS.

In `labkit grade --on`, the coordinator, one process where the book is made:

command         puts it in the place of grading on this machine
coordinator     submits jobs, waits, collects the outcomes into the book
checkpoint      what the book remembers meanwhile, so that a coordinator that was killed goes on
jobs            the coordinator's side of the database

In `labkit grade-worker`, any number of processes on any number of machines:

worker          its life: takes jobs until it is told to stop
attempt         an attempt at a job: begun once, ended once; two for each job at most
judging         one job in the same sandbox as on one machine
recovery        a dead worker's job goes back to the queue

In all of them:

database        the PostgreSQL: found, connected to, or refused in one line
lease           a process's name, held by an advisory lock; made anew when the server was gone
engine          DBOS as it is set up here: one queue, JSON and no pickle, a workflow for each attempt
tables          our rows beside those of DBOS, and all SQL on them
messages        what travels, as JSON that is checked when it is opened
criteria_files  an instructor's own criteria on their way to a worker, and there
version         what must be the same on both sides

`labkit grade-status` is in `status`.

A job is a submission: its answers, as the reader found them where grading was asked for. No name travels. If a worker
dies, the second attempt waits behind everybody else's first, and there is no third.
"""
