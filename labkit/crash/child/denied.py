"""What the kernel has refused: C code was going to write outside the folder, past what stands before Python's calls.

Nothing tells of it but the error that the program got. Landlock refuses what the rights of the file would allow.
"""

import errno
import os
import re
from collections.abc import Iterator, Sequence

from labkit.crash.child.files import ELSEWHERE, Files
from labkit.crash.news import Refused
from labkit.crash.under_test import FrameLine

DENIED = re.compile(r"permission denied|errno = 13|unable to open database", re.IGNORECASE)
PATH = re.compile(r"/[^\s'\",:;()]+")


def tell_denied(error: BaseException, lines: Sequence[FrameLine], files: Files) -> None:
    """Tell the parent, if this error comes from such a refusal: then it is not the program's own."""
    for name in _names(error):
        place = name if os.path.exists(name) else os.path.dirname(name)
        if (
            not files.trace.lenient and files.inside(name, follow=True) is None and os.access(place, os.W_OK)
        ):  # which asks for rights alone
            what, todo = (
                f"write to {name}, outside its folder, by C code",
                f"keep state in the current folder; {ELSEWHERE}",
            )
            files.trace.note(Refused(what=what, todo=todo, lines=[*lines], loaded=files.trace.loaded()))
            return


def _names(error: BaseException | None) -> Iterator[str]:
    """The files that an error, or one from which it comes, tells of."""
    while error is not None:
        if getattr(error, "errno", None) == errno.EACCES or DENIED.search(str(error)):
            told = [getattr(error, "filename", None), getattr(error, "filename2", None)]
            yield from (os.fsdecode(name) for name in told if isinstance(name, str | bytes))
            yield from PATH.findall(str(error))
        error = error.__cause__ or error.__context__
