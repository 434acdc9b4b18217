"""What a student's code made us say, made fit to be shown."""

import re

ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
"""What a terminal obeys: colours, positions, titles."""
LONGEST = 2000
"""Characters of what a verdict says."""


def printable(text: str) -> str:
    """What a student's code made us say, without what a terminal would obey, and not longer than anybody reads."""
    text = ESCAPES.sub("", text)
    shown = "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]} …"
