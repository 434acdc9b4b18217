"""What a sweep found is told in words of the learner's function, and a kill is blamed only for what it did."""

import pytest

from labkit.crash import KILLED, POWER_CUT, DidNotSurviveError, Effect, Line, Outcome, Point, Report
from labkit.crash.under_test import text_of
from labkit.grading.judge.survival import as_theirs, assert_survives

THEIRS, OURS = Line("<answer resume>", "resume", 4), Line("/somewhere/labkit/files.py", "_get", 92)
EFFECTS = [Effect("tool", "charge", THEIRS), Effect("tool", "notify", OURS), Effect("RETURN", "", None)]
TWICE = "charge ran twice"


def report(*broken, said=TWICE, model=KILLED, problem=None, **more) -> Report:
    """A sweep of these effects, which breaks at some crash points."""
    points = [Point(k, (Outcome(model, k not in broken, said, **more),)) for k in range(len(EFFECTS) + 1)]
    return Report("resume", EFFECTS, points, problem=problem, problem_line=OURS)


AFTER_1 = "Killed after line 4 had done tool charge, before tool notify: "
CRASHES = [
    (report(1), f"{AFTER_1}charge ran twice", THEIRS),
    (report(2), "Killed after tool notify, before the end: charge ran twice", None),
    (report(3, model=POWER_CUT), "Power cut after the end: charge ran twice", None),
    (report(1, said="on restart, recovery raised KeyError: 'a'"), f"{AFTER_1}after the restart, resume raised", THEIRS),
    (report(1, said="recovery did not end in time"), f"{AFTER_1}after the restart, resume did not end", THEIRS),
    (report(0, stranger=7), "Killed at the start, before tool charge (modelled: another process has the id 7", None),
]
NO_CRASHES = [
    (report(0, 1, 2, 3), "Even without a kill: charge ran twice"),
    (report(1, 3), "Even without a kill: charge ran twice"),
    (report(0, said="on restart, recovery raised KeyError: 'a'"), "Even without a kill: resume raised KeyError: 'a'"),
    (
        report(3, said="recovery did not end in time"),
        "Even without a kill: after the restart, resume did not end in time",
    ),
]
PROBLEMS = {
    "run raised KeyError: 'a'": "resume raised KeyError: 'a'",
    "run did not end in time": "resume did not end in time",
    "setup raised KeyError: 'a'": "TaskFiles raised KeyError: 'a'",
    "recover was going to call os.mkfifo: no": "after the restart, resume was going to call os.mkfifo: no",
    "crash point 3 was not reached: the run did not end in time":
        "called again in the same circumstances, resume did not come to crash point 3: it did not end in time",
    "NONDETERMINISTIC: the run, repeated with the same seed, did write a: threads?":
        "NONDETERMINISTIC: resume, called again in the same circumstances, did write a: threads?",
}  # fmt: skip


def told(seen: Report) -> DidNotSurviveError:
    """What a learner is told of this sweep."""
    with pytest.raises(DidNotSurviveError) as caught:
        assert_survives(seen, prepared="TaskFiles")
    return caught.value


@pytest.mark.parametrize(("seen", "what", "where"), CRASHES)
def test_a_crash_is_blamed_where_it_came_in_the_middle(seen, what, where):
    """And the line of an answer is told, but none of labkit's."""
    error = told(seen)
    assert error.what.startswith(what)
    assert error.where.partition(":")[0] == str(where or "").partition(":")[0]


def test_what_comes_behind_their_function_is_its_return():
    """A learner knows neither acknowledgements nor the end of a sweep's run."""
    effects = [EFFECTS[0], Effect("ACK", "[1, 2]", OURS), EFFECTS[-1]]
    points = [Point(k, (Outcome(POWER_CUT, k != 2, TWICE),)) for k in range(4)]
    assert told(Report("resume", effects, points)).what == (
        "Power cut after the return of resume, before the end: charge ran twice"
    )
    points[1] = Point(1, (Outcome(KILLED, survives=False, reason=TWICE),))
    assert told(Report("resume", effects, points)).what == (
        "Killed after line 4 had done tool charge, before the return of resume: charge ran twice"
    )


@pytest.mark.parametrize(("seen", "what"), NO_CRASHES)
def test_no_crash_is_blamed_where_it_fails_when_nothing_or_all_had_been_done(seen, what):
    """Then it fails without a kill, too; the score still counts the crash points."""
    error = told(seen)
    assert error.what == what
    assert error.score.endswith("of 4 crash points break it") or error.score.endswith("breaks it")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_learner_hears_of_no_function_of_a_sweep(problem):
    """What the crash lab could not do is told of their function, or of what was done before it."""
    error = told(report(problem=problem))
    assert error.what == PROBLEMS[problem]
    assert not error.where


def test_an_error_after_the_restart_is_told_with_its_line():
    """Type, text and line, as of any other error; a line that the reason has already is not told twice."""
    raised = report(1, said="on restart, recovery raised KeyError: 'a'", line=THEIRS)
    assert told(raised).what == f"{AFTER_1}after the restart, resume raised KeyError: 'a' at {THEIRS}"
    endless = report(1, said=f"recovery did not end in time ({THEIRS})", line=THEIRS)
    assert told(endless).what == f"{AFTER_1}after the restart, resume did not end in time ({THEIRS})"


def test_what_does_nothing_proves_nothing():
    """A function that survives and did less than is asked for is told what it did."""
    seen = Report("save_task", EFFECTS[:1], [])
    with pytest.raises(DidNotSurviveError, match=r"save_task did only this: tool charge. What does nothing survives"):
        assert_survives(seen, 2)
    with pytest.raises(DidNotSurviveError, match=r"save_task did nothing that lasts. What does nothing survives"):
        assert_survives(Report("save_task", EFFECTS[2:], []))
    assert_survives(seen, 1)


class AboutSqlError(Exception):
    """An error as a database's are."""


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("sqlalchemy.exc", "no such column"),
        ("psycopg.errors", "no such column"),
        ("pydantic", "no such column\n[SQL: …]"),
    ],
)
def test_of_an_error_about_sql_the_first_line_is_told(module, said):
    """What follows is the statement, and where to read more. Other errors say on other lines what is wrong."""
    kind = type("Error", (AboutSqlError,), {"__module__": module})
    assert text_of(kind("no such column\n[SQL: …]")) == said


def test_what_is_shown_of_a_sweep_speaks_of_the_learner_s_function_and_lines():
    """Neither our lines nor the names of a sweep's parts; the verdict carries it."""
    swept = report(1, said="on restart, recovery raised KeyError: 'a'", line=OURS)
    with pytest.raises(DidNotSurviveError) as raised:
        assert_survives(swept)
    found = raised.value.found
    assert found == as_theirs(swept, "resume")
    assert found.points[1].outcomes[0].reason == "after the restart, resume raised KeyError: 'a'"
    assert found.points[1].outcomes[0].line is None
    assert [effect.line for effect in found.effects] == [THEIRS, None, None]
