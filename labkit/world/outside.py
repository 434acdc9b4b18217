"""The state of the outside world, and the rules by which it changes."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self, TypeVar

from labkit.clock import FakeClock
from labkit.world.scenery import SCENERY, check_scenery
from labkit.world.tools import (
    TOOLS,
    Fault,
    Kind,
    Tool,
    ToolConflictError,
    ToolError,
    ToolTimeoutError,
    ToolUnavailableError,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One request to a tool, as the world remembers it. `minute` is virtual, since the world began."""

    tool: str
    arguments: dict[str, Any]
    key: str | None = None
    minute: float = 0.0

    def __str__(self) -> str:
        return f"minute {self.minute:4.1f}  {self.tool}({', '.join(map(str, self.arguments.values()))})"


def standing(ledger: Iterable[Call]) -> list[Call]:
    """What is in the world now: the effects in a ledger that can be undone, less those that were, the latest first."""
    undone = {tool.undoes for tool in TOOLS.values()}
    found: list[Call] = []
    for call in ledger:
        if call.tool in undone:
            found.append(call)
        for old in reversed(found if call.tool in TOOLS else []):  # a service's requests are in the ledger, too
            if (old.tool, old.arguments) == (TOOLS[call.tool].undoes, call.arguments):
                found.remove(old)
                break
    return found


@dataclass
class World:
    """What is outside. In the crash lab it is a process of its own; in a notebook, an object."""

    ledger: list[Call] = field(default_factory=list)
    """The effects applied, in order."""
    calls: list[Call] = field(default_factory=list)
    """The requests, applied or not."""
    acknowledged: list[str] = field(default_factory=list)
    """What the user was told is done."""
    kinds: dict[str, str] = field(default_factory=dict)
    """Tool → its Kind; those not named are keyed."""
    faults: dict[str, list[str]] = field(default_factory=dict)
    """Tool → the Faults of its next calls. A permanent one stays."""
    tools: dict[str, str] = field(default_factory=dict)
    """Tools beside or in place of the course's → what they answer: "sent to {to}" has an argument in it."""
    model: dict[str, Any] = field(default_factory=dict)
    """What the model provider remembers (labkit.llm): plain data."""
    clock: FakeClock = field(default_factory=FakeClock)
    port: ClassVar[int | None] = None
    database: str | None = None
    """The URL of the database that belongs to this world; None if it is up to `labkit.database`."""

    def call(self, tool: str, arguments: dict[str, Any], key: str | None = None, timeout: float | None = None) -> str:
        """Apply `tool`, record it, then answer; with a `key` that was used before, answer again and apply nothing.

        ToolTimeoutError if the tool takes more than `timeout` virtual seconds: it acts all the same. ToolConflictError
        if the first call under this key has not ended. ToolUnavailableError, ToolTimeoutError and ToolError as `faults`
        demand. ToolError if there is no such tool, an argument is missing, it takes no key, the key was used for
        something else, or `timeout` is negative.
        """
        made = Call(tool, dict(arguments), key, self.elapsed() / 60)
        self.calls.append(made)
        answer = self._answer(made)
        if timeout is not None and not timeout >= 0:
            raise ToolError(f"a timeout of {timeout} s is no time to wait")
        fault = self._next_fault(tool)
        if fault == Fault.TRANSIENT:
            raise ToolUnavailableError(f"{tool} is unavailable: nothing has happened")
        if fault == Fault.PERMANENT:
            raise ToolError(f"{tool} refuses: nothing has happened, and to ask again will not help")
        repeated = key is not None and self._was_used(made)
        if not repeated and not self._tool(tool).reads:
            self.ledger.append(made)
        self._work(tool, 0.0 if repeated else self._tool(tool).seconds, timeout, lost=fault == Fault.AMBIGUOUS)
        return answer

    def ask(self, tool: str, arguments: dict[str, Any]) -> str | None:
        """What `tool` answered to these arguments, None if it was never asked to. ToolError if it cannot be asked."""
        asked = Call(tool, dict(arguments))
        answer = self._answer(asked)
        if self._kind(tool) is not Kind.ASKED:
            raise ToolError(f"{tool} cannot be asked whether it has acted")
        done = [call for call in self.ledger if (call.tool, call.arguments) == (tool, asked.arguments)]
        return answer if done else None

    def _answer(self, call: Call) -> str:
        tool = self._tool(call.tool)
        changed = tool.after is not None and any(done.tool == tool.after[0] for done in self.ledger)
        try:
            return (tool.after[1] if changed else tool.answer).format(**call.arguments)
        except KeyError as missing:
            raise ToolError(f"{call.tool} needs the argument {missing}") from None

    def _tool(self, name: str) -> Tool:
        if name in self.tools:
            return Tool(self.tools[name])
        if name not in TOOLS:
            raise ToolError(f"the world has no tool {name!r}; it has {', '.join({**TOOLS, **self.tools})}")
        return TOOLS[name]

    def _kind(self, tool: str) -> Kind:
        return Kind(self.kinds.get(tool, Kind.KEYED))

    def _next_fault(self, tool: str) -> str | None:
        coming = self.faults.get(tool)
        if not coming:
            return None
        return coming[0] if coming[0] == Fault.PERMANENT else coming.pop(0)

    def _was_used(self, call: Call) -> bool:
        if self._kind(call.tool) is not Kind.KEYED:
            raise ToolError(f"{call.tool} takes no idempotency key here")
        first = next((done for done in self.ledger if done.key == call.key), None)
        if first is None:
            return False
        if (first.tool, first.arguments) != (call.tool, call.arguments):
            raise ToolError(f"the key {call.key!r} was used for {first.tool} with other arguments")
        running = round(self.elapsed() - first.minute * 60, 6)  # or the last digits of a minute decide
        if running < self._tool(first.tool).seconds:
            raise ToolConflictError(f"{first.tool} under the key {call.key!r} has not ended yet")
        return True

    def _work(self, tool: str, seconds: float, timeout: float | None, *, lost: bool) -> None:
        waited = seconds if timeout is None else min(seconds, timeout)
        self.clock.sleep(waited)
        if lost or waited < seconds:
            raise ToolTimeoutError(f"no answer from {tool} after {waited:g} s: it may have acted, or not")

    def exchange(self, op: str, target: str, perform: Callable[[], T]) -> T:  # noqa: ARG002 - the crash lab names it
        """Perform it at once: in a notebook there are no crash points."""
        return perform()

    def arrange(self, **what: Any) -> None:
        """Set `kinds`, `faults`, `tools` or `model`: plain data. ToolError if there is no such thing, tool or fault."""
        check_scenery([*TOOLS, *what.get("tools", self.tools)], **what)
        for name, value in what.items():
            setattr(self, name, json.loads(json.dumps(value)))

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
            **json.loads(json.dumps({name: getattr(self, name) for name in SCENERY})),
        }

    def restore(self, memory: Mapping[str, Any]) -> Self:
        """Become the world that `to_json` described, and return it."""
        self.ledger = [Call(**call) for call in memory["ledger"]]
        self.calls = [Call(**call) for call in memory["calls"]]
        self.acknowledged = list(memory["acknowledged"])
        self.arrange(**{name: memory[name] for name in SCENERY})
        self.clock = FakeClock()
        self.clock.sleep(memory["elapsed"])
        return self
