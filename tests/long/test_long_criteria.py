"""Every wrong answer and every right one, before its judge: run `make long ARGS="-k criteria"` if a judge changes."""

import pytest
from corpora import assert_fails, assert_passes, right, wrong

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(**wrong("WRONG"))
def test_a_wrong_answer_fails_the_case_it_breaks(number, case, message, cells):
    """The verdict is FAIL, says what happened, and shows what to look at next."""
    assert_fails(number, case, message, cells)


@pytest.mark.parametrize(**wrong("CHEATS"))
def test_who_goes_for_the_judge_fails(number, case, message, cells):
    """The world has the clock and the calls, and the parent compares."""
    assert_fails(number, case, message, cells)


@pytest.mark.parametrize(**right())
@pytest.mark.parametrize("seed", [0, 7])
def test_a_right_answer_of_another_shape_passes(number, cells, seed):
    """Every case is met, with the notebooks' inputs and with others."""
    assert_passes(number, cells, seed)
