"""The outside world: what the agent's tools act on. It outlives every process of ours and forgets nothing.

In a notebook the world is an object in the kernel. In the crash lab it is a process of its own
(`labkit.crash.wire`). Its time is virtual: a tool of two minutes takes none of yours.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, Self

from labkit.clock import FakeClock


@dataclass(frozen=True)
class Call:
    """One request to a tool, as the world remembers it. `minute` is virtual, since the world began."""

    tool: str
    arguments: dict[str, Any]
    key: str | None = None
    minute: float = 0.0

    def __str__(self) -> str:
        return f"minute {self.minute:4.1f}  {self.tool}({', '.join(map(str, self.arguments.values()))})"


@dataclass(frozen=True)
class Tool:
    """What a tool answers, and how many virtual seconds it takes."""

    answer: str
    seconds: float = 120.0


TOOLS: Mapping[str, Tool] = {
    "create_dns": Tool("{service}.example.com points to 192.0.2.7"),
    "issue_certificate": Tool("certificate for {service}.example.com"),
    "deploy_container": Tool("container {service} is up"),
    "configure_monitoring": Tool("{service} is watched"),
    "notify": Tool("team told that {service} is live"),
}


class ToolError(ValueError):
    """The world cannot do what a tool was asked."""


class Place(Protocol):
    """What the code under test may do to the world, whether it lives here or in another process."""

    def call(self, tool: str, arguments: dict[str, Any], key: str | None = None) -> str:
        """Use a tool."""

    def ack(self, label: str) -> None:
        """Tell the user that something is done."""

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""

    def elapsed(self) -> float:
        """Virtual seconds since the world began."""


@dataclass
class World:
    """The state of the outside world and the rules by which it changes."""

    ledger: list[Call] = field(default_factory=list)
    """The effects applied, in order."""
    calls: list[Call] = field(default_factory=list)
    """The requests, applied or not."""
    acknowledged: list[str] = field(default_factory=list)
    """What the user was told is done."""
    clock: FakeClock = field(default_factory=FakeClock)

    def call(self, tool: str, arguments: dict[str, Any], key: str | None = None) -> str:
        """Apply `tool`, record it, then answer; with a `key` that was used before, answer again and apply nothing.

        ToolError if there is no such tool, an argument is missing, or the key was used for something else.
        """
        if tool not in TOOLS:
            raise ToolError(f"the world has no tool {tool!r}; it has {', '.join(TOOLS)}")
        made = Call(tool, dict(arguments), key, self.elapsed() / 60)
        self.calls.append(made)
        try:
            answer = TOOLS[tool].answer.format(**arguments)
        except KeyError as missing:
            raise ToolError(f"{tool} needs the argument {missing}") from None
        done = [call for call in self.ledger if key is not None and call.key == key]
        if done and (done[0].tool, done[0].arguments) != (tool, made.arguments):
            raise ToolError(f"the key {key!r} was used for {done[0].tool} with other arguments")
        if not done:
            self.ledger.append(made)
            self.clock.sleep(TOOLS[tool].seconds)
        return answer

    def ack(self, label: str) -> None:
        """Remember that the user was told `label` is done."""
        self.acknowledged.append(label)

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.clock.sleep(seconds)

    def elapsed(self) -> float:
        """Virtual seconds since the world began."""
        return self.clock.monotonic()

    def to_json(self) -> dict[str, Any]:
        """Everything the world remembers, as plain data."""
        return {
            "ledger": [asdict(call) for call in self.ledger],
            "calls": [asdict(call) for call in self.calls],
            "acknowledged": list(self.acknowledged),
            "elapsed": self.elapsed(),
        }

    def restore(self, memory: Mapping[str, Any]) -> Self:
        """Become the world that `to_json` described, and return it."""
        self.ledger = [Call(**call) for call in memory["ledger"]]
        self.calls = [Call(**call) for call in memory["calls"]]
        self.acknowledged = list(memory["acknowledged"])
        self.clock = FakeClock()
        self.clock.sleep(memory["elapsed"])
        return self


_place: Place = World()


def attach(place: Place) -> Place:
    """Make `place` the world that `tool` and `ack` act on, and return it."""
    global _place  # noqa: PLW0603 - there is one world at a time, as outside
    _place = place
    return place


def current() -> Place:
    """The world that `tool` and `ack` act on."""
    return _place


def tool(name: str, /, *, key: str | None = None, **arguments: Any) -> str:
    """Use a tool of the outside world: the effect outlives this process. ToolError if the world refuses."""
    return _place.call(name, arguments, key)


def ack(label: str) -> None:
    """Acknowledge: tell the user that `label` is done. From now on, losing it is breaking a promise."""
    _place.ack(label)
