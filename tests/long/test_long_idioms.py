"""What docs/SWEEP.md says of each way to keep state is what a sweep says: `make long` runs them all."""

import pytest
from idioms import IDIOMS


@pytest.mark.parametrize("idiom", IDIOMS, ids=[idiom.name for idiom in IDIOMS])
def test_a_sweep_says_of_each_way_what_the_page_says(idiom):
    """It survives, it breaks, or it is refused for the reason that stands there."""
    assert idiom.said().startswith(idiom.says)
