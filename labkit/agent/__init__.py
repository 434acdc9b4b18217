"""The agent: a loop that asks a model and uses tools, and survives at every point.

agent.py    the loop; model, tools, store, clock and every mechanism are parameters
run.py      what a run keeps: the task, the conversation in its journal, the budget it may spend
tools.py    tools as a model sees them, and as the loop uses them
"""

from labkit.agent.agent import Agent, ModelReplyError

__all__ = ["Agent", "ModelReplyError"]
