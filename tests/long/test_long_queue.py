"""Ten thousand tasks, eight workers that are killed, and a server that is killed: `make long` runs it."""

import pytest
from killed_queue import assert_each_is_done_once


@pytest.mark.timeout(1800)
def test_no_accepted_task_is_lost_stuck_or_done_twice(tmp_path):
    """Workers die at random moments, the server five times."""
    assert_each_is_done_once(10_000, 5, tmp_path)
