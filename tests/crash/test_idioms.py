"""Ways to keep state: the page is that of the programs, and one in five is run here; `make long` runs all."""

import pytest
from idioms import IDIOMS, page

from labkit.repository import root


def test_the_page_is_that_of_the_programs():
    """`make docs` writes it."""
    assert (root() / "docs" / "SWEEP.md").read_text() == page()


def test_no_two_programs_share_a_name():
    """A row stands for one program."""
    assert len({idiom.name for idiom in IDIOMS}) == len(IDIOMS) >= 60


@pytest.mark.parametrize("idiom", IDIOMS[::5], ids=[idiom.name for idiom in IDIOMS[::5]])
def test_a_sweep_says_of_each_way_what_the_page_says(idiom):
    """It survives, it breaks, or it is refused for the reason that stands there."""
    assert idiom.said().startswith(idiom.says)
