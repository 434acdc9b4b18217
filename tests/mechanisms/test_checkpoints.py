"""Checkpoints: what is written, what may be resumed from, what rotation leaves, on every store."""

import sys
from datetime import timedelta
from itertools import count

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from races import race

from labkit.checkpoints import (
    FORCED,
    Checkpoint,
    CheckpointManager,
    CheckpointStrategy,
    NoValidCheckpointError,
    Trigger,
)
from labkit.clock import FakeClock
from labkit.files import FileStateStore
from labkit.postgres import RECORDS, PostgresStateStore
from labkit.store import StoreError, UnsupportedSchemaError
from labkit.task import IllegalTransitionError, Task, TaskState

TASK = Task(id="a", user_input="deploy the shop").to(TaskState.RUNNING)
DONE = TASK.to(TaskState.COMPLETED, result="deployed")
HOUR = 3600.0
EXAMPLES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


class Shelf:
    """A store with checkpoints in it, of every sort."""

    def __init__(self, store, ruin, code):
        self.store, self.clock = store, FakeClock()
        self.ruin, self.code = ruin, code

    def manager(self, **options):
        """A manager of code version 1 that writes at every step."""
        options = {"strategy": CheckpointStrategy.EVERY_STEP, "code_version": "1", **options}
        return CheckpointManager(self.store, clock=self.clock, **options)

    def save(self, *steps, task=TASK, **options):
        """A valid checkpoint: of `task` with these steps done."""
        for step in steps:
            task = task.finished(step, "done")
        return self.manager(**options).save(task, Trigger.STEP)

    def forge(self, **changes):
        """A checkpoint with a right checksum that no manager would write."""
        whole = self.save()
        self.store.delete(Checkpoint, whole.id)
        wrong = whole.model_copy(update=changes)
        return self.store.insert(wrong.model_copy(update={"checksum": wrong.digest()}))

    def put(self, sort):
        """A checkpoint of this sort."""
        if sort == "valid":
            self.save("valid")
        elif sort == "corrupt":
            self.ruin(self.save("corrupt").id)
        elif sort == "checksum":
            whole = self.save("checksum")
            self.store.delete(Checkpoint, whole.id)
            self.store.insert(whole.model_copy(update={"snapshot": whole.snapshot.replace("shop", "shed")}))
        elif sort == "code":
            self.save("code", code_version="2")
        else:
            self.forge(snapshot=TASK.model_dump_json().replace('"running"', '"resting"'))


@pytest.fixture
def files(tmp_path):
    """Make an empty shelf of files."""
    places = count()

    def make():
        root = tmp_path / f"store {next(places)}"

        def ruin(record_id):
            path = root / "checkpoint" / f"{record_id.replace('/', '%2f')}.json"
            path.write_bytes(path.read_bytes()[:100])

        code = f"from labkit.files import FileStateStore; store = FileStateStore({str(root)!r})"
        return Shelf(FileStateStore(root), ruin, code)

    return make


@pytest.fixture
def postgres(engine, database_url):
    """Make an empty shelf of rows."""
    this = [RECORDS.c.kind == "checkpoint"]

    def make():
        store = PostgresStateStore(engine)
        with engine.begin() as connection:
            connection.execute(sa.delete(RECORDS))

        def ruin(record_id):
            with engine.begin() as connection:
                connection.execute(sa.update(RECORDS).where(*this, RECORDS.c.id == record_id).values(body={}))

        code = (
            "import sqlalchemy; from labkit.postgres import PostgresStateStore; "
            f"store = PostgresStateStore(sqlalchemy.create_engine({database_url!r}))"
        )
        return Shelf(store, ruin, code)

    return make


@pytest.fixture(params=["files", "postgres"])
def new_shelf(request):
    """Make an empty shelf, on each store in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def shelf(new_shelf):
    """An empty shelf."""
    return new_shelf()


def steps(task):
    """The finished steps of a task."""
    return list(task.journal)


def numbers(shelf, task_id="a", **options):
    """The numbers of the checkpoints that are there, oldest first."""
    return [found.number for found in shelf.manager(**options).history(task_id)][::-1]


# What is written


@pytest.mark.parametrize(
    ("strategy", "written"),
    [
        (CheckpointStrategy.EVERY_STEP, {Trigger.STEP, Trigger.ITERATION, Trigger.STATE_CHANGE}),
        (CheckpointStrategy.EVERY_ITERATION, {Trigger.ITERATION, Trigger.STATE_CHANGE}),
        (CheckpointStrategy.ON_STATE_CHANGE, {Trigger.STATE_CHANGE}),
    ],
)
def test_a_strategy_obeys_its_triggers_and_the_forced_ones_and_no_others(shelf, strategy, written):
    """Whatever the strategy: the end is written down, and so is what comes before an effect that cannot be repeated."""
    assert {Trigger.FINAL, Trigger.BEFORE_EFFECT} == FORCED
    manager = shelf.manager(strategy=strategy)
    obeyed = {trigger for trigger in Trigger if manager.save(TASK, trigger)}
    assert obeyed == written | FORCED == {trigger for trigger in Trigger if strategy.obeys(trigger)}
    assert numbers(shelf) == list(range(1, len(obeyed) + 1))


def test_a_checkpoint_says_what_it_was_taken_of_when_why_and_by_which_code(shelf):
    """What save returns is what is stored: the task whole, and all that is needed to judge it later."""
    task = TASK.finished("one", "ok")
    taken = shelf.manager().save(task, Trigger.ITERATION)
    assert taken == shelf.store.get(Checkpoint, taken.id)
    assert (taken.task_id, taken.number, taken.trigger, taken.state) == ("a", 1, Trigger.ITERATION, TaskState.RUNNING)
    assert (taken.created_at, taken.code_version) == (shelf.clock.now(), "1")
    assert Task.model_validate_json(taken.snapshot) == task


def test_a_checkpoint_is_never_changed(shelf):
    """Not even by who knows its version."""
    taken = shelf.save()
    with pytest.raises(IllegalTransitionError):
        shelf.store.save(taken)
    assert shelf.store.get(Checkpoint, taken.id) == taken


def test_what_could_not_be_read_back_is_refused_before_it_is_written(shelf):
    """A checkpoint that was written can be resumed from; a task that makes no sense is a ValueError."""
    with pytest.raises(ValueError, match="user_input"):
        shelf.manager().save(TASK.model_copy(update={"user_input": None}), Trigger.STEP)
    assert numbers(shelf) == []


@pytest.mark.parametrize("options", [{"keep": 0}, {"max_age": 0}, {"max_age": float("nan")}])
def test_a_manager_that_could_keep_nothing_cannot_be_made(shelf, options):
    """Whoever asks for no checkpoints at all has made a mistake."""
    with pytest.raises(ValueError, match="keep at least one"):
        shelf.manager(**options)


def test_two_that_save_at_the_same_moment_take_two_numbers(shelf, monkeypatch):
    """A checkpoint that another worker writes between the look and the insert is neither lost nor written over."""
    manager, insert = shelf.manager(), shelf.store.insert

    def late(record):
        monkeypatch.setattr(shelf.store, "insert", insert)
        shelf.save("theirs")
        shelf.save("theirs")
        return insert(record)

    monkeypatch.setattr(shelf.store, "insert", late)
    assert manager.save(TASK.finished("ours", "ok"), Trigger.STEP).number == 3
    assert [steps(found.task) for found in manager.history("a")] == [["ours"], ["theirs"], ["theirs"]]


def test_processes_that_save_at_once_take_no_number_twice(shelf):
    """Real processes, each with the store opened by itself: every checkpoint is there, under a number of its own."""
    code = f"""
import sys
from labkit import *
{shelf.code}
manager = CheckpointManager(store, CheckpointStrategy.EVERY_STEP, FakeClock(), "1")
task = Task(id="a", user_input="x").to(TaskState.RUNNING)
print("ready", flush=True)
sys.stdin.readline()
print(*[manager.save(task, Trigger.STEP).number for _ in range(10)])
"""
    taken = [int(number) for said in race([[sys.executable, "-c", code]] * 3) for number in said.split()]
    assert sorted(taken) == numbers(shelf) == list(range(1, 31))


# What may be resumed from


def test_a_task_without_checkpoints_is_none(shelf):
    """It never got as far as the first one; nobody else's is taken for it."""
    shelf.save(task=TASK.model_copy(update={"id": "b"}))
    assert shelf.manager().resume("a") is None
    assert shelf.manager().history("a") == []
    assert shelf.manager().rotate("a") == []


def test_the_newest_valid_checkpoint_is_resumed_from(shelf):
    """The task comes back as it was, whichever strategy wrote it; a restarted process knows the numbers."""
    shelf.save("one")
    shelf.save("one", "two")
    assert steps(shelf.manager().resume("a")) == ["one", "two"]
    assert shelf.manager().resume("a") == TASK.finished("one", "done").finished("two", "done")


def test_more_checkpoints_than_a_page_holds_are_still_in_order(shelf):
    """The newest of 101 is the newest, and so it is beside other tasks' checkpoints."""
    for number in range(101):
        shelf.save(f"step {number}")
    assert steps(shelf.manager().resume("a")) == ["step 100"]
    assert numbers(shelf) == list(range(1, 102))


@pytest.mark.parametrize(
    ("sort", "problem"),
    [
        ("corrupt", "cannot be read"),
        ("checksum", "has a wrong checksum"),
        ("code", "is from code version 2"),
        ("state", "holds no task that can be resumed"),
    ],
)
def test_what_is_not_valid_is_walked_past_to_the_last_one_that_is(shelf, sort, problem):
    """Two of a sort are walked past; the history says what is wrong with them."""
    shelf.save("old")
    shelf.save("old", "new")
    shelf.put(sort)
    shelf.put(sort)
    assert steps(shelf.manager().resume("a")) == ["old", "new"]
    assert [found.problem for found in shelf.manager().history("a")] == [problem, problem, "", ""]


@pytest.mark.parametrize("sort", ["corrupt", "checksum", "code", "state"])
def test_none_valid_is_never_taken_for_none_at_all(shelf, sort):
    """To begin anew would repeat what was done: an error says what is wrong, in a line."""
    shelf.put(sort)
    with pytest.raises(NoValidCheckpointError, match=r"^task a has no valid checkpoint, 1 looked at: 1 [^\n]*$"):
        shelf.manager().resume("a")


@given(field=st.sampled_from(["task_id", "number", "trigger", "state", "created_at", "code_version", "snapshot"]))
@EXAMPLES
def test_the_checksum_covers_all_that_a_resume_relies_on(new_shelf, field):
    """Whatever is changed in the store without us is noticed."""
    shelf = new_shelf()
    whole = shelf.save("one")
    other = {
        "task_id": "b",
        "number": 7,
        "trigger": Trigger.FINAL,
        "state": TaskState.FAILED,
        "code_version": "2",
        "created_at": whole.created_at + timedelta(1),
        "snapshot": DONE.model_dump_json(),
    }[field]
    shelf.store.delete(Checkpoint, whole.id)
    shelf.store.insert(whole.model_copy(update={field: other}))
    assert [found.problem for found in shelf.manager().history("a")] == ["has a wrong checksum"]


def test_what_is_too_old_is_not_resumed_from(shelf):
    """The world has gone on since; up to the limit it counts, and after it a human must decide."""
    shelf.save("one")
    shelf.clock.sleep(HOUR)
    assert steps(shelf.manager(max_age=HOUR).resume("a")) == ["one"]
    shelf.clock.sleep(1)
    with pytest.raises(NoValidCheckpointError, match="1 is 3601 s old"):
        shelf.manager(max_age=HOUR).resume("a")
    assert steps(shelf.manager(max_age=2 * HOUR).resume("a")) == ["one"]


def test_a_completed_task_is_never_too_old(shelf):
    """Its result is still its result: the task is not begun anew."""
    shelf.save(task=DONE)
    shelf.clock.sleep(100 * HOUR)
    assert shelf.manager(max_age=HOUR).resume("a") == DONE


@pytest.mark.parametrize("state", [TaskState.PENDING, TaskState.RUNNING, TaskState.FAILED])
def test_completed_is_final(shelf, state):
    """What a worker that was taken for dead writes after the end is not resumed from."""
    shelf.save("before")
    shelf.save(task=DONE)
    shelf.save(task=TASK.model_copy(update={"state": state}))
    assert shelf.manager().resume("a") == DONE
    assert [found.problem for found in shelf.manager().history("a")] == [f"is {state} after the end", "", ""]


@pytest.mark.parametrize("task_id", ["a", "a/b", "a/0000000001", "a/", "/", "%", "ключ", "0"])
def test_no_tasks_checkpoints_are_taken_for_anothers(shelf, task_id):
    """Ids may begin with one another, and hold whatever separates the parts of ours."""
    names = {"a", "a/b", "a/0000000001", "a/", "/", "%", "ключ", "0", "a0", "A"}
    for name in names:
        shelf.save(name, task=TASK.model_copy(update={"id": name}))
        shelf.save(name, "2", task=TASK.model_copy(update={"id": name}))
    manager = shelf.manager(keep=1)
    assert manager.rotate(task_id) == [1]
    for name in names:
        assert steps(manager.resume(name)) == [name, "2"]
        assert numbers(shelf, name) == ([2] if name == task_id else [1, 2])


def test_a_resume_that_meets_a_rotation_begins_again(shelf, monkeypatch):
    """Another process writes a newer checkpoint and deletes the one that we were about to read: we get the newer."""
    shelf.save("one")
    get = shelf.store.get

    def late(kind, record_id):
        monkeypatch.setattr(shelf.store, "get", get)
        shelf.save("one", "two")
        shelf.manager(keep=1).rotate("a")
        return get(kind, record_id)

    monkeypatch.setattr(shelf.store, "get", late)
    assert steps(shelf.manager().resume("a")) == ["one", "two"]


def test_a_checkpoint_of_a_later_labkit_is_walked_past(shelf, monkeypatch):
    """The store says that it cannot read this form; an older checkpoint may be in one that it can."""
    shelf.save("one")
    newest, get = shelf.save("two").id, shelf.store.get

    def refuse(kind, record_id):
        if record_id == newest:
            raise UnsupportedSchemaError("schema 2")
        return get(kind, record_id)

    monkeypatch.setattr(shelf.store, "get", refuse)
    assert steps(shelf.manager().resume("a")) == ["one"]


def test_a_store_that_does_not_answer_is_not_taken_for_damage(shelf, monkeypatch):
    """Going back to an older checkpoint helps against a bad one, not against a server that is gone."""
    shelf.save("one")
    shelf.save("two")

    def gone(*_):
        raise StoreError("the server is gone")

    monkeypatch.setattr(shelf.store, "get", gone)
    with pytest.raises(StoreError, match="gone"):
        shelf.manager().resume("a")


def test_a_migration_makes_checkpoints_of_another_version_valid(shelf):
    """The new code says how it reads what the old code wrote; what it still cannot read is walked past."""
    shelf.save("deploy", code_version="0")
    shelf.save("deploy", "notify", code_version="1")

    def renamed(data):
        return {**data, "journal": {f"{step} v2": result for step, result in data["journal"].items()}}

    manager = shelf.manager(code_version="2", migrations={"1": renamed})
    assert steps(manager.resume("a")) == ["deploy v2", "notify v2"]
    assert [found.problem for found in manager.history("a")] == ["", "is from code version 0"]
    spoil = shelf.manager(code_version="2", migrations={"1": lambda data: {**data, "journal": None}, "0": dict})
    assert steps(spoil.resume("a")) == ["deploy"]


def test_an_agents_run_is_a_task_too(shelf):
    """A manager for runs keeps what only they have; a manager for tasks does not write what it could not read."""
    from labkit.agent.run import AgentRun

    run = AgentRun(id="a", user_input="x", question="May I?")
    manager = shelf.manager(model=AgentRun)
    manager.save(run, Trigger.STATE_CHANGE)
    assert manager.resume("a") == run
    with pytest.raises(ValueError, match="question"):
        shelf.manager().save(run, Trigger.STATE_CHANGE)


# What rotation leaves


def test_rotation_leaves_the_newest(shelf):
    """As many as it is told to keep, however fresh the others are; the rest goes, oldest first."""
    for number in range(1, 7):
        shelf.save(f"step {number}")
    assert shelf.manager(keep=2).rotate("a") == [1, 2, 3, 4]
    assert numbers(shelf) == [5, 6]
    assert shelf.manager(keep=2).rotate("a") == []
    assert shelf.save().number == 7


def test_rotation_takes_what_is_too_old_however_few_there_are(shelf):
    """Count OR age: one reason is enough."""
    shelf.save("old")
    shelf.clock.sleep(HOUR + 1)
    shelf.save("new")
    assert shelf.manager(max_age=HOUR).rotate("a") == [1]
    assert numbers(shelf) == [2]


def test_rotation_of_nothing_but_old_ones_leaves_the_newest_of_them(shelf):
    """Whoever decides to go on all the same, with a longer limit, still can."""
    shelf.save("one")
    shelf.save("one", "two")
    shelf.clock.sleep(100 * HOUR)
    assert shelf.manager(max_age=HOUR, keep=1).rotate("a") == [1]
    assert steps(shelf.manager(max_age=200 * HOUR).resume("a")) == ["one", "two"]


def test_what_cannot_be_used_does_not_count(shelf):
    """Three broken ones do not push the last two valid ones out; older broken ones go with their neighbours."""
    for sort in ["valid", "corrupt", "valid", "valid", "corrupt", "checksum", "code"]:
        shelf.put(sort)
    assert shelf.manager(keep=2).rotate("a") == [1, 2]
    assert numbers(shelf) == [3, 4, 5, 6, 7]


def test_no_number_is_given_out_twice(shelf):
    """The last one stays, even if it is of no use: what was said of number 2 is not true of another."""
    shelf.save("one")
    shelf.save("two", code_version="2")
    shelf.clock.sleep(100 * HOUR)
    assert shelf.manager(max_age=HOUR, keep=1).rotate("a") == []
    assert shelf.save().number == 3


SORTS = st.sampled_from(["valid", "valid", "corrupt", "checksum", "code", "state", "completed"])


@given(
    history=st.lists(st.tuples(SORTS, st.sampled_from([0.0, 600.0, 5000.0])), max_size=9),
    keep=st.integers(1, 4),
    idle=st.sampled_from([0.0, 3000.0, 9000.0]),
)
@EXAMPLES
def test_rotation_never_costs_a_resume_its_checkpoint(new_shelf, history, keep, idle):
    """Any mixture of valid and broken, any ages, any number to keep: what resume returns is the same after it."""
    shelf = new_shelf()
    for sort, wait in history:
        shelf.save(task=DONE) if sort == "completed" else shelf.put(sort)
        shelf.clock.sleep(wait)
    shelf.clock.sleep(idle)
    manager = shelf.manager(keep=keep, max_age=HOUR)

    def outcome(manager):
        try:
            return manager.resume("a")
        except NoValidCheckpointError:
            return "none valid"

    patient = shelf.manager(max_age=1e9)
    before, whatever_its_age, found = outcome(manager), outcome(patient), manager.history("a")
    deleted = manager.rotate("a")
    assert (outcome(manager), outcome(patient)) == (before, whatever_its_age)
    left = manager.history("a")
    assert [each.number for each in left] == [each.number for each in found if each.number not in deleted]
    assert sum(bool(each.task) for each in left) <= max(keep, 1)
    assert sum(each.age > HOUR for each in left) <= 2, "the last one, and the newest that can be used"
    assert manager.rotate("a") == []
    if found:
        assert left[0].number == found[0].number
