"""Claims: one worker for each task, for as long as it lives, and only its result counts."""

import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.claims import (
    LeaseLostError,
    claim,
    enqueue,
    execute_step,
    finish,
    finish_all,
    heartbeat,
    reap,
    statements,
)
from labkit.clock import FakeClock
from labkit.postgres import PostgresStateStore, create_schema
from labkit.store import CorruptState, StoreError, VersionConflictError
from labkit.task import IllegalTransitionError, Task, TaskState

ONE = {"kind": "task", "limit": 1, "lease": 60.0, "now": None}
"""What one claim by SQL takes."""


@pytest.fixture
def engine(engine):
    """An engine on a database with the tables."""
    create_schema(engine)
    return engine


@pytest.fixture
def store(engine):
    """The state store on the same tables."""
    return PostgresStateStore(engine)


@pytest.fixture
def other(database_url):
    """A connection of somebody else, with a transaction of its own."""
    with psycopg.connect(database_url) as connection:
        yield connection


def put(engine, *names, **options):
    """Enqueue tasks with these ids."""
    return enqueue(engine, [Task(id=name, user_input="deploy") for name in names], **options)


def ids(claims):
    """The ids of claims."""
    return [held.id for held in claims]


def completed(held, result="up"):
    """The claimed task, completed."""
    return held.record.to(TaskState.COMPLETED, result=result)


def expire(engine):
    """Let every lease have ended a second ago."""
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE labkit_records SET lease_until = clock_timestamp() - interval '1 second'")


def row(engine, name):
    """All columns of a task."""
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT * FROM labkit_records WHERE id = %(id)s", {"id": name})
        return found.one()._asdict()


def until_somebody_waits_for(connection):
    """Return as soon as a statement waits for a lock that `connection` holds."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE %(pid)s = ANY(pg_blocking_pids(pid))"
    while not connection.execute(waiting, {"pid": connection.info.backend_pid}).fetchone():
        pass


def test_a_claim_is_running_and_has_a_token_and_a_lease(engine, store):
    """What was claimed is the record as it is stored now; the lease is counted from the database's time."""
    put(engine, "a")
    with engine.connect() as connection:
        before = connection.scalar(sa.func.clock_timestamp())
    (held,) = claim(engine, lease=60)
    assert held.record == store.get(Task, "a")
    assert (held.record.state, held.record.version, held.token) == (TaskState.RUNNING, 2, 1)
    assert timedelta(seconds=60) <= held.lease_until - before < timedelta(seconds=70)
    assert held.lease_until == row(engine, "a")["lease_until"]


def test_what_is_enqueued_can_be_read_and_claimed_as_it_was(engine, store):
    """Nothing of a record is lost on the way, the order of its journal included."""
    task = Task(
        id="ключ '1'", user_input="x", journal={"b": "1", "a": "\x00"}, deadline=datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert enqueue(engine, [task]) == [task.id]
    stored = store.get(Task, task.id)
    assert stored == task.model_copy(update={"version": 1, "updated_at": stored.updated_at})
    (held,) = claim(engine)
    assert list(held.record.journal.items()) == list(task.journal.items())
    assert held.record.deadline == task.deadline


def test_an_id_is_enqueued_once(engine):
    """What is there stays as it is, whatever has become of it."""
    assert put(engine, "a", "b") == ["a", "b"]
    claim(engine)
    assert put(engine, "b", "a", "c") == ["c"]
    assert row(engine, "a")["state"] == "running"
    assert enqueue(engine, []) == []


def test_what_the_store_inserted_can_be_claimed(engine, store):
    """Claims and the store work on the same records."""
    store.insert(Task(id="a", user_input="deploy"))
    (held,) = claim(engine)
    assert finish(engine, held, completed(held)) is True
    assert store.get(Task, "a").result == "up"


def test_only_pending_records_of_the_kind_are_claimed(engine):
    """Nobody works on what is done, failed, running, or no task."""
    for name, state in (("done", TaskState.COMPLETED), ("failed", TaskState.FAILED), ("running", TaskState.RUNNING)):
        put(engine, name)
        (held,) = claim(engine)
        if state is not TaskState.RUNNING:
            finish(engine, held, held.record.to(state))
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO labkit_records SELECT 'door', 'a', 'pending', 1, now(), '{}'")
    assert claim(engine, limit=10) == []


def test_the_highest_priority_comes_first_then_the_order_of_ids(engine):
    """Across claims and within one."""
    put(engine, "b", "a", "Z")
    put(engine, "low", priority=-1)
    put(engine, "y", "x", priority=5)
    assert ids(claim(engine, limit=3)) == ["x", "y", "Z"]
    assert ids(claim(engine)) == ["a"]
    assert ids(claim(engine, limit=10)) == ["b", "low"]
    assert claim(engine) == []


@pytest.mark.parametrize("limit", [0, 1, 7, 20])
def test_a_batch_is_never_larger_than_its_limit(engine, limit):
    """A worker gets what it asked for, or what there is."""
    put(engine, *(f"{number:02}" for number in range(12)))
    assert len(claim(engine, limit=limit)) == min(limit, 12)
    with engine.connect() as connection:
        running = connection.exec_driver_sql("SELECT count(*) FROM labkit_records WHERE state = 'running'").scalar()
    assert running == min(limit, 12)


def test_two_claimers_at_once_get_two_tasks_and_neither_waits(engine, other):
    """While the first claim is not committed yet, the second already has the next task."""
    put(engine, "a", "b")
    first = other.execute(statements.CLAIM, ONE).fetchall()
    assert [taken[0] for taken in first] == ["a"]
    assert ids(claim(engine)) == ["b"]
    assert claim(engine) == []
    other.commit()
    assert claim(engine) == []


def test_a_claim_that_is_rolled_back_leaves_the_task_to_others(engine, other):
    """A worker that dies in mid-claim has claimed nothing."""
    put(engine, "a")
    other.execute(statements.CLAIM, ONE)
    other.rollback()
    assert [(held.id, held.token) for held in claim(engine)] == [("a", 1)]


def test_a_claim_does_not_wait_for_a_row_that_is_locked(engine, other):
    """Whoever locked it, and why: the next one is taken."""
    put(engine, "a", "b")
    other.execute("SELECT 1 FROM labkit_records WHERE id = 'a' FOR UPDATE")
    assert ids(claim(engine, limit=2)) == ["b"]
    other.rollback()
    assert ids(claim(engine, limit=2)) == ["a"]


@pytest.mark.parametrize("limit", [1, 3])
def test_many_claimers_never_get_one_task_twice(engine, limit):
    """Eight workers, each with a connection of its own, take 120 tasks: each task is taken once."""
    put(engine, *(f"{number:03}" for number in range(120)))
    start = threading.Barrier(8, timeout=30)

    def work():
        start.wait()
        taken = []
        while batch := claim(engine, limit=limit):
            taken += ids(batch)
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = [name for worker in [pool.submit(work) for _ in range(8)] for name in worker.result(60)]
    assert sorted(taken) == [f"{number:03}" for number in range(120)]


def test_a_heartbeat_extends_the_lease_and_changes_nothing_else(engine, store):
    """The worker's own saves still find the version that it read."""
    put(engine, "a")
    (held,) = claim(engine, lease=60)
    later = heartbeat(engine, held, lease=600)
    assert later.lease_until - held.lease_until > timedelta(seconds=500)
    assert (later.record, later.token) == (held.record, held.token)
    assert store.save(held.record.finished("step", "done")).version == 3


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), 1e12, float("inf")])
def test_a_lease_needs_a_length(engine, seconds):
    """A lease that is over before it begins would give the task to everybody, and one without end to nobody."""
    put(engine, "a")
    with pytest.raises(ValueError, match="lease"):
        claim(engine, lease=seconds)
    (held,) = claim(engine)
    with pytest.raises(ValueError, match="lease"):
        heartbeat(engine, held, lease=seconds)


def test_a_lease_ends_when_the_task_is_saved_in_another_state(engine, store):
    """A task that waits for approval and then runs without a claim has no old lease, by which it could be reaped."""
    clock = FakeClock()
    put(engine, "a")
    (held,) = claim(engine, lease=60, clock=clock)
    running = store.save(held.record.finished("step 1", "done"))
    assert heartbeat(engine, held, lease=60, clock=clock)
    waiting = store.save(running.to(TaskState.PENDING))
    store.save(waiting.to(TaskState.RUNNING))
    clock.sleep(61)
    assert reap(engine, clock=clock) == []


def test_a_lease_that_lasts_is_not_reaped(engine):
    """A worker that lives keeps its task; so does one that never took a lease."""
    put(engine, "a")
    claim(engine)
    assert reap(engine) == []
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE labkit_records SET lease_until = NULL")
    assert reap(engine) == []


def test_the_task_of_a_dead_worker_is_pending_again_when_its_lease_is_over(engine, store):
    """By the database's time, whatever the machine's clock says; the next claim has the next token."""
    put(engine, "a", "b", "c")
    claim(engine, limit=2)
    expire(engine)
    assert reap(engine, limit=1) == ["a"]
    assert reap(engine) == ["b"]
    assert reap(engine) == []
    assert store.get(Task, "a").state is TaskState.PENDING
    assert [(held.id, held.token) for held in claim(engine, limit=3)] == [("a", 2), ("b", 2), ("c", 1)]


def test_a_clock_that_is_given_takes_the_place_of_the_databases(engine):
    """Lease, heartbeat and reaper follow it to the second, and the stamps too."""
    clock = FakeClock()
    put(engine, "a", clock=clock)
    assert row(engine, "a")["updated_at"] == clock.now()
    (held,) = claim(engine, lease=60, clock=clock)
    assert held.lease_until == clock.now() + timedelta(seconds=60)
    clock.sleep(30)
    held = heartbeat(engine, held, lease=60, clock=clock)
    clock.sleep(60)
    assert reap(engine, clock=clock) == []
    clock.sleep(0.001)
    assert reap(engine, clock=clock) == ["a"]
    assert row(engine, "a")["updated_at"] == clock.now()


def test_whoever_holds_the_token_may_finish_even_late(engine, store):
    """A lease that is over takes nothing away, until somebody else has noticed."""
    put(engine, "a")
    (held,) = claim(engine)
    expire(engine)
    assert finish(engine, heartbeat(engine, held), completed(held)) is True
    assert store.get(Task, "a").state is TaskState.COMPLETED
    assert row(engine, "a")["lease_until"] is None


@pytest.mark.parametrize("since", ["pending again", "claimed again", "completed"])
def test_a_zombie_changes_nothing(engine, store, since):
    """Who comes back with an old token cannot finish, fail or extend what is no longer its own, even if it reads it."""
    put(engine, "a")
    (zombie,) = claim(engine)
    expire(engine)
    reap(engine)
    if since != "pending again":
        (held,) = claim(engine)
    if since == "completed":
        finish(engine, held, completed(held, "by the other"))
    before = row(engine, "a")
    assert finish(engine, zombie, completed(zombie)) is False
    assert finish(engine, zombie, zombie.record.to(TaskState.FAILED, error="late")) is False
    read_again = store.get(Task, "a").model_copy(update={"state": TaskState.COMPLETED, "result": "late"})
    assert finish(engine, zombie, read_again) is False
    with pytest.raises(LeaseLostError, match="task a: the lease with token 1 is lost"):
        heartbeat(engine, zombie)
    with pytest.raises(VersionConflictError):
        store.save(zombie.record.finished("step", "late"))
    assert row(engine, "a") == before


def test_completed_is_final(engine):
    """Not even its own worker changes what it finished."""
    put(engine, "a")
    (held,) = claim(engine)
    finish(engine, held, completed(held))
    before = row(engine, "a")
    assert finish(engine, held, completed(held, "again")) is False
    expire(engine)
    assert (claim(engine), reap(engine), put(engine, "a")) == ([], [], [])
    assert {**row(engine, "a"), "lease_until": None} == before


def test_a_batch_is_finished_by_one_statement_which_tells_what_was_lost(engine, store):
    """One zombie among the claims costs the others nothing; two claims of one task are told apart."""
    put(engine, "a", "b", "c")
    (zombie,) = claim(engine)
    expire(engine)
    reap(engine)
    held = claim(engine, limit=3)
    done = [(mine, completed(mine, f"by {mine.token}")) for mine in [*held, zombie]]
    assert finish_all(engine, done) == [True, True, True, False]
    assert [store.get(Task, name).result for name in "abc"] == ["by 2", "by 1", "by 1"]
    assert finish_all(engine, []) == []


def test_what_a_worker_saved_itself_is_not_overwritten(engine, store):
    """A result made of an older version of the record is refused; one made of the last is stored."""
    put(engine, "a")
    (held,) = claim(engine)
    saved = store.save(held.record.finished("step", "done"))
    assert finish(engine, held, completed(held)) is False
    assert finish(engine, held, saved.to(TaskState.COMPLETED)) is True
    assert store.get(Task, "a").journal == {"step": "done"}


def test_a_claimed_task_can_fail_or_be_given_back(engine, store):
    """Whatever may follow running may be said at the end, and nothing else."""
    put(engine, "a")
    (held,) = claim(engine)
    for wrong in (held.record, held.record.model_copy(update={"id": "b", "state": TaskState.COMPLETED})):
        with pytest.raises(ValueError, match="cannot be finished"):
            finish(engine, held, wrong)
    with pytest.raises(ValueError, match="validation error"):
        finish(engine, held, completed(held).model_copy(update={"result": 1}))
    assert finish(engine, held, held.record.to(TaskState.PENDING)) is True
    (held,) = claim(engine)
    assert finish(engine, held, held.record.to(TaskState.FAILED, error="no")) is True
    assert store.get(Task, "a").error == "no"
    failed = store.get(Task, "a")
    with pytest.raises(IllegalTransitionError):
        finish(
            engine, type(held)(failed, held.token, held.lease_until), failed.model_copy(update={"state": "completed"})
        )


def test_a_heartbeat_that_is_first_keeps_the_task_from_the_reaper(engine, other):
    """The reaper does not wait for a heartbeat that is under way: the task is not its."""
    put(engine, "a")
    (held,) = claim(engine)
    expire(engine)
    other.execute(statements.HEARTBEAT, {**ONE, "id": "a", "token": held.token})
    assert reap(engine) == []
    other.commit()
    assert reap(engine) == []


@pytest.mark.parametrize("late", ["heartbeat", "finish"])
def test_a_reaper_that_is_first_wins(engine, other, late):
    """A heartbeat or a finish that had to wait for the reaper comes too late, and says so."""
    put(engine, "a")
    (held,) = claim(engine)
    expire(engine)
    other.execute(statements.REAP, ONE)
    with ThreadPoolExecutor(1) as pool:
        if late == "heartbeat":
            waiting = pool.submit(heartbeat, engine, held)
        else:
            waiting = pool.submit(finish, engine, held, completed(held))
        until_somebody_waits_for(other)
        other.commit()
        if late == "heartbeat":
            with pytest.raises(LeaseLostError):
                waiting.result(30)
        else:
            assert waiting.result(30) is False
    assert row(engine, "a")["state"] == "pending"


OPERATIONS = st.one_of(
    st.tuples(st.just("claim"), st.integers(1, 3)),
    st.tuples(st.sampled_from(["heartbeat", "finish"]), st.integers(0, 9)),
    st.tuples(st.just("sleep"), st.sampled_from([1, 30, 61])),
    st.tuples(st.just("reap"), st.integers(1, 3)),
)


@given(st.lists(OPERATIONS, max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_a_task_has_one_owner_and_one_result(engine, operations):
    """Any workers, alive, dead or back from the dead: only the holder of the last token has a say."""
    with engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE labkit_records")
    clock, claims = FakeClock(), []
    names = put(engine, *"abc", clock=clock)
    state, token, until = dict.fromkeys(names, "pending"), dict.fromkeys(names, 0), {}
    for operation, number in operations:
        held = claims[number % len(claims)] if claims else None
        ours = held is not None and (state[held.id], token[held.id]) == ("running", held.token)
        if operation == "claim":
            taken = claim(engine, limit=number, clock=clock)
            assert ids(taken) == [name for name in names if state[name] == "pending"][:number]
            for new in taken:
                state[new.id], token[new.id], until[new.id] = "running", token[new.id] + 1, new.lease_until
                assert new.token == token[new.id]
            claims += taken
        elif operation == "sleep":
            clock.sleep(number)
        elif operation == "reap":
            over = [name for name in names if state[name] == "running" and until[name] < clock.now()]
            reaped = reap(engine, limit=number, clock=clock)
            assert set(reaped) <= set(over)
            assert len(reaped) == min(number, len(over))
            state.update(dict.fromkeys(reaped, "pending"))
        elif held is None:
            continue
        elif operation == "finish":
            assert finish(engine, held, completed(held), clock=clock) is ours
            state[held.id] = "completed" if ours else state[held.id]
        elif ours:
            until[held.id] = heartbeat(engine, held, clock=clock).lease_until
        else:
            with pytest.raises(LeaseLostError):
                heartbeat(engine, held, clock=clock)
    assert {name: row(engine, name)["state"] for name in names} == state


def test_execute_step_claims_works_and_stores_the_result(engine, store):
    """True for each task, None when there is nothing to do; the work is given the claim."""
    put(engine, "a", "b")
    worked = []

    def work(held):
        worked.append((held.id, held.token, held.record.state))
        return f"{held.id} is up"

    assert [execute_step(engine, work) for _ in range(3)] == [True, True, None]
    assert worked == [("a", 1, TaskState.RUNNING), ("b", 1, TaskState.RUNNING)]
    assert [store.get(Task, name).result for name in "ab"] == ["a is up", "b is up"]


@pytest.mark.parametrize("beating", [True, False])
def test_no_transaction_is_open_while_the_work_runs(engine, other, beating):
    """Anybody may lock the row meanwhile, without waiting, and no session is idle in a transaction."""
    put(engine, "a")

    def work(held):
        other.execute("SELECT 1 FROM labkit_records WHERE id = %s FOR UPDATE NOWAIT", [held.id])
        other.rollback()
        open_ones = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
            AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"""
        (others,) = other.execute(open_ones).fetchone()
        other.rollback()
        return str(others)

    assert execute_step(engine, work, beating=beating) is True
    assert PostgresStateStore(engine).get(Task, "a").result == "0"


def test_work_that_fails_is_stored_as_failed_and_raised(engine, store):
    """The error is the task's; another worker does not run into it."""
    put(engine, "a")

    def work(_):
        raise OSError("no container")

    with pytest.raises(OSError, match="no container"):
        execute_step(engine, work)
    task = store.get(Task, "a")
    assert (task.state, task.error) == (TaskState.FAILED, "no container")
    assert execute_step(engine, work) is None


def test_a_worker_that_is_stopped_leaves_its_task_to_the_reaper(engine):
    """KeyboardInterrupt says nothing about the work: its outcome is unknown until the lease is over."""
    put(engine, "a")

    def work(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute_step(engine, work)
    assert row(engine, "a")["state"] == "running"
    expire(engine)
    assert reap(engine) == ["a"]
    assert [thread.name for thread in threading.enumerate() if "heartbeat" in thread.name] == []


def test_a_worker_that_lost_its_task_is_told(engine, store):
    """Another has the task by the time the work is done: its result counts, and this one does not."""
    put(engine, "a")

    def late(_):
        expire(engine)
        reap(engine)
        assert execute_step(engine, lambda held: "in time") is True
        return "late"

    assert execute_step(engine, late) is False
    assert store.get(Task, "a").result == "in time"


def test_heartbeats_extend_the_lease_while_the_work_runs(engine, store):
    """As often as it takes; the work need do nothing for it, and afterwards they stop."""
    put(engine, "a")

    def work(held):
        seen = {held.lease_until}
        while len(seen) < 3:
            seen.add(row(engine, "a")["lease_until"])
        return "up"

    assert execute_step(engine, work, lease=0.03) is True
    assert store.get(Task, "a").result == "up"
    assert [thread.name for thread in threading.enumerate() if "heartbeat" in thread.name] == []


def test_heartbeats_stop_when_the_lease_is_lost(engine):
    """A zombie's thread does not go on asking."""
    put(engine, "a")

    def work(_):
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE labkit_records SET token = token + 1")
        while [thread for thread in threading.enumerate() if "heartbeat" in thread.name]:
            pass
        return "late"

    assert execute_step(engine, work, lease=0.03) is False


def test_without_heartbeats_there_is_no_thread(engine):
    """In the crash lab threads are refused: the order of what they do is not repeatable."""
    put(engine, "a")
    assert execute_step(engine, lambda held: str(threading.active_count()), beating=False) is True
    assert PostgresStateStore(engine).get(Task, "a").result == str(threading.active_count())


def test_a_heartbeat_that_cannot_be_sent_is_sent_again(engine, monkeypatch):
    """A server that is away for a moment costs nothing, if it is back before the lease is over."""
    put(engine, "a")
    worker, failed = labkit_worker(), threading.Event()
    real = worker.heartbeat

    def unlucky(*arguments, **options):
        if not failed.is_set():
            failed.set()
            raise StoreError("the server is away")
        return real(*arguments, **options)

    monkeypatch.setattr(worker, "heartbeat", unlucky)

    def work(held):
        while row(engine, "a")["lease_until"] == held.lease_until:
            pass
        return "up"

    assert execute_step(engine, work, lease=0.03) is True
    assert failed.is_set()


def labkit_worker():
    """The module that sends the heartbeats."""
    return inspect.getmodule(execute_step)


@pytest.mark.parametrize("kind", ["task", "\0"])
def test_the_engine_is_as_good_for_transactions_as_before(engine, kind):
    """Claims borrow its connections in autocommit, and nobody else gets one like that: not after an error, either."""
    put(engine, "a")
    with nullcontext() if kind == "task" else pytest.raises(StoreError):
        statements.execute(engine, statements.REAP, None, kind=kind, limit=1)
    with engine.connect() as connection:
        connection.exec_driver_sql("DELETE FROM labkit_records")
        connection.rollback()
    assert row(engine, "a")["state"] == "pending"


def test_a_connection_that_died_is_one_plain_error_and_is_not_used_again(database_url):
    """Nobody knows whether the claim was made: if it was, its lease will end. The next claim works."""
    engine = sa.create_engine(database_url)
    create_schema(engine)
    put(engine, "a")
    with psycopg.connect(database_url) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database() AND backend_type = 'client backend'"
        )
    with pytest.raises(StoreError, match="connection was lost"):
        claim(engine)
    assert ids(claim(engine)) == ["a"]
    engine.dispose()


def test_tables_that_are_not_there_are_one_plain_error(database_url):
    """It says what to do."""
    engine = sa.create_engine(database_url)
    with pytest.raises(StoreError, match="create_schema") as error:
        claim(engine)
    assert "\n" not in str(error.value)
    engine.dispose()


def test_a_server_that_is_not_there_is_one_plain_error():
    """Whether it never was, or went away."""
    engine = sa.create_engine("postgresql://nobody@127.0.0.1:1/nowhere")
    with pytest.raises(StoreError, match="cannot connect") as error:
        claim(engine)
    assert "\n" not in str(error.value)


def test_a_record_that_cannot_be_read_is_told_and_comes_back(engine):
    """It is not taken for "nothing to do", and others can be claimed."""
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO labkit_records SELECT 'task', 'a', 'pending', 1, now(), '{}'")
    put(engine, "b")
    with pytest.raises(CorruptState, match="row a"):
        claim(engine)
    assert ids(claim(engine)) == ["b"]


def test_claims_use_their_indexes(engine):
    """What is done long since costs a claim and a reaper nothing."""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO labkit_records SELECT 'task', number::text, 'completed', 1, now(), '{}'"
            " FROM generate_series(1, 20000) AS number"
        )
    put(engine, *(f"p{number}" for number in range(300)))
    claim(engine, limit=100)
    values = {**ONE, "now": datetime.now(UTC)}
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE labkit_records")
        for statement, index in ((statements.CLAIM, "labkit_to_claim"), (statements.REAP, "labkit_leases")):
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars().all()
            assert any(index in line for line in plan), plan
            assert not [line for line in plan if "Seq Scan on labkit_records" in line], plan
