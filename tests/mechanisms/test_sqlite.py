"""State in a file of SQLite: the promises of every store, damage, and a file that somebody else holds."""

import sqlite3
from itertools import count

import pytest
from store_conformance import SharedStoreConformance
from store_kinds import Place

from labkit import sqlite
from labkit.sqlite import SqliteStateStore
from labkit.store import CorruptState, StoreError
from labkit.task import Task, TaskState


class TestSqliteStateStore(SharedStoreConformance):
    """SqliteStateStore does what every store must."""

    @pytest.fixture
    def new_place(self, tmp_path):
        """Make a path where nothing is yet."""
        numbers = count()

        def make():
            path = tmp_path / f"store {next(numbers)}.db"
            return Place(
                lambda clock=None: SqliteStateStore(path, clock),
                f"from labkit.sqlite import SqliteStateStore; store = SqliteStateStore({str(path)!r})",
            )

        return make


@pytest.fixture
def path(tmp_path):
    """Where a store is to be."""
    return tmp_path / "state.db"


@pytest.fixture
def store(path):
    """A store with a task in it."""
    store = SqliteStateStore(path)
    store.insert(Task(id="a", user_input="deploy"))
    return store


@pytest.mark.parametrize("damage", [b"", b"{}", b"no database at all" * 100])
def test_a_file_that_is_no_database_is_corrupt_or_empty_and_never_taken_for_what_was_stored(store, path, damage):
    """An empty file is a new database to SQLite, so it holds nothing; anything else that is none is CorruptState."""
    path.write_bytes(damage)
    with pytest.raises(StoreError if not damage else CorruptState):
        store.get(Task, "a")


@pytest.mark.parametrize("body", ["", "{}", '{"id": 7}', "[]", "\0", '{"half": '])
def test_a_row_that_holds_no_record_is_corrupt(store, path, body):
    """It is never the same as no row; its id is listed, and it can be deleted."""
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE labkit_records SET body = ?", [body])
    connection.close()
    with pytest.raises(CorruptState, match="the row a cannot be read"):
        store.get(Task, "a")
    with pytest.raises(CorruptState):
        store.list_by_state(Task, TaskState.PENDING)
    assert store.list_ids(Task) == ["a"]
    store.delete(Task, "a")
    assert store.get(Task, "a") is None


def test_who_waits_too_long_for_another_writer_is_told_so(store, path, monkeypatch):
    """The other's transaction is not waited for without end, and nothing was changed."""
    monkeypatch.setattr(sqlite, "PATIENCE", 0.01)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="locked"):
        store.insert(Task(id="b", user_input="deploy"))
    other.execute("COMMIT")
    other.close()
    assert store.list_ids(Task) == ["a"]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    """In one line."""
    with pytest.raises(StoreError, match="unable to open"):
        SqliteStateStore(tmp_path / "nowhere" / "state.db")


@pytest.mark.usefixtures("store")
def test_a_page_is_found_by_an_index(path):
    """What a page costs does not depend on how many records there are."""
    connection = sqlite3.connect(path)
    for statement in (sqlite.LIST_BY_STATE, sqlite.LIST_IDS, sqlite.GET):
        named = {"kind": "task", "state": "pending", "after": "", "most": 10, "id": "a"}
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", named))
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan
    connection.close()
