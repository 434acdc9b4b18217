"""Each error at each step of the grading; `make test` has one error for a step."""

import pytest
from failing_steps import ERRORS, STEPS, assert_costs_one_submission, class_of_two


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("step", STEPS)
def test_an_exception_at_any_step_costs_one_submission(tmp_path, monkeypatch, step, error):
    """Ada has her marks and the book is whole; somebody must look at Eve's."""
    assert_costs_one_submission(class_of_two(tmp_path), monkeypatch, step, error)
