"""What every test shares: Hypothesis draws the same examples at every run, and in `make examples` many more."""

import os
import signal

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("corpora", "killed_queue", "killed_server", "races", "store_conformance")
pytest_plugins = ["watchdog"]

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=30)
settings.register_profile("many", settings.get_profile("repeatable"), max_examples=500)
settings.load_profile("repeatable")

for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
    os.environ.pop(name, None)  # the tests use the scripted model, whoever runs them

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, with all that it starts


@pytest.fixture
def database_url():
    """An empty database."""
    from labkit import database

    with database.throwaway() as url:
        yield url


@pytest.fixture
def engine(database_url):
    """An engine on an empty database."""
    import sqlalchemy as sa

    engine = sa.create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.hookimpl(optionalhook=True)  # who runs pytest without xdist has no such hook
def pytest_xdist_auto_num_workers():
    """One more than processors: a test often waits, for a process, a disk or a server."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items):
    """What is slow begins first, the slowest at the very first: at the end no process waits for another's long test."""
    slow = {item: mark.kwargs.get("seconds", 1) for item in items if (mark := item.get_closest_marker("slow"))}
    items.sort(key=lambda item: -slow.get(item, 0))
