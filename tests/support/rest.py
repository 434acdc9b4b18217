"""Parameters of which `make test` takes some, and `make long` the rest."""

from collections.abc import Iterable
from typing import Any

import pytest


def rest_is_long(values: Iterable[Any], keep: int) -> list[Any]:
    """The first `keep` of them as they are, the others marked as long. A tuple is one for each name."""
    return [
        value
        if number < keep
        else pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.long)
        for number, value in enumerate(values)
    ]
