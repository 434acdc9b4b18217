"""What every test shares: Hypothesis draws the same examples at every run."""

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("store_conformance")

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
