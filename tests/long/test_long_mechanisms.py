"""Every mechanism of labkit dies twice: in its run, and in the recovery. No pair of crash points breaks it."""

import pytest
import swept


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", swept.MECHANISMS)
def test_two_crashes_do_not_break_it(name):
    """Killed at every crash point, and again at every crash point of each recovery; and with the power cut."""
    swept.assert_survives(name, depth=2)
