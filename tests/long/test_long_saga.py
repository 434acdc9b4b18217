"""The whole grid of a saga's faults, killed twice, on both stores: `make long` runs it, and `.ci/run` does not."""

import pytest
import saga_grid


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("place", saga_grid.STORES)
@pytest.mark.parametrize("faults", saga_grid.FAULTS)
def test_two_crashes_leave_all_or_nothing(place, faults):
    """At every crash point, and at every one of each recovery; see `saga_grid.all_or_nothing`."""
    saga_grid.assert_survives(place, faults, depth=2)
