"""The race lab on PostgreSQL: exact numbers of orders for the classical races, and none for their fixes."""

import os
import time
from functools import partial

import psycopg
import pytest
from psycopg import IsolationLevel
from rest import rest_is_long

from labkit import after, database, race, tool
from labkit.crash.child.statements import Statement
from labkit.crash.race.report import LostRaceError
from labkit.crash.world_process.catalogue import catalogue

SCHEMA = """
    CREATE TABLE account (name text PRIMARY KEY, balance int NOT NULL);
    INSERT INTO account VALUES ('a', 100), ('b', 100);
    CREATE TABLE doctor (name text PRIMARY KEY, on_call bool NOT NULL);
    INSERT INTO doctor VALUES ('ann', true), ('bob', true);
    CREATE TABLE task (id int PRIMARY KEY, holder text);
    INSERT INTO task VALUES (1, NULL), (2, NULL);
    CREATE TABLE job (id int PRIMARY KEY, holder int, until float8 NOT NULL, token int NOT NULL, result int);
    INSERT INTO job VALUES (1, NULL, 0, 0, NULL)
"""


def connect(**options):
    return psycopg.connect(database.url(), **options)


def setup():
    with connect() as connection:
        connection.execute(SCHEMA)


def one(connection, query, *params):
    return connection.execute(query, params).fetchone()[0]


def withdraw():
    with connect() as connection:
        balance = one(connection, "SELECT balance FROM account WHERE name = %s", "a")
        connection.execute("UPDATE account SET balance = %s WHERE name = %s", [balance - 10, "a"])


def withdraw_in_two_transactions():
    with database.engine().begin() as reading:
        balance = reading.exec_driver_sql("SELECT balance FROM account WHERE name = 'a'").scalar()
    with database.engine().begin() as writing:
        writing.exec_driver_sql("UPDATE account SET balance = %s WHERE name = 'a'", (balance - 10,))


def withdraw_for_update():
    with connect() as connection:
        balance = one(connection, "SELECT balance FROM account WHERE name = %s FOR UPDATE", "a")
        connection.execute("UPDATE account SET balance = %s WHERE name = %s", [balance - 10, "a"])


def both_withdrew(_):
    with connect() as connection:
        balance = one(connection, "SELECT balance FROM account WHERE name = %s", "a")
    if balance != 80:
        raise AssertionError(f"the balance is {balance}, and two have withdrawn 10 of 100")


def go_home(level, name):
    while True:
        try:
            with connect() as connection:
                connection.isolation_level = level
                if one(connection, "SELECT count(*) FROM doctor WHERE on_call") > 1:
                    connection.execute("UPDATE doctor SET on_call = false WHERE name = %s", [name])
        except psycopg.errors.SerializationFailure:
            continue
        return


def on_repeatable_read(name):
    return lambda: go_home(IsolationLevel.REPEATABLE_READ, name)


def on_serializable(name):
    return lambda: go_home(IsolationLevel.SERIALIZABLE, name)


def somebody_is_on_call(_):
    with connect() as connection:
        count = one(connection, "SELECT count(*) FROM doctor WHERE on_call")
    assert count, "nobody is on call"


def claim():
    with connect() as connection:
        found = connection.execute("SELECT id FROM task WHERE holder IS NULL ORDER BY id LIMIT 1").fetchone()
        if found:
            connection.execute("UPDATE task SET holder = 'me' WHERE id = %s", found)
    if found:
        tool("charge", customer=str(found[0]), amount=1)


def claim_skipping():
    query = "SELECT id FROM task WHERE holder IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
    with connect() as connection:
        found = connection.execute(query).fetchone()
        if found:
            connection.execute("UPDATE task SET holder = 'me' WHERE id = %s", found)
    if found:
        tool("charge", customer=str(found[0]), amount=1)


def each_task_once(seen):
    charged = [call.arguments["customer"] for call in seen.ledger]
    assert len(charged) == len(set(charged)), f"charged {charged}"


def transfer(payer, payee):
    with connect() as connection:
        connection.execute("UPDATE account SET balance = balance - 10 WHERE name = %s", [payer])
        connection.execute("UPDATE account SET balance = balance + 10 WHERE name = %s", [payee])


def a_to_b():
    transfer("a", "b")


def b_to_a():
    transfer("b", "a")


def check_then_insert():
    with connect() as connection:
        if not one(connection, "SELECT count(*) FROM task WHERE id = 9"):
            connection.execute("INSERT INTO task (id, holder) VALUES (9, 'me')")


def nothing(_):
    pass


def insert_if_absent():
    with connect() as connection:
        made = connection.execute("INSERT INTO task (id, holder) VALUES (9, 'me') ON CONFLICT DO NOTHING").rowcount
    if made:
        tool("charge", customer="9", amount=1)


def hold_a_lease(*, token):
    """Claim the job for a minute if its lease is over, and store a result, as its holder or whoever that is by then."""
    claim = "UPDATE job SET holder = %s, until = %s, token = token + 1 WHERE id = 1 AND until < %s RETURNING token"
    me, now = os.getpid(), time.time()
    with connect(autocommit=True) as connection:
        found = connection.execute(claim, [me, now + 60, now]).fetchone()
        if found and token:
            connection.execute("UPDATE job SET result = %s WHERE id = 1 AND token = %s", [me, *found])
        elif found:
            connection.execute("UPDATE job SET result = %s WHERE id = 1", [me])


def the_last_holder_has_the_last_word(_):
    with connect() as connection:
        holder, result = connection.execute("SELECT holder, result FROM job").fetchone()
    assert holder == result, f"{holder} holds the job, and its result is of {result}"


def nobody_raises(seen):
    raised = [end.raised for end in seen.workers.values() if end.raised]
    assert not raised, f"raised {raised[0]}"


RACES = {
    "lost update": ({"one": withdraw, "two": withdraw}, both_withdrew, 4, 6),
    "lost update, FOR UPDATE": ({"one": withdraw_for_update, "two": withdraw_for_update}, both_withdrew, 0, 2),
    "lost update, by SQLAlchemy, in two transactions each": (
        {"one": withdraw_in_two_transactions, "two": withdraw_in_two_transactions},
        both_withdrew,
        4,
        6,
    ),
    "write skew": ({"ann": on_repeatable_read("ann"), "bob": on_repeatable_read("bob")}, somebody_is_on_call, 12, 14),
    "write skew, SERIALIZABLE": (
        {"ann": on_serializable("ann"), "bob": on_serializable("bob")},
        somebody_is_on_call,
        0,
        14,
    ),
    "double claim": ({"one": claim, "two": claim}, each_task_once, 8, 12),
    "double claim, SKIP LOCKED": ({"one": claim_skipping, "two": claim_skipping}, each_task_once, 0, 32),
    "two rows in two orders": ({"one": a_to_b, "two": b_to_a}, nothing, 1, 3),
    "two rows in one order": ({"one": a_to_b, "two": a_to_b}, nothing, 0, 2),
    "zombie": (
        {"one": partial(hold_a_lease, token=False), "two": partial(hold_a_lease, token=False), "time": after(61)},
        the_last_holder_has_the_last_word,
        2,
        18,
    ),
    "zombie, with a token": (
        {"one": partial(hold_a_lease, token=True), "two": partial(hold_a_lease, token=True), "time": after(61)},
        the_last_holder_has_the_last_word,
        0,
        18,
    ),
    "check then insert": ({"one": check_then_insert, "two": check_then_insert}, nobody_raises, 4, 6),
    "insert if absent": ({"one": insert_if_absent, "two": insert_if_absent}, each_task_once, 0, 2),
}


@pytest.mark.parametrize("name", rest_is_long(RACES, 5))
def test_each_race_breaks_in_as_many_orders_as_counted(name):
    """Each order once; none breaks the fix."""
    workers, invariant, broken, orders = RACES[name]
    report = race(workers, invariant, setup)
    assert (report.problem, len(report.broken), len(report.orders)) == (None, broken, orders), str(report)


def test_to_look_at_the_level_of_isolation_does_not_raise_it():
    """SQLAlchemy does so on each new connection."""
    assert not Statement("show transaction isolation level").isolates
    assert Statement("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE").isolates


TABLES = {
    "task": {"object": ["sql", "task"], "key": "id", "insert": True},
    "log": {"object": ["sql", "log"], "key": "id", "insert": False},
    "child": {"object": ["sql", "child+parent"], "key": None, "insert": True},
    "parent": {"object": ["sql", "child+parent"], "key": None, "insert": True},
}
EVERYTHING = [[["sql"], True]]


@pytest.mark.parametrize(
    ("text", "params", "touched"),
    [
        ("SELECT * FROM task", None, [[["sql", "task"], False]]),
        ("SELECT * FROM task WHERE id = %s", [7], [[["sql", "task", "7"], False]]),
        ("SELECT * FROM task WHERE id = 7 FOR UPDATE", None, [[["sql", "task", "7"], True]]),
        ("SELECT * FROM task WHERE id = 7 OR holder = 'me'", None, [[["sql", "task"], False]]),
        ("UPDATE task SET holder = %s WHERE id = %s", ["me", "07"], [[["sql", "task", "7"], True]]),
        ("UPDATE task SET holder = %(h)s WHERE id = %(i)s", {"h": "me", "i": 7}, [[["sql", "task", "7"], True]]),
        ("UPDATE task SET id = 8 WHERE id = 7", None, [[["sql", "task"], True]]),
        ("DELETE FROM task WHERE id > 7", None, [[["sql", "task"], True]]),
        ("INSERT INTO task (id, holder) VALUES (%s, %s)", [7, "me"], [[["sql", "task", "7"], True]]),
        ("INSERT INTO task (holder) VALUES ('me')", None, [[["sql", "task"], True]]),
        ("INSERT INTO log (id) VALUES (1)", None, [[["sql", "log"], True]]),
        ("UPDATE child SET x = 1 WHERE id = 1", None, [[["sql", "child+parent"], True]]),
        ("SELECT * FROM task JOIN log ON task.id = log.id", None, [[["sql", "task"], False], [["sql", "log"], False]]),
        ("WITH t AS (SELECT id FROM task) DELETE FROM log WHERE id IN (SELECT id FROM t)", None,
            [[["sql", "task"], True], [["sql", "log"], True]]),
        ("SELECT * FROM task, log", None, EVERYTHING),
        ("SELECT * FROM a_view", None, EVERYTHING),
        ("SELECT pay(1) FROM task", None, EVERYTHING),
        ("SELECT pg_advisory_xact_lock(1)", None, EVERYTHING),
        ("TRUNCATE task", None, EVERYTHING),
        ("SELECT '; FROM log' FROM task -- all", None, EVERYTHING),
        ("SELECT 'FROM log' FROM task", None, [[["sql", "task"], False]]),
    ],
)  # fmt: skip
def test_a_statement_touches_what_it_may_touch_and_what_is_not_understood_everything(text, params, touched):
    """A row only where the statement names it by the one key of its table."""
    assert Statement(text, params).touches(TABLES) == touched


@pytest.mark.parametrize(
    ("where", "again"),
    [
        ("run = 1 AND number = %s", True),
        ("number = 2 AND run = %s", True),
        ("run = 1", True),
        ("run = 1 AND NOT done", False),
        ("run = 1 OR number = 2", False),
    ],
)
def test_rows_are_named_by_the_columns_of_their_key(where, again):
    """Who asks for more than one of two sees, after a wait, which rows had it before."""
    tables = {"part": {"object": ["sql", "part"], "key": None, "keys": ["run", "number"]}}
    statement = Statement(f"UPDATE part SET done = true WHERE {where}", [1])  # noqa: S608 - read, not executed
    assert statement.is_checked_again(tables) is again


def test_tables_tied_by_foreign_keys_are_one_object_and_rows_need_a_key_of_their_own(database_url):
    """As the catalogue has it: views, partitions and tables with other keys have no rows of their own."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("""
            CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY REFERENCES parent);
            CREATE TABLE plain (id int PRIMARY KEY, x int); CREATE TABLE numbered (id serial PRIMARY KEY);
            CREATE TABLE named (id int PRIMARY KEY, name text UNIQUE); CREATE VIEW seen AS SELECT * FROM plain;
            CREATE TABLE parts (id int) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF parts DEFAULT
        """)
        found = catalogue(connection)
    assert {name: (each["object"][1], each["key"], each["insert"]) for name, each in found.items()} == {
        "child": ("child+parent", None, True),
        "parent": ("child+parent", None, True),
        "plain": ("plain", "id", True),
        "numbered": ("numbered", "id", False),
        "named": ("named", None, True),
    }


def at_once(statement):
    with connect() as connection:
        return connection.execute(statement).rowcount


TAKE = "UPDATE task SET holder = 'me' WHERE id = (SELECT min(id) FROM task WHERE holder IS NULL)"


def all_done(seen):
    nobody_was_refused(seen)
    assert [end.returned for end in seen.workers.values()] == [1, 1], "one has done nothing"


def nobody_was_refused(seen):
    assert not [end.raised for end in seen.workers.values() if end.raised], "one was refused"


def two_tasks_are_held(seen):
    all_done(seen)
    with connect() as connection:
        assert one(connection, "SELECT count(*) FROM task WHERE holder IS NOT NULL") == 2, "both have the same task"


@pytest.mark.parametrize(
    ("statement", "invariant", "reason"),
    [
        ("INSERT INTO task SELECT max(id) + 1, 'me' FROM task", all_done, "one was refused"),
        (TAKE, two_tasks_are_held, "both have the same task"),
        (f"{TAKE} AND holder IS NULL", all_done, "one has done nothing"),
        ("DELETE FROM task WHERE id = (SELECT min(id) FROM task)", all_done, "one has done nothing"),
        ("CREATE TABLE IF NOT EXISTS note (id int)", nobody_was_refused, "one was refused"),
    ],
)
def test_a_statement_that_waits_goes_on_with_what_it_saw_before(statement, invariant, reason):
    """In two of four orders: each begins while the other has not committed."""
    work = partial(at_once, statement)
    report = race({"a": work, "b": work}, invariant, setup)
    assert [order.reason.partition(" assert ")[0] for order in report.broken] == [reason] * 2
    assert len(report.orders) == 4
    assert [str(step) for step in report.broken[0].steps][1].endswith("(waits)")
    assert report.replay(report.broken[0].names).reason == report.broken[0].reason


@pytest.mark.long
def test_of_three_statements_that_wait_for_one_row_the_report_says_that_the_server_chooses():
    """One at a time is let wait for it, and nobody says that every order survives."""
    take_all = partial(at_once, "UPDATE task SET holder = 'me' WHERE holder IS NULL")
    report = race([take_all] * 3, nothing, setup, name="take")
    assert report.verdict == "take: 0 of 36 orders (there are more) break it"
    with pytest.raises(LostRaceError, match="two statements wait for one row or lock, and PostgreSQL chooses"):
        report.assert_survives()


def raise_balance(level):
    with connect() as connection:
        connection.isolation_level = level
        connection.execute("UPDATE account SET balance = balance + 1 WHERE name = 'a'")


@pytest.mark.parametrize(
    ("level", "broken", "orders"), [(IsolationLevel.READ_COMMITTED, 0, 2), (IsolationLevel.REPEATABLE_READ, 2, 4)]
)
def test_a_row_that_is_named_by_its_key_is_looked_at_again_after_a_wait(level, broken, orders):
    """So it makes no difference when the wait began. Above READ COMMITTED it does: the one who waited is refused."""
    work = partial(raise_balance, level)
    report = race({"a": work, "b": work}, nobody_was_refused, setup)
    assert (len(report.broken), len(report.orders)) == (broken, orders)


CALLING = """
    CREATE FUNCTION spend() RETURNS int LANGUAGE sql
        AS $$ UPDATE account SET balance = balance - 10 WHERE name = 'a' RETURNING balance $$;
    CREATE TABLE bill (id int, {column})
"""


@pytest.mark.parametrize("column", ["left_over int DEFAULT spend()", "n int CHECK (spend() IS NOT NULL)"])
def test_a_table_that_calls_functions_touches_what_they_touch(column):
    """A default or a check can change any other table."""

    def with_bills():
        setup()
        with connect() as connection:
            connection.execute(CALLING.format(column=column))

    workers = [partial(at_once, "INSERT INTO bill (id) VALUES (1)"), withdraw]
    assert race(workers, both_withdrew, with_bills).broken


def listen():
    with connect(autocommit=True) as connection:
        connection.execute("LISTEN news")
        return [note.payload for note in connection.notifies(timeout=1, stop_after=1)]


def test_a_wait_for_notifications_is_refused():
    """It would go on in real time."""
    assert "was going to wait for notifications in a race" in race([listen, withdraw], both_withdrew, setup).problem
