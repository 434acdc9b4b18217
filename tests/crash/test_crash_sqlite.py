"""SQLite in the crash lab: its statements and COMMITs are crash points, its files are what a killed process leaves."""

import contextlib
import functools
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from labkit import ack, sweep, trial
from labkit.crash.child.sqlite_text import label, statements

ACCOUNTS = "CREATE TABLE accounts (name TEXT PRIMARY KEY, amount INTEGER)"


def setup():
    with contextlib.closing(sqlite3.connect("bank.db")) as connection, connection:
        connection.execute(ACCOUNTS)
        connection.executemany("INSERT INTO accounts VALUES (?, ?)", [("a", 10), ("b", 0)])


def setup_wal():
    setup()
    with contextlib.closing(sqlite3.connect("bank.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def move(connection):
    connection.execute("UPDATE accounts SET amount = amount - 5 WHERE name = 'a'")
    connection.execute("UPDATE accounts SET amount = amount + 5 WHERE name = 'b'")


def in_one_transaction():
    with contextlib.closing(sqlite3.connect("bank.db")) as connection:
        with connection:
            move(connection)
        ack("moved")


def in_autocommit():
    with contextlib.closing(sqlite3.connect("bank.db", isolation_level=None)) as connection:
        move(connection)
        ack("moved")


def acknowledged_too_early():
    with contextlib.closing(sqlite3.connect("bank.db")) as connection:
        move(connection)
        ack("moved")
        connection.commit()


def forgets_to_commit():
    with contextlib.closing(sqlite3.connect("bank.db")) as connection:
        move(connection)
    ack("moved")


def by_sqlalchemy():
    engine = sa.create_engine("sqlite:///bank.db")
    with engine.begin() as connection:
        move_by = "UPDATE accounts SET amount = amount + :sum WHERE name = :name"
        connection.execute(sa.text(move_by), [{"sum": -5, "name": "a"}, {"sum": 5, "name": "b"}])
    ack("moved")
    engine.dispose()


def by_script():
    with contextlib.closing(sqlite3.connect("bank.db")) as connection:
        connection.executescript(
            "UPDATE accounts SET amount = 5 WHERE name = 'a'; UPDATE accounts SET amount = 5 WHERE name = 'b';"
        )
    ack("moved")


def by_script_in_one_transaction():
    with contextlib.closing(sqlite3.connect("bank.db")) as connection:
        connection.executescript(
            "BEGIN; UPDATE accounts SET amount = 5 WHERE name = 'a'; "
            "UPDATE accounts SET amount = 5 WHERE name = 'b'; END;"
        )
    ack("moved")


def amounts():
    with contextlib.closing(sqlite3.connect("bank.db")) as connection:
        return [amount for (amount,) in connection.execute("SELECT amount FROM accounts ORDER BY name")]


def kept(o):
    assert sum(o.state) == 10, f"the sum is {sum(o.state)}"
    assert not o.acknowledged or o.state == [5, 5], "an acknowledged move is lost"


@pytest.mark.parametrize("begin", [setup, setup_wal])
@pytest.mark.parametrize(
    ("run", "broken", "effects"),
    [
        (in_one_transaction, [], ["UPDATE accounts", "UPDATE accounts", "COMMIT bank.db", "ACK moved", "RETURN"]),
        (in_autocommit, [1], ["UPDATE accounts", "UPDATE accounts", "ACK moved", "RETURN"]),
        (acknowledged_too_early, [3], ["UPDATE accounts", "UPDATE accounts", "ACK moved", "COMMIT bank.db", "RETURN"]),
        (forgets_to_commit, [3, 4], ["UPDATE accounts", "UPDATE accounts", "ACK moved", "RETURN"]),
        (by_sqlalchemy, [], ["UPDATE accounts", "COMMIT bank.db", "ACK moved", "RETURN"]),
        (by_script, [1], ["UPDATE accounts", "UPDATE accounts", "ACK moved", "RETURN"]),
        (
            by_script_in_one_transaction,
            [],
            ["UPDATE accounts", "UPDATE accounts", "COMMIT bank.db", "ACK moved", "RETURN"],
        ),
    ],
)
def test_a_crash_between_statements_leaves_what_sqlite_leaves(run, broken, effects, begin):
    """A transaction is whole, autocommit is not, and who acknowledges before COMMIT loses what was acknowledged."""
    report = sweep(run, amounts, kept, begin)
    assert report.problem is None
    assert [str(effect) for effect in report.effects] == effects
    assert [point.k for point in report.broken] == broken


def test_a_new_database_is_seen_from_its_first_table_on():
    """Nothing is there, the empty table, the first row: each is a state that the restart meets."""

    def run():
        with contextlib.closing(sqlite3.connect("new.db")) as connection:
            connection.execute(ACCOUNTS)
            with connection:
                connection.execute("INSERT INTO accounts VALUES ('a', 1)")

    def recover():
        with contextlib.closing(sqlite3.connect("new.db")) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master").fetchall():
                return "no table"
            return [amount for (amount,) in connection.execute("SELECT amount FROM accounts")]

    def row(o):
        if o.state != [1]:
            raise AssertionError(f"there is {o.state}")

    report = sweep(run, recover, row)
    assert [str(effect) for effect in report.effects] == [
        "CREATE accounts",
        "INSERT accounts",
        "COMMIT new.db",
        "RETURN",
    ]
    assert [point.broken()[0].reason for point in report.broken] == ["there is no table", "there is []", "there is []"]


def test_a_recovery_by_sqlite_is_killed_too():
    """With depth 2, its statements are crash points like those of the run."""

    def run():
        with contextlib.closing(sqlite3.connect("bank.db", isolation_level=None)) as connection:
            move(connection)

    def recover():
        with contextlib.closing(sqlite3.connect("bank.db")) as connection, connection:
            connection.execute("UPDATE accounts SET amount = 5")
        return amounts()

    report = sweep(run, recover, kept, setup, depth=2)
    report.assert_survives()
    assert {outcome.again for outcome in report.points[1].outcomes} > {"UPDATE accounts", "COMMIT bank.db"}


def test_connections_of_a_class_of_ones_own_are_seen_and_stay_of_that_class():
    """A factory, of connections or of cursors, is what it was."""

    def run():
        class Mine(sqlite3.Connection):
            pass

        class Row(sqlite3.Cursor):
            pass

        connection = sqlite3.connect("bank.db", 5.0, 0, "DEFERRED", 1, Mine)
        cursor = connection.cursor(Row)
        assert isinstance(connection, Mine)
        assert isinstance(cursor, Row)
        cursor.execute("DELETE FROM accounts")
        connection.commit()

    report = sweep(run, amounts, lambda o: None, setup)
    assert [str(effect) for effect in report.effects] == ["DELETE accounts", "COMMIT bank.db", "RETURN"]


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("SELECT * FROM a", None),
        ("BEGIN IMMEDIATE", None),
        ("insert or ignore into a values (1)", ("INSERT", "a")),
        ('UPDATE OR REPLACE "a" SET b = 1', ("UPDATE", "a")),
        ("WITH x AS (SELECT 1) DELETE FROM a WHERE b IN x", ("DELETE", "a")),
        ("CREATE TABLE IF NOT EXISTS a (b)", ("CREATE", "a")),
        ("COMMIT", ("COMMIT", "")),
        ("PRAGMA journal_mode=WAL", ("PRAGMA", "journal_mode")),
        ("PRAGMA table_info(a)", None),
        ("PRAGMA wal_checkpoint", ("PRAGMA", "wal_checkpoint")),
        ("VACUUM", ("VACUUM", "")),
        ("PRAGMA optimize", ("PRAGMA", "optimize")),
        ("/* why */ UPDATE a SET b = 1", ("UPDATE", "a")),
        ("-- why\n-- and; how\nINSERT INTO a VALUES (1)", ("INSERT", "a")),
        ("; ;DELETE FROM a", ("DELETE", "a")),
        ("-- UPDATE a SET b = 1", None),
        ("/* DELETE FROM a", None),
    ],
)
def test_what_a_statement_changes_is_its_label(statement, named):
    """What only reads or begins has none."""
    assert label(statement) == named


def after_script(script, level):
    """What is in the table after a script with something pending before it, and whether a transaction is open."""
    with contextlib.closing(sqlite3.connect("some.db", isolation_level=level)) as connection:
        connection.execute("CREATE TABLE t (v)")
        connection.execute("INSERT INTO t VALUES (0)")
        connection.executescript(script)
        rows = [v for (v,) in connection.execute("SELECT v FROM t")]
        return [rows, connection.in_transaction, connection.isolation_level]


@pytest.mark.parametrize("level", ["", "IMMEDIATE", None])
@pytest.mark.parametrize(
    "script",
    [
        "BEGIN; INSERT INTO t VALUES (1); COMMIT;",
        "BEGIN; INSERT INTO t VALUES (1); ROLLBACK;",
        "BEGIN; INSERT INTO t VALUES (1);",
        "SAVEPOINT a; INSERT INTO t VALUES (1); RELEASE a; SELECT v FROM t; -- the end",
        "INSERT INTO t SELECT v + 1 FROM t; SELECT v FROM t; INSERT INTO t VALUES (2)",
    ],
)
def test_a_script_does_what_it_does_outside(script, level, tmp_path, monkeypatch):
    """Whatever transactions it begins and ends, and whatever the connection begins by itself elsewhere."""
    monkeypatch.chdir(tmp_path)
    assert trial(functools.partial(after_script, script, level)).value == after_script(script, level)


def test_a_script_falls_apart_where_sqlite_says_so():
    """A semicolon in a text or in a trigger ends nothing."""
    parts = [
        "INSERT INTO a VALUES (';');",
        " CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END;",
        " SELECT 1",
    ]
    assert list(statements("".join(parts))) == parts


def test_a_database_may_be_in_a_folder():
    """That SQLite makes and removes files there changes the time of the folder, which nobody else has changed."""

    def count():
        Path("data").mkdir(exist_ok=True)
        with contextlib.closing(sqlite3.connect("data/bank.db")) as bank, bank:
            bank.execute("CREATE TABLE IF NOT EXISTS visits (number)")
            bank.execute("INSERT INTO visits VALUES (1)")
            return bank.execute("SELECT count(*) FROM visits").fetchone()[0]

    def counted(seen):
        assert seen.state in {1, 2}

    sweep(count, count, counted, power=True).assert_survives(effects=4)


def by_another_database(place):
    """A new database in place of the old one, as tools write a snapshot."""
    folder = Path(place).parent
    folder.mkdir(exist_ok=True)
    with contextlib.closing(sqlite3.connect(place)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        with connection:
            connection.execute(ACCOUNTS)
            connection.executemany("INSERT INTO accounts VALUES (?, ?)", [("a", 5), ("b", 5)])
    if folder != Path():
        folder.rename("made")
    (Path(place) if folder == Path() else Path("made", "new.db")).replace("bank.db")
    ack("moved")


@pytest.mark.parametrize("place", ["new.db", "folder/new.db"])
def test_a_database_may_be_made_and_renamed(place):
    """By itself, or with its folder: what SQLite wrote goes with the name, which a power cut may lose."""
    report = sweep(functools.partial(by_another_database, place), amounts, kept, setup, power=True)
    assert not report.problem
    assert not any(point.broken("process killed") for point in report.points)
    lost = {each.loss for point in report.points for each in point.broken("power cut")}
    assert "rename lost" in lost


def synced(place):
    """fsync it."""
    fd = os.open(place, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def one_after_another(made, moved=""):
    """Snapshots, each in place of the one before, as it is done right; each made there, or in a folder that moves."""
    for number in range(2):
        Path(made).parent.mkdir(exist_ok=True)
        with contextlib.closing(sqlite3.connect(made)) as connection, connection:
            connection.execute(ACCOUNTS)
            connection.executemany("INSERT INTO accounts VALUES (?, ?)", [("a", 10 - number), ("b", number)])
        synced(made)
        if moved:
            Path(made).parent.rename(moved)
        os.replace(Path(moved, Path(made).name) if moved else made, "bank.db")
        synced(".")


@pytest.mark.long
@pytest.mark.parametrize("place", [("new.db",), ("folder/new.db", "moved")])
def test_a_power_cut_brings_back_the_database_that_was_replaced(place):
    """What SQLite had written into it, not an empty file: of that the model of the disk knows by its last name."""

    def whole(seen):
        assert sum(seen.state) == 10

    def run():
        shutil.rmtree("moved", ignore_errors=True)
        one_after_another(*place)

    report = sweep(run, amounts, whole, setup, power=True)
    assert not report.problem, report.problem
    assert not [each for point in report.points for each in point.broken("power cut")]


def test_what_python_wrote_is_lost_though_a_database_replaces_it():
    """Only what C code has written is taken for durable when its name goes."""

    def run():
        Path("bank.db").write_text("new")  # and not synced
        with contextlib.closing(sqlite3.connect("new.db")) as connection, connection:
            connection.execute(ACCOUNTS)
        os.replace("new.db", "bank.db")
        ack("replaced")

    def not_old(seen):
        assert not (seen.acknowledged and seen.state == "old")

    def recover():
        return Path("bank.db").read_bytes()[:3].decode()

    report = sweep(run, recover, not_old, lambda: Path("bank.db").write_text("old"), power=True)
    assert [each.loss for point in report.points for each in point.broken("power cut")]


def test_a_database_may_be_removed_by_its_file():
    """Before the program makes a new one, there is none."""

    def run():
        Path("bank.db").unlink()
        setup()
        with contextlib.closing(sqlite3.connect("other.db")) as connection:
            connection.execute(ACCOUNTS)
        Path("other.db").unlink()

    report = sweep(run, amounts, kept, setup)
    assert not report.problem
    assert report.points[1].broken()


def test_rows_may_be_made_one_by_one_with_effects():
    """What a generator does for executemany has crash points like anything else."""

    def rows():
        yield ("c", 1)
        Path("half").touch()
        yield ("d", 1)

    def run():
        with contextlib.closing(sqlite3.connect("bank.db")) as connection, connection:
            connection.executemany("INSERT INTO accounts VALUES (?, ?)", rows())

    report = sweep(run, amounts, lambda o: None, setup)
    assert [str(effect) for effect in report.effects] == ["open half", "INSERT accounts", "COMMIT bank.db", "RETURN"]
    assert not report.problem


def by_function(connection):
    connection.create_function("note", 0, lambda: Path("note").mkdir())
    connection.execute("UPDATE accounts SET amount = note()")


def by_progress(connection):
    with contextlib.closing(sqlite3.connect("copy.db")) as copy:
        connection.backup(copy, pages=1, progress=lambda *_: Path("note").mkdir())


@pytest.mark.parametrize(("way", "what"), [(by_function, "UPDATE accounts"), (by_progress, "a backup")])
def test_what_sqlite_calls_back_has_no_effects_of_its_own(way, what):
    """In the middle of a statement no crash is explored, so nothing else may happen there: refused."""

    def run():
        with contextlib.closing(sqlite3.connect("bank.db")) as connection, contextlib.suppress(sqlite3.Error):
            way(connection)

    report = sweep(run, amounts, kept, setup)
    assert report.problem == (
        f"run was going to have an effect (mkdir note) while SQLite does {what}: do one after the other"
    )


def test_a_power_cut_inside_sqlite_is_said_to_be_unexplored():
    """What is beside the database is cut all the same; without a power cut there is nothing to say."""
    said = "Not explored: what a power cut takes from bank.db, which SQLite writes"
    assert said in str(sweep(in_one_transaction, amounts, kept, setup, power=True))
    assert said not in str(sweep(in_one_transaction, amounts, kept, setup))


def test_a_database_is_no_text_to_look_at():
    """Its bytes say nothing to a reader, and some are drawn by chance."""
    shown = str(sweep(in_one_transaction, amounts, kept, setup_wal).replay(2))
    assert "bank.db  (SQLite)" in shown
    assert "bank.db-wal  (SQLite)" in shown
