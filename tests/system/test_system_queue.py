"""Five hundred tasks, eight workers that are killed, and a server that is killed; `make long` takes ten thousand."""

import pytest
from killed_queue import assert_each_is_done_once


@pytest.mark.timeout(300)
def test_no_accepted_task_is_lost_stuck_or_done_twice(tmp_path):
    """Workers die at random moments, the server twice."""
    assert_each_is_done_once(500, 2, tmp_path)
