"""Ends the process of a test that nothing else ends: who hangs in C code, in the end of a `with`, or after a failure.

pytest-timeout interrupts the main thread once, by SIGALRM, and no longer watches a test that has failed.
"""

import faulthandler
import os

import pytest

PATIENCE = 1.5
"""How many times its limit a phase of a test may take."""
STDERR = pytest.StashKey[int]()
SHUTDOWN = 60
"""Seconds that a process may take to end: a thread that no test has joined is joined then."""


def pytest_configure(config):
    """Keep what errors are written to before they are captured."""
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        config.stash[STDERR] = os.dup(2)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def _watched(item):
    mark = item.get_closest_marker("timeout")
    limit = PATIENCE * (mark.args[0] if mark else float(item.config.getini("timeout")))
    faulthandler.dump_traceback_later(limit, exit=True, file=item.config.stash[STDERR])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


pytest_runtest_setup = pytest_runtest_call = pytest_runtest_teardown = _watched


def pytest_unconfigure(config):
    """The interpreter waits for threads after this."""
    faulthandler.dump_traceback_later(SHUTDOWN, exit=True, file=config.stash[STDERR])
