"""Ends the process of a test that nothing else ends: who hangs in C code, in the end of a `with`, or after a failure.

pytest-timeout interrupts the main thread once, by SIGALRM, and no longer watches a test that has failed.
"""

import faulthandler
import os

import pytest

PATIENCE = 1.5
"""How many times the limit of a test its set-up, its call or its end may take."""
STDERR = pytest.StashKey[int]()


def pytest_configure(config):
    """Keep what errors are written to before they are captured."""
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        config.stash[STDERR] = os.dup(2)


def _end_after(seconds, config):
    faulthandler.dump_traceback_later(PATIENCE * float(seconds), exit=True, file=config.stash[STDERR])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def _watched(item):
    mark = item.get_closest_marker("timeout")
    _end_after(mark.args[0] if mark else item.config.getini("timeout"), item.config)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


pytest_runtest_setup = pytest_runtest_call = pytest_runtest_teardown = _watched


def pytest_unconfigure(config):
    """The interpreter waits for threads after this. A process of xdist waits for the others, and xdist ends it."""
    if not hasattr(config, "workerinput"):
        _end_after(config.getini("timeout"), config)
