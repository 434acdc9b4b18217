"""A hundred webhooks to a real server that fails on purpose and is killed; `make long` sends a thousand."""

import pytest
from stranger import assert_all_applied_once, soon


@pytest.mark.long
@pytest.mark.timeout(300)
def test_each_webhook_is_applied_once_or_is_a_dead_letter(database_url, monkeypatch):
    """The receiver fails, times out, answers slowly, acts without an answer, and is killed three times."""
    monkeypatch.setattr("labkit.webhooks.deliveries.next_attempt", soon)
    assert_all_applied_once(database_url, count=100, kills=3)
