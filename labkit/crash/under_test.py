"""Which frames belong to the code under test: not Python's, not a package's, not the lab's own."""

import itertools
import re
import sys
import sysconfig
from collections.abc import Iterable
from functools import cache
from types import FrameType

LIBRARY = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), "<frozen")
NOT_UNDER_TEST = ("labkit.crash", "labkit.isolation", "labkit.world", "labkit.llm", "labkit.grading", "labkit.gauntlet")
CHILD = "labkit.crash.child.main"
"""The module whose frame calls the code under test: the frames around that one are the lab's."""
GIVEN = "<given"
"""How the file names of code begin that the instructor gave: an exercise's adapters are not the student's lines."""
FrameLine = tuple[str, str, int]
"""File, function and line number of a frame."""


def lines_under_test(frames: Iterable[tuple[FrameType, int]]) -> list[FrameLine]:
    """The frames, innermost first, that are not Python's, a package's or the crash lab's."""
    inside = itertools.takewhile(lambda item: item[0].f_globals.get("__name__") != CHILD, frames)
    return [(frame.f_code.co_filename, frame.f_code.co_name, line) for frame, line in inside if is_under_test(frame)]


def is_under_test(frame: FrameType) -> bool:
    """Whether a frame belongs to the code under test."""
    return _is_under_test(frame.f_globals.get("__name__") or "", frame.f_code.co_filename)


@cache  # asked for each frame at each effect
def _is_under_test(module: str, file: str) -> bool:
    if module.startswith("labkit."):
        return not module.startswith(NOT_UNDER_TEST)
    if file.startswith((*LIBRARY, GIVEN)):
        return False
    if file.startswith("<") and module != "__main__":  # libraries make functions from text
        return bool(module) and not (getattr(sys.modules.get(module), "__file__", None) or "").startswith(LIBRARY)
    return True


def text_of(error: BaseException) -> str:
    """What an error says. Those about SQL go on for lines, with the statement and an address to read: the first one."""
    text = without_addresses(str(error))
    long = type(error).__module__.partition(".")[0] in {"sqlalchemy", "psycopg"}
    return text.partition("\n")[0] if long else text


def without_addresses(text: str) -> str:
    """`text` without the memory addresses that Python puts into names of objects: they differ at every run."""
    return re.sub(r" at 0x[0-9a-f]+", "", text)
