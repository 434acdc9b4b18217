"""Longer sweeps and races of shared states than those of test_mcp_state: `make long` runs them."""

import pytest
import shared_states


@pytest.mark.timeout(900)
@pytest.mark.parametrize("where", [shared_states.in_files, shared_states.in_postgres])
def test_a_and_b_are_killed_and_c_goes_on(where):
    """At each point, and again at each point of each recovery; no tool acts twice."""
    shared_states.goes_on(store=where, depth=2).assert_survives()


@pytest.mark.timeout(900)
def test_a_is_killed_at_each_request_and_b_goes_on():
    """The server is a service beside it, and lives."""
    shared_states.goes_on_over_http().assert_survives()


@pytest.mark.timeout(900)
def test_over_http_a_key_of_ones_own_does_not_pass():
    """The test above notices."""
    assert shared_states.goes_on_over_http(shared_states.with_ones_own_key).broken


@pytest.mark.timeout(900)
@pytest.mark.parametrize("where", [shared_states.in_files, shared_states.in_postgres])
def test_of_two_that_save_none_is_overwritten_also_if_one_is_killed(where):
    """In every order, and at each point of either."""
    shared_states.two_learn(store=where).assert_survives()
    shared_states.two_learn(store=where, crash=True).assert_survives()
