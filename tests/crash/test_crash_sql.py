"""SQL in the crash lab: each statement and each COMMIT is a crash point, and the database is put back every time."""

import inspect
import os
import subprocess
import sys
import time
import tomllib
from contextlib import suppress

import psycopg
import pytest
import sqlalchemy as sa
from packaging.requirements import Requirement
from sqlalchemy import orm

from labkit import ack, database, sweep, trial
from labkit.crash.child import sql
from labkit.crash.preload import shipped
from labkit.repository import root

SCHEMA = """
    CREATE TABLE account (name text PRIMARY KEY, balance int NOT NULL);
    CREATE TABLE transfer (id serial PRIMARY KEY, payer text REFERENCES account,
        amount int GENERATED ALWAYS AS (10) STORED);
    INSERT INTO account VALUES ('a', 100), ('b', 0)
"""


def make_accounts():
    with psycopg.connect(database.url()) as connection:
        connection.execute(SCHEMA)


def balances():
    with psycopg.connect(database.url()) as connection:
        return dict(connection.execute("SELECT name, balance FROM account").fetchall())


def nothing_is_lost(seen):
    assert sum(seen.state.values()) == 100, f"{100 - sum(seen.state.values())} are lost"
    if seen.acknowledged:
        assert seen.state["b"] == 10, "the transfer was acknowledged, and is not there"


def pay_by_psycopg():
    with psycopg.connect(database.url()) as connection:
        connection.execute("UPDATE account SET balance = balance - 10 WHERE name = 'a'")
        connection.execute("UPDATE account SET balance = balance + 10 WHERE name = 'b'")
        connection.execute("INSERT INTO transfer (payer) VALUES (%s)", ["a"])
    ack("paid")


def pay_by_sqlalchemy():
    with database.engine().begin() as connection:
        connection.execute(sa.text("UPDATE account SET balance = balance - 10 WHERE name = 'a'"))
        connection.execute(sa.text("UPDATE account SET balance = balance + 10 WHERE name = 'b'"))
        connection.execute(sa.text("INSERT INTO transfer (payer) VALUES (:payer)"), {"payer": "a"})
    ack("paid")


def pay_statement_by_statement():
    with psycopg.connect(database.url(), autocommit=True) as connection:
        connection.execute("UPDATE account SET balance = balance - 10 WHERE name = 'a'")
        connection.execute("UPDATE account SET balance = balance + 10 WHERE name = 'b'")
    ack("paid")


def pay_and_acknowledge_too_early():
    with psycopg.connect(database.url()) as connection:
        connection.execute("UPDATE account SET balance = balance - 10 WHERE name = 'a'")
        connection.execute("UPDATE account SET balance = balance + 10 WHERE name = 'b'")
        ack("paid")


@pytest.mark.parametrize("pay", [pay_by_psycopg, pay_by_sqlalchemy])
def test_a_transaction_is_done_or_not_at_every_crash_point(pay):
    """Through psycopg and through SQLAlchemy the crash points are the same: statements, COMMIT, and behind it."""
    report = sweep(pay, balances, nothing_is_lost, make_accounts)
    report.assert_survives()
    labels = ["UPDATE account", "UPDATE account", "INSERT transfer", "COMMIT", "ACK paid", "RETURN"]
    assert [str(effect) for effect in report.effects] == labels
    assert [point.k for point in report.points] == list(range(7))


def test_statements_that_commit_by_themselves_break_between_them():
    """Without a transaction there is a crash point at which the money is gone."""
    report = sweep(pay_statement_by_statement, balances, nothing_is_lost, make_accounts)
    assert [point.k for point in report.broken] == [1]
    assert "10 are lost" in str(report)
    assert 'connection.execute("UPDATE account SET balance = balance - 10' in str(report)


def test_before_commit_nothing_has_happened():
    """Who acknowledges before COMMIT is found out at exactly that point."""
    report = sweep(pay_and_acknowledge_too_early, balances, nothing_is_lost, make_accounts)
    assert [point.k for point in report.broken] == [3]
    assert str(report.effects[3]) == "COMMIT"


@pytest.mark.slow
def test_the_database_is_put_back_before_every_run():
    """Rows, sequences, and columns that the server computes; with the recovery killed as well."""

    def pay_and_count():
        with psycopg.connect(database.url()) as connection:
            connection.execute("INSERT INTO transfer (payer) VALUES ('a')")
            return connection.execute("SELECT count(*), max(id), sum(amount) FROM transfer").fetchone()

    def is_first_or_second(seen):
        count, highest, amount = seen.state
        assert count in (1, 2, 3)
        assert amount == 10 * count
        assert highest >= count

    report = sweep(pay_and_count, pay_and_count, is_first_or_second, make_accounts, depth=2)
    report.assert_survives()


@pytest.mark.parametrize("rows", [[""], ["", ""], ["one\u2028two\x85three\x1cfour", ""], ["\\N", "\\.", "a\nb\rc"]])
def test_a_row_is_put_back_whatever_text_it_holds(rows):
    """An only row that is an empty text, or texts with what some take for the end of a line."""

    def make():
        with psycopg.connect(database.url()) as connection:
            connection.execute("CREATE TABLE kept (text text)")
            connection.execute("CREATE TABLE told (text text)")
            connection.cursor().executemany("INSERT INTO kept VALUES (%s)", [(row,) for row in rows])

    def tell():
        with psycopg.connect(database.url()) as connection:
            connection.execute("INSERT INTO told VALUES ('')")
        return found()

    def found():
        with psycopg.connect(database.url()) as connection:
            kept = connection.execute("SELECT text FROM kept").fetchall()
            told = connection.execute("SELECT count(*) FROM told").fetchone()[0]
        return [sorted(text for (text,) in kept), told]

    def is_all_there(seen):
        assert seen.state[0] == sorted(rows)
        assert seen.state[1] in (0, 1)

    report = sweep(tell, found, is_all_there, make)
    report.assert_survives()
    assert [str(effect) for effect in report.effects][:2] == ["INSERT told", "COMMIT"]
    assert trial(tell, make).value == [sorted(rows), 1]


def test_a_schema_made_in_mid_run_is_put_back_too():
    """The recovery finds the tables that were committed before the crash, and no others."""

    def migrate():
        with psycopg.connect(database.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS one (id int PRIMARY KEY)")
            connection.execute("CREATE TABLE IF NOT EXISTS two (id int REFERENCES one)")
            connection.execute("INSERT INTO one VALUES (1) ON CONFLICT DO NOTHING")
            tables = connection.execute("SELECT relname FROM pg_class WHERE relname IN ('one', 'two') ORDER BY 1")
            return [name for (name,) in tables]

    def is_migrated(seen):
        assert seen.state == ["one", "two"]

    report = sweep(migrate, migrate, is_migrated, depth=2)
    report.assert_survives()
    assert [str(effect) for effect in report.effects][:3] == ["CREATE one", "CREATE two", "INSERT one"]


def test_recovery_begins_when_the_dead_process_holds_no_lock_any_more():
    """A row that a killed process had locked is free: SKIP LOCKED, at once, sees it at every crash point."""

    def lock():
        with psycopg.connect(database.url()) as connection:
            for _ in range(20):
                connection.execute("SELECT * FROM account WHERE name = 'a' FOR UPDATE")

    def skip_locked():
        with psycopg.connect(database.url()) as connection:
            return connection.execute("SELECT name FROM account FOR UPDATE SKIP LOCKED").fetchall()

    def sees_all(seen):
        assert len(seen.state) == 2, "a row is locked by the dead"

    report = sweep(lock, skip_locked, sees_all, make_accounts)
    report.assert_survives(effects=20)


def test_whatever_the_way_a_statement_takes_it_is_seen():
    """executemany, COPY, a stream, a composed statement, bytes, a savepoint, PREPARE TRANSACTION's own COMMIT."""

    def by_all_ways():
        with psycopg.connect(database.url()) as connection:
            cursor = connection.cursor()
            cursor.executemany("INSERT INTO account VALUES (%s, 0)", [["c"], ["d"]])
            with cursor.copy("COPY account FROM STDIN") as copy:
                copy.write_row(["e", 0])
            list(cursor.stream("SELECT name FROM account"))
            name = psycopg.sql.Identifier("account")
            connection.execute(psycopg.sql.SQL("DELETE FROM {} WHERE name = 'c'").format(name))
            connection.execute(b"DELETE FROM ONLY account WHERE name = 'd'")
            with connection.transaction():
                connection.execute("WITH dead AS (SELECT 'e' AS e) DELETE FROM account USING dead WHERE name = e")
            connection.commit()
            connection.execute("COMMIT")

    report = sweep(by_all_ways, balances, nothing_is_lost, make_accounts)
    report.assert_survives()
    assert [str(effect) for effect in report.effects] == [
        *("INSERT account", "COPY account", "SELECT account", "DELETE account", "DELETE account", "DELETE account"),
        *("COMMIT", "COMMIT", "RETURN"),
    ]


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("update tasks set a = 1", ("UPDATE", "tasks")),
        ('INSERT INTO "Odd Name" VALUES (1)', ("INSERT", "Odd")),
        ("SELECT 1 FROM shop.tasks", ("SELECT", "shop.tasks")),
        ("SELECT pg_notify('a', 'b')", ("SELECT", "")),
        (
            (
                "WITH a AS (SELECT 1 FROM b FOR NO KEY UPDATE), next AS (SELECT id FROM tasks FOR UPDATE SKIP LOCKED) "
                "UPDATE tasks AS t SET a = 1 FROM next"
            ),
            ("UPDATE", "tasks"),
        ),
        ("TRUNCATE tasks", ("TRUNCATE", "tasks")),
        ("\n  CREATE UNIQUE INDEX ON tasks (id)", ("CREATE", "tasks")),
        ("COMMIT", ("COMMIT", "")),
        ("BEGIN", None),
        ("ROLLBACK TO SAVEPOINT a", None),
        ("SELECT 1", None),
        ("select pg_catalog.version()", None),
        ("", None),
        (";", None),
        ("/* why */ UPDATE accounts SET amount = 1", ("UPDATE", "accounts")),
        ("-- why\nSET search_path = public", None),
        ("SET search_path = public; UPDATE accounts SET amount = 1", ("UPDATE", "accounts")),
        ("BEGIN; INSERT INTO accounts VALUES ('a', 1); COMMIT;", ("INSERT", "accounts")),
        ("SHOW timezone;", None),
    ],
)
def test_a_statement_is_named_by_what_it_does_and_to_which_table(statement, named):
    """Names are the same at every run, short, and without data."""
    assert sql.label(statement) == named


def test_a_failed_statement_has_had_no_effect():
    """It is not counted, and the run goes on."""

    def try_twice():
        with psycopg.connect(database.url(), autocommit=True) as connection:
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute("INSERT INTO account VALUES ('a', 0)")
            connection.execute("INSERT INTO account VALUES ('c', 0)")

    report = sweep(try_twice, balances, nothing_is_lost, make_accounts)
    report.assert_survives()
    assert [str(effect) for effect in report.effects] == ["INSERT account", "RETURN"]


@pytest.mark.long
@pytest.mark.slow
def test_a_report_is_the_same_at_every_run():
    """Verdict, points and text, through both drivers."""
    texts = {str(sweep(pay_statement_by_statement, balances, nothing_is_lost, make_accounts)) for _ in range(3)}
    assert len(texts) == 1
    texts = {
        str(sweep(pay_by_sqlalchemy, pay_by_sqlalchemy, nothing_is_lost, make_accounts, depth=2)) for _ in range(2)
    }
    assert len(texts) == 1


def test_another_database_is_outside():
    """What a run changes where the lab does not look was not explored, and the report says so."""
    with database.throwaway() as other:

        def pay_elsewhere():
            with psycopg.connect(other, autocommit=True) as connection:
                connection.execute("CREATE TABLE elsewhere (id int)")

        report = sweep(pay_elsewhere, balances, nothing_is_lost, make_accounts)
    assert "run was going to use the database labkit_scratch" in report.problem
    with pytest.raises(AssertionError):
        report.assert_survives()


def test_a_trigger_is_refused():
    """To put rows back would set it off: the report says that this was not explored."""

    def with_trigger():
        make_accounts()
        with psycopg.connect(database.url()) as connection:
            connection.execute("""
                CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                CREATE TRIGGER noticed AFTER INSERT ON account FOR EACH ROW EXECUTE FUNCTION nothing()
            """)

    report = sweep(pay_by_psycopg, balances, nothing_is_lost, with_trigger)
    assert "cannot put back a table with a trigger: noticed" in report.problem


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER ROLE current_user SET work_mem = '8MB'",
        "create role somebody",
        "ALTER DATABASE postgres SET work_mem = '8MB'",
        "SELECT lo_from_bytea(0, 'x')",
    ],
)
def test_what_outlives_a_put_back_is_refused(statement):
    """Roles, databases, their settings and large objects: named, and nothing of it happens."""

    def run() -> None:
        with psycopg.connect(database.url(), autocommit=True) as connection:
            connection.execute(statement)

    report = sweep(run, balances, nothing_is_lost, make_accounts)
    assert report.problem.startswith("run was going to change the database beside its tables"), report.problem


@pytest.mark.parametrize(
    ("made", "asked"),
    [
        ("CREATE MATERIALIZED VIEW m AS SELECT * FROM account", "SELECT count(*) FROM m"),
        ("CREATE SEQUENCE s", "SELECT nextval('s')"),
        ("CREATE VIEW v AS SELECT * FROM account", "SELECT count(*) FROM v"),
        ("CREATE TYPE mood AS ENUM ('good')", "SELECT 'good'::mood"),
        ("COMMENT ON TABLE account IS 'new'", "SELECT 1 / (obj_description('account'::regclass) = 'new')::int"),
    ],
)
def test_whatever_a_schema_holds_is_put_back(made, asked):
    """It is there after the statement that makes it, and not when the next run begins: at every crash point."""

    def run() -> None:
        assert not is_there()
        with psycopg.connect(database.url(), autocommit=True) as connection:
            connection.execute(made)
        ack("made")

    def is_there() -> bool:
        with psycopg.connect(database.url()) as connection, suppress(psycopg.Error):
            return connection.execute(asked).fetchone()[0] is not None
        return False

    def expected(o) -> None:
        assert o.state or not o.acknowledged

    report = sweep(run, is_there, expected, make_accounts)
    report.assert_survives()


def test_a_replay_shows_the_tables():
    """Beside the files, as text: before the restart and after it."""
    report = sweep(pay_statement_by_statement, balances, nothing_is_lost, make_accounts)
    replay = report.replay(1)
    assert replay.before["table account"] == "a\t90\nb\t0"
    assert "table account" in str(replay)


def test_a_trial_has_an_empty_database_of_its_own():
    """As it has an empty folder; what the one before it left is gone."""
    for _ in range(2):
        seen = trial(pay_by_psycopg, make_accounts)
        assert (seen.how, seen.effects[-1]) == ("returned", "RETURN")
    assert trial(balances).error == "UndefinedTable"


def test_the_sweep_goes_on_after_the_server_was_started_anew():
    """A connection that the lab holds between two sweeps may be lost; nobody notices."""
    for _ in range(2):
        sweep(pay_by_psycopg, balances, nothing_is_lost, make_accounts).assert_survives()
        # Which of the scratch databases is ours now: others use the server as well, and may have taken the last one.
        ours = psycopg.conninfo.conninfo_to_dict(trial(database.url).value)["dbname"]
        with psycopg.connect(**database.server().conninfo(), autocommit=True) as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [ours]
            ).fetchall()
        assert ended
    sweep(pay_by_psycopg, balances, nothing_is_lost, make_accounts).assert_survives()


def test_who_has_no_server_is_told_how_to_start_one(tmp_path):
    """A child starts none; a program that names the database only inside a function is where that happens."""
    program = (
        "from labkit import sweep\n"
        "def run():\n    from labkit import database\n    database.url()\n"
        "print(sweep(run, lambda: None, lambda seen: None).problem)"
    )
    others = {"LABKIT_DSN", "LABKIT_LENT"}
    environment = {name: value for name, value in os.environ.items() if name not in others}
    command = [sys.executable, "-c", program]
    said = subprocess.check_output(command, text=True, timeout=120, env={**environment, "LABKIT_HOME": str(tmp_path)})
    assert said.startswith("run raised ToolError: there is no database yet: run `labkit db start`")


def test_what_traces_sql_is_loaded_before_the_children_are_forked():
    """Else each process of a sweep would load it anew, as soon as there is a driver."""
    assert "labkit.crash.child.sql" in shipped()


def test_a_wait_for_notifications_ends_when_virtual_time_is_over():
    """What was sent comes; a wait for more takes its seconds of the world's time, and a moment of ours."""

    def waits():
        with psycopg.connect(database.url(), autocommit=True) as connection:
            connection.execute("LISTEN news")
            connection.execute("NOTIFY news, 'paid'")
            came = [note.payload for note in connection.notifies(timeout=3600, stop_after=1)]
            before = time.monotonic()
            came += [note.payload for note in connection.notifies(timeout=3600)]
            return came, time.monotonic() - before

    assert trial(waits).value == [["paid"], 3600.0]


def test_sql_that_passes_by_the_cursors_is_refused():
    """libpq's own functions would change the database unseen; what only asks the connection is let."""

    def pays():
        with psycopg.connect(database.url(), autocommit=True) as connection:
            assert connection.pgconn.transaction_status == 0
            connection.pgconn.exec_(b"UPDATE account SET amount = 5")

    report = sweep(pays, balances, nothing_is_lost, make_accounts)
    assert "send SQL past psycopg's cursors (pgconn.exec_): use connection.execute" in report.problem
    assert report.problem_line.text == 'connection.pgconn.exec_(b"UPDATE account SET amount = 5")'


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in sql.HOOKS.items() for name in names])
def test_psycopg_sends_statements_where_the_crash_lab_listens(kind, name):
    """Each private hook is there, is a generator, and takes the statement first; the pin keeps it so."""
    hook = vars(kind)[name]
    assert inspect.isgeneratorfunction(hook)
    assert list(inspect.signature(hook).parameters)[1] in {"query", "command", "statement"}


def test_the_minor_version_of_psycopg_is_pinned():
    """Private names may change with any minor version: a new one is looked at before it is allowed."""
    wanted = tomllib.loads((root() / "pyproject.toml").read_text())["project"]["dependencies"]
    pin = next(Requirement(line) for line in wanted if line.startswith("psycopg"))
    assert pin.specifier.contains(psycopg.__version__)
    assert not pin.specifier.contains("3.4")


def test_a_counterexample_names_the_learners_line_and_not_a_generated_one():
    """Libraries make functions from text, such as SQLAlchemy's Session.commit: whose lines say nothing."""

    def setup():
        with orm.Session(database.engine()) as session:
            session.execute(sa.text("CREATE TABLE rows (n int)"))
            session.commit()

    def run():
        with orm.Session(database.engine()) as session:
            session.execute(sa.text("INSERT INTO rows VALUES (1)"))
            session.commit()

    report = sweep(run, list, lambda seen: None, setup)
    where = [effect.line.text for effect in report.effects if effect.op in {"INSERT", "COMMIT"}]
    assert where == ['session.execute(sa.text("INSERT INTO rows VALUES (1)"))', "session.commit()"]
