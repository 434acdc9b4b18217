"""labkit's own mechanisms in the race lab: no order of two workers breaks them."""

from functools import partial

import pytest

from labkit import (
    CheckpointManager,
    CheckpointStrategy,
    FakeClock,
    FileStateStore,
    InProgressError,
    PostgresStateStore,
    Task,
    Trigger,
    claims,
    database,
    race,
    run_once,
    tool,
)  # fmt: skip
from labkit.store import AlreadyExistsError, VersionConflictError
from labkit.task import TaskState


def files():
    return FileStateStore("store")


def table():
    return PostgresStateStore(database.engine())


def prepare(store):
    store().insert(Task(id="t", user_input="deploy"))


def insert(store):
    try:
        store().insert(Task(id="new", user_input="deploy"))
    except AlreadyExistsError:
        return "refused"
    return "made"


def save(store):
    opened = store()
    try:
        opened.save(opened.get(Task, "t").to(TaskState.RUNNING))
    except VersionConflictError:
        return "refused"
    return "saved"


def read(store):
    return store().get(Task, "t").version


def ends(seen):
    return [end.returned for end in seen.workers.values()]


def one_is_refused(seen):
    assert sorted(ends(seen)) == ["made", "refused"]


def no_save_is_lost(store, seen):
    saved = ends(seen).count("saved")
    assert store().get(Task, "t").version == 1 + saved, f"{saved} have saved"
    assert saved


def what_is_read_is_whole(seen):
    assert seen.workers["reader"].returned in {1, 2}, str(seen.workers["reader"])


STORES = pytest.mark.parametrize("store", [files, table])


@STORES
def test_of_two_inserts_one_is_refused(store):
    """In every order: the atomic claim of a key."""
    workers = {"a": partial(insert, store), "b": partial(insert, store)}
    race(workers, one_is_refused, partial(prepare, store)).assert_survives()


@STORES
def test_no_save_is_lost(store):
    """Compare-and-swap: who has read an old version is refused."""
    workers = {"a": partial(save, store), "b": partial(save, store)}
    race(workers, partial(no_save_is_lost, store), partial(prepare, store)).assert_survives()


@STORES
def test_a_reader_never_sees_half_a_record(store):
    """The old version or the new one."""
    workers = {"writer": partial(save, store), "reader": partial(read, store)}
    race(workers, what_is_read_is_whole, partial(prepare, store)).assert_survives()


def charge_once(store):
    def work():
        return tool("charge", customer="c", amount=1)

    try:
        return run_once(store(), "key", work)
    except InProgressError:
        return "in progress"


def charged_once(seen):
    assert len(seen.ledger) == 1, f"charged {len(seen.ledger)} times"


def store_with_another_key():
    run_once(files(), "other", lambda: "done")


@pytest.mark.long
def test_what_is_done_under_one_key_is_done_once():
    """Whoever comes second gets the result, or is told that somebody works."""
    race(
        {"a": partial(charge_once, files), "b": partial(charge_once, files)}, charged_once, store_with_another_key
    ).assert_survives()


def submit():
    table()
    claims.enqueue(database.engine(), [Task(id=name, user_input="deploy") for name in ("one", "two")])


def work():
    def charge(held):
        return tool("charge", customer=held.id, amount=1)

    return claims.execute_step(database.engine(), charge, beating=False)


def each_is_charged_once(seen):
    assert sorted(call.arguments["customer"] for call in seen.ledger) == ["one", "two"]


def test_no_task_is_claimed_twice():
    """Neither worker waits for the other, and each gets a task of its own."""
    race({"a": work, "b": work}, each_is_charged_once, submit).assert_survives()


def table_is_there():
    table()


def manager():
    return CheckpointManager(table(), CheckpointStrategy.EVERY_STEP, FakeClock(), "1")


def put_aside(step):
    task = Task(id="t", user_input="deploy").to(TaskState.RUNNING)
    return manager().save(task.finished(step, "done"), Trigger.STEP).number


def each_has_its_number(seen):
    taken = [end.returned for end in seen.workers.values() if end.how == "returned"]
    found = [each.number for each in manager().history("t") if not each.problem]
    assert len({*taken}) == len(taken), f"two checkpoints have the number {taken[0]}"
    assert {*taken} <= {*found}, f"{taken} were taken, and {found} are there"


@pytest.mark.long
@pytest.mark.parametrize("crash", [False, True])
def test_two_checkpoints_of_one_task_have_two_numbers(crash):
    """Neither overwrites the other, also where one of the two is killed."""
    workers = {"a": partial(put_aside, "one"), "b": partial(put_aside, "two")}
    race(workers, each_has_its_number, table_is_there, crash=crash).assert_survives()
