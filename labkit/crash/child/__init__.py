"""Runs in a child: forked by the zygote for one job, with the code under test, until it ends or gets SIGKILL.

main          its process: set everything up, load the pickled function, call it, tell how it went
trace         tell each effect, and stop at the crash point
files         the file system as a source of effects: os_shims and fileio stand for `os` and `open`, stamps sets times
sqlite        SQLite's statements and COMMITs as effects
sources       the other sources: the world's tools, sql (psycopg)
remote_world  the world, over a socket
virtual       time, chance and process id as the world has them; asyncio_time for asyncio's loops
follow        tell each line, too
patch         put a function of ours in the place of Python's
"""
