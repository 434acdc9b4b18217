"""The agent: asks the model, uses the tools it calls for, tells it the results, until it calls for none.

Each reply and each result is saved before anything else happens, so a new process can go on from any point. A crash
repeats no tool effect, and at most the one model call whose reply was not saved yet. That one is paid for twice.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from labkit.agent.replies import completion
from labkit.agent.run import AgentRun, Budget
from labkit.agent.telling import Telling
from labkit.agent.tools import AgentTool, Risk, chosen
from labkit.agent.updates import ProgressUpdate, Status
from labkit.backoff import Policy, retry
from labkit.clock import Clock
from labkit.deadlines import Deadline, step_timeout
from labkit.idempotency import run_once, step_key
from labkit.store import NotFoundError, StateStore, StoreError, paged
from labkit.task import TaskState

T = TypeVar("T")


@dataclass(frozen=True)
class Agent:
    """A model, its tools, and everything that makes their use safe. All of it can be replaced."""

    client: Any
    """An openai.OpenAI. Its own retries should be off: one layer retries, and it is this one."""
    tools: Sequence[AgentTool]
    store: StateStore
    clock: Clock
    model: str = "scripted"
    budget: Budget = field(default_factory=Budget)
    limit: float = 60.0
    """Seconds that one model call or one tool call may take. A tool that takes longer needs a larger limit."""
    reply_tokens: int = 1000
    result_bytes: int = 10_000
    """The longest reply and the longest tool result. What is longer is cut."""
    approve: frozenset[Risk] = frozenset()
    """The risks for which a human is asked first."""
    context: Callable[[AgentRun], list[dict[str, Any]]] = AgentRun.messages
    """What the model is told of a run: the whole conversation, or what fits (`labkit.context.Window`)."""
    progress: Callable[[ProgressUpdate], object] | None = None
    """Told between two steps what the run does; after a crash, the last again. What it raises fails the run."""
    policy: Policy = field(default_factory=Policy)
    retry: Callable[..., Any] = retry
    step_timeout: Callable[[Deadline, float], float] = step_timeout
    run_once: Callable[..., str] = run_once

    def start(self, goal: str, run_id: str) -> AgentRun:
        """Store a new run, for `resume` to carry out. Its deadline is set here, once and for all."""
        now = self.clock.now()
        deadline = now + timedelta(seconds=self.budget.max_seconds)
        run = AgentRun(id=run_id, user_input=goal, budget=self.budget, deadline=deadline, created_at=now)
        return self.store.insert(run)

    def resume(self, run_id: str) -> AgentRun:
        """Go on with a run. Returns it completed, failed with an `error`, or pending with a `question`.

        A failed run is tried again from where it failed. NotFoundError if there is no such run.
        """
        run = self._get(run_id)
        if run.state is TaskState.COMPLETED or run.question:
            return _Work(self, run).go_on() if self.progress else run
        if run.state is TaskState.FAILED:
            run = self.store.save(run.to(TaskState.PENDING))
        if run.state is TaskState.PENDING:
            run = self.store.save(run.to(TaskState.RUNNING))
        return _Work(self, run).go_on()

    def tell(self, run_id: str) -> None:
        """Tell again how a run stands: for who was killed between the last save and telling it."""
        Telling(self.progress, self.clock).saved(self._get(run_id))

    def resume_all(self) -> list[AgentRun]:
        """What a process does when it starts: resume every run that an earlier one left running."""
        return [self.resume(run.id) for run in paged(self.store.list_by_state, AgentRun, TaskState.RUNNING)]

    def answer(self, run_id: str, *, approved: bool) -> AgentRun:
        """Save what a human says to the question of a run. ValueError if it has asked nothing."""
        run = self._get(run_id)
        if run.question is None:
            raise ValueError(f"the run {run_id} has asked nothing")
        step, _ = next(run.calls())
        answered = run.finished(f"approval {step}", "approved" if approved else "declined")
        return self.store.save(answered.model_copy(update={"question": None}).to(TaskState.RUNNING))

    def _get(self, run_id: str) -> AgentRun:
        run = self.store.get(AgentRun, run_id)
        if run is None:
            raise NotFoundError(f"there is no run {run_id}")
        return run


class _Work:
    """One process's work on a run: the record as it was saved last, and the deadline on this process's clock."""

    def __init__(self, agent: Agent, run: AgentRun) -> None:
        self.agent, self.run = agent, run
        self.telling = Telling(agent.progress, agent.clock)
        self.deadline = Deadline(run.deadline, agent.clock)

    def go_on(self) -> AgentRun:
        try:
            self.telling.saved(self.run)
            while self.run.state is TaskState.RUNNING:
                step, call = next(self.run.calls(), (None, None))
                if call is None:
                    self._ask_model()
                else:
                    self._use_tool(step, call["function"])
                self.telling.saved(self.run)
        except StoreError:
            raise  # nothing can be saved, or another worker has the run
        except Exception as error:
            if self.run.state is TaskState.COMPLETED:
                raise
            failed = self.run.to(TaskState.FAILED, error=f"{type(error).__name__}: {error}")
            self._save(failed, question=None)  # whatever it was, the run says it and can be resumed
            self.telling.saved(self.run)
        return self.run

    def _save(self, run: AgentRun, **changes: Any) -> None:
        self.run = self.agent.store.save(run.model_copy(update=changes))

    def _patiently(self, attempt: Callable[[float], T]) -> T:
        """Try as often as policy and deadline allow; `attempt` is given the seconds that it may take."""
        agent, deadline = self.agent, self.deadline
        policy = replace(agent.policy, remaining=deadline.remaining)
        return agent.retry(lambda: attempt(agent.step_timeout(deadline, agent.limit)), policy, agent.clock.sleep)

    def _ask_model(self) -> None:
        self.telling.tell(self.run, Status.THINKING, f"turn {len(self.run.replies()) + 1}")
        messages = self.agent.context(self.run)
        most = len(json.dumps(messages)) // 3 + self.agent.reply_tokens
        answer = self._patiently(partial(self._completion, messages, most))
        reply = answer.choices[0].message.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True)
        run = self.run.finished(f"reply {len(self.run.replies()) + 1}", json.dumps(reply))
        if not reply.get("tool_calls"):
            run = run.to(TaskState.COMPLETED, result=reply.get("content"))
        self._save(run, budget=run.budget.settle(steps=1, tokens=answer.usage.total_tokens if answer.usage else most))

    def _completion(self, messages: list[dict[str, Any]], most: int, timeout: float) -> Any:
        """One model call. Its budget is reserved in the store first: a call that dies has been paid for."""
        self._save(self.run, budget=self.run.budget.reserve(steps=1, tokens=most))
        agent, end, body = self.agent, self.agent.clock.monotonic() + timeout, b""
        with agent.client.chat.completions.with_streaming_response.create(
            model=agent.model, messages=messages, tools=[tool.schema() for tool in agent.tools],
            max_completion_tokens=agent.reply_tokens, timeout=timeout,
        ) as response:  # fmt: skip
            for part in response.iter_bytes():
                if agent.clock.monotonic() > end:  # `timeout` holds for each part: a reply in drips outlives it
                    raise TimeoutError(f"the reply came in drips and was not whole after {timeout:g} s")
                body += part
        return completion(body)

    def _use_tool(self, step: str, function: dict[str, str]) -> None:
        run, agent = self.run, self.agent
        budget = run.budget.reserve(artifact_bytes=agent.result_bytes)
        approval = run.journal.get(f"approval {step}")
        try:
            tool, arguments = chosen(agent.tools, function)
            if tool.risk in agent.approve and approval is None:
                question = f"May I use {tool.name} with {json.dumps(arguments)}?"
                return self._save(run.to(TaskState.PENDING), question=question)
            result = "a human has declined this"
            if approval != "declined":
                self.telling.tell(self.run, Status.TOOL_CALL, json.dumps(arguments), tool.name)
                result = self._patiently(partial(self._use, tool, arguments, step_key(run.id, step)))
        except ValueError as refusal:
            if agent.policy.is_retryable(refusal):
                raise  # it may have happened: the model must not try again under another key
            result = f"error: {refusal}"
        data = result.encode()[: agent.result_bytes]
        finished = run.finished(step, data.decode(errors="ignore"))
        return self._save(finished, budget=budget.settle(artifact_bytes=len(data)))

    def _use(self, tool: AgentTool, arguments: dict[str, Any], key: str, timeout: float) -> str:
        if tool.unknown is None:
            return tool.use(arguments, key, timeout)
        agent, work, unknown = self.agent, partial(tool.use, arguments, None, timeout), partial(tool.unknown, arguments)
        return agent.run_once(
            agent.store, key, work, arguments=arguments, clock=agent.clock, unknown=unknown, lease=timeout
        )
