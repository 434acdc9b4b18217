"""State in PostgreSQL: the promises of every store, transactions that begin again, and a server that fails."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count, pairwise
from threading import Barrier, Thread

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_conformance import SharedStoreConformance
from store_kinds import KINDS, Door, Place, together

from labkit import database
from labkit.clock import FakeClock
from labkit.database.server import url as as_url
from labkit.idempotency import Once
from labkit.postgres import (
    RECORDS,
    SCHEMA_VERSION,
    PostgresStateStore,
    connect,
    create_schema,
    in_transaction,
    metadata,
)
from labkit.postgres.tables import LOCK, SCHEMA
from labkit.store import CorruptState, StoreError, UnsupportedSchemaError, VersionConflictError
from labkit.task import LEGAL_TRANSITIONS, IllegalTransitionError, Task, TaskState

ONE_DATABASE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def with_options(url, **options):
    """The URL with these settings of PostgreSQL for every connection."""
    text = " ".join(f"-c {name}={value}" for name, value in options.items())
    return sa.make_url(url).update_query_dict({"options": text}).render_as_string(hide_password=False)


@pytest.fixture
def engine(database_url):
    """Connections to an empty database, as the lab makes them."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine):
    """A store in an empty database."""
    return PostgresStateStore(engine)


@pytest.fixture
def other(database_url):
    """Somebody else's connection, in autocommit."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def task(store):
    """A running task."""
    return store.save(store.insert(Task(id="a", user_input="deploy")).to(TaskState.RUNNING))


@pytest.fixture
def statements(engine, monkeypatch):
    """All statements that are sent from here on."""
    sent, execute = [], psycopg.Cursor.execute
    engine.connect().close()  # what a new connection asks is not ours

    def record(cursor, query, *args, **kwargs):
        sent.append(query)
        return execute(cursor, query, *args, **kwargs)

    monkeypatch.setattr(psycopg.Cursor, "execute", record)
    return sent


@pytest.fixture
def once_before(monkeypatch):
    """Let something happen before the next statement."""

    def arrange(action):
        execute = psycopg.Cursor.execute

        def first(cursor, *args, **kwargs):
            monkeypatch.setattr(psycopg.Cursor, "execute", execute)
            action(cursor)
            return execute(cursor, *args, **kwargs)

        monkeypatch.setattr(psycopg.Cursor, "execute", first)

    return arrange


class TestPostgresStateStore(SharedStoreConformance):
    """PostgresStateStore does what every store must."""

    @pytest.fixture
    def new_place(self, database_url):
        """Make an empty PostgreSQL schema."""
        numbers, engines = count(), []

        def make():
            name = f"place{next(numbers)}"
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute(f"CREATE SCHEMA {name}")
            url = with_options(database_url, search_path=name)
            engines.append(connect(url))
            return Place(
                lambda clock=None, engine=engines[-1]: PostgresStateStore(engine, clock),
                "from labkit.postgres import PostgresStateStore, connect\n"
                f"store = PostgresStateStore(connect({url!r}))",
            )

        yield make
        for engine in engines:
            engine.dispose()


# The store


def test_a_stale_writer_never_overwrites_completed(store, task):
    """Whoever read the task before it was completed changes nothing, whatever they want to make of it."""
    done = store.save(task.to(TaskState.COMPLETED, result="deployed"))
    for state in TaskState:
        with pytest.raises(VersionConflictError):
            store.save(task.model_copy(update={"state": state}))
    assert store.get(Task, "a") == done


@given(state=st.sampled_from(TaskState), version=st.integers(-1, 5))
@ONE_DATABASE
def test_no_save_takes_a_task_out_of_completed(store, state, version):
    """Not even one that names the right version: the WHERE clause holds the legal transitions, too."""
    task = store.get(Task, "a")
    if task is None:
        running = store.save(store.insert(Task(id="a", user_input="deploy")).to(TaskState.RUNNING))
        task = store.save(running.to(TaskState.COMPLETED))
    with pytest.raises((VersionConflictError, IllegalTransitionError)) as raised:
        store.save(task.model_copy(update={"state": state, "version": version}))
    assert raised.type is (IllegalTransitionError if version == task.version else VersionConflictError)
    assert store.get(Task, "a") == task


@pytest.mark.parametrize("stored", TaskState)
@pytest.mark.parametrize("new", TaskState)
def test_sql_allows_the_transitions_that_the_table_does_and_no_others(store, engine, stored, new):
    """What is legal in Python is legal in the WHERE clause: one table of transitions for both."""
    task = store.insert(Task(id="a", user_input="deploy"))
    with engine.begin() as connection:
        connection.execute(sa.update(RECORDS).values(state=stored))
    changed = task.model_copy(update={"state": new})
    if new in LEGAL_TRANSITIONS[stored]:
        assert store.save(changed).state is new
    else:
        with pytest.raises(IllegalTransitionError):
            store.save(changed)
        assert store.get(Task, "a").state is stored


def test_an_idempotency_record_may_follow_any_other(store):
    """For some kinds the version alone decides."""
    once = store.insert(Once(id="a", fingerprint="f", expires_at=datetime(2026, 1, 1, tzinfo=UTC)))
    for state in ["completed", "in progress", "given back", "completed"]:
        once = store.save(once.model_copy(update={"state": state}))
    assert store.get(Once, "a") == once


def test_an_operation_is_one_statement(store, task, statements):
    """No BEGIN, no COMMIT, no question before the answer is needed; a refused save asks why in a second one."""
    task = store.save(task)
    store.insert(Task(id="b", user_input="deploy"))
    store.get(Task, "a")
    store.list_by_state(Task, "running")
    store.list_ids(Task)
    store.delete(Task, "b")
    verbs = [statement.split()[0] for statement in statements]
    assert verbs == ["UPDATE", "INSERT", "SELECT", "SELECT", "SELECT", "DELETE"]
    with pytest.raises(VersionConflictError):
        store.save(task.model_copy(update={"version": 1}))
    assert [statement.split()[0] for statement in statements[6:]] == ["UPDATE", "SELECT"]


@pytest.mark.usefixtures("task")
def test_no_transaction_stays_open_between_operations(store, other):
    """A store that is not being asked holds no lock and no snapshot."""
    store.list_by_state(Task, "running")
    states = """SELECT DISTINCT state FROM pg_stat_activity WHERE datname = current_database()
        AND backend_type = 'client backend' AND pid <> ALL (%s)"""
    mine = [row[0] for row in other.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory'").fetchall()]
    assert other.execute(states, [[*mine, other.info.backend_pid]]).fetchall() == [("idle",)]
    other.execute("SELECT 1 FROM labkit_records WHERE id = 'a' FOR UPDATE NOWAIT")


def test_the_store_leaves_the_engine_as_it_was(store, task, engine):
    """The caller's own connections begin transactions as before."""
    with engine.connect() as connection:
        connection.execute(sa.delete(RECORDS))
        connection.rollback()
    assert store.get(Task, "a") == task


def test_an_engine_in_autocommit_stays_in_autocommit(database_url, other):
    """Whoever made it so does not commit: a statement after an operation of the store would be rolled back."""
    engine = connect(database_url, isolation_level="AUTOCOMMIT")
    PostgresStateStore(engine).insert(Task(id="a", user_input="deploy"))
    with engine.connect() as connection:
        connection.execute(sa.delete(RECORDS))
    assert other.execute("SELECT count(*) FROM labkit_records").fetchone() == (0,)
    engine.dispose()


def test_the_columns_are_the_truth(store, task, other):
    """SQL alone can move a record on, and the body repeats nothing that it would have to change."""
    body = other.execute("SELECT body FROM labkit_records").fetchone()[0]
    assert set(body) == set(Task.model_fields) - {"id", "state", "version", "updated_at"}
    other.execute("UPDATE labkit_records SET state = 'failed', version = 7, updated_at = '2026-01-02 03:04:05+00'")
    moved = {"state": TaskState.FAILED, "version": 7, "updated_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}
    assert store.get(Task, "a") == task.model_copy(update=moved)


@pytest.mark.parametrize(
    "spoil", ["body = '{}'", "body = '[1]'", "body = 'null'", "state = 'lost'", "body = '{\"more\": 1}'"]
)
@pytest.mark.usefixtures("task")
def test_a_row_that_makes_no_sense_is_corrupt_and_not_missing(store, other, spoil):
    """What cannot be read is said to be there; its id is still listed, and it can be deleted."""
    other.execute("UPDATE labkit_records SET " + spoil)  # noqa: S608 - ours
    with pytest.raises(CorruptState, match="the row a cannot be read: it does not hold a task"):
        store.get(Task, "a")
    assert store.list_ids(Task) == ["a"]
    store.delete(Task, "a")
    assert store.get(Task, "a") is None


@pytest.mark.parametrize("text", ["a\0b", "\0", "half \ud83d"])
def test_an_id_that_postgresql_cannot_hold_is_a_value_error(store, text):
    """It is refused before anything is sent."""
    with pytest.raises(ValueError, match=r"NUL|surrogates|validation error"):
        store.insert(Door(id=text))
    for ask in (store.get, store.delete, lambda kind, text: store.list_ids(kind, after=text)):
        with pytest.raises(ValueError, match=r"NUL|surrogates"):
            ask(Door, text)
    assert store.list_ids(Door) == []


def test_the_text_of_a_record_may_hold_nul(store):
    """As in files: what a tool returned may be anything."""
    stored = store.insert(Task(id="a", user_input="a\0b", journal={"\0": "\0"}))
    assert store.get(Task, "a") == stored


def test_what_json_cannot_say_is_refused(store):
    """Infinity is no number of JSON's."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.insert(Door(id="a", lock={"wear": float("inf")}))
    assert store.get(Door, "a") is None


# Lists


def fill(other, states):
    """Many tasks at once, each state as often as it says."""
    for state, number in states.items():
        other.execute(
            """INSERT INTO labkit_records (kind, id, state, version, updated_at, body)
               SELECT 'task', %s || to_char(n, '000000'), %s, 1, now(), %s FROM generate_series(1, %s) AS n""",
            [state, state, json.dumps({"user_input": "deploy"}), number],
        )
    other.execute("ANALYZE labkit_records")


@pytest.mark.parametrize("state", ["running", "pending"])
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_a_list_reads_the_partial_index_and_nothing_else(store, statements, other, mode, state):
    """Among 20,000 completed tasks it reads those it returns, also with the plan that prepared statements get."""
    fill(other, {"completed": 20_000, "pending": 2_000, "running": 2_000})
    assert len(store.list_by_state(Task, state)) == 100
    numbers = {name: f"${number}" for number, name in enumerate(["this_kind", "after", "most"], 1)}
    other.execute("PREPARE list AS " + re.sub(r"%\((\w+)\)s", lambda found: numbers[found[1]], statements[-1]))
    other.execute(f"SET plan_cache_mode = {mode}")
    told = other.execute("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE list ('task', '', 100)").fetchone()[0]
    (scan,) = told[0]["Plan"]["Plans"]
    assert (scan["Node Type"], scan["Index Name"]) == ("Index Scan", "labkit_by_state")
    assert scan["Actual Rows"] == 100
    assert scan.get("Rows Removed by Filter", 0) == 0


@pytest.mark.parametrize("state", ["it's", "100%", "back\\slash", ":x", "%(x)s", "; DROP TABLE labkit_records"])
def test_a_state_is_only_ever_text(store, other, state):
    """Although it stands in the statement."""
    store.insert(Door(id="a"))
    assert store.list_by_state(Door, state) == []
    other.execute("UPDATE labkit_records SET state = %s", [state])
    with pytest.raises(CorruptState):
        store.list_by_state(Door, state)


def test_pages_are_complete_although_others_write(store, other):
    """What was there all the time is seen once, whatever comes and goes between two pages."""
    fill(other, {"running": 250})
    names, seen = store.list_ids(Task, limit=1000), []
    while page := store.list_by_state(Task, "running", after=seen[-1].id if seen else ""):
        seen += page
        store.insert(Task(id=f"a new one {len(seen)}", user_input="deploy"))
        store.delete(Task, page[0].id)
    assert [task.id for task in seen] == names


# The tables


@pytest.mark.long
def test_eight_processes_make_the_tables_at_once(database_url):
    """All of them come to an empty database, and none sees it half made."""
    code = (
        "from labkit.postgres import PostgresStateStore, connect\n"
        f"engine = connect({database_url!r}); engine.connect().close()\n"
        "class store: insert = staticmethod(lambda record: PostgresStateStore(engine).insert(record))"
    )
    won = together(Place(connect, code), "claim", [(KINDS["door"], str(number), 3) for number in range(8)])
    assert sorted(key for keys in won for key in keys) == [0, 1, 2]


@pytest.mark.parametrize("isolation", ["AUTOCOMMIT", "REPEATABLE READ", "SERIALIZABLE"])
def test_whoever_waited_for_the_tables_sees_them_whatever_the_engines_isolation_is(database_url, engine, isolation):
    """Who waits for the lock began before the tables were there."""
    own = connect(database_url, isolation_level=isolation)
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as first:
            first.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
            waiting = pool.submit(create_schema, own)
            while not first.scalar(sa.text("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")):
                assert not waiting.done()
            metadata.create_all(first)
            first.execute(sa.insert(SCHEMA).values(version=SCHEMA_VERSION))
        waiting.result(30)
    own.dispose()


def test_making_the_tables_again_changes_nothing(task, engine, statements):
    """Who opens a store pays one statement."""
    create_schema(engine)
    assert statements == ["SELECT version FROM labkit_schema"]
    assert PostgresStateStore(engine).get(Task, "a") == task


@pytest.mark.usefixtures("store")
def test_tables_of_another_version_are_left_alone(engine, other):
    """An older labkit says so in one line, and neither changes nor adds anything."""
    other.execute("UPDATE labkit_schema SET version = 2")
    before = other.execute("SELECT count(*) FROM pg_class").fetchone()
    for ask in (create_schema, PostgresStateStore):
        with pytest.raises(UnsupportedSchemaError, match="the database has schema 2; this labkit knows schema 1"):
            ask(engine)
    assert other.execute("SELECT count(*) FROM pg_class").fetchone() == before


def test_tables_are_made_whole_or_not_at_all(engine, other):
    """What stops their making in its midst leaves nothing behind."""
    other.execute("CREATE TABLE mine (x int); CREATE INDEX labkit_leases ON mine (x)")  # the name of the last index
    with pytest.raises(StoreError, match="labkit_leases"):
        create_schema(engine)
    assert other.execute("SELECT to_regclass('labkit_records'), to_regclass('labkit_schema')").fetchone() == (
        None,
        None,
    )


# Transactions


@pytest.fixture
def accounts(engine):
    """Connections to a database of two rows, each with 10."""
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE accounts (id text PRIMARY KEY, money int)"))
        connection.execute(sa.text("INSERT INTO accounts VALUES ('a', 10), ('b', 10)"))
    return engine


def add(connection, name, amount):
    """Change one row."""
    connection.execute(sa.text("UPDATE accounts SET money = money + :m WHERE id = :id"), {"m": amount, "id": name})


def money(connection):
    """What is in both."""
    return dict(connection.execute(sa.text("SELECT id, money FROM accounts ORDER BY id")).all())


def test_a_transaction_is_committed_whole(accounts):
    """What `work` returned is returned after COMMIT."""

    def work(connection):
        add(connection, "a", -3)
        add(connection, "b", 3)
        return money(connection)

    assert in_transaction(accounts, work) == {"a": 7, "b": 13}
    with accounts.connect() as connection:
        assert money(connection) == {"a": 7, "b": 13}


def test_an_error_undoes_all_of_it_and_passes_through(accounts):
    """Nothing is retried that does not ask for it, and nothing remains."""
    runs = []

    def work(connection):
        runs.append(None)
        add(connection, "a", -3)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_transaction(accounts, work)
    with accounts.connect() as connection:
        assert money(connection) == {"a": 10, "b": 10}
    assert len(runs) == 1


def test_where_each_statement_is_a_transaction_nothing_is_begun(database_url):
    """What an error could not undo is refused before it is done; with an isolation given there is a transaction."""
    engine, runs = connect(database_url, isolation_level="AUTOCOMMIT"), []
    with pytest.raises(ValueError, match="autocommit"):
        in_transaction(engine, runs.append)
    assert runs == []
    in_transaction(engine, runs.append, isolation="READ COMMITTED")
    assert len(runs) == 1
    engine.dispose()


def test_a_serialization_failure_begins_the_whole_transaction_again(accounts, other):
    """Not the statement that failed alone: what the first attempt read was out of date (40001)."""
    clock, read = FakeClock(), []

    def work(connection):
        read.append(money(connection)["a"])
        if len(read) == 1:
            other.execute("UPDATE accounts SET money = 100 WHERE id = 'a'")
        connection.execute(sa.text("UPDATE accounts SET money = :m WHERE id = 'a'"), {"m": read[-1] + 1})

    in_transaction(accounts, work, isolation="REPEATABLE READ", clock=clock)
    assert read == [10, 100]
    assert other.execute("SELECT money FROM accounts WHERE id = 'a'").fetchone() == (101,)
    assert 0 < clock.monotonic() <= 0.02


def test_it_is_begun_again_as_often_as_attempts_say(accounts, other):
    """Then the last failure is told in one line; the delays grow, with jitter, and none follows the last attempt."""
    clock, runs = FakeClock(), []

    def work(connection):
        money(connection)
        runs.append(clock.monotonic())
        other.execute("UPDATE accounts SET money = money + 1 WHERE id = 'a'")
        add(connection, "a", 1000)

    with pytest.raises(StoreError, match="could not serialize access"):
        in_transaction(accounts, work, attempts=4, isolation="SERIALIZABLE", clock=clock)
    assert (len(runs), clock.monotonic()) == (4, runs[-1])
    assert all(later - earlier <= 0.02 * 2**n for n, (earlier, later) in enumerate(pairwise(runs)))
    assert other.execute("SELECT money FROM accounts WHERE id = 'a'").fetchone() == (14,)


def test_the_victim_of_a_deadlock_begins_again(accounts):
    """Two transactions take two rows in opposite order; the server ends one (40P01), and both are done in the end."""
    meet, runs = Barrier(2, timeout=10), []

    def transfer(first, second):
        first_run = []

        def work(connection):
            runs.append(first)
            add(connection, first, -1)
            if not first_run:
                first_run.append(True)
                meet.wait()
            add(connection, second, 1)

        in_transaction(accounts, work, clock=FakeClock())

    threads = [Thread(target=transfer, args=names, daemon=True) for names in ("ab", "ba")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with accounts.connect() as connection:
        assert money(connection) == {"a": 10, "b": 10}
    assert len(runs) >= 3  # 4 if the victim was back before the other had been woken


@pytest.mark.parametrize(("state", "times"), [("40001", 2), ("40P01", 2), ("55P03", 1), ("23505", 1), ("57014", 1)])
def test_only_what_did_nothing_for_certain_begins_again(engine, state, times):
    """By SQLSTATE, not by class or text: a lock that was not there, a broken rule, a cancelled statement do not."""
    runs = []

    def work(connection):
        runs.append(None)
        if len(runs) == 1:
            connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")

    if times == 2:
        in_transaction(engine, work, clock=FakeClock())
    else:
        with pytest.raises((StoreError, sa.exc.IntegrityError)):
            in_transaction(engine, work, clock=FakeClock())
    assert len(runs) == times


def test_a_failed_statement_that_work_hides_is_not_taken_for_success(accounts):
    """PostgreSQL answers COMMIT with ROLLBACK then, and the driver says nothing."""

    def work(connection):
        add(connection, "a", -3)
        with pytest.raises(sa.exc.IntegrityError):
            connection.execute(sa.text("INSERT INTO accounts VALUES ('a', 1)"))

    with pytest.raises(StoreError, match="a statement had failed, and `work` went on"):
        in_transaction(accounts, work)


def test_a_savepoint_may_fail(accounts):
    """What failed inside a savepoint was undone there: the rest is committed."""

    def work(connection):
        add(connection, "a", -3)
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            connection.execute(sa.text("INSERT INTO accounts VALUES ('a', 1)"))

    in_transaction(accounts, work)
    with accounts.connect() as connection:
        assert money(connection)["a"] == 7


# A server that fails


def one_line(raised, *parts):
    """The message is one line and says all of this."""
    text = str(raised.value)
    assert "\n" not in text
    for part in parts:
        assert part in text
    return True


def end_backends(url, *, but=()):
    """Kill every other server process of this database, as the server does when one of them crashes."""
    with psycopg.connect(url, autocommit=True) as connection:
        pids = [connection.info.backend_pid, *(each.info.backend_pid for each in but)]
        connection.execute(
            """SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
               WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> ALL (%s)
               AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')""",
            [pids],
        )


def test_a_backend_killed_between_two_calls_costs_nothing(store, task, database_url):
    """Every operation goes on with a new connection, and nobody hears of it."""
    end_backends(database_url)
    task = store.save(task)
    for ask in (store.get, lambda kind, name: store.list_by_state(kind, "running")[0]):
        end_backends(database_url)
        assert ask(Task, "a") == task
    end_backends(database_url)
    assert store.insert(Task(id="b", user_input="deploy")).version == 1


def test_a_connection_lost_in_mid_save_leaves_the_outcome_open(store, task, database_url, once_before):
    """One line says so, and reading the record tells: here it was not saved."""
    once_before(lambda cursor: end_backends(database_url))
    with pytest.raises(StoreError) as raised:
        store.save(task)
    assert one_line(raised, "the connection was lost: nobody knows whether a save was done, so read the record again")
    assert store.get(Task, "a") == task


def test_a_transaction_that_loses_its_connection_is_not_begun_again(accounts, database_url):
    """Its COMMIT may have been on its way; only the caller can find out."""
    runs = []

    def work(connection):
        runs.append(None)
        add(connection, "a", -3)
        end_backends(database_url)

    with pytest.raises(StoreError) as raised:
        in_transaction(accounts, work)
    assert one_line(raised, "the connection was lost")
    with accounts.connect() as connection:
        assert money(connection)["a"] == 10
    assert len(runs) == 1


def test_a_full_disk_is_said_in_one_line_and_loses_nothing(store, task, once_before):
    """The record is the old one, and when there is room again the same save succeeds (53100)."""
    full = "DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
    once_before(lambda cursor: cursor.execute(full))
    with pytest.raises(StoreError) as raised:
        store.save(task)
    assert one_line(raised, "the server's disk is full and nothing was changed: free some space, then do it again")
    assert store.get(Task, "a") == task
    assert store.save(task).version == task.version + 1


def test_tables_that_somebody_dropped_are_missed_in_one_line(store, engine, other):
    """And made anew when they are asked for."""
    other.execute("DROP TABLE labkit_records, labkit_schema")
    with pytest.raises(StoreError) as raised:
        store.get(Task, "a")
    assert one_line(raised, "the tables are not in this database: make them with create_schema or create_tables")
    create_schema(engine)
    assert store.get(Task, "a") is None


def test_a_server_that_is_gone_is_said_in_one_line():
    """No traceback of two libraries."""
    with pytest.raises(StoreError) as raised:
        PostgresStateStore(connect("postgresql://nobody:secret@127.0.0.1:1/none"))
    assert one_line(raised, "cannot connect: start the server, or check the address in the URL")
    assert "secret" not in str(raised.value)


def test_a_wrong_password_is_said_in_one_line(database_url):
    """It says what to check and does not repeat what was given."""
    url = sa.make_url(database_url).set(password="wrong secret")  # noqa: S106 - it is wrong
    with pytest.raises(StoreError) as raised:
        PostgresStateStore(connect(url))
    assert one_line(raised, "cannot connect: check the user and the password in the URL")
    assert "wrong secret" not in str(raised.value)


def test_a_database_dropped_under_us_is_said_in_one_line():
    """And when the database is there again, so is the store."""
    server = database.server()
    server.start()
    server.make_database("labkit_dropped")
    try:
        engine = connect(as_url(server.owner("labkit_dropped")))
        store = PostgresStateStore(engine)
        store.insert(Task(id="a", user_input="deploy"))
        server.drop_database("labkit_dropped")
        with pytest.raises(StoreError) as raised:
            store.get(Task, "a")
        assert one_line(raised, "cannot connect: make the database anew, or check its name in the URL")
        server.make_database("labkit_dropped")
        create_schema(engine)
        assert store.insert(Task(id="a", user_input="deploy")).version == 1
        engine.dispose()
    finally:
        server.drop_database("labkit_dropped")


def test_a_killed_server_loses_nothing_that_was_saved():
    """SIGKILL for the whole server between two calls; it is started again, and the caller goes on."""
    with database.throwaway_cluster() as cluster:
        cluster.make_database("agent")
        store = PostgresStateStore(connect(as_url(cluster.owner("agent"))))
        task = store.insert(Task(id="a", user_input="deploy"))
        cluster.kill()
        with pytest.raises(StoreError) as raised:
            store.get(Task, "a")
        assert one_line(raised, "connect")
        cluster.start()
        assert store.get(Task, "a") == task
        assert store.save(task.to(TaskState.RUNNING)).version == 2
