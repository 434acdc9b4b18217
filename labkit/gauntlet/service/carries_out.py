"""The first row of the service: an order is carried out, by what chapters 1 to 7 have taught. It is killed everywhere.

Its cases are those of all exercises of the first part. What this run does not use of them has its runs in chapter 8.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from labkit.crash import Observation, Report, sweep
from labkit.gauntlet import together
from labkit.gauntlet.parts import Parts
from labkit.gauntlet.service import work


def carries_out(parts: Parts) -> Iterator[Report]:
    """The agent makes room, a saga puts the shop online, and a step in the database signs it off.

    The model and the tools fail, a window is small, and a second worker signs off, too.
    """
    run = partial(_carry_out, parts)
    yield sweep(run, run, _carried_out, work.set_the_scene, name="an order")


def _carry_out(parts: Parts) -> dict[str, Any]:
    return {step: work.carry_out(parts, step, together.second_worker) for step in work.STEPS}


def _carried_out(seen: Observation) -> None:
    acted_once(seen, seen.state)
    together.one_winner(seen.acknowledged, together.row())


def acted_once(seen: Observation, results: Mapping[str, str]) -> None:
    """Each step has come to its result, and each tool has acted once, in its order."""
    for step, expected in zip(work.STEPS, work.RESULTS, strict=True):
        told = results.get(step)
        assert told == expected, f"the step {step!r} ended with {told!r}; expected {expected!r}"
    tools = tuple(call.tool for call in seen.ledger if call.tool in work.TOOLS)
    assert tools == work.TOOLS, f"in the ledger: {', '.join(tools)}; expected {', '.join(work.TOOLS)}"
