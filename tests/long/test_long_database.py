"""A server killed fifty times: `make long` runs it, and `.ci/run` does not."""

import killed_server
import pytest


@pytest.mark.timeout(1800)
def test_a_server_killed_fifty_times_loses_no_acknowledged_save():
    """And no start needs a repair by hand; see `killed_server`."""
    killed_server.assert_no_acknowledged_save_is_lost(kills=50)
