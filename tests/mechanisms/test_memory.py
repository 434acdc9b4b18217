"""State in memory keeps the promises of every store, as far as one process can tell."""

import pytest
from store_conformance import StoreConformance
from store_kinds import Place

from labkit.memory import MemoryStateStore
from labkit.task import Task


class TestMemoryStateStore(StoreConformance):
    """MemoryStateStore does what every store must; it is of no use to a second process."""

    @pytest.fixture
    def new_place(self):
        """Make an empty dict."""

        def make():
            records = {}
            return Place(lambda clock=None: MemoryStateStore(records, clock), "")

        return make


def test_two_stores_share_nothing_unless_they_are_given_the_same_records():
    """A test that opens a store of its own begins with none."""
    MemoryStateStore().insert(Task(id="a", user_input="deploy"))
    assert MemoryStateStore().list_ids(Task) == []
