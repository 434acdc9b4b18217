"""What a notebook's check does beside judging: it keeps which cases were met."""

import pytest

from labkit.grading import session
from labkit.grading.judge.judge import Result, Status, Verdict
from labkit.learner import state


def judged(*statuses):
    """A result with these statuses."""
    verdicts = [
        Verdict(case=case, criterion="persists", title="t", status=status, marks=1)
        for case, status in zip(("saves_whole", "resumes"), statuses, strict=True)
    ]
    return Result(stem="01_file_storage", title="File storage", seed=0, verdicts=verdicts, notes=[])


@pytest.fixture
def verdicts(tmp_path, monkeypatch):
    """Let the judge say this."""
    monkeypatch.setenv("LABKIT_WORK", str(tmp_path))

    def say(*statuses):
        monkeypatch.setattr(session.BESIDE, "judge", lambda _: judged(*statuses))

    return say


def test_the_last_verdict_on_each_case_is_kept(verdicts, monkeypatch):
    """Whether the check passes or fails."""
    monkeypatch.setattr(state, "is_watched", lambda: True)
    verdicts(Status.PASS, Status.FAIL)
    with pytest.raises(session.CriteriaNotMet):
        session.check("01")
    assert state.read().cases == {"01.saves_whole": "PASS", "01.resumes": "FAIL"}
    verdicts(Status.PASS, Status.PASS)
    session.check("01")
    assert state.read().cases == {"01.saves_whole": "PASS", "01.resumes": "PASS"}


def test_where_nobody_looks_nothing_is_kept(verdicts):
    """A grading must not change what a student sees."""
    verdicts(Status.PASS, Status.PASS)
    session.check("01")
    assert state.read().cases == {}
