"""Runs in the zygote, an interpreter with one thread that forks every child and never loads the code under test.

__main__   its process: answers the client's requests until the client is gone
requests   a sweep, a crash point once more, a run line by line, a trial; a sweep is shared among forks of the zygote
explore    record a run, kill it at each crash point, restart, ask the invariant
evidence   whether a run may be believed: it repeats the recording, and its effects explain its files
race       all orders of a race: setup once, each order from the start, the invariant for each way in which they end
schedule   one order with real children on one sandbox, one world, one database; given_order is one that was asked for
workers    each of these children; blocking says for whom it waits
zygote     fork one child, listen to it, kill it, wait for it
imports    what children import is loaded here, if that is harmless
endings    how a child ended
disk       the model of a disk: what a power cut may leave
trees      what lies in a sandbox: read, compared, put back
"""
