"""When something was handed in, as far as a platform says so in the names of files. Its clock is the platform's."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from labkit.grading.reader.whose import whose

FORMS = {"Blackboard": "%Y-%m-%d-%H-%M-%S", "Brightspace": "%B %d, %Y %I%M %p"}
"""Platform → how it writes a time."""


def handed_in(file: str) -> dict[str, Any]:
    """When a file was handed in, and whether it was late, by the folders and the file of its path."""
    for name in file.split("/"):
        found = whose(name)
        if form := FORMS.get(found.platform):
            with suppress(ValueError):  # it only looks like a time
                when = datetime.strptime(_spaced(found.attempt.lstrip("0 ")), form)  # noqa: DTZ007 - no name has a zone
                return {"handed_in": when}
        if found.platform == "Canvas" and "_LATE_" in name:
            return {"late": True}
    return {}


def _spaced(time: str) -> str:
    """Brightspace's with a blank before AM or PM, and four digits."""
    if not time.endswith(("AM", "PM")):
        return time
    *date, clock = time[:-2].split()
    return f"{' '.join(date)} {clock.rjust(4, '0')} {time[-2:]}"
