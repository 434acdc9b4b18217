"""The agent: a loop that asks a model and uses tools, and survives at every point.

agent.py    the loop; model, tools, store, clock and every mechanism are parameters
replies.py  a model server's answer, and what to do if it is none
run.py      what a run keeps: the task, the conversation in its journal, the budget it may spend
telling.py  what the run does, told between two steps as updates.py has it
tools.py    tools as a model sees them, and as the loop uses them
"""

from labkit.agent.agent import Agent
from labkit.agent.replies import ModelReplyError

__all__ = ["Agent", "ModelReplyError"]
