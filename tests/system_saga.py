"""The deployment as a saga, killed twice: `make system` runs it, because it takes minutes."""

import pytest
import saga_grid


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("place", saga_grid.STORES)
def test_two_crashes_leave_all_or_nothing(place):
    """At every crash point, and at every one of each recovery; see `saga_grid.all_or_nothing`."""
    saga_grid.assert_survives(place, "issue_certificate refuses", depth=2)
