"""Tools as a model sees them, and as the agent uses them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ValidationError


class Risk(StrEnum):
    """What a tool can do to the world."""

    READ = "read"
    WRITE_LOCAL = "write_local"
    EXTERNAL_ACTION = "external_action"


class BadToolCallError(ValueError):
    """The model asked for a tool that is not there, or with arguments that do not fit. The text is for the model."""


@dataclass(frozen=True)
class AgentTool:
    """A tool as the model sees it, and how it is used."""

    name: str
    description: str
    parameters: type[BaseModel]
    use: Callable[[dict[str, Any], str | None, float], str]
    """Takes the arguments, an idempotency key and the seconds it may take. A ValueError says that nothing happened."""
    risk: Risk = Risk.EXTERNAL_ACTION
    unknown: Callable[[dict[str, Any]], str | None] | None = None
    """For a tool that takes no key: asked, with the arguments, what came of an attempt that died. See `run_once`."""

    def schema(self) -> dict[str, Any]:
        """What the model is told, in the form of chat.completions."""
        parameters = self.parameters.model_json_schema()
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": parameters},
        }


def chosen(tools: Sequence[AgentTool], function: dict[str, str]) -> tuple[AgentTool, dict[str, Any]]:
    """The tool that a model's call means, and its arguments. BadToolCallError if there is none, or they do not fit."""
    tool = next((tool for tool in tools if tool.name == function["name"]), None)
    if tool is None:
        raise BadToolCallError(f"there is no tool {function['name']}; there are {', '.join(t.name for t in tools)}")
    try:
        return tool, tool.parameters.model_validate(json.loads(function["arguments"] or "{}")).model_dump()
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise BadToolCallError(f"the arguments of {tool.name} do not fit: {wrong}") from None
    except ValueError as error:
        raise BadToolCallError(f"the arguments of {tool.name} are not JSON: {error}") from None
