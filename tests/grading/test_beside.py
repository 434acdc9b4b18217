"""A notebook's checks are judged by one process beside it, which no accident leaves behind or leaves out of date."""

import os
import signal
import threading

import pytest
from corpora import CORPORA, submission

from labkit.grading.judge.beside import JudgeBeside, JudgeFailedError
from labkit.grading.judge.request import News, Request

CASE = "02.key_survives_restart"
_, _, _, WRONG = next(row for row in CORPORA["02"].WRONG if row[1] == "key_survives_restart")
ENDLESS = "# answer: step_key\ndef step_key(task_id, step):\n    while True: pass\n"


@pytest.fixture
def beside():
    """A judge that is ended with the test."""
    judge = JudgeBeside()
    yield judge
    judge.close()


def asked(*cells):
    """A request for one case, with these answers."""
    return Request(name=CASE, submission=submission("02", [*cells]))


def test_one_process_judges_all_checks_and_forgets_each(beside):
    """What was judged before changes no verdict."""
    first = beside.judge(asked())
    pid = beside.pid
    wrong = beside.judge(asked(*WRONG))
    assert [each.verdicts[0].status for each in (first, wrong)] == ["PASS", "FAIL"]
    assert beside.judge(asked()) == first
    assert beside.pid == pid


def test_each_verdict_is_told_as_it_is_found(beside):
    """Before the result, in its order; with a picture of what broke it only where one is asked for."""
    in_place = next(answers for _, case, _, answers in CORPORA["01"].WRONG if case == "saves_whole")
    request, told = Request(name="01.saves_whole", submission=submission("01", [*in_place])), []
    result = beside.judge(request, told.append)
    assert told == [News(verdict=result.verdicts[0])]
    for replayed in (set(), {"saves_whole"}):
        asked_for = request.model_copy(update={"pictures": True, "replayed": replayed})
        assert beside.judge(asked_for, told.append) == result
        assert told[-1].verdict == result.verdicts[0]
        assert "✕ breaks" in told[-1].page
        assert told[-1].page.count("<details open>") == len(replayed)


def test_a_judge_that_is_gone_says_nothing_of_the_answer_and_is_started_anew(beside):
    """Between two checks nobody notices; during one, that check is told."""
    first = beside.judge(asked())
    os.kill(beside.pid, signal.SIGKILL)
    os.waitid(os.P_PID, beside.pid, os.WEXITED | os.WNOWAIT)
    assert beside.judge(asked()) == first
    timer = threading.Timer(1, os.kill, [beside.pid, signal.SIGKILL])
    timer.start()
    with pytest.raises(JudgeFailedError, match="it was killed"):
        beside.judge(asked(ENDLESS))
    timer.join()
    assert beside.judge(asked()) == first


def test_a_request_that_it_cannot_read_is_told_by_its_last_line(beside):
    """Not the traceback."""
    request = asked()
    request.name = "99"
    with pytest.raises(JudgeFailedError, match=r"^\S*UsageError: there is no exercise 99"):
        beside.judge(request)


def test_who_interrupts_a_check_leaves_no_judge_at_work(beside):
    """The next check has another one."""
    beside.judge(asked())
    pid = beside.pid
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    with pytest.raises(KeyboardInterrupt):
        beside.judge(asked(ENDLESS))
    assert beside.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_another_environment_has_another_judge(beside, monkeypatch):
    """A database server that was named in between is used."""
    beside.judge(asked())
    pid = beside.pid
    monkeypatch.setenv("LABKIT_PROGRESS", "off")
    beside.judge(asked())
    assert beside.pid != pid


def test_a_fork_of_the_notebook_leaves_its_judge_alone(beside):
    """What it closes at its exit is not its own."""
    beside.judge(asked())
    pid = os.fork()
    if pid == 0:
        beside.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    before = beside.pid
    beside.judge(asked())
    assert beside.pid == before
