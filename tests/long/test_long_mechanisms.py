"""Every mechanism of labkit dies twice: in its run, and in the recovery. No pair of crash points breaks it."""

from functools import partial

import pytest
import queues
import swept


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", swept.MECHANISMS)
def test_two_crashes_do_not_break_it(name):
    """Killed at every crash point, and again at every crash point of each recovery; and with the power cut."""
    swept.assert_survives(name, depth=2)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("again", [False, True])
def test_two_crashes_lose_no_task_of_the_queue(again):
    """Nor its result; whether the submitter comes again or only a worker does."""
    queues.killed(again=again, depth=2).assert_survives()


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "raced",
    [
        queues.work_on_both,
        queues.zombie,
        partial(queues.take_at_once, workers=3),
        partial(queues.submit_one_key, crash=True),
    ],
    ids=[
        "take and finish",
        "take, finish and time",
        "three take",
        "two submit one key, and one is killed",
    ],
)
def test_no_order_of_more_workers_breaks_the_queue(raced):
    """Longer races than those of test_tasks."""
    raced().assert_survives()


@pytest.mark.timeout(900)
def test_in_every_order_a_task_is_finished_or_parked():
    """Also when time passes, and its worker is a zombie; one that finishes by the id alone is caught."""
    queues.park_or_finish().assert_survives()
    assert queues.park_or_finish(queues.finish_by_id).broken
