"""Every mechanism of labkit as a program that is swept, with what must hold of it afterwards."""

import os
from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection

from labkit import (
    CheckpointManager,
    CheckpointStrategy,
    Deadline,
    FileStateStore,
    StateStore,
    SystemClock,
    Task,
    TaskState,
    Trigger,
    WorldClock,
    ack,
    arrange,
    ask,
    database,
    resume,
    resume_all,
    step_key,
    tasks,
    tool,
    write_atomically,
)
from labkit.agent_state import AgentState, StatePatch, apply, keep_artifact, load_artifact
from labkit.agent_state.artifacts import ArtifactBody
from labkit.claims import LEASE, enqueue, execute_step, reap
from labkit.crash import Observation, sweep
from labkit.idempotency import UnknownOutcomeError, again, run_once
from labkit.postgres import PostgresStateStore, create_schema, in_transaction
from labkit.sqlite import SqliteStateStore

PLAN = ["create_dns", "deploy_container"]
STEPS = {name: lambda name=name: tool(name, service="shop") for name in PLAN}


def insert_task() -> None:
    FileStateStore("tasks").insert(Task(id="a", user_input="deploy"))


def start_task() -> dict:
    """Save the task as running, unless it is already."""
    store = FileStateStore("tasks")
    task = store.get(Task, "a")
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    ack("running")
    return {"state": task.state, "version": task.version}


def is_running(seen: Observation) -> None:
    assert seen.state == {"state": "running", "version": 2}


def write_one_of_two() -> str:
    """Write over what is there, whichever it is; the last writer wins."""
    data = b"old" if os.path.exists("file") and open("file", "rb").read() == b"new" else b"new"  # noqa: SIM115
    write_atomically("file", data)
    return open("file").read()


def is_whole(seen: Observation) -> None:
    assert seen.state in ("old", "new")


def deploy_all() -> dict:
    store = FileStateStore("tasks")
    if store.get(Task, "a").state is TaskState.PENDING:
        store.save(store.get(Task, "a").to(TaskState.RUNNING))
    resume_all(store, STEPS)
    task = store.get(Task, "a")
    return {"state": task.state, "journal": list(task.journal)}


def in_files() -> FileStateStore:
    return FileStateStore("checkpoints")


def in_postgres() -> PostgresStateStore:
    return PostgresStateStore(database.engine())


def take_first_checkpoint(place: Callable[[], StateStore]) -> None:
    task = Task(id="a", user_input="deploy").to(TaskState.RUNNING)
    checkpoints(place()).save(task.finished("one", "ok"), Trigger.STEP)


def checkpoints(store: StateStore) -> CheckpointManager:
    return CheckpointManager(store, CheckpointStrategy.EVERY_STEP, SystemClock(), "1", keep=1)


def go_on(place: Callable[[], StateStore]) -> list[list[str]]:
    """Resume, take the second checkpoint, delete the first; the journals of those that are there at the end."""
    manager = checkpoints(place())
    task = manager.resume("a")
    if "two" not in task.journal:
        manager.save(task.finished("two", "ok"), Trigger.STEP)
    ack("saved")
    manager.rotate("a")
    return [list(found.task.journal) for found in manager.history("a")]


def went_on(seen: Observation) -> None:
    assert seen.state == [["one", "two"]]


def in_sqlite() -> SqliteStateStore:
    return SqliteStateStore("state.db")


def insert_row(place: Callable[[], StateStore] = in_postgres) -> None:
    place().insert(Task(id="a", user_input="deploy"))


def save_twice(place: Callable[[], StateStore]) -> dict:
    """Two saves, each unless an earlier process made it."""
    store = place()
    for step in PLAN:
        task = store.get(Task, "a")
        if step not in task.journal:
            task = store.save(task.to(TaskState.RUNNING).finished(step, "done"))
    ack("saved")
    return {"state": task.state, "version": task.version, "journal": list(task.journal)}


def is_saved_twice(seen: Observation) -> None:
    assert seen.state == {"state": "running", "version": 3, "journal": PLAN}


def make_tables_and_insert() -> dict:
    """From an empty database; whoever finds the task has inserted it before it died."""
    store = PostgresStateStore(database.engine())
    if store.get(Task, "a") is None:
        store.insert(Task(id="a", user_input="deploy"))
    ack("inserted")
    task = store.get(Task, "a")
    return {"version": task.version, "listed": store.list_ids(Task)}


def is_inserted_once(seen: Observation) -> None:
    assert seen.state == {"version": 1, "listed": ["a"]}


def deploy_rows() -> dict:
    task = resume("a", PostgresStateStore(database.engine()), STEPS)
    ack("deployed")
    return {"state": task.state, "journal": list(task.journal)}


def set_up_accounts() -> None:
    with database.engine().begin() as connection:
        connection.exec_driver_sql("CREATE TABLE accounts AS VALUES ('a', 10), ('b', 10)")


def transfer() -> dict:
    """Move 3 once: who finds it moved does not move it again."""

    def work(connection: Connection) -> None:
        if money(connection)["a"] == 10:
            connection.exec_driver_sql("UPDATE accounts SET column2 = column2 - 3 WHERE column1 = 'a'")
            connection.exec_driver_sql("UPDATE accounts SET column2 = column2 + 3 WHERE column1 = 'b'")

    in_transaction(database.engine(), work)
    ack("moved")
    with database.engine().connect() as connection:
        return money(connection)


def money(connection: Connection) -> dict:
    return dict(connection.exec_driver_sql("SELECT column1, column2 FROM accounts").all())


def is_moved_once(seen: Observation) -> None:
    assert seen.state == {"a": 7, "b": 13}


def enqueue_one() -> None:
    create_schema(database.engine())
    enqueue(database.engine(), [Task(id="a", user_input="deploy")])


def work_as_a_worker() -> dict:
    """As a worker that starts: what dead ones left comes back when their leases are over."""
    engine, clock = database.engine(), WorldClock()
    clock.sleep(LEASE + 1)
    reap(engine, clock=clock)
    execute_step(
        engine,
        lambda held: tool("deploy_container", service="shop", key=step_key(held.id, "deploy")),
        beating=False,
        clock=clock,
    )
    task = PostgresStateStore(engine).get(Task, "a")
    return {"state": task.state, "result": task.result}


def is_done_once(seen: Observation) -> None:
    assert seen.state == {"state": "completed", "result": "container shop is up"}
    assert [call.tool for call in seen.ledger] == ["deploy_container"]


def hand_over_and_wait() -> dict:
    """As one who submits a task, works on it after those that died of it, and waits for the result."""
    engine, clock = database.engine(), WorldClock()
    clock.sleep(LEASE + 1)
    name = tasks.submit(engine, "deploy", "order 7", clock=clock)
    ack("submitted")
    for held in tasks.take(engine, clock=clock):
        result = tool("deploy_container", service="shop", key=step_key(held.id, "deploy"))
        tasks.finish(engine, held, result, clock=clock)
    task = tasks.wait(engine, name, Deadline.after(1, clock), clock=clock)
    return {"state": task.state, "result": task.result}


def submit_two_of_which_one_kills() -> None:
    create_schema(database.engine())
    for name, deaths in (("deadly", tasks.ATTEMPTS), ("harmless", 0)):
        tasks.submit(database.engine(), "deploy", name, clock=WorldClock())
        for _ in range(deaths):
            tasks.take(database.engine(), clock=WorldClock())
            WorldClock().sleep(LEASE + 1)


def take_and_stop() -> dict:
    """As a worker that is told to stop before it has begun."""
    engine, clock = database.engine(), WorldClock()
    clock.sleep(LEASE + 1)
    held = tasks.take(engine, limit=2, clock=clock)
    tasks.drain(engine, held, clock=clock)
    ack("drained")
    deadly, harmless = (PostgresStateStore(engine).get(tasks.QueuedTask, name) for name in ("deadly", "harmless"))
    return {"held": [each.id for each in held], "deadly": deadly.state, "harmless": harmless.state}


def one_is_parked(seen: Observation) -> None:
    assert seen.state == {"held": ["harmless"], "deadly": "failed", "harmless": "pending"}


def insert_state(place: Callable[[], StateStore]) -> None:
    place().insert(AgentState(id="a", goal="look"))


def keep_a_log(place: Callable[[], StateStore]) -> dict:
    """Store a large result and name it in the state, unless the state names it already."""
    store, log = place(), "\n".join(map(str, range(1000)))
    state = store.get(AgentState, "a")
    if not state.artifacts:
        patch = StatePatch(attach_artifacts=(keep_artifact(store, "a", "look", log),))
        state = store.save(apply(state, patch).to(TaskState.RUNNING))
    ack("kept")
    whole = [load_artifact(store, artifact) == log for artifact in state.artifacts]  # an id that dangles raises
    return {"whole": whole, "stored": len(store.list_ids(ArtifactBody)), "version": state.version}


def is_kept_once(seen: Observation) -> None:
    assert seen.state == {"whole": [True], "stored": 1, "version": 2}


def is_deployed(seen: Observation) -> None:
    """Two crashes repeat at most two steps: those that were in flight."""
    ran = [call.tool for call in seen.ledger]
    assert seen.state == {"state": "completed", "journal": PLAN}
    assert set(ran) == set(PLAN), "a step was lost"
    assert len(ran) - len(PLAN) <= 2, "more than the steps in flight were repeated"


BILL = {"customer": "Ada", "amount": 20}
KEY = step_key("order 7", "charge")
PAID = "charged Ada 20 EUR"


def pay(work, **options):
    """Charge the customer once, and tell the user."""
    receipt = run_once(FileStateStore("keys"), KEY, work, arguments=BILL, **options)
    ack("paid")
    return receipt


def pay_with_key():
    """The tool notices the key."""
    return pay(lambda: tool("charge", key=KEY, **BILL), unknown=again)


def pay_and_ask():
    """The tool takes no key, but can be asked."""
    return pay(lambda: tool("charge", **BILL), unknown=lambda: ask("charge", **BILL))


def pay_once_or_stop():
    """The tool offers nothing: a human must find out."""
    try:
        return pay(lambda: tool("charge", **BILL))
    except UnknownOutcomeError:
        return "unknown"


def paid_once(seen):
    """The invariant where every doubt can be resolved."""
    assert len(seen.ledger) == 1, f"charged {len(seen.ledger)} times"
    assert seen.state == PAID


def paid_once_or_stopped(seen):
    """The invariant where a human may be needed: never two, and what the user was told is true and known."""
    assert len(seen.ledger) <= 1, f"charged {len(seen.ledger)} times"
    assert seen.state in (["unknown", PAID] if not seen.acknowledged else [PAID])
    assert len(seen.ledger) == 1 or seen.state == "unknown", "lost"


def arranged(kind):
    """A setup in which `charge` is of this kind."""
    return lambda: arrange(kinds={"charge": kind})


MECHANISMS = {
    "write_atomically": (write_one_of_two, is_whole, lambda: write_atomically("file", b"old")),
    "FileStateStore.save": (start_task, is_running, insert_task),
    "resume, resume_all": (deploy_all, is_deployed, insert_task),
    "PostgresStateStore.save": (partial(save_twice, in_postgres), is_saved_twice, insert_row),
    "SqliteStateStore.save": (partial(save_twice, in_sqlite), is_saved_twice, partial(insert_row, in_sqlite)),
    "keep_artifact, apply on SQLite": (partial(keep_a_log, in_sqlite), is_kept_once, partial(insert_state, in_sqlite)),
    "CheckpointManager on SQLite": (partial(go_on, in_sqlite), went_on, partial(take_first_checkpoint, in_sqlite)),
    "PostgresStateStore.insert, create_schema": (make_tables_and_insert, is_inserted_once, None),
    "resume in PostgreSQL": (deploy_rows, is_deployed, insert_row),
    "in_transaction": (transfer, is_moved_once, set_up_accounts),
    "submit, take, finish, wait": (hand_over_and_wait, is_done_once, lambda: create_schema(database.engine())),
    "take, park, drain": (take_and_stop, one_is_parked, submit_two_of_which_one_kills),
    "execute_step": (work_as_a_worker, is_done_once, enqueue_one),
    "CheckpointManager": (partial(go_on, in_files), went_on, partial(take_first_checkpoint, in_files)),
    "keep_artifact, apply": (partial(keep_a_log, in_files), is_kept_once, partial(insert_state, in_files)),
    "keep_artifact, apply on PostgreSQL": (
        partial(keep_a_log, in_postgres),
        is_kept_once,
        partial(insert_state, in_postgres),
    ),
    "run_once, keyed": (pay_with_key, paid_once, arranged("keyed")),
    "run_once, asked": (pay_and_ask, paid_once, arranged("asked")),
    "run_once, neither": (pay_once_or_stop, paid_once_or_stopped, arranged("neither")),
    "CheckpointManager on PostgreSQL": (
        partial(go_on, in_postgres),
        went_on,
        partial(take_first_checkpoint, in_postgres),
    ),
}


def assert_survives(name: str, depth: int) -> None:
    """Killed at every crash point, and with the power cut; at depth 2 again at every crash point of each recovery."""
    run, invariant, setup = MECHANISMS[name]
    report = sweep(run, run, invariant, setup, power=True, depth=depth)
    report.assert_survives(effects=4)
    assert any(outcome.again for point in report.points for outcome in point.outcomes) == (depth > 1)
