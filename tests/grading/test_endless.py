"""An answer that does not end fails within seconds, in every exercise, and the line that it is at is named."""

import time
from itertools import cycle

import pytest
from corpora import CORPORA, submission

from labkit.grading.judge.criteria import find
from labkit.grading.judge.judge import Status, judge

pytestmark = pytest.mark.slow
ENDLESS = {
    "sleeps": "    import time\n    while True:\n        time.sleep(1)",
    "works": "    while True:\n        pass",
    "takes a lock twice": "    import threading\n    lock = threading.Lock()\n    lock.acquire()\n    lock.acquire()",
}
"""What stands first in the body of an answer, and its last line is where it does not end."""
FIRST = {
    "01": "load_task", "02": "step_key", "03": "delays", "04": "step_timeout", "05": "finish_step", "06": "undo_order",
    "07": "apply", "09": "drain", "10": "relay", "11": "work_on", "12": "go_on", "13": "deploy",
}  # fmt: skip
"""An answer of each exercise."""


def endless(number, body):
    """The solution, which never comes to its own first line."""
    cell = submission(number, []).answers[FIRST[number]]
    start = cell.index("def ")
    end = cell.index(":\n", cell.index(")", start)) + 2
    return submission(number, [f"{cell[:end]}{body}\n{cell[end:]}"])


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("number", "what"), [*zip(CORPORA, cycle(ENDLESS), strict=False)])
def test_what_does_not_end_is_ended_and_named(number, what):
    """Its first case says where; a busy machine may take longer than the five seconds of a free one."""
    exercise, cases = find(number)
    case = next(each for each in cases if FIRST[number] in each.answers)
    began = time.monotonic()
    verdict = judge(exercise, endless(number, ENDLESS[what]), [case]).verdicts[0]
    assert verdict.status is Status.FAIL
    assert "did not end" in verdict.what
    assert f"{FIRST[number]}, line " in verdict.what + verdict.where
    assert time.monotonic() - began < 120
