"""No terminal obeys what a student's code says, and nobody has to read ten megabytes of it."""

import pytest

from labkit.crash.printable import LONGEST, printable


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand ünï", "two\nlines\tand ünï"),
        ("\x1b[2J\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("bell\x07 back\x08 return\r null\x00", "bell� back� return� null�"),
        ("\u202eright to left", "�right to left"),
        ("\udc80", "�"),
    ],
)
def test_only_text_is_left(said, shown):
    """Colours, titles, links and control characters are not text."""
    assert printable(said) == shown


def test_a_long_text_is_cut():
    """And shows that it was."""
    assert printable("x" * 10**7) == "x" * LONGEST + " …"
