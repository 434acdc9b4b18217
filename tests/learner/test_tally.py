"""The line at a chapter's end counts predictions, and every question of the course can be told from the others."""

from collections import Counter

import pytest

from labkit.learner import state, tally
from labkit.learner.state import Predicted, State
from labkit.learner.tally import Chapter, chapters, predictions, sentence
from labkit.repository import root

COURSE = (Chapter("01_a", "1. A", ("q1", "q2")), Chapter("02_b", "2. B", ("q3", "q4")))


@pytest.mark.parametrize(
    ("right", "said"),
    [
        ({}, "You have made no prediction yet."),
        ({"q1": None}, "You have made no prediction yet."),
        ({"q1": True}, "You were right 1 time of 1."),
        ({"q1": True, "q2": True, "q3": False}, "You were right 2 times of 3, most often wrong about chapter 2. B."),
        ({"q1": False, "q3": False, "q4": False}, "You were right 0 times of 3, most often wrong about chapter 2. B."),
        ({"gone": False, "q1": True}, "You were right 1 time of 2."),
    ],
)
def test_predictions_are_counted(right, said):
    """Also those of questions that the course has no more."""
    kept = State(predictions={question: Predicted(said=1, right=each) for question, each in right.items()})
    assert sentence(kept, COURSE) == said


def test_a_question_is_asked_once_in_the_course():
    """It is known by its text, so no other may have the same."""
    asked = Counter(question for chapter in chapters(root()) for question in chapter.questions)
    assert [question for question, count in asked.items() if count > 1] == []
    assert all(isinstance(question, str) for question in asked)
    assert {chapter.stem for chapter in chapters(root()) if not chapter.questions} == set()
    assert chapters(root())[1].title == "1. File storage"


def test_plain_where_nobody_looks(monkeypatch, capsys, work):
    """Under nbval the line is the same, whatever a student has done; else it is theirs, or says what is wrong."""
    work.mkdir()
    (work / state.NAME).write_text('{"schema": 1, "predictions": {"q": {"said": 1, "right": true}}}')
    predictions()
    monkeypatch.setattr(tally.state, "is_watched", lambda: True)
    predictions()
    (work / state.NAME).write_text("{")
    predictions()
    plain, own, broken = capsys.readouterr().out.splitlines()
    assert plain == "You have made no prediction yet."
    assert own == "You were right 1 time of 1."
    assert "cannot be read" in broken
