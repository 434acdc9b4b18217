"""Events: what happened is told, once and in order, and nothing else is."""

import json
import threading
from datetime import UTC, timedelta

import outboxes
import pytest

from labkit.clock import FakeClock
from labkit.events import Event, cloud_event, create_tables, forget, receive, record, relay
from labkit.events.relay import MARK
from labkit.events.tables import FORGET
from labkit.postgres import in_transaction
from labkit.store import StoreError


@pytest.fixture
def engine(engine):
    """An engine on a database with the tables."""
    create_tables(engine)
    return engine


@pytest.fixture
def clock():
    """A clock that stands still until somebody sleeps on it."""
    return FakeClock()


def tell(engine, run, payload=None, **options):
    """Record an event in a transaction of its own."""
    return in_transaction(engine, lambda conn: record(conn, run, "step.finished", payload, **options))


def sent(engine, send=lambda event: None, **options):
    """The ids that a call of the relay tried to send."""
    tried = []

    def keep(event):
        tried.append(event.id)
        send(event)

    relay(engine, keep, **options)
    return tried


def refuses(*ids):
    """A `send` that cannot send these."""

    def send(event):
        if event.id in ids:
            raise ConnectionError("refused \0 'ü'")

    return send


def problems(engine):
    """What the outbox says of events that could not be sent."""
    with engine.connect() as conn:
        rows = conn.exec_driver_sql("SELECT run, number, problem FROM labkit_outbox WHERE problem IS NOT NULL")
        return [tuple(row) for row in rows]


def test_an_event_is_recorded_with_its_transaction_or_not_at_all(engine):
    """Rolled back, it leaves no row and no gap in the numbers."""
    assert tell(engine, "a") == 1
    with engine.connect() as conn:
        assert record(conn, "a", "never", None) == 2
    assert (tell(engine, "a"), tell(engine, "b")) == (2, 1)
    assert sent(engine) == ["a/1", "a/2", "b/1"]


def test_an_event_is_sent_as_it_was_recorded(engine, clock):
    """Its payload is any JSON, its time is in UTC."""
    payload = {"text": "Öl \0 '1' %s", "numbers": [1, 2.5, None, True]}
    tell(engine, "прогон 'a'", payload, clock=clock)
    events = []
    assert relay(engine, events.append) == 1
    assert events == [Event("прогон 'a'", 1, "step.finished", payload, clock.now())]
    assert events[0].recorded_at.tzinfo is UTC


@pytest.mark.parametrize("payload", [float("nan"), {1, 2}, object()])
def test_what_is_no_json_is_refused_before_it_is_recorded(engine, payload):
    """A relay could never send it, nor what comes after it."""
    with engine.begin() as conn:
        with pytest.raises((ValueError, TypeError)):
            record(conn, "a", "odd", payload)
        with pytest.raises(ValueError, match="a run has a name"):
            record(conn, "", "odd", 1)
    assert sent(engine) == []


def test_what_is_marked_is_not_sent_again_and_what_is_not_marked_is(engine):
    """A process that ends between the two sends it twice."""
    tell(engine, "a")

    def die(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        relay(engine, die)
    assert sent(engine) == ["a/1"], "the lock of the relay that ended is free"
    assert sent(engine) == []


def test_what_cannot_be_sent_stops_its_run_and_no_other(engine):
    """Until a later call can send it; the row says why."""
    for run in ("a", "a", "a", "b", "b"):
        tell(engine, run)
    assert sent(engine, refuses("a/2")) == ["a/1", "a/2", "b/1", "b/2"]
    assert problems(engine) == [("a", 2, repr(ConnectionError("refused \0 'ü'")))]
    assert sent(engine) == ["a/2", "a/3"]
    assert problems(engine) == []


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_batches_change_neither_order_nor_number(engine, batch):
    """A call is over all runs, whoever fails; what it leaves, the next ones send."""
    expected = {run: [f"{run}/{number}" for number in range(1, count + 1)] for run, count in (("a", 5), ("b", 1))}
    for run, ids in expected.items():
        for _ in ids:
            tell(engine, run)
    tried = []
    while more := sent(engine, batch=batch):
        tried += more
    assert {run: [each for each in tried if each.startswith(run)] for run in expected} == expected
    assert tried.index("b/1") <= batch + 1, "a long run lets others wait"


def test_runs_that_fail_at_every_call_keep_no_other_waiting(engine):
    """Also if they are more than a batch."""
    for run in ("a", "b", "c", "d"):
        tell(engine, run)
    assert sent(engine, refuses("a/1", "b/1", "c/1"), batch=1)[-1] == "d/1"


def test_two_relays_share_the_runs(engine):
    """One leaves out the run that another is sending, and no transaction is open meanwhile."""
    for run in ("a", "b"):
        tell(engine, run)
    seen = {}

    def meanwhile(_):
        if not seen:
            with engine.connect() as conn:
                query = "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid()"
                seen["transactions"] = conn.exec_driver_sql(f"{query} AND datname = current_database()").scalar()
            tell(engine, "a")  # who records does not wait for who sends
            seen["other"] = sent(engine, batch=1)

    assert sent(engine, meanwhile, batch=1) == ["a/1"]
    assert seen == {"transactions": 0, "other": ["b/1"]}
    assert sent(engine) == ["a/2"]


def test_a_late_commit_is_not_skipped(engine):
    """Whoever records in the same run waits for it, and others are sent before it."""
    late = engine.connect()
    assert record(late, "a", "late", None) == 1
    tell(engine, "b")
    numbers = []
    thread = threading.Thread(target=lambda: numbers.append(tell(engine, "a")))
    thread.start()
    assert sent(engine) == ["b/1"]
    late.commit()
    late.close()
    thread.join(30)
    assert numbers == [2]
    assert sent(engine) == ["a/1", "a/2"]


def write(conn):
    """An effect in the database."""
    conn.exec_driver_sql("INSERT INTO effects VALUES (1)")


def effects(engine):
    """How many effects there are."""
    with engine.connect() as conn:
        return conn.exec_driver_sql("SELECT count(*) FROM effects").scalar()


@pytest.fixture
def consumer(engine):
    """An engine on a database with a table of the consumer's."""
    with engine.begin() as conn:
        conn.exec_driver_sql("CREATE TABLE effects (n int)")
    return engine


def test_an_event_has_its_effect_once(consumer):
    """However often it comes."""
    took = [in_transaction(consumer, lambda conn: receive(conn, "a/1", write)) for _ in range(3)]
    assert (took, effects(consumer)) == ([True, False, False], 1)
    assert in_transaction(consumer, lambda conn: receive(conn, "a/11", write))


def test_an_effect_that_fails_leaves_the_event_to_come_again(consumer):
    """The id is kept with the effect, or neither is."""

    def fail(conn):
        write(conn)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_transaction(consumer, lambda conn: receive(conn, "a/1", fail))
    assert effects(consumer) == 0
    assert in_transaction(consumer, lambda conn: receive(conn, "a/1", write))
    assert effects(consumer) == 1


def test_an_effect_that_fails_is_undone_though_its_error_is_caught_and_all_is_committed(consumer):
    """As by whoever receives many events in one transaction, and leaves out what fails."""

    def fail(conn):
        write(conn)
        raise ZeroDivisionError

    with consumer.begin() as conn:
        assert receive(conn, "a/1", write)
        with pytest.raises(ZeroDivisionError):
            receive(conn, "a/2", fail)
        assert receive(conn, "a/3", write)
    assert effects(consumer) == 2
    with consumer.begin() as conn:
        assert [receive(conn, f"a/{number}", write) for number in (1, 2, 3)] == [False, True, False]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_what_only_promises_to_send_or_to_have_an_effect_has_done_nothing(consumer):
    """A coroutine that nobody awaits: the event is sent, and has its effect, when a plain function does it."""

    async def promise(_):
        pass

    def generator(_):
        yield

    tell(consumer, "a")
    for each in (promise, generator):
        with pytest.raises(TypeError, match="give a plain function"):
            relay(consumer, each)
        with consumer.begin() as conn, pytest.raises(TypeError, match="give a plain function"):
            receive(conn, "a/1", each)
    assert sent(consumer) == ["a/1"]
    assert in_transaction(consumer, lambda conn: receive(conn, "a/1", write))


def test_where_each_statement_is_a_transaction_nothing_is_recorded_or_received(engine):
    """In autocommit, event and effect would be apart."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        with pytest.raises(ValueError, match="autocommit"):
            record(conn, "a", "odd", None)
        with pytest.raises(ValueError, match="autocommit"):
            receive(conn, "a/1", write)
    assert sent(engine) == []


def test_old_rows_are_forgotten_but_not_what_waits_nor_the_numbers(engine, clock):
    """So many at a time."""
    for run in ("a", "a", "b"):
        tell(engine, run, clock=clock)
    sent(engine, refuses("b/1"), clock=clock)
    in_transaction(engine, lambda conn: receive(conn, "x", lambda _: None, clock=clock))
    assert forget(engine, 60, clock=clock) == 0
    clock.sleep(61)
    assert [forget(engine, 60, limit=1, clock=clock) for _ in range(3)] == [2, 1, 0]
    assert sent(engine) == ["b/1"]
    assert tell(engine, "a") == 3


def test_without_a_clock_the_database_is_asked_for_the_time(engine):
    """What is of now is not older than a minute."""
    tell(engine, "a")
    assert (relay(engine, lambda event: None), forget(engine, 60), forget(engine, -60)) == (1, 0, 1)


def test_outside_an_event_has_the_names_of_cloudevents(clock):
    """The required ones, what it is about, and its data; as JSON."""
    event = cloud_event(Event("run-7", 3, "step.finished", {"n": 1}, clock.now()), "https://lab.example/agent")
    assert json.loads(json.dumps(event)) == {
        "specversion": "1.0",
        "id": "run-7/3",
        "source": "https://lab.example/agent",
        "type": "step.finished",
        "subject": "run-7",
        "time": clock.now().isoformat(),
        "data": {"n": 1},
    }
    assert clock.now().utcoffset() == timedelta(0)


def test_tables_are_made_once_and_said_to_be_missing(database_url):
    """By whoever comes first."""
    from labkit.postgres import connect

    engine = connect(database_url)
    with pytest.raises(StoreError, match="tables are not in this database"):
        relay(engine, lambda event: None)
    create_tables(engine)
    create_tables(engine)
    assert sent(engine) == []
    engine.dispose()


def test_no_kill_makes_a_ghost_or_loses_an_event():
    """At each point of two transactions and the relay; what went before in the run is told before."""
    outboxes.told_through().assert_survives(effects=14)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ((outboxes.before_the_commit, lambda: None), "a ghost"),
        ((outboxes.after_the_commit, lambda: None), "lost"),
        ((outboxes.in_the_transaction, outboxes.marked_before_sending), "lost"),
    ],
    ids=["sent before COMMIT", "sent after COMMIT", "marked before it is sent"],
)
def test_what_is_sent_beside_the_transaction_or_marked_too_soon_does_not_pass(wrong, reason):
    """The test above notices."""
    report = outboxes.told_through(*wrong)
    assert report.broken
    assert reason in str(report)


def test_no_kill_repeats_or_loses_an_effect_at_the_consumer():
    """The event comes again after each."""
    outboxes.received_through().assert_survives(effects=5)


@pytest.mark.parametrize("wrong", [outboxes.received_first, outboxes.effect_first])
def test_an_inbox_apart_from_the_effect_does_not_pass(wrong):
    """The test above notices."""
    assert outboxes.received_through(wrong).broken


def test_two_that_record_in_one_run_have_numbers_without_a_gap():
    """In every order."""
    outboxes.two_record().assert_survives()


def test_of_two_that_receive_one_event_one_has_the_effect():
    """In every order, also if one is killed; who looks first and keeps the id later is caught."""
    outboxes.two_receive().assert_survives()
    outboxes.two_receive(crash=True).assert_survives()
    assert outboxes.two_receive(outboxes.look_then_receive).broken


def test_more_than_the_last_of_a_sequence_skips_what_commits_late():
    """The race notices; labkit's relay in the same race: see test_long_events."""
    report = outboxes.more_than_the_last()
    assert "skipped: {'a'}" in str(report)


def test_marking_and_forgetting_use_their_indexes(engine):
    """Also when much waits, suddenly, and the planner still knows of nothing that does."""
    fill = "INSERT INTO labkit_outbox SELECT mod(n, 9), n, 'odd', '0', now(), {} FROM generate_series({}, {}) AS n"
    marks = {"runs": ["r1"] * 100, "numbers": list(range(70001, 70101)), "problems": [None] * 100, "now": None}
    forgetting, old = FORGET.format("labkit_outbox", "sent_at"), {"now": None, "age": 60, "limit": 1000}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql(fill.format("now()", 1, 70000))
        conn.exec_driver_sql("ANALYZE labkit_outbox")
        conn.exec_driver_sql(fill.format("NULL", 70001, 72000))
        for statement, values, used in ((MARK, marks, "(number = tried.number)"), (forgetting, old, "labkit_sent on")):
            plan = conn.exec_driver_sql(f"EXPLAIN {statement}", values).scalars().all()
            assert any("Index" in line and used in line for line in plan), plan
            assert not [line for line in plan if "Seq Scan" in line], plan


def test_a_mark_that_comes_late_changes_nothing(engine):
    """Another relay, which had the run when this one had lost its lock, has sent the event since."""
    tell(engine, "a")

    def late(_):
        assert sent(engine) == []
        with engine.begin() as conn:
            conn.exec_driver_sql("UPDATE labkit_outbox SET sent_at = '2026-01-01 00:00Z'")
        raise ConnectionError

    relay(engine, late)
    with engine.connect() as conn:
        (row,) = conn.exec_driver_sql("SELECT problem, sent_at = '2026-01-01 00:00Z' FROM labkit_outbox").all()
    assert tuple(row) == (None, True)
