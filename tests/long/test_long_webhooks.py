"""A thousand webhooks to a real server that fails on purpose and is killed: `make long` runs it."""

import pytest
from stranger import assert_all_applied_once, soon


@pytest.mark.timeout(900)
def test_each_of_a_thousand_webhooks_is_applied_once_or_is_a_dead_letter(database_url, monkeypatch):
    """The receiver fails, times out, answers slowly, acts without an answer, and is killed twenty times."""
    monkeypatch.setattr("labkit.webhooks.deliveries.next_attempt", soon)
    assert_all_applied_once(database_url, count=1000, kills=20)
