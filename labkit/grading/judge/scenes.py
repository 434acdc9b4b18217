"""Scenes that are played on a stage, one after another, in one child."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from labkit.crash import LIMIT, trial
from labkit.grading.judge.stage import Stage, ends
from labkit.grading.judge.survival import did


def play(
    stage: Callable[[], Stage],
    scenes: Sequence[Any],
    who: str,
    before: Callable[[], None] | None = None,
    *,
    limit: int = LIMIT,
) -> tuple[list[list[dict[str, Any]]], dict[int, Any]]:
    """What came of each scene, and what the server has kept.

    AssertionError if that child does not return; `who` is the subject of its message. `before` is called in another
    child, which is dead by then. `limit` is how many effects they may have, those of the stage with them.
    """

    def run() -> list[list[dict[str, Any]]]:
        here, found = stage(), []
        for scene in scenes:
            found.append(here.play(scene))
            if any(map(ends, found[-1])):
                break
        return found

    seen = trial(run, before, limit=limit)
    if seen.how != "returned":
        raise AssertionError(f"{who} {did(seen)}")
    lines = [line.split("\t") for line in seen.tables["table seen"].splitlines()]
    return seen.value, {int(number): json.loads(bytes.fromhex(text)) for number, text in lines}
