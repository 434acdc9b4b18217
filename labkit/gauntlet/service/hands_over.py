"""The row of chapter 9: orders come in, and whoever dies, waits or stops, each is carried out once."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from labkit import world
from labkit.crash import Observation, Report, sweep
from labkit.crash.race.api import race
from labkit.crash.race.report import RaceReport
from labkit.deadlines import DeadlineExceeded
from labkit.gauntlet.parts import Parts
from labkit.gauntlet.service import orders
from labkit.gauntlet.service.schemas import ask, at, create, rows

ORDERS = 40
"""Orders of a race that are run at most."""
WISHES = {"order-1": ("put the blog online", 0), "order-2": ("put the shop online", 10)}
STORED = "SELECT id FROM tasks ORDER BY id"


def hands_over(parts: Parts) -> Iterator[Report | RaceReport]:
    """Two orders, the second is urgent; a worker is told to stop in the middle; customers wait, and ask twice.

    Then those who come at the same moment: with one key, for the last place, and while a slow worker gives back.
    """
    run, again = (partial(_serve, parts, new=new) for new in (True, False))
    yield sweep(run, again, _all_accepted, partial(create, "queue"), name="orders")
    setup = partial(create, "queue", apart=False)
    same = {who: partial(_submit, parts, "order-1", 100) for who in "AB"}
    yield race(same, _one_order, setup, limit=ORDERS, name="one order, sent twice")
    last = {who: partial(_submit, parts, f"order-{who}", 1) for who in "AB"}
    yield race(last, _one_refused, setup, limit=ORDERS, name="two orders, one place")
    slow = {"slow": partial(orders.stop, parts, ("order-1", 1)), "new": _take_over}
    yield race(slow, _stays_done, _held, limit=ORDERS, name="a slow worker gives back")


def _serve(parts: Parts, *, new: bool) -> dict[str, Any]:
    """Customers and workers. After a restart nobody comes with `new` orders."""
    for key, (wish, priority) in WISHES.items() if new else ():
        orders.accept(parts, wish, key, priority)
        orders.accept(parts, wish, key, priority)  # the answer was lost, and the button is pressed again
    known = [order for (order,) in ask("queue", STORED)]
    early = [_impatient(parts, order) for order in known[:1] if new]
    orders.begin(parts)
    stops = new
    while taken := orders.take():
        order, token, wish = taken
        if stops:
            stops = False
            orders.stop(parts, (order, token), ("order-0", 1))
            continue
        key = parts["step_key"](order, "deploy")
        orders.finish(order, token, world.tool("deploy_container", key=key, service=wish))
    return {"early": early, "told": {order: [orders.wait(parts, order, 5) for _ in range(2)] for order in known}}


def _impatient(parts: Parts, order: str) -> str:
    with suppress(DeadlineExceeded):
        return f"{orders.wait(parts, order, 1)}"
    return "later"


def _all_accepted(seen: Observation) -> None:
    acted = [call.arguments["service"] for call in seen.ledger]
    accepted = [key for key in WISHES if f"accepted {key}" in seen.acknowledged]
    told = seen.state["told"]
    for key in accepted:
        wish = WISHES[key][0]
        assert acted.count(wish) == 1, f"{key} was accepted, and carried out {acted.count(wish)} times"
        expected = ["completed", f"container {wish} is up"]
        assert told.get(key) == [expected] * 2, f"{key} was carried out; who waited was told {told.get(key)}"
    assert len({*acted}) == len(acted), f"carried out: {', '.join(acted)}"
    if len(accepted) == len(WISHES):
        assert acted[0] == WISHES["order-2"][0], "the urgent order was not the first to be carried out"
    assert seen.state["early"] in ([], ["later"]), f"who waited in vain was told {seen.state['early']}"


def _submit(parts: Parts, key: str, limit: int) -> str:
    with at("queue") as conn:
        told = str(parts["submit"](conn, "put the blog online", key, limit=limit))
    world.ack(f"accepted {told}")
    return told


def _one_order(seen: Observation) -> None:
    ends = sorted(end.raised or str(end.returned) for end in seen.workers.values())
    assert ends == ["order-1"] * 2, f"one order was sent twice at once; submit came to {' and '.join(ends)}"
    stored = rows("SELECT id FROM tasks")
    assert len(stored) == 1, f"one order was sent twice at once, and is there {len(stored)} times"


def _one_refused(seen: Observation) -> None:
    refused = [end.raised for end in seen.workers.values() if end.raised]
    stored = rows("SELECT id FROM tasks")
    assert [each.partition(":")[0] for each in refused] == ["QueueFullError"], (
        f"two orders came for the last place; {len(stored)} were accepted, and raised was {refused or 'nothing'}"
    )
    assert len(stored) == 1, f"one order was accepted, and {len(stored)} are there"


def _held() -> None:
    create("queue", apart=False)
    wish = '{"user_input": "put the blog online", "priority": 0}'
    ask("queue", "INSERT INTO tasks (id, wish, state, token) VALUES ('order-1', %s, 'running', 1)", wish)


def _take_over() -> None:
    """The lease of the slow one is over: another worker has the order, and carries it out."""
    held = ask("queue", "UPDATE tasks SET state = 'running', token = token + 1 WHERE id = 'order-1' RETURNING token")
    orders.finish("order-1", held[0][0], "done")


def _stays_done(_seen: Observation) -> None:
    ((state, token, result),) = rows("SELECT state, token, result FROM tasks")
    assert (state, result) == ("completed", "done"), (
        f"another worker took the order over and finished it, while a slow one gave back; now it is {state}"
    )
    assert token == 2, f"the token is {token}; one worker took the order over"
