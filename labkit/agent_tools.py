"""The tools of `labkit.agent`, under the name by which chapter 6 imports them."""

from labkit.agent.tools import AgentTool, BadToolCallError, Risk, chosen

__all__ = ["AgentTool", "BadToolCallError", "Risk", "chosen"]
