"""The gauntlet of one who has solved everything, and of one who has nearly."""

import pytest
from gauntlet_corpus import complaint, first_of_each_criterion, solved

from labkit.grading.judge.criteria import criteria


@pytest.mark.timeout(900)
def test_the_solutions_are_ready_and_one_wrong_answer_is_not():
    """With it the checklist fails where it breaks: here the first of each criterion, in `make long` all."""
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
