"""Who a worker is, by an advisory lock: the lowest slot that is free, and dead is who holds none."""

import psycopg
import pytest

from labkit.grading.distributed import slots, tables


@pytest.fixture
def connect(database_url):
    """Makes connections."""
    opened = []

    def connect():
        opened.append(psycopg.connect(database_url, autocommit=True))
        return opened[-1]

    tables.make(connect())
    yield connect
    for each in opened:
        each.close()


def test_each_worker_has_a_slot_of_its_own_the_lowest_that_is_free(connect):
    """Also beside those of another version; what has ended is free again."""
    one, two, three = connect(), connect(), connect()
    assert [slots.take(each, "v").id for each in (one, two)] == ["v-0", "v-1"]
    assert slots.take(three, "w").id == "w-0"
    assert slots.take_named(three, "v-0") is None
    one.close()
    wait = connect()
    while slots.lock("v-0") in slots.living(wait):
        pass
    assert slots.take(connect(), "v").id == "v-0"


def test_who_waits_for_a_grading_is_alone_with_it(connect):
    """Nobody else waits for the same one; a worker's lock is none of that kind."""
    one, two = connect(), connect()
    assert slots.wait_for(one, "g")
    assert not slots.wait_for(two, "g")
    assert slots.living(two, slots.ASKERS) == {slots.lock("g")}
    assert slots.living(two) == set()


def test_who_ends_in_order_leaves_no_row(connect):
    """Nor a lock."""
    one, two = connect(), connect()
    slot = slots.take(one, "v")
    insert = "INSERT INTO labkit_grading_1.worker (id, lock, machine, told) VALUES (%s, 0, '', '')"
    one.execute(insert, [slot.id])
    slot.release()
    assert two.execute("SELECT 1 FROM labkit_grading_1.worker").fetchone() is None
