"""The world in a race: what a worker asks of it, its sleeps and its looks at the clock are steps."""

from multiprocessing.connection import Connection
from typing import Any

from labkit.crash.child import filelocks
from labkit.crash.child.remote_world import RemoteWorld
from labkit.crash.child.turns import CLOCK, LEDGER, Turns
from labkit.crash.child.waits import Waits


class SharedWorld(RemoteWorld):
    """The world, where others act as well."""

    def __init__(self, channel: Connection, turns: Turns) -> None:
        super().__init__(channel)
        self._turns = turns
        turns.on_time = lambda elapsed: self.on_time(elapsed)  # noqa: PLW0108 - which is set later

    def _ask(self, request: str, *arguments: Any) -> Any:
        try:
            return super()._ask(request, *arguments)
        finally:
            if request in {"call", "sleep", "http"}:
                self._turns.elapsed = super()._ask("elapsed")

    def ask(self, tool: str, arguments: dict[str, Any]) -> str | None:
        """Ask a tool whether it has acted: a step, as another may act meanwhile."""

        def perform() -> str | None:
            answer = RemoteWorld.ask(self, tool, arguments)
            self._turns.saw(answer)
            return answer

        return self._turns.step("ask", tool, [[LEDGER, False]], perform)

    def sleep(self, seconds: float) -> None:
        """Time passes for all."""
        self._turns.step("sleep", f"{seconds:g} s", [[CLOCK, True]], lambda: RemoteWorld.sleep(self, seconds))

    def elapsed(self) -> float:
        """A look at the clock: by WorldClock, as by the functions of `time`."""
        self._turns.look()
        return super().elapsed()


class SharedWaits(Waits):
    """Waiting, where somebody else may end it."""

    trace: Turns

    def sleep(self, seconds: float) -> None:
        """Let time pass. Who polls for a lock waits for it, and the clock stands still."""
        if filelocks.acts():
            self.trace.step("wait", "for a lock", [], lambda: None)
        else:
            super().sleep(seconds)

    def read(self) -> None:
        """Somebody looks at the clock."""
        if self.trace.look():
            super().read()
