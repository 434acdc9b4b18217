"""The queue: what is accepted is done once, in its turn, and its result is there for whoever asks."""

import asyncio
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
import queues
import sqlalchemy as sa

from labkit.claims import LEASE, heartbeat
from labkit.clock import FakeClock
from labkit.deadlines import Deadline, DeadlineExceeded
from labkit.idempotency import KeyReusedError
from labkit.postgres import PostgresStateStore, create_schema
from labkit.store import NotFoundError, StoreError
from labkit.task import IllegalTransitionError, TaskState
from labkit.tasks import (
    ATTEMPTS,
    POLL,
    QueuedTask,
    QueueFullError,
    drain,
    finish,
    give_back,
    hints,
    on_sigterm,
    park,
    queue,
    submit,
    submit_again,
    take,
    wait,
)

WORKER = """
import sys, time
from labkit.postgres import connect
from labkit.tasks import drain, on_sigterm, take

engine = connect(sys.argv[1])
with on_sigterm() as stop:
    held = take(engine, limit=2, lease=3600)
    print(len(held), flush=True)
    while not stop.told:
        time.sleep(0.01)
    print(*drain(engine, held))
"""
"""A worker that has taken two tasks when it is told to stop."""


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
def clock():
    """A clock that stands still until somebody sleeps on it."""
    return FakeClock()


def put(engine, *names, clock=None, **options):
    """Submit tasks, each a second after the one before if there is a clock."""
    for name in names:
        submit(engine, "deploy", name, clock=clock, **options)
        if clock:
            clock.sleep(1)


def ids(claims):
    """The ids of claims."""
    return [held.id for held in claims]


def taken(engine, clock):
    """The ids of all tasks, in the order in which they are taken."""
    names = []
    while held := take(engine, clock=clock):
        names += ids(held)
    return names


def die(engine, clock):
    """Take one task, and be heard of no more; the task, None if there was none."""
    held = take(engine, clock=clock)
    clock.sleep(LEASE + 1)
    return held[0] if held else None


def test_what_was_submitted_is_there_with_its_input_under_the_callers_key(engine, store):
    """Whatever the input is; the id is the key."""
    assert submit(engine, "разверни \x00 '1'", "ключ 7") == "ключ 7"
    task = store.get(QueuedTask, "ключ 7")
    assert (task.user_input, task.state) == ("разверни \x00 '1'", TaskState.PENDING)
    (held,) = take(engine)
    assert (held.record.user_input, held.token) == (task.user_input, 1)


@pytest.mark.parametrize("since", ["pending", "running", "completed", "failed"])
def test_the_same_key_is_the_same_task_whatever_has_become_of_it(engine, store, since):
    """Who submits again, after a crash or a lost answer, changes nothing; not even in a full queue."""
    put(engine, "a")
    for held in take(engine) if since != "pending" else []:
        if since == "completed":
            finish(engine, held, "up")
        elif since == "failed":
            park(engine, held, "no such service")
    before = store.get(QueuedTask, "a")
    assert before.state == since
    assert submit(engine, "deploy", "a", priority=9, limit=1) == "a"
    put(engine, "b", limit=2)
    assert submit(engine, "deploy", "a", limit=1) == "a"
    assert store.get(QueuedTask, "a") == before


def test_another_input_under_the_same_key_is_refused_in_one_line(engine, store):
    """It is another task, and would never be done."""
    put(engine, "a")
    with pytest.raises(KeyReusedError, match=r"^the key a was used with another input$"):
        submit(engine, "destroy", "a")
    assert store.get(QueuedTask, "a").user_input == "deploy"


def test_an_input_is_compared_as_it_is_stored(engine, store):
    """Bytes are stored as text: the same bytes again are the same input."""
    assert [submit(engine, b"deploy", "a") for _ in range(2)] == ["a", "a"]
    assert store.get(QueuedTask, "a").user_input == "deploy"


def test_a_full_queue_refuses_and_says_so(engine, store):
    """What waits counts; what is worked on, done or parked does not."""
    put(engine, "a", "b", limit=2)
    with pytest.raises(QueueFullError, match=r"^the task c was not accepted: 2 are waiting already$"):
        submit(engine, "deploy", "c", limit=2)
    assert store.list_ids(QueuedTask) == ["a", "b"]
    take(engine)
    assert submit(engine, "deploy", "c", limit=2) == "c"


def test_what_was_accepted_is_never_refused_later(engine, clock):
    """A task comes back into a full queue, from a dead worker or one that stops."""
    put(engine, "a", "b", limit=2)
    held = take(engine, limit=2, clock=clock)
    put(engine, "c", "d", limit=2)
    assert drain(engine, held[:1], clock=clock) == ["a"]
    clock.sleep(LEASE + 1)
    assert sorted(ids(take(engine, limit=9, clock=clock))) == ["a", "b", "c", "d"]


def test_the_limit_is_exact_when_many_submit_at_once(engine):
    """Eight submitters, each with a connection of its own, find room for ten."""
    start = threading.Barrier(8, timeout=30)

    def accepted(name):
        try:
            put(engine, name, limit=10)
        except QueueFullError:
            return 0
        return 1

    def submitter(number):
        start.wait()
        return sum(accepted(f"{number}-{turn}") for turn in range(5))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(submitter, range(8))) == 10
    assert len(take(engine, limit=99)) == 10


def test_without_a_limit_nobody_waits_for_another(engine, database_url):
    """While one who has a limit is in the middle of it, any number is accepted."""
    with psycopg.connect(database_url) as other:
        other.execute(queue.ONE_AT_A_TIME)
        for number in range(101):
            submit(engine, "deploy", str(number), limit=None)
    assert len(take(engine, limit=999)) == 101


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_the_limit_is_exact_whatever_the_engines_isolation_is(database_url, isolation):
    """A submitter that waited for another sees what that one has stored."""
    stricter = sa.create_engine(database_url, isolation_level=isolation)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database_url) as other:
        other.execute(queue.ONE_AT_A_TIME)
        waiting = pool.submit(submit, stricter, "deploy", "late", limit=1)
        while not other.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchone():
            pass
        other.execute("INSERT INTO labkit_records SELECT 'queued task', 'first', 'pending', 1, now(), '{}'")
        other.commit()
        with pytest.raises(QueueFullError):
            waiting.result(30)
    stricter.dispose()


def by_rank(engine, clock):
    """labkit's own order."""
    return taken(engine, clock)


def by_text(engine, _):
    """The wrong way: "9" comes before "10"."""
    with engine.connect() as connection:
        return [*connection.exec_driver_sql("SELECT id FROM labkit_records ORDER BY priority::text DESC, id").scalars()]


def the_urgent_come_first(order, engine, clock):
    """Head starts of 9 and 10 minutes, and none; what came first is in the middle of the alphabet."""
    put(engine, "m", "z", "a", clock=clock)
    put(engine, "nine", priority=9, clock=clock)
    put(engine, "ten", priority=10, clock=clock)
    put(engine, "patient", priority=-1, clock=clock)
    assert order(engine, clock) == ["ten", "nine", "m", "z", "a", "patient"]


def test_the_urgent_come_first_then_the_oldest(engine, clock):
    """Priorities are numbers."""
    the_urgent_come_first(by_rank, engine, clock)


def test_priorities_that_are_compared_as_text_do_not_pass(engine, clock):
    """The test above notices."""
    with pytest.raises(AssertionError, match="ten"):
        the_urgent_come_first(by_text, engine, clock)


def test_nobody_starves(engine, clock):
    """However many urgent tasks come: who has waited for their head start is next."""
    put(engine, "patient", clock=clock)
    for minute in range(9):
        put(engine, f"urgent-{minute}", priority=5, clock=clock)
        (held,) = take(engine, clock=clock)
        finish(engine, held, "up", clock=clock)
        if held.id == "patient":
            break
        clock.sleep(59)
    assert minute == 5


def test_a_task_that_comes_back_has_its_old_place(engine, clock):
    """Given back, left by a dead worker, or submitted again by a human."""
    put(engine, "a", "b", "c", clock=clock)
    (held,) = take(engine, clock=clock)
    give_back(engine, held, clock=clock)
    assert die(engine, clock).id == "a"
    (held,) = take(engine, clock=clock)
    park(engine, held, "no", clock=clock)
    submit_again(engine, "a", clock=clock)
    assert taken(engine, clock) == ["a", "b", "c"]


def test_what_a_dead_worker_held_is_taken_when_its_lease_is_over(engine, clock):
    """Not before; its heartbeats count, and the next claim has the next token."""
    put(engine, "a")
    (held,) = take(engine, lease=60, clock=clock)
    clock.sleep(59)
    held = heartbeat(engine, held, lease=60, clock=clock)
    clock.sleep(60)
    assert take(engine, clock=clock) == []
    clock.sleep(1)
    assert [(held.id, held.token) for held in take(engine, clock=clock)] == [("a", 2)]


def test_without_a_clock_the_databases_time_counts(engine, store):
    """The stamp, the lease and the place in the queue come from the server."""
    put(engine, "a")
    with engine.begin() as connection:
        now = connection.scalar(sa.func.clock_timestamp())
        rank = connection.exec_driver_sql("SELECT priority FROM labkit_records").scalar()
    assert timedelta(0) <= now - store.get(QueuedTask, "a").updated_at < timedelta(seconds=60)
    assert -1 <= rank + (now.timestamp() - 1767225600) < 60  # whole seconds, rounded
    (held,) = take(engine, lease=60)
    assert timedelta(0) < held.lease_until - now < timedelta(seconds=120)


def test_the_result_is_there_for_whoever_asks_as_often_as_they_ask(engine, clock):
    """It is in the row, not in a message that one gets."""
    put(engine, "a")
    (held,) = take(engine)
    assert finish(engine, held, "up") is True
    for _ in range(2):
        assert wait(engine, "a", Deadline.after(1, clock), clock=clock).result == "up"


def test_only_the_last_claim_has_a_say(engine, store, clock):
    """A zombie finishes, parks and gives back nothing, and is told so."""
    put(engine, "a")
    zombie = die(engine, clock)
    (held,) = take(engine, clock=clock)
    before = store.get(QueuedTask, "a")
    assert finish(engine, zombie, "late") is False
    assert park(engine, zombie, "late") is False
    assert give_back(engine, zombie) is False
    assert drain(engine, [zombie, held]) == ["a"]
    assert before.model_copy(update={"forgiven": 1}) == store.get(QueuedTask, "a").model_copy(
        update={"state": before.state, "version": before.version, "updated_at": before.updated_at}
    )


def test_a_worker_keeps_its_progress_in_the_task(engine, store, clock):
    """The next worker has the journal, and a claim with the saved record finishes."""
    put(engine, "a")
    (held,) = take(engine, clock=clock)
    store.save(held.record.finished("create_dns", "shop.example"))
    clock.sleep(LEASE + 1)
    (held,) = take(engine, clock=clock)
    assert held.record.journal == {"create_dns": "shop.example"}
    held = replace(held, record=store.save(held.record.finished("deploy", "up")))
    assert finish(engine, held, "done") is True
    assert [*store.get(QueuedTask, "a").journal] == ["create_dns", "deploy"]


def test_a_task_that_is_given_back_has_cost_no_attempt(engine, clock):
    """Workers that are told to stop do not get it parked."""
    put(engine, "a")
    for _ in range(3 * ATTEMPTS):
        (held,) = take(engine, clock=clock)
        assert give_back(engine, held, clock=clock) is True
    assert ids(take(engine, clock=clock)) == ["a"]


@pytest.mark.parametrize("error", [None, "no such service"])
def test_a_task_that_kills_its_workers_is_parked_with_its_last_error(engine, clock, error):
    """After so many attempts nobody takes it; the next task has not waited longer than for that."""
    put(engine, "deadly", "harmless", clock=clock)
    for attempt in range(ATTEMPTS):
        held = die(engine, clock) if attempt or error is None else take(engine, clock=clock)[0]
        assert held.id == "deadly"
        if error and not attempt:
            assert give_back(engine, held, error, clock=clock) is True
    assert ids(take(engine, clock=clock)) == ["harmless"]
    assert die(engine, clock) is None
    task = wait(engine, "deadly", Deadline.after(1, clock), clock=clock)
    assert task.state is TaskState.FAILED
    assert task.error.startswith(f"given up after {ATTEMPTS} attempts; the last error: {error or 'none was told'}")


def test_a_parked_task_can_be_submitted_again_by_a_human(engine, clock):
    """It has all its attempts anew; what is not parked is left alone."""
    put(engine, "a")
    for _ in range(2):
        for _ in range(ATTEMPTS):
            assert die(engine, clock).id == "a"
        assert take(engine, clock=clock) == []
        assert submit_again(engine, "a", clock=clock).state is TaskState.PENDING
    with pytest.raises(IllegalTransitionError, match=r"^the task a is pending, and only what is parked"):
        submit_again(engine, "a")
    (held,) = take(engine, clock=clock)
    with pytest.raises(IllegalTransitionError, match=r"^the task a is running, and only what is parked"):
        submit_again(engine, "a")
    assert finish(engine, held, "up", clock=clock)
    with pytest.raises(NotFoundError, match=r"^the task b was never submitted$"):
        submit_again(engine, "b")


def test_a_worker_can_park_what_no_attempt_will_help(engine, clock):
    """At once, with its reason."""
    put(engine, "a")
    (held,) = take(engine, clock=clock)
    assert park(engine, held, "no such service", clock=clock) is True
    assert wait(engine, "a", Deadline.after(1, clock), clock=clock).error == "no such service"
    assert take(engine, clock=clock) == []


def test_whoever_waits_looks_now_and_then_until_the_task_has_ended(engine, clock):
    """The result costs at most one poll."""
    put(engine, "a")
    (held,) = take(engine, clock=clock)
    begun, looks = clock.monotonic(), []

    def pause(seconds):
        looks.append(seconds)
        if len(looks) == 3:
            finish(engine, held, "up", clock=clock)
        clock.sleep(seconds)

    assert wait(engine, "a", Deadline.after(60, clock), clock=clock, pause=pause).result == "up"
    assert (looks, clock.monotonic() - begun) == ([POLL] * 3, 3 * POLL)


def test_who_has_waited_in_vain_can_wait_again(engine, store, clock):
    """The deadline is the waiter's own: the task goes on."""
    put(engine, "a")
    (held,) = take(engine, clock=clock)
    begun = clock.monotonic()
    with pytest.raises(DeadlineExceeded):
        wait(engine, "a", Deadline.after(1.2, clock), clock=clock)
    assert clock.monotonic() - begun == pytest.approx(1.2)
    assert store.get(QueuedTask, "a").state is TaskState.RUNNING
    finish(engine, held, "up", clock=clock)
    assert wait(engine, "a", Deadline.after(1.2, clock), clock=clock).result == "up"
    with pytest.raises(NotFoundError, match=r"^the task b was never submitted$"):
        wait(engine, "b", Deadline.after(1, clock), clock=clock)


@pytest.mark.parametrize("end", [finish, park])
def test_a_hint_ends_the_pause(engine, clock, end):
    """As soon as the task has ended; another task's end does not matter."""
    put(engine, "a", "b", clock=clock)
    mine, other = take(engine, limit=2)
    with hints(engine, "a") as pause:
        end(engine, other, "other")
        end(engine, mine, "mine")
        pause(3600)
        end(engine, mine, "again")
        pause(0)


def test_notify_only_never_learns_of_what_was_before(database_url, engine, clock):
    """The wrong way: who listens too late hears nothing. `wait` looks first, and a missed hint costs one poll."""
    put(engine, "a", "b")
    early, late = take(engine, limit=2)
    finish(engine, early, "up")
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {queue.CHANNEL}")
        assert [*listener.notifies(timeout=0)] == []
    with hints(engine, "a") as pause:
        assert wait(engine, "a", Deadline.after(1, clock), pause=pause).result == "up"

    def deaf(seconds):
        finish(engine, late, "up")
        clock.sleep(seconds)

    begun = clock.monotonic()
    assert wait(engine, "b", Deadline.after(60, clock), pause=deaf).result == "up"
    assert clock.monotonic() - begun == POLL


def test_a_connection_that_dies_while_it_listens_costs_a_poll(engine, clock):
    """The pause is then a sleep, and the pool has no dead connection, nor one that still listens."""
    put(engine, "a")
    with hints(engine, "a", clock=clock) as pause, engine.connect() as other:
        kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %%'"
        assert other.exec_driver_sql(kill).scalar() is True
        begun = clock.monotonic()
        pause(POLL)
        assert clock.monotonic() - begun == POLL
    with hints(engine, "a"):
        pass
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT pg_listening_channels()").all() == []


def test_a_hint_that_cannot_be_sent_costs_nothing(engine, store, monkeypatch):
    """The result is stored, and the worker is told so."""
    put(engine, "a")
    (held,) = take(engine)
    monkeypatch.setattr(queue, "CHANNEL", "too long" * 9)
    assert finish(engine, held, "up") is True
    assert store.get(QueuedTask, "a").result == "up"


def test_a_worker_that_is_told_to_stop_gives_back_what_it_holds(engine):
    """SIGTERM: it leaves in peace, nobody waits for its lease, and it has cost no attempt."""
    put(engine, "a", "b")
    command = [sys.executable, "-c", WORKER, engine.url.render_as_string(hide_password=False)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout.readline() == "2\n"
        assert take(engine) == []
        worker.send_signal(signal.SIGTERM)
        assert worker.stdout.read() == "a b\n"
    assert worker.returncode == 0
    assert [(held.id, held.record.forgiven) for held in take(engine, limit=2)] == [("a", 1), ("b", 1)]


def test_sigterm_means_afterwards_what_it_meant_before():
    """Also when the worker ends with an error."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), on_sigterm():
        _ = 1 / 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_web_server_submits_and_waits_in_threads(engine, clock):
    """The loop of asyncio goes on meanwhile."""
    put(engine, "a")
    (held,) = take(engine)

    async def serve():
        waiting = asyncio.create_task(asyncio.to_thread(wait, engine, "a", Deadline.after(60, clock), poll=0.01))
        assert await asyncio.to_thread(submit, engine, "deploy", "b") == "b"
        await asyncio.to_thread(finish, engine, held, "up")
        return (await waiting).result

    assert asyncio.run(serve()) == "up"


def test_without_tables_the_error_says_what_to_do(database_url):
    """One line, as everywhere."""
    engine = sa.create_engine(database_url)
    with pytest.raises(StoreError, match="create_schema"):
        submit(engine, "deploy", "a")
    engine.dispose()


@pytest.mark.long
@pytest.mark.slow
def test_of_two_that_submit_at_the_limit_one_is_refused():
    """In every order; who looks first and inserts later is caught."""
    queues.submit_at_the_limit(queues.submit).assert_survives()
    assert queues.submit_at_the_limit(queues.check_then_insert).broken


def test_of_two_that_submit_under_one_key_both_have_the_one_task():
    """In every order; if their inputs differ, one is refused."""
    queues.submit_one_key().assert_survives()
    queues.submit_two_inputs().assert_survives()


def test_no_two_workers_take_one_task():
    """In every order, and each finds one."""
    queues.take_at_once().assert_survives()


@pytest.mark.slow
def test_whoever_waits_hears_of_the_result_in_every_order():
    """Before, while or after the worker finishes."""
    queues.wait_and_finish().assert_survives()


@pytest.mark.parametrize("again", [False, True])
def test_no_kill_loses_an_accepted_task_its_result_or_does_it_twice(again):
    """Of the submitter, the worker or whoever waits; see also test_mechanisms."""
    queues.killed(again=again).assert_survives(effects=4)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"submit": queues.submit_in_memory, "result": queues.result_from_memory}, "an accepted task is lost"),
        ({"result": queues.work_on_all}, "the result is lost"),
        ({"submit": queues.submit_by_the_clock, "result": queues.work_on_all, "again": True}, "deployed 2 times"),
    ],
    ids=["queue in memory", "result in memory", "id from the clock"],
)
def test_what_is_kept_in_memory_or_named_by_the_clock_does_not_pass(wrong, reason):
    """The test above notices."""
    report = queues.killed(**wrong)
    assert reason in "".join(outcome.reason for point in report.broken for outcome in point.outcomes)
