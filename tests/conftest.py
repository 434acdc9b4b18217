"""What every test shares: Hypothesis draws the same examples at every run."""

import os

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("criteria_suite", "store_conformance")

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
    os.environ.pop(name, None)  # the tests use the scripted model, whoever runs them
