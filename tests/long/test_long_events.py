"""Longer sweeps and races of events and webhooks than those of test_events and test_webhooks: `make long` runs them."""

from functools import partial

import outboxes
import pytest


@pytest.mark.timeout(900)
@pytest.mark.parametrize("swept", [outboxes.told_through, outboxes.received_through, outboxes.delivered_through])
def test_two_crashes_lose_nothing_and_do_nothing_twice(swept):
    """Killed at each point, and again at each point of each recovery."""
    swept(depth=2).assert_survives()


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "raced",
    [
        outboxes.record_and_relay,
        partial(outboxes.two_relay, names=("1 build", "2 deploy")),
        partial(outboxes.two_receive, workers=3),
        partial(outboxes.two_record, crash=True),
    ],
    ids=["record and relay", "two relay", "three receive", "two record, and one is killed"],
)
def test_no_order_breaks_outbox_relay_or_inbox(raced):
    """Also of three, or when one of them is killed."""
    raced().assert_survives()


@pytest.mark.timeout(900)
def test_two_relays_without_a_lock_repeat_what_was_sent():
    """The race of two relays notices."""
    assert outboxes.two_relay(outboxes.relay_without_a_lock, ("1 build", "2 deploy")).broken
