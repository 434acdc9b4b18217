"""The two stories of the course, ready to run: what the user wants, which tools the agent has, what its model says.

The tools act on the current world. Their calls are safe to repeat: each hands on its idempotency key.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from labkit import llm, world
from labkit.agent.tools import AgentTool, Risk


class Nothing(BaseModel):
    """No arguments."""

    model_config = ConfigDict(extra="forbid")


class Service(BaseModel):
    """What to act on."""

    model_config = ConfigDict(extra="forbid")
    service: str


@dataclass(frozen=True)
class Story:
    """A request, the tools for it, and a script for the model."""

    goal: str
    tools: tuple[AgentTool, ...]
    turns: tuple[llm.Turn, ...]


def world_tool(name: str, description: str, parameters: type[BaseModel], risk: Risk) -> AgentTool:
    """A tool of the outside world, for an agent."""

    def use(arguments: dict[str, Any], key: str | None, timeout: float) -> str:
        return world.tool(name, key=key, timeout=timeout, **arguments)

    return AgentTool(name, description, parameters, use, risk)


DISK = Story(
    "The disk is full. Sort it out.",
    (
        world_tool("check_disk", "How full the disk is", Nothing, Risk.READ),
        world_tool("clean_logs", "Delete old logs", Nothing, Risk.WRITE_LOCAL),
    ),
    llm.DISK,
)
DEPLOY = Story(
    "Put the shop online.",
    (
        world_tool("create_dns", "Point a name to the service", Service, Risk.EXTERNAL_ACTION),
        world_tool("issue_certificate", "Get a certificate for the name", Service, Risk.EXTERNAL_ACTION),
        world_tool("deploy_container", "Start the service", Service, Risk.EXTERNAL_ACTION),
        world_tool("configure_monitoring", "Watch the service", Service, Risk.EXTERNAL_ACTION),
        world_tool("notify", "Tell the team", Service, Risk.EXTERNAL_ACTION),
    ),
    llm.DEPLOY,
)
