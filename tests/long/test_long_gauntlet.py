"""Every wrong answer and every right one of the course in its gauntlet. Not collected by default: `make long`."""

import pytest
from corpora import CORPORA
from gauntlet_corpus import complaint, first_of_each_criterion, solved, solved_service, with_answers, wrong_answers

from labkit.gauntlet.course import RUNS, answers_for
from labkit.gauntlet.service.course import RUNS as SERVICE
from labkit.grading.judge.criteria import criteria

AGENT = [*answers_for(RUNS)]
PRODUCTION = [stem for stem in answers_for(SERVICE) if stem not in AGENT]


@pytest.mark.timeout(900)
def test_the_solutions_are_ready():
    """In every row, in the order of the criteria, and in everything at once."""
    checklist = solved().checklist()
    assert checklist.ready, str(checklist)
    first = [name for name in criteria() if name in RUNS]
    assert [row.criterion for row in checklist.rows] == [*first, "everything"]


@pytest.mark.timeout(1800)
def test_the_service_of_the_solutions_is_ready():
    """In every row of the second capstone."""
    checklist = solved_service().checklist()
    assert checklist.ready, str(checklist)
    assert [row.criterion for row in checklist.rows] == [*SERVICE]


@pytest.mark.timeout(3600)
def test_every_wrong_answer_fails_the_criterion_it_breaks():
    """The checklist fails there first, and judges no more."""
    right = solved()
    found = {
        (stem, what): said
        for stem, what, case, cells in wrong_answers()
        if stem in AGENT and (said := complaint(right, stem, case, cells))
    }
    assert found == {}


@pytest.mark.timeout(7200)
def test_every_wrong_answer_fails_the_row_of_the_service_that_it_breaks():
    """All of the production part; of the first part, the first wrong answer of each criterion."""
    right = solved_service()
    first = [each for each in first_of_each_criterion() if each[0] in AGENT]
    tried = [*first, *(each for each in wrong_answers() if each[0] in PRODUCTION)]
    found = {(stem, what): said for stem, what, case, cells in tried if (said := complaint(right, stem, case, cells))}
    assert found == {}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("stem", AGENT)
def test_right_answers_of_other_shapes_are_ready(stem):
    """The runs ask for no more than the exercises did."""
    right, given = solved(), CORPORA[stem[:2]].RIGHT
    checklists = {what: with_answers(right, stem, cells).checklist() for what, cells in given.items()}
    assert {what: str(checklist.first_failing) for what, checklist in checklists.items() if not checklist.ready} == {}


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("stem", PRODUCTION)
def test_right_answers_of_other_shapes_are_ready_in_the_service(stem):
    """The runs of the service ask for no more, either."""
    right, given = solved_service(), CORPORA[stem[:2]].RIGHT
    checklists = {what: with_answers(right, stem, cells).checklist() for what, cells in given.items()}
    assert {what: str(checklist.first_failing) for what, checklist in checklists.items() if not checklist.ready} == {}
