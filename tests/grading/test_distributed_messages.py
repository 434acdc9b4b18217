"""What travels between asker and worker: the whole of a submission and no name, and whatever went wrong."""

import pytest
from labkit.grading.distributed.parcels import Asked, Failed, Found, weakest
from own_class import RIGHT, make_criteria
from pydantic import ValidationError

from labkit.grading.gradebook.steps import Key
from labkit.grading.gradebook.student import NotJudgedError, Student
from labkit.grading.judge.criteria import exercises
from labkit.grading.judge.judge import Result
from labkit.grading.notebook.submission import Submission
from labkit.grading.sandbox.guarantees import Guarantee

KEYS = {"90_double": Key("90_double a", "90_double a notebook")}


def test_a_submission_is_whole_on_the_other_side_and_has_no_name(tmp_path):
    """Answers, names, notes, seed, and what was done; not what was done for other answers."""
    known = exercises(make_criteria(tmp_path))
    handed = Submission({"double": RIGHT}, {"helper", "other"}, ["odd"])
    student = Student("Ada", {"90_double": handed}, ["a note"], known, seed=7, files={"90_double": "Ada/x.ipynb"})
    sent = Asked.of(student, KEYS, {"90_double a": "{}", "90_double b": "{}"}).model_dump_json()
    assert "Ada" not in sent
    asked = Asked.model_validate_json(sent)
    there = asked.student("job", known)
    assert there.submissions == {"90_double": handed}
    assert (there.seed, asked.keys, asked.journal) == (7, KEYS, {"90_double a": "{}"})


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
def test_what_is_no_parcel_is_refused(text):
    """Nothing else is taken for one."""
    with pytest.raises(ValidationError):
        Found.model_validate_json(text)


def test_the_weakest_machine_is_told():
    """Machines that are alike are told as one; else each way, and that some keep nothing."""
    strong = [Guarantee(what="files", by="a mount namespace"), Guarantee(what="user", by="a user of its own")]
    weak = [Guarantee(what="files", by="Landlock"), Guarantee(what="user")]
    assert weakest([strong, strong]) == strong
    files, user = map(str, weakest([strong, weak]))
    assert files == "files: enforced by Landlock; on other machines by a mount namespace"
    assert user == "user: enforced by NOTHING; on other machines by a user of its own"
    assert weakest([strong, weak]) == weakest([weak, strong])
    assert weakest([]) == []
