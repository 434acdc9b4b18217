"""The whole agent, killed twice: `make system` runs it, because it takes minutes."""

import pytest
import whole_agent


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("new_store", [whole_agent.in_files, whole_agent.in_postgres])
def test_two_crashes_lose_and_repeat_no_effect_and_no_saved_reply(new_store):
    """The disk story: at every crash point, and at every one of each recovery; see `whole_agent.invariant`."""
    whole_agent.assert_survives("DISK", 2, new_store)
