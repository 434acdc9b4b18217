"""The state of an order is shared by agents: by the answers of exercise 12, behind a client that loses answers."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from labkit import world
from labkit.gauntlet.parts import Parts
from labkit.gauntlet.service.schemas import at
from labkit.store import NotFoundError, VersionConflictError

OURS, OTHERS, STRANGERS = "shop-team", "blog-team", "nobody's-team"
URI = "state://agents/deploy/tasks/order-1"
KEYS = {OURS: "00112233aabbccdd", OTHERS: "ffeeddcc44556677"}
"""What the server makes for each state."""
LOST, BROKEN = "lost", "broken"
"""A call of the client that was done, and its answer is lost; one that was not done."""


class Client:
    """How an agent of this owner reaches the states; so these calls of its go wrong, each once in a process."""

    def __init__(self, parts: Parts, owner: str = OURS, **wrong: str) -> None:
        self._parts, self._owner, self._wrong = parts, owner, {**wrong}

    def read(self, uri: str) -> tuple[int, dict[str, Any]]:
        """Version and state."""
        return self._once("read", lambda conn: self._parts["read_state"](conn, self._owner, *_named(uri)))

    def save(self, uri: str, version: int, state: Mapping[str, Any]) -> int:
        """The new version."""
        return self._once(
            "save", lambda conn: self._parts["save_state"](conn, self._owner, *_named(uri), version, state)
        )

    def _once(self, name: str, do: Callable[[Any], Any]) -> Any:
        if self._wrong.get(name) == BROKEN:
            del self._wrong[name]
            raise ConnectionResetError("the connection broke")
        with at("states") as conn, conn.begin():
            found = do(conn)
        if self._wrong.pop(name, "") == LOST:  # a call that was refused has had its answer
            raise ConnectionResetError("the answer was lost")
        return found


def begin(parts: Parts, plan: list[str], owner: str = OURS) -> None:
    """Share a new state, unless it is there."""
    with at("states") as conn, conn.begin(), suppress(VersionConflictError):
        parts["save_state"](conn, owner, *_named(URI), 0, new(plan, owner))


def new(plan: list[str], owner: str = OURS) -> dict[str, Any]:
    """A state of which nothing is done."""
    return {"key": KEYS[owner], "plan": plan, "done": {}}


def note(parts: Parts, text: str) -> None:
    """A human writes into the state; if somebody else saved meanwhile, once more over what is there now."""
    client = Client(parts)
    for _ in range(5):
        version, state = client.read(URI)
        if "note" in state:
            return
        try:
            client.save(URI, version, {**state, "note": text})
        except VersionConflictError:
            continue
        return


def may_read(parts: Parts, owner: str) -> bool:
    """Whether this team finds a state there."""
    try:
        Client(parts, owner).read(URI)
    except NotFoundError:
        return False
    return True


def go_on(parts: Parts, steps: Mapping[str, Callable[[str], str]], **wrong: str) -> dict[str, Any]:
    """What any agent does that comes."""
    return parts["go_on"](Client(parts, **wrong), URI, steps)


def act(tool: str, key: str) -> str:
    """A step of a shared plan."""
    return world.tool(tool, key=key, service="shop")


def _named(uri: str) -> tuple[str, str]:
    _, _, _, agent, _, task = uri.split("/")
    return agent, task
