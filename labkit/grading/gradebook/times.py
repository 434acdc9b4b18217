"""When something was handed in, as far as a platform says so in the names of files. Its clock is the platform's."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from labkit.grading.reader.whose import whose

FORMS = {"Blackboard": "%Y-%m-%d-%H-%M-%S", "Brightspace": "%Y-%m-%d-%H-%M"}
"""Platform → how `whose` gives its times."""


def handed_in(file: str) -> dict[str, Any]:
    """When a file was handed in, and whether it was late, by the folders and the file of its path."""
    for name in file.split("/"):
        found = whose(name)
        if form := FORMS.get(found.platform):
            with suppress(ValueError):  # it only looks like a time
                when = datetime.strptime(found.attempt.lstrip("0"), form)  # noqa: DTZ007 - no name has a zone
                return {"handed_in": when}
        if found.platform == "Canvas" and "_LATE_" in name:
            return {"late": True}
    return {}
