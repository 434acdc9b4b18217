"""Progress and commands, killed twice: also the recovery from a kill is killed, at each of its points."""

from functools import partial

import pytest
import updates


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "proof",
    [updates.published_through, updates.saved_through, partial(updates.saved_through, again=updates.save),
     updates.applied_through, updates.worked_through, updates.confirmed_through, updates.cancelled_through],
    ids=["published", "saved", "saved again", "applied", "an agent", "a confirmation", "a cancel"],
)  # fmt: skip
def test_no_two_kills_lose_or_repeat_anything(proof):
    """A number, a command, a step, an answer."""
    proof(depth=2).assert_survives()
