"""Exercise 5 is graded right: wrong answers fail the case they break, right answers of other shapes pass."""

import pytest
from answers import a05_postgres as answers
from criteria_suite import assert_fails, assert_passes, wrong


@pytest.mark.parametrize(**wrong(answers.WRONG))
def test_a_wrong_answer_fails_the_case_it_breaks(case, message, cells):
    """The verdict is FAIL, says what happened, and shows what to look at next."""
    assert_fails("05", case, message, cells)


@pytest.mark.parametrize("cells", answers.RIGHT.values(), ids=answers.RIGHT)
def test_a_right_answer_of_another_shape_passes(cells):
    """Every case is met."""
    assert_passes("05", cells)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_solution_passes_whatever_the_inputs(seed):
    """Inputs drawn from another seed change nothing."""
    assert_passes("05", [], seed)
