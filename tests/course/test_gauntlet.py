"""The gauntlet fails at the criterion that an answer breaks, and passes what is right."""

import pytest
from gauntlet_corpus import complaint, first_of_each_criterion, solved, with_answers

from labkit.gauntlet.checklist import Checklist, Row
from labkit.gauntlet.course import RUNS, Gauntlet
from labkit.grading.judge.criteria import criteria
from labkit.grading.judge.judge import Status

IN_PLACE = """# answer: save_task
def save_task(task, path):
    with open(path, "w") as file:
        file.write(task.model_dump_json())
"""
LIMIT_ALWAYS = """# answer: step_timeout
def step_timeout(deadline, limit):
    if deadline.remaining() <= 0:
        raise DeadlineExceeded("over")
    return limit
"""


@pytest.fixture
def gauntlet(tmp_path, monkeypatch):
    """The gauntlet of a student who has not begun."""
    monkeypatch.setenv("LABKIT_WORK", str(tmp_path))
    return Gauntlet()


@pytest.mark.slow(seconds=60)
@pytest.mark.timeout(600)
def test_a_wrong_answer_fails_the_criterion_it_breaks():
    """With all solutions the checklist is ready. With one wrong answer it fails there first, and judges no more.

    Of the wrong answers the first for each criterion is taken; `make long` takes all.
    """
    right = solved()
    checklist = right.checklist()
    assert checklist.ready, str(checklist)
    assert [row.criterion for row in checklist.rows] == [*criteria(), "everything"]
    found = {
        (stem, what): said
        for stem, what, case, cells in first_of_each_criterion()
        if (said := complaint(right, stem, case, cells))
    }
    assert found == {}


def test_a_run_has_the_answers_of_the_chapters_so_far(gauntlet):
    """An answer enters at its own row and stays, so it cannot break a row before."""
    answers = [name for run in RUNS.values() for name in run.adds]
    stems = {name: stem for stem, given in gauntlet.answers.items() for name in given.exercise.signatures}
    assert sorted(answers) == sorted(stems)
    for name, stem in stems.items():
        cell = f"# answer: {name}\nmine = True\n"
        entered = [
            criterion
            for criterion in RUNS
            if any(source.text == cell for source in gauntlet.but(stem, cell)._parts(criterion).programs[name].sources)
        ]
        own = next(criterion for criterion, run in RUNS.items() if name in run.adds)
        assert entered == [*RUNS][[*RUNS].index(own) :]


@pytest.mark.slow
def test_a_run_alone_says_which_point_of_which_run_broke(gauntlet):
    """Real kills find a save in place, with no case to help."""
    row = gauntlet.but("01_file_storage", IN_PLACE).run("persists")
    assert row.status is Status.FAIL
    assert row.what.startswith("the agent on its files: Killed after line 3 had done open run-1.json, before write")
    assert row.where == 'save_task, line 3: with open(path, "w") as file:'
    assert row.reports[0].broken


@pytest.mark.slow
def test_a_case_that_waits_for_a_later_row_fails_no_earlier_one(gauntlet):
    """Whether a restart keeps the deadline is not asked while the deadline itself is not kept: that row says so."""
    wrong = gauntlet.but("04_deadlines", LIMIT_ALWAYS)
    assert wrong.row("resumes").status is Status.PASS
    row = wrong.row("run_deadline")
    assert row.status is Status.FAIL
    assert row.what.startswith("exercise 04, ")


@pytest.mark.slow
def test_what_was_judged_is_not_judged_again(gauntlet):
    """The same programs give the same row, also with another answer behind it; another program is judged anew."""
    first = gauntlet.run("step_deadline")
    assert gauntlet.but("07_dynamic_context", "# answer: apply\n").run("step_deadline") is first
    assert gauntlet.but("04_deadlines", LIMIT_ALWAYS).run("step_deadline").status is Status.FAIL


def test_the_checklist_can_be_read():
    """A verdict, a line for each row, and the details of the one that failed."""
    rows = (
        Row("persists", "it is there", Status.PASS, cases=1),
        Row("resumes", "it goes on", Status.FAIL, "Killed at the start", "line 3", "What did the file say?"),
        Row("retries", "it tries again", Status.NOT_JUDGED, "not judged: needs resumes"),
    )
    assert str(Checklist(rows)).splitlines() == [
        "Not ready for production: 1 of 3 criteria met",
        "PASS  persists       it is there",
        "                     1 case, 0 of 0 crash points survived",
        "FAIL  resumes        it goes on",
        "      What   Killed at the start",
        "      Where  line 3",
        "      Next   What did the file say?",
        "----  retries        not judged: needs resumes",
    ]
    assert str(Checklist(rows[:1])).startswith("Ready for production: 1 of 1 criteria met")


def test_the_answers_of_others_change_nothing():
    """An answer is replaced in a copy."""
    right = solved()
    wrong = with_answers(right, "01_file_storage", [IN_PLACE])
    assert wrong.answers["01_file_storage"].yours["save_task"] == IN_PLACE
    assert right.answers["01_file_storage"].yours["save_task"] != IN_PLACE
