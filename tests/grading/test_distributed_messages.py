"""What travels between coordinator and worker: the whole of a submission and no name, and whatever went wrong."""

import pytest
from own_class import RIGHT, make_criteria
from pydantic import ValidationError

from labkit.grading.distributed.messages import Failed, Outcome, Request
from labkit.grading.gradebook.steps import Key
from labkit.grading.gradebook.student import NotJudgedError, Student
from labkit.grading.judge.criteria import exercises
from labkit.grading.judge.judge import Result
from labkit.grading.notebook.submission import Submission

KEYS = {"90_double": Key("90_double a", "90_double a notebook")}


def test_a_submission_is_whole_on_the_other_side_and_has_no_name(tmp_path):
    """Answers, names, notes, seed, and what was done; not what was done for other answers."""
    known = exercises(make_criteria(tmp_path))
    handed = Submission({"double": RIGHT}, {"helper", "other"}, ["odd"])
    student = Student("Ada", {"90_double": handed}, ["a note"], known, seed=7, files={"90_double": "Ada/x.ipynb"})
    sent = Request.of(student, "hash", KEYS, {"90_double a": "{}", "90_double b": "{}"}).model_dump_json()
    assert "Ada" not in sent
    asked = Request.model_validate_json(sent)
    there = asked.student("job", known)
    assert there.submissions == {"90_double": handed}
    assert (there.seed, asked.criteria, asked.keys, asked.journal) == (7, "hash", KEYS, {"90_double a": "{}"})


def test_what_went_wrong_is_the_same_to_the_book():
    """The name of the error, or the result with what was found all the same."""
    again = Failed.of(RuntimeError("with a path")).again()
    assert type(again).__name__ == "RuntimeError"
    assert not again.args
    result = Result(stem="90_double", title="Twice", seed=0, verdicts=[])
    again = Failed.of(NotJudgedError(result)).again()
    assert isinstance(again, NotJudgedError)
    assert again.result == result


@pytest.mark.parametrize("text", ["{", '{"journal": {"a": 1}}', '{"more": 1}', "[]"])
def test_what_is_no_message_is_refused(text):
    """Nothing else is taken for one."""
    with pytest.raises(ValidationError):
        Outcome.model_validate_json(text)
