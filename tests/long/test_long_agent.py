"""The longest sweeps, up to 18,000 processes: `make long` runs them, and `.ci/run` does not."""

import pytest
import whole_agent


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("new_store", [whole_agent.in_files, whole_agent.in_postgres])
@pytest.mark.parametrize("name", ["DISK", "DEPLOY"])
def test_two_crashes_lose_and_repeat_no_effect_and_no_saved_reply(name, new_store):
    """A story: at every crash point, and at every one of each recovery; see `whole_agent.invariant`."""
    whole_agent.assert_survives(name, 2, new_store)
