"""Steps in systems that share no transaction: all are done, or none is left, or a human is told exactly what is.

    running → completed                       every step is done
    running → compensating → compensated      a step failed: what was done is undone, dependents first
    running, compensating → parked            something can be neither finished nor undone: a human has to look
    parked → running, compensating            the human says: try again

A crash is no failure of a step: the next process reads the log, and goes on in the direction that the saga had.
Garcia-Molina and Salem, "Sagas", SIGMOD 1987.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from labkit.backoff import Policy, retry
from labkit.clock import Clock
from labkit.deadlines import Deadline, step_timeout
from labkit.idempotency import run_once, step_key
from labkit.saga.log import Entry, SagaLog, SagaState, StepState
from labkit.saga.steps import Action, Kind, SagaStep, in_order, undo_order
from labkit.store import AlreadyExistsError, NotFoundError, StateStore, StoreError

__all__ = ["Action", "Entry", "Kind", "Saga", "SagaLog", "SagaState", "SagaStep", "StepState", "undo_order"]


@dataclass(frozen=True)
class Saga:
    """Steps, and all that makes them safe. Every process that works on a saga must know it by the same steps."""

    steps: Sequence[SagaStep]
    store: StateStore
    clock: Clock
    policy: Policy = field(default_factory=Policy)
    """When a step is tried again, while there is a way back."""
    patient: Policy = field(default_factory=lambda: Policy(max_attempts=100))
    """When a compensation is tried again, or a step after the pivot: what has to succeed in the end."""
    limit: float = 300.0
    """Seconds that one attempt may take."""
    max_seconds: float = 3600.0
    """For all steps together, waits and restarts included."""
    undo_seconds: float = 3600.0
    """For each compensation, from its first attempt on. When they are over, only a restart makes one more attempt."""

    def __post_init__(self) -> None:
        in_order(self.steps)

    def run(self, saga_id: str) -> SagaLog:
        """Begin the saga, or go on with it after a crash. Returns its log: completed, compensated or parked.

        StoreError if nothing can be saved, or if another process works on it. ValueError if it has other steps.
        """
        try:
            log = self.store.insert(SagaLog(id=saga_id, deadline=self.later(self.max_seconds)))
        except AlreadyExistsError:
            log = self._get(saga_id)
        return _Work(self, log).go_on()

    def try_again(self, saga_id: str) -> SagaLog:
        """Go on with a parked saga, with new deadlines: a human has removed the cause.

        Errors as in `run`; NotFoundError if there is no such saga.
        """
        log = self._get(saga_id)
        if log.state is SagaState.PARKED:
            again = {"state": StepState.UNDOING, "undo_by": self.later(self.undo_seconds), "error": None}
            parked = {name: entry for name, entry in log.steps.items() if entry.state is StepState.PARKED}
            steps = log.steps | {name: entry.model_copy(update=again) for name, entry in parked.items()}
            state = SagaState.COMPENSATING if parked else SagaState.RUNNING
            changed = {"state": state, "steps": steps, "deadline": self.later(self.max_seconds)}
            log = self.store.save(log.model_copy(update=changed))
        return _Work(self, log).go_on()

    def later(self, seconds: float) -> datetime:
        """The wall time in so many seconds."""
        return self.clock.now() + timedelta(seconds=seconds)

    def _get(self, saga_id: str) -> SagaLog:
        log = self.store.get(SagaLog, saga_id)
        if log is None:
            raise NotFoundError(f"there is no saga {saga_id}")
        return log


class _Work:
    """A saga while this process works on it."""

    def __init__(self, saga: Saga, log: SagaLog) -> None:
        self.saga, self.log = saga, log
        if missing := log.steps.keys() - {step.name for step in saga.steps}:
            raise ValueError(f"the saga {log.id} has begun {', '.join(sorted(missing))}: give it these steps, too")

    def go_on(self) -> SagaLog:
        if self.log.state is SagaState.RUNNING:
            self._forward()
        if self.log.state is SagaState.COMPENSATING:
            self._backward()
        return self.log

    def _save(self, step: SagaStep | None = None, entry: Entry | None = None, **changes: Any) -> None:
        steps = self.log.steps | ({step.name: entry} if step else {})
        self.log = self.saga.store.save(self.log.model_copy(update={"steps": steps, **changes}))

    def _forward(self) -> None:
        for step in in_order(self.saga.steps):
            entry = self.log.steps.get(step.name)
            if entry and entry.state is StepState.DONE:
                continue
            doubtful = entry is not None and entry.state is StepState.STARTED  # by a process that died
            if not doubtful:
                self._save(step, Entry(state=StepState.STARTED, key=step_key(self.log.id, step.name)))
            entry = self._execute(step, doubtful=doubtful)
            if entry.state is not StepState.DONE:
                stuck = step.kind is Kind.RETRYABLE or (step.kind is Kind.PIVOT and entry.state is StepState.STARTED)
                state = SagaState.PARKED if stuck else SagaState.COMPENSATING
                return self._save(step, entry, state=state, error=f"{step.name} failed with {entry.error}")
            self._save(step, entry)
        return self._save(state=SagaState.COMPLETED, error=None)

    def _execute(self, step: SagaStep, *, doubtful: bool) -> Entry:
        """What came of a step: done; started, if it is `doubtful` whether it has acted; or refused, if it has not."""
        entry, deadline = self.log.steps[step.name], Deadline(self.log.deadline, self.saga.clock)
        policy = self.saga.patient if step.kind is Kind.RETRYABLE else self.saga.policy
        doubts = [doubtful]

        def attempt() -> str:
            seconds = step_timeout(deadline, self.saga.limit)
            try:
                return self._act(step, entry.key, seconds)
            except Exception as error:
                doubts.append(not self._did_nothing(error))
                raise

        try:
            result = self._patiently(attempt, policy, deadline)
        except StoreError:
            raise  # nothing can be saved, or another process has the saga
        except Exception as error:  # noqa: BLE001 - whatever it was, the saga turns back, or is parked
            state = StepState.STARTED if any(doubts) else StepState.REFUSED
            return entry.model_copy(update={"state": state, "error": f"{type(error).__name__}: {error}"})
        return entry.model_copy(update={"state": StepState.DONE, "result": result, "error": None})

    def _act(self, step: SagaStep, key: str, seconds: float) -> str:
        work = partial(step.execute, key, seconds, self._results())
        if step.ask is None:
            return work()
        once = {"unknown": step.ask, "harmless": self._did_nothing, "clock": self.saga.clock, "lease": seconds}
        return run_once(self.saga.store, key, work, **once)

    def _did_nothing(self, error: Exception) -> bool:
        return isinstance(error, ValueError) and not self.saga.policy.is_retryable(error)

    def _results(self) -> dict[str, str]:
        return {name: entry.result for name, entry in self.log.steps.items() if entry.result is not None}

    def _backward(self) -> None:
        named = {step.name: step for step in self.saga.steps}
        for name in undo_order(self.log.left(), self.saga.steps):
            if self.log.steps[name].state is not StepState.PARKED:
                self._compensate(named[name])
        self._save(state=SagaState.PARKED if self.log.left() else SagaState.COMPENSATED)

    def _compensate(self, step: SagaStep) -> None:
        saga, entry = self.saga, self.log.steps[step.name]
        if entry.state is not StepState.UNDOING:
            undoing = {"state": StepState.UNDOING, "undo_by": saga.later(saga.undo_seconds)}
            self._save(step, entry := entry.model_copy(update=undoing))
        undo = partial(step.compensate, step_key(self.log.id, f"undo {step.name}"), saga.limit, self._results())
        try:
            self._patiently(undo, saga.patient, Deadline(entry.undo_by, saga.clock))
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, it stops no other compensation
            failure = f"its compensation failed with {type(error).__name__}: {error}"
            return self._save(step, entry.model_copy(update={"state": StepState.PARKED, "error": failure}))
        return self._save(step, entry.model_copy(update={"state": StepState.UNDONE}))

    def _patiently(self, attempt: Callable[[], str], policy: Policy, deadline: Deadline) -> str:
        return retry(attempt, replace(policy, remaining=deadline.remaining), self.saga.clock.sleep)
