"""Runs in the world's process, which a zygote forks once and which outlives every child. But `control` is the zygote's.

serve      its process: answers a child over its socket, and HTTP for the model server
database   which database the child gets, and when it is put back and read
services   the applications that setup has started: a process of each, and the requests it has had
rows       the content of the lab's own database: by pg_dump, COPY and setval
control    in the zygote: gives the world its memory, and asks for it
"""
