"""Telling: a callback is told what a run is about to do, and how it stands as it is saved."""

from collections.abc import Callable

from labkit.agent.run import AgentRun
from labkit.agent.updates import ProgressUpdate, Status
from labkit.clock import Clock
from labkit.task import TaskState


class Telling:
    """Makes progress updates of runs, and passes them on."""

    def __init__(self, progress: Callable[[ProgressUpdate], object] | None, clock: Clock) -> None:
        """Without a callback, nobody is told."""
        self._progress, self._clock = progress, clock

    def saved(self, run: AgentRun) -> None:
        """Tell how the run stands as it is saved: so it can be told again, by a process that finds it so."""
        last = next(reversed(run.journal), "")
        if run.state is TaskState.COMPLETED:
            self.tell(run, Status.COMPLETED, run.result or "", done=1)
        elif run.state is TaskState.FAILED:
            self.tell(run, Status.ERROR, run.error or "")
        elif run.question:
            _, call = next(run.calls())
            self.tell(run, Status.TOOL_CALL, run.question, call["function"]["name"], asks=True)
        elif last[:1].isdecimal():
            self.tell(run, Status.TOOL_RESULT, run.journal[last], last.partition(" ")[2], done=1)

    def tell(
        self, run: AgentRun, status: Status, message: str, tool: str = "", *, asks: bool = False, done: int = 0
    ) -> None:
        """Tell the step that is next, or the last of those that are done. RuntimeError if it could not be told."""
        if self._progress is None:
            return
        about = {"task": run.id, "step": run.steps + 1 - done, "time": self._clock.now()}
        update = ProgressUpdate.cut(message, status=status, tool=tool, asks=asks, **about)
        try:
            self._progress(update)
        except ValueError as error:  # a tool's says that nothing has happened, and is told to the model
            raise RuntimeError(f"progress could not be told: {error}") from error
