"""What a worker does with an order: the agent, a saga, and a step in the database, by the answers of exercises 1 to 7.

Each may be done again after a restart, and acts once. They are those of the first gauntlet, with a shorter story.
"""

from collections.abc import Callable
from typing import Any

from labkit import llm
from labkit.course import stories
from labkit.gauntlet import systems, together
from labkit.gauntlet.parts import Parts, arrange, go_on

CLEAN = stories.Story(
    "There must be room for the shop: clean the logs.",
    (stories.DISK.tools[1],),
    (
        llm.Turn("There is room for the shop.", shown=("clean_logs(",)),
        llm.Turn(calls=(("clean_logs", {}),)),
    ),
)
"""For a model that remembers nothing: it says what fits to what it is shown."""
MODEL = (llm.failing(500),)
FAULTS = {"clean_logs": ["transient"], "notify": ["ambiguous"]}
STEPS = ("make room", "put online", "sign off")
RESULTS = ("There is room for the shop.", "completed", "completed")
TOOLS = ("clean_logs", *systems.UNDO, "notify")
"""What is in the ledger of the world in the end, in this order."""


def set_the_scene() -> None:
    """The model and the tools fail; the row of the database step is there."""
    arrange(CLEAN, MODEL, **FAULTS)()
    together.make_table()


def carry_out(parts: Parts, step: str, *meanwhile: Callable[[Parts], Any]) -> str:
    """One step of an order; these happen in the middle of the last one. Its result, in a word."""
    if step == STEPS[0]:
        return str(go_on(parts, CLEAN, tokens=400)["result"])
    if step == STEPS[1]:
        return systems.Online(parts)({}, None, 0.0)
    return str(together.execute(parts, *meanwhile)[0])
