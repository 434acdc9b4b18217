"""The agent of the gauntlet: labkit's, with the answers of the exercises in the places that they were written for.

Everything here runs in children.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any

from labkit import llm, world
from labkit.agent import Agent
from labkit.agent.run import AgentRun, Budget
from labkit.agent.tools import AgentTool
from labkit.backoff import Policy
from labkit.clock import SystemClock
from labkit.context import ContextSlice, Window
from labkit.course.stories import Story
from labkit.grading.judge.program import Program
from labkit.store import AlreadyExistsError, NotFoundError, Record, VersionConflictError
from labkit.task import Task

LIMIT = 180.0
"""Seconds that one call of the model or of a tool may take."""


@dataclass(frozen=True)
class Parts:
    """The programs of all exercises, as one namespace for a child."""

    programs: Mapping[str, Program]
    """Name → the program that defines it."""

    def __getitem__(self, name: str) -> Any:
        """What an answer, or a given cell, defines under this name."""
        return self.programs[name][name]


class RunFiles:
    """A store of agent runs, made of `save_task` and `load_task`: a run travels as JSON in the result of a task."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def get(self, kind: type[Record], record_id: str) -> Any:
        """The run, or None if there is none."""
        task = self._parts["load_task"](f"{record_id}.json")
        return None if task is None else kind.model_validate_json(task.result)

    def insert(self, run: AgentRun) -> AgentRun:
        """Save a new run."""
        if self.get(AgentRun, run.id) is not None:
            raise AlreadyExistsError(f"there is a run {run.id}")
        return self._write(run)

    def save(self, run: AgentRun) -> AgentRun:
        """Save the run over the version that it was made of."""
        stored = self.get(AgentRun, run.id)
        if stored is None:
            raise NotFoundError(f"there is no run {run.id}")
        if stored.version != run.version:
            raise VersionConflictError(f"the run {run.id} has version {stored.version}, not {run.version}")
        return self._write(run)

    def _write(self, run: AgentRun) -> AgentRun:
        saved = run.model_copy(update={"version": run.version + 1})
        task = Task(id=run.id, user_input=run.user_input, result=saved.model_dump_json(), created_at=run.created_at)
        self._parts["save_task"](task, f"{run.id}.json")
        return saved


def patient(parts: Parts, seed: int = 7) -> Callable[..., Any]:
    """The agent's `retry`, made of `execute_with_retry` and `full_jitter`. No delay is longer than what is left."""
    rng = Random(seed)

    def retry(fn: Callable[[], Any], policy: Policy, _sleep: Any) -> Any:
        def jitter(delay: float) -> float:
            return min(parts["full_jitter"](delay, rng), max(0.0, policy.remaining()))

        return parts["execute_with_retry"](fn, policy.max_attempts, policy.is_retryable, jitter)

    return retry


def thirds(text: str) -> int:
    """Tokens of a text, estimated as a third of its bytes: a vocabulary would have to be read in every process."""
    return -(-len(text.encode()) // 3)


def strict(parts: Parts) -> Callable[..., ContextSlice]:
    """`select_context`, with TooLongError if its slice exceeds the budget: a real server refuses such a request."""

    def select(state: Any, step: str, budget: int, count: Callable[[str], int]) -> ContextSlice:
        chosen = parts["select_context"](state, step, budget, count)
        if count(chosen.render()) > budget:
            raise TooLongError(f"the model has a window of {budget} tokens, and was sent {count(chosen.render())}")
        return chosen

    return select


class TooLongError(Exception):
    """The server refuses a request that does not fit into the model's window."""


def keyed(parts: Parts, tool: AgentTool) -> AgentTool:
    """The tool, used under the key that the student's `step_key` makes of the run and the call."""

    def use(arguments: dict[str, Any], key: str | None, timeout: float) -> str:
        call = json.dumps([tool.name, arguments])
        return tool.use(arguments, key and parts["step_key"]("run-1", call), timeout)

    return replace(tool, use=use)


def agent(parts: Parts, story: Story, *, tokens: int = 0, seconds: float = 3600, **others: Any) -> Agent:
    """The agent with every answer in its place. Time is the machine's, which in a child is the world's.

    `tokens` is the size of the model's window, if the story is one for a model that remembers nothing.
    """
    clock = SystemClock()
    others.setdefault("retry", patient(parts))
    if tokens:
        others["context"] = Window(tokens, answer=200, count=thirds, select=strict(parts))
    return Agent(
        llm.client(clock, scripted=True),
        [keyed(parts, tool) for tool in story.tools],
        RunFiles(parts),
        clock,
        budget=Budget(max_seconds=seconds),
        limit=LIMIT,
        reply_tokens=200,
        step_timeout=parts["step_timeout"],
        **others,
    )


def go_on(parts: Parts, story: Story, **others: Any) -> dict[str, Any]:
    """Begin the run, or go on with it, as a process does when it starts; tell the user when it is done."""
    ours = agent(parts, story, **others)
    if ours.store.get(AgentRun, "run-1") is None:
        ours.start(story.goal, "run-1")
    done = ours.resume("run-1")
    if done.state == "completed":
        world.ack("run-1")
    said = next((result for step, result in done.journal.items() if not step.startswith("reply")), None)
    return {"state": done.state, "error": done.error, "result": done.result, "said": said}


def arrange(story: Story, model: tuple[llm.Fault | None, ...] = (), **faults: list[str]) -> Callable[[], None]:
    """The scene of a sweep: what the model says, and what will go wrong with it and with the tools."""
    return partial(_arrange, story, model, faults)


def _arrange(story: Story, model: tuple[llm.Fault | None, ...], faults: Mapping[str, list[str]]) -> None:
    llm.use(story.turns, model)
    world.arrange(faults=faults)
