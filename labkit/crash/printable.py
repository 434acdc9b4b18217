"""What code under test made us say, made fit to be shown: where it enters, so that nobody has to think of it later."""

import re

ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
"""What a terminal obeys: colours, positions, titles."""
LONGEST = 2000
"""Characters of what a verdict says."""


def printable(text: str) -> str:
    """The text without what a terminal would obey, and not longer than anybody reads."""
    shown = text if is_printable(text) else marked(ESCAPES.sub("", text))
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]} …"


def is_printable(text: str) -> bool:
    """Whether there are only characters in it that are seen, lines and tabs."""
    return text.isprintable() or text.replace("\n", "").replace("\t", "").isprintable()


def marked(text: str) -> str:
    """The text with a sign in the place of each character that is not seen."""
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)
