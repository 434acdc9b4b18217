"""Whether the code under test may hash texts: a hash, and the order of a set of texts, differ from life to life."""

import dis
import gc
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType

from labkit.crash.preload import loaded_behind
from labkit.crash.under_test import LIBRARY

HASHING = {"hash", "__hash__", "set", "frozenset", "union", "intersection", "difference", "symmetric_difference"}
VIEWS = {"keys", "items"}
"""Of a dict: what two of them have in common is a set."""
OF_SETS = {"&", "|", "-", "^"}
OURS = (*LIBRARY, __file__.removesuffix("crash/child/hashing.py"), "<string>")
"""How the file names of code begin that is not looked at: Python's, packages', labkit's, what dataclasses generate."""


def hashes(before: int) -> bool:
    """Whether what this child has loaded of the program uses hashes, or sets for more than to look something up.

    Of modules, those behind so many. Sets in libraries are not looked for. Modules of the program's own count as if
    they did: their code may be gone.
    """
    return any(map(uses_hashes, _codes())) or any(_is_own(sys.modules[name]) for name in loaded_behind(before))


def _codes() -> Iterator[CodeType]:
    """Of all functions made in this child: what its parent had, gc.freeze keeps apart.

    By `type`: `isinstance` asks what poses as another (a lazy module: openai has some) for its class, which loads it.
    """
    for thing in gc.get_objects():
        if type(thing) is FunctionType and not thing.__code__.co_filename.startswith(OURS):
            yield thing.__code__


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _with_inner(each)


def uses_hashes(code: CodeType) -> bool:
    """Whether a function, or one within it, does."""
    return any(map(_hashes, _with_inner(code)))


def _hashes(code: CodeType) -> bool:
    if HASHING & {*code.co_names}:
        return True
    steps = [step for step in dis.get_instructions(code) if step.opname != "CACHE"]
    views = bool(VIEWS & {*code.co_names})
    for step, following in zip(steps, [*steps[1:], steps[-1]], strict=True):
        a_set = step.opname in {"BUILD_SET", "SET_ADD"} or isinstance(step.argval, frozenset)
        if a_set and following.opname != "CONTAINS_OP":
            return True
        if views and step.argrepr in OF_SETS and step.opname == "BINARY_OP":
            return True
    return False


def _is_own(module: object) -> bool:
    file = getattr(module, "__file__", None) or ""
    return getattr(module, "__name__", "") != "__main__" and file.endswith(".py") and not file.startswith(OURS)
