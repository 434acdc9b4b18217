"""Every mechanism of labkit dies: no crash point breaks it. `make long` kills each recovery, too, on every store."""

from itertools import cycle

import pytest
import saga_grid
import swept
from rest import rest_is_long


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "faults"), rest_is_long(zip(cycle(saga_grid.STORES), saga_grid.FAULTS, strict=False), 2)
)
def test_a_crash_leaves_all_of_a_saga_or_nothing(place, faults):
    """Whichever step or compensation fails, or whose answer is lost; see `saga_grid.all_or_nothing`."""
    saga_grid.assert_survives(place, faults, depth=1)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", swept.MECHANISMS)
def test_no_crash_point_breaks_it(name):
    """Killed at every crash point; and with the power cut."""
    swept.assert_survives(name, depth=1)
