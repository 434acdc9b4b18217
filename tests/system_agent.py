"""The longest sweeps: the whole agent, killed twice. `make system` runs them; they take some minutes."""

import pytest
import whole_agent


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("name", ["DISK", "DEPLOY"])
def test_two_crashes_lose_and_repeat_no_effect_and_no_saved_reply(name):
    """At every crash point, and at every one of each recovery: see `whole_agent.invariant`."""
    whole_agent.assert_survives(name, depth=2)
