"""Many workers, one table: who works on what, for how long, and whose result counts.

    pending → claim: running, token + 1, with a lease → finish: completed, or what the worker says
                                                      → heartbeat: a longer lease
                                                      → reap, when the lease has expired: pending

Each of these is one statement and one commit: no transaction is open while anybody works. The token is a fencing token,
see Kleppmann, "How to do distributed locking", 2016: who comes back with an old one changes nothing.
"""

from labkit.claims.leases import LEASE, Claim, LeaseLostError, claim, enqueue, finish, finish_all, heartbeat, reap
from labkit.claims.worker import execute_step

__all__ = [
    "LEASE", "Claim", "LeaseLostError", "claim", "enqueue", "execute_step", "finish", "finish_all", "heartbeat",
    "reap",
]  # fmt: skip
