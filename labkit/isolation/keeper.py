"""The keeper: the process that a fork server forks for each piece of work, which forks again to do it, and waits.

It is a child subreaper (prctl): whatever the work has started, in any session, becomes its child and is killed by it.
"""

import os
import select
import signal
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection

from labkit.isolation import process
from labkit.isolation.namespaces import leave, settle
from labkit.isolation.removal import remove
from labkit.isolation.work import Order

BEHIND = 10
"""By how much strangers' code is nicer: whoever watches it on the same processor comes first."""


def keep(asker: Connection, *channels: Connection) -> None:
    """Do what the asker orders in a child, and tell the child's exit status, once all that it has started is dead.

    The child is killed as soon as the asker closes its end, or dies.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    order: Order = asker.recv()
    if os.sched_getaffinity(0) != order.processors:  # which strangers' code may not choose
        os.sched_setaffinity(0, order.processors)
    process.adopt_orphans()
    if order.plan:
        leave(order.plan)
    pid = os.fork()
    if pid == 0:
        _do(order, asker, channels)
    for each in channels:
        each.close()
    with suppress(BrokenPipeError):  # then the asker is gone, which is seen below
        asker.send_bytes(b"%d" % os.getpid())
    ended = os.pidfd_open(pid)
    select.select([asker, ended], [], [])
    os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    process.end_children(but=())
    try:
        asker.send_bytes(b"%d" % status)
    except BrokenPipeError:
        if order.folder:
            remove(order.folder)


def _do(order: Order, asker: Connection, channels: tuple[Connection, ...]) -> None:
    """In the child: enclose it if there is a plan, run the entry, and exit as it says."""
    status = 1
    try:
        asker.close()
        if order.plan:
            os.nice(BEHIND)
            settle(order.plan)
        else:
            process.LIBC.prctl(process.PR_SET_PDEATHSIG, signal.SIGKILL)
        order.entry(*channels, *order.arguments)
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001 - it is not ours to say; the status tells
        traceback.print_exc()
    finally:
        os._exit(status)
