"""How two values differ, in texts that nobody takes for the same."""

import json
import unicodedata
from itertools import zip_longest
from typing import Any

from pydantic import BaseModel

LONGEST = 160
"""Characters of a value that a message shows."""
GONE = "gone"
"""What a message says of a value that is not there."""


def plain(value: Any) -> Any:
    """A value as plain data: all that a model holds, whether somebody has set it or not."""
    if isinstance(value, BaseModel):
        return {name: plain(each) for name, each in value}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    return value if value is None or isinstance(value, str | int | float) else repr(value)


def brief(value: Any) -> str:
    """Plain data in one line, not too long; facts and artifacts by their names."""
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        value = [
            f"{each.get('key', each.get('artifact_id'))}={each.get('value', each.get('summary'))}" for each in value
        ]
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def apart(one: Any, other: Any) -> tuple[str, str, str]:
    """Where two plain values differ, and what either of them is there: "" if the whole of them shows it."""
    first, second = brief(one), brief(other)
    if one == other or _folded(first) != _folded(second):
        return "", first, second
    if isinstance(one, str) and isinstance(other, str):
        start = next(n for n, (mine, theirs) in enumerate(zip_longest(one, other)) if mine != theirs)
        return f" from character {start + 1} on", ascii(one[start:][:LONGEST]), ascii(other[start:][:LONGEST])
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = [(name, one.get(name, GONE), other.get(name, GONE)) for name in {**one, **other}]
    elif isinstance(one, list) and isinstance(other, list):
        pairs = [(n, *pair) for n, pair in enumerate(zip_longest(one, other, fillvalue=GONE))]
    else:
        return "", f"{first}, a {type(one).__name__}", f"{second}, a {type(other).__name__}"
    name, mine, theirs = next(each for each in pairs if each[1] != each[2])
    where, first, second = apart(mine, theirs)
    return f"[{name!r}]{where}", first, second


def quoted(value: Any) -> str:
    """A value as Python writes it, and not too long."""
    return repr(value) if len(str(value)) < 80 else f"{str(value)[:40]!r}… ({len(str(value))} characters)"


def quoted_apart(one: Any, other: Any) -> tuple[str, str, str]:
    """As `apart`, of texts as Python writes them."""
    first, second = quoted(one), quoted(other)
    return ("", first, second) if one == other or _folded(first) != _folded(second) else apart(one, other)


def _folded(text: str) -> str:
    """The same for texts that look alike."""
    return unicodedata.normalize("NFKC", text)
