"""The name under which chapter 6 imports a tool of `labkit.agent.tools`, and its risk."""

from labkit.agent.tools import AgentTool, Risk

__all__ = ["AgentTool", "Risk"]
