"""The deployment as a saga, killed twice: `make system` runs it, because it takes minutes."""

import pytest
import saga_grid


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("place", "faults"), [("files", "create_dns refuses"), ("PostgreSQL", "issue_certificate refuses")]
)
def test_two_crashes_leave_all_or_nothing(place, faults):
    """At every crash point, and at every one of each recovery; see `saga_grid.all_or_nothing`."""
    saga_grid.assert_survives(place, faults, depth=2)
