"""The clean end of a child, as Python makes it.

Threads are waited for, then what was registered with atexit runs, then the files that are still open are flushed.
"""

import atexit
import threading
import weakref

from labkit.crash.child.fileio import flush_open


def forget() -> None:
    """In the zygote: what it was to do at its own end is nothing to its children."""
    atexit._clear()  # noqa: SLF001 - public in all but name
    weakref.finalize._registered_with_atexit = False  # noqa: SLF001 - or it would never be registered again


def leave() -> None:
    """What the interpreter does before it exits. Effects are still effects."""
    threading._shutdown()  # noqa: SLF001 - what Python itself calls
    atexit._run_exitfuncs()  # noqa: SLF001 - as above
    flush_open()
