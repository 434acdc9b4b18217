"""The steps of one grading, by `plan.resume`: what the lab could not do is not journalled, and stops no other step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from labkit.isolation.work import StoppedError
from labkit.plan import resume
from labkit.repository import UsageError
from labkit.store import StateStore

FOR_ALL = (UsageError, StoppedError)
"""What ends a grading: the instructor's mistake, and their wish."""

Journal = Mapping[str, str]
Step = Callable[[], str]


@dataclass(frozen=True)
class Key:
    """What an exercise's steps are called in the journal: another name for another answer, judge or seed."""

    judged: str
    run: str = ""
    """Nothing if the notebook is not to be run."""


class StepError(Exception):
    """A step has failed, which its journal does not get to know."""

    def __init__(self, step: str, *, again: bool = False) -> None:
        super().__init__(step)
        self.step, self.again = step, again


def do_steps(task_id: str, store: StateStore, steps: Mapping[str, Step]) -> dict[str, Exception]:
    """Do what the journal lacks. Those that fail are returned, and the task stays open; FOR_ALL is raised."""
    failed: dict[str, Exception] = {}

    def step(name: str, do: Step) -> str:
        if name in failed:
            raise StepError(name, again=True)
        try:
            return do()
        except FOR_ALL:
            raise
        except Exception as error:
            failed[name] = error
            raise StepError(name) from error

    left = {name: partial(step, name, do) for name, do in steps.items()}
    while True:
        try:
            resume(task_id, store, left)
        except StepError as error:
            if error.again:
                return failed
            left[error.step] = left.pop(error.step)  # to the end: it keeps the task from being completed
        else:
            return failed
