"""Which answers are in a cell: by the line that begins an answer, as it should be and as people write it."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import SequenceMatcher

from labkit.grading.notebook.language import lines_in_texts

EXACT = re.compile(r"[ \t]*# answer: *(\w+) *$")
ALMOST = re.compile(r"[\s\ufeff\u200b]*(?:#[\s#]*|//\s*)(\w+)\s*[:;.=\uff1a\u2013\u2014-]*\s*[^\w\s]*([\w-]+)(.*)$")
"""A word, a name, and a remark."""
ALIKE = 0.75
"""How alike a misspelt word and the right one are at least."""
NOTHING = re.compile(r"\s*(?:#.*|%.*|!.*|```.*|[\ufeff\u200b]*)$")
"""A line above an answer's first line that belongs to no code."""


@dataclass(frozen=True)
class Part:
    """What stands in a cell from one answer's first line to that of the next answer."""

    name: str
    source: str
    said: str = ""
    """The first line, if it is not as it should be."""


def alike(word: str, other: str) -> bool:
    """Whether one may be a slip of the pen for the other."""
    return SequenceMatcher(None, word.casefold(), other.casefold()).ratio() >= ALIKE


def defines(source: str, name: str) -> bool:
    """Whether a source that may not be Python has a line that defines this name."""
    return has_function(source, name) or bool(re.search(rf"^{re.escape(name)}[ \t]*[:=]", source, re.MULTILINE))


def has_function(source: str, name: str) -> bool:
    """Whether it has a line that begins a function or a class of this name."""
    line = rf"^(?:(?:async[ \t]+)?def|class)[ \t]+{re.escape(name)}\b"
    return name in source and bool(re.search(line, source, re.MULTILINE))


def parts(source: str, names: Collection[str]) -> list[Part]:
    """The answers in a cell, in order. `names`: those that there can be; if there are none, any."""
    lines = source.split("\n")
    marks = [(number, mark) for number, line in enumerate(lines) if (mark := _mark(line, names))]
    within = lines_in_texts(source) if any(number for number, _ in marks) else set()
    marks = [(number, mark) for number, mark in marks if number not in within]
    found, start = [], 0
    for (number, (name, exact)), (end, _) in zip(marks, [*marks[1:], (len(lines), None)], strict=False):
        text = "\n".join(lines[start:end])
        top = not found and all(NOTHING.match(line) for line in lines[:number])
        if (exact and top) or defines("\n".join(lines[number:end]), name):
            as_it_should_be = exact and not any(line.strip() for line in lines[start:number])
            found.append(Part(name, text, "" if as_it_should_be else lines[number].strip()))
            start = end
    return found


def _mark(line: str, names: Collection[str]) -> tuple[str, bool] | None:
    """The name in an answer's first line, and whether that line is exactly as it should be."""
    if len(line) > 200:
        return None
    if (match := EXACT.match(line)) and (match[1] in names or not names):
        return match[1], True
    if (match := ALMOST.match(line)) and alike(match[1], "answer"):
        said = match[2].replace("-", "_").casefold()
        close = [name for name in names if name.casefold() == said] or [name for name in names if alike(name, said)]
        return (close[0], False) if len(close) == 1 else None
    return None
