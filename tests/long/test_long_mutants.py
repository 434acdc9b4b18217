"""Each small mutation of a solution fails a case, apart from those that change nothing: `make long` runs it."""

import pytest
from corpora import submission
from equivalents import EQUIVALENT
from mutants import mutants

from labkit.grading.judge.criteria import find
from labkit.grading.judge.judge import Sitting, Status


def survives(number, cell):
    """Whether a solution with this answer meets every case."""
    exercise, cases = find(number)
    sitting = Sitting(exercise, submission(number, [cell]))
    return all(sitting.verdict(case).status is Status.PASS for case in cases)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", EQUIVALENT)
def test_what_survives_is_known_to_change_nothing(number):
    """No case passes a mutant that could do harm; of each equivalent one the reason is written down."""
    found = {
        f"{name}: {what}": cell
        for name, answer in submission(number, []).answers.items()
        for what, cell in mutants(answer).items()
    }
    left = {what for what, cell in found.items() if survives(number, cell)}
    print(f"{number}: {len(found)} mutants, {len(found) - len(left)} killed, {len(left)} left")
    assert left == set(EQUIVALENT[number]), left ^ set(EQUIVALENT[number])
