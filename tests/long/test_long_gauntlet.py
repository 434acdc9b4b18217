"""Every wrong answer and every right one of the course in the gauntlet. Not collected by default: `make long`."""

import pytest
from corpora import CORPORA
from gauntlet_corpus import complaint, solved, with_answers, wrong_answers

from labkit.grading.judge.criteria import criteria, exercises


@pytest.mark.timeout(900)
def test_the_solutions_are_ready():
    """In every row, in the order of the criteria, and in everything at once."""
    checklist = solved().checklist()
    assert checklist.ready, str(checklist)
    assert [row.criterion for row in checklist.rows] == [*criteria(), "everything"]


@pytest.mark.timeout(3600)
def test_every_wrong_answer_fails_the_criterion_it_breaks():
    """The checklist fails there first, and judges no more."""
    right = solved()
    found = {
        (stem, what): said
        for stem, what, case, cells in wrong_answers()
        if (said := complaint(right, stem, case, cells))
    }
    assert found == {}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("stem", exercises())
def test_right_answers_of_other_shapes_are_ready(stem):
    """The runs ask for no more than the exercises did."""
    right, given = solved(), CORPORA[stem[:2]].RIGHT
    checklists = {what: with_answers(right, stem, cells).checklist() for what, cells in given.items()}
    assert {what: str(checklist.first_failing) for what, checklist in checklists.items() if not checklist.ready} == {}
