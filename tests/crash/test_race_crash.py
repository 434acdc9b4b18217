"""Crashes in races: one worker is killed as well, at each of its steps, in each order that differs by it."""

import json
import os
import time
from pathlib import Path

import psycopg
from filelock import FileLock

from labkit import FakeClock, ack, database, race, tool

START = FakeClock().now().timestamp()


def counter():
    Path("count").write_text("0")


def count():
    value = int(Path("count").read_text())
    Path(f"count.{os.getpid()}").write_text(str(value + 1))
    os.replace(f"count.{os.getpid()}", "count")


def count_under_filelock():
    with FileLock("lock"):
        count()


def whoever_returned_has_counted(seen):
    done = sum(end.how == "returned" for end in seen.workers.values())
    value = int(Path("count").read_text())
    if not done <= value <= 2:
        raise AssertionError(f"{done} have returned, and the counter shows {value}")


def test_a_file_lock_that_a_kill_leaves_is_free_for_the_other():
    """The system frees it: nobody waits for the dead, and nothing is lost."""
    report = race(
        {"a": count_under_filelock, "b": count_under_filelock}, whoever_returned_has_counted, counter, crash=True
    )
    report.assert_survives()
    assert len(report.orders) == 32
    assert {end.how for order in report.orders for end in order.ends.values()} == {"returned", "killed"}


def mark_then_deploy():
    try:
        os.close(os.open("mark", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return
    tool("deploy_container", service="shop")
    ack("done")


def deployed_once(seen):
    if len(seen.ledger) != 1:
        raise AssertionError(f"deployed {len(seen.ledger)} times")


def test_what_no_order_breaks_a_kill_may():
    """The mark is there, and whoever made it is dead: the other one does nothing."""
    workers = {"a": mark_then_deploy, "b": mark_then_deploy}
    race(workers, deployed_once).assert_survives()
    report = race(workers, deployed_once, crash=True)
    assert report.broken[0].reason == "deployed 0 times"
    assert "X killed" in str(report)


def test_recovery_runs_after_a_kill_alone_and_a_minute_later():
    """Without a kill there is nothing to recover, and no state."""

    def seen(o):
        if any(end.how == "killed" for end in o.workers.values()):
            assert o.state == {"minutes": 1}
        else:
            assert o.state is None

    def recover():
        return {"minutes": round((time.time() - START) / 60)}

    report = race({"a": count, "b": count}, seen, counter, crash=True, recover=recover)
    report.assert_survives()
    assert any("killed" in {end.how for end in order.ends.values()} for order in report.orders)


def account():
    with psycopg.connect(database.url()) as connection:
        connection.execute(
            "CREATE TABLE account (id int PRIMARY KEY, n int); INSERT INTO account VALUES (1, 0), (2, 0)"
        )


def both_rows():
    with psycopg.connect(database.url()) as connection:
        connection.execute("UPDATE account SET n = n + 1 WHERE id = 1")
        connection.execute("UPDATE account SET n = n + 1 WHERE id = 2")


def all_or_nothing(seen):
    with psycopg.connect(database.url()) as connection:
        found = [n for (n,) in connection.execute("SELECT n FROM account ORDER BY id")]
    done = sum(end.how == "returned" for end in seen.workers.values())
    if found[0] != found[1] or found[0] < done:
        raise AssertionError(json.dumps([found, done]))


def test_a_transaction_that_a_kill_ends_is_undone_and_its_locks_are_free():
    """Who waited for its rows gets them."""
    report = race({"a": both_rows, "b": both_rows}, all_or_nothing, account, crash=True)
    report.assert_survives()
    assert len(report.orders) > 2
