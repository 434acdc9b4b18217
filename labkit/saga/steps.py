"""The steps of a saga: what each does, how it is undone, and in which order."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter

Action = Callable[[str, float, Mapping[str, str]], str]
"""Takes an idempotency key, the seconds it may take, and what the finished steps have returned, by name."""


class Kind(StrEnum):
    """What a step means for the way back."""

    COMPENSABLE = "compensable"
    """It can be undone."""
    PIVOT = "pivot"
    """The point of no return: once it is done, the saga only goes forward."""
    RETRYABLE = "retryable"
    """After the pivot: it cannot be undone, and will succeed in the end."""


@dataclass(frozen=True)
class SagaStep:
    """An action in the world, and how to undo it."""

    name: str
    execute: Action
    """A ValueError that is not retryable says that nothing happened. After any other error it may have happened."""
    compensate: Action | None = None
    """Has a key of its own. It must do no harm if the step never acted."""
    kind: Kind = Kind.COMPENSABLE
    requires: tuple[str, ...] = ()
    """The steps that must be done before this one, and undone after it."""
    ask: Callable[[], str | None] | None = None
    """For a tool that takes no key: what the step has returned, None if it has not acted."""


def in_order(steps: Sequence[SagaStep]) -> list[SagaStep]:
    """Each step after all that it requires, the pivot after all that can be undone. ValueError if there is no way."""
    named = {step.name: step for step in steps}
    of_kind = {kind: [step.name for step in steps if step.kind is kind] for kind in Kind}
    before = {Kind.COMPENSABLE: [], Kind.PIVOT: of_kind[Kind.COMPENSABLE], Kind.RETRYABLE: of_kind[Kind.PIVOT]}
    if len(named) < len(steps):
        raise ValueError("two steps have the same name")
    if shared := named.keys() & {f"undo {name}" for name in named}:
        raise ValueError(f"a step is called {min(shared)!r}, and the key of another's compensation has that name")
    if len(of_kind[Kind.PIVOT]) > 1 or (of_kind[Kind.RETRYABLE] and not of_kind[Kind.PIVOT]):
        raise ValueError("a saga has at most one pivot, and retryable steps only with it")
    for step in steps:
        if missing := set(step.requires) - named.keys():
            raise ValueError(f"the step {step.name} requires {', '.join(sorted(missing))}, which is no step")
        if step.kind is Kind.COMPENSABLE and step.compensate is None:
            raise ValueError(f"the step {step.name} has no compensation: give it one, or make it the pivot")
    try:
        graph = {step.name: [*before[step.kind], *step.requires] for step in steps}
        return [named[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        raise ValueError(f"these steps wait for each other: {', '.join(error.args[1][1:])}") from None


def undo_order(done: Collection[str], steps: Sequence[SagaStep]) -> list[str]:
    """The names in `done`, each before all that it requires. ValueError as `in_order`."""
    return [step.name for step in reversed(in_order(steps)) if step.name in done]
