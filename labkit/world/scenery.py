"""What can be arranged in the outside world, and what is no such thing."""

from collections.abc import Collection, Mapping
from typing import Any

from labkit.world.tools import Fault, Kind, ToolError

SCENERY = ("kinds", "faults", "tools", "model")
"""What can be arranged."""


def check_scenery(
    known_tools: Collection[str],
    kinds: Mapping[str, str] = {},
    faults: Mapping[str, list[str]] = {},
    tools: Mapping[str, str] = {},
    **others: Any,
) -> None:
    """ToolError for a name that there is not: its fault would never happen, and a test with it prove nothing."""
    for name in others.keys() - SCENERY:
        raise ToolError(f"one can arrange {', '.join(SCENERY)}, not {name}")
    for words, known in ({tool: [kind] for tool, kind in kinds.items()}, Kind), (faults, Fault):
        for tool in words:
            if tool not in known_tools:
                raise ToolError(f"the world has no tool {tool!r}")
            if not {*words[tool]} <= {*known}:
                raise ToolError(f"{tool} can be {', '.join(known)}, not {words[tool]!r}")
    for tool, answer in tools.items():
        if not isinstance(answer, str):
            raise ToolError(f"what {tool} answers is a text, not {answer!r}")
