"""Runs in a child: forked by the zygote for one job, with the code under test, until it ends or gets SIGKILL.

main          its process: set everything up, load the pickled function, call it, tell how it went
trace         tell each effect, and stop at the crash point
files         the file system as a source of effects: os_shims and fileio stand for `os` and `open`, stamps sets times
stand_ins     puts them in place, once, in the zygote
guard         refuses what can be neither seen nor put back
denied        tells what the kernel has refused to C code
pids          process ids and signals: no call reaches another process of the machine
procfs        /proc: its own process, and those that are modelled
threads       which thread knows of which effect: two in no order are refused
native        which files C code has written, whatever their names become
sqlite        SQLite's statements, which sqlite_text understands, and COMMITs as effects
sockets       HTTP of the program's own to a service: connections that lead to http, which asks the world
hosted        a service's process: wsgi and asgi ask its application for a reply
turns         a worker of a race: it waits for its turn before each step
shared_files  the file system in a race: reads, shared_locks and filelocks are steps, not_in_races refuses the rest
shared_world  the world in a race, and the clock; shared_sql: its statements, which `statements` understands
sources       the other sources: the world's tools, sql (psycopg), with driver for what is beside its statements
remote_world  the world, over a socket
virtual       chance, numbers and time (clocks) as the world has them; waits, locks and asyncio_time for what waits
ends          a clean end, as Python makes it
follow        tell each line, too
rehearsal     a child that imports what the zygote might, to see whether that is harmless
patch         put a function of ours in the place of Python's
"""
