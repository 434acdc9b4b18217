"""Whoever waits for an order looks at a page, and has a say: by the answers of exercise 11.

The browser is modelled: a screen, which is outside and shows an update for good, and the rules of server-sent events.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from labkit import world
from labkit.gauntlet.parts import Parts
from labkit.gauntlet.service.schemas import at

SCREEN = "show"
SHOWS = {"tools": {SCREEN: "shown"}, "kinds": {SCREEN: "asked"}}
"""What the world has to know of a screen."""
OURS, STRANGER = "https://lab.example", "https://lab.example.rival.example"
TOLD = sa.text("INSERT INTO house.told VALUES (:run, :what) ON CONFLICT DO NOTHING")
OBEYED = sa.text("INSERT INTO house.obeyed VALUES (:run, :what)")
TORN = "torn"


def tell(parts: Parts, run: str, step: str, status: str, message: str = "") -> None:
    """Publish an update, in the transaction that notes it: after a restart, again is not twice."""
    with at("progress") as conn, conn.begin():
        if conn.execute(TOLD, {"run": run, "what": f"{step} {status}"}).rowcount:
            parts["publish"](conn, run, {"step": step, "status": status, "message": message})


def work(parts: Parts, run: str, steps: Sequence[str], do: Callable[[str], object]) -> str:
    """Do the steps of a run, and between them what the customer says."""
    with at("progress") as conn:
        return parts["work_on"](
            conn, run, steps, do, lambda conn, what: conn.execute(OBEYED, {"run": run, "what": what})
        )


def say(parts: Parts, run: str, command_id: str, what: str, origin: str = OURS) -> bool | None:
    """The customer says something, on a page of this origin. None: that page has no say."""
    if not parts["may_command"](origin, OURS):
        return None
    with at("progress") as conn:
        return bool(parts["command"](conn, run, command_id, what))


def watch(parts: Parts, run: str, most: int, wait: Callable[[], object]) -> None:
    """A browser opens the page, tells what it has seen last, and shows what comes: each event as one update."""
    last = sum(world.ask(SCREEN, number=number) is not None for number in range(1, most + 1))
    with at("progress") as conn:
        for number, update in parts["stream"](conn, run, last, wait):
            seen = read(parts["frame"](number, update))
            world.tool(SCREEN, number=number if seen == [(f"{number}", update)] else TORN)


def read(text: str) -> list[tuple[str, Any]]:
    """The events in a text, by the rules of server-sent events: the id, and the data as JSON."""
    found, fields = [], {}
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{value}" if name == "data" and name in fields else value
        elif "data" in fields:
            found.append((fields.get("id", ""), _json(fields["data"])))
            fields = {}
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return TORN
