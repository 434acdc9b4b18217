"""The last row of the service: one order through all of it, and all that can go wrong at once.

submit → take → work_on: make room, put online, sign off, hand on → events → billing and webhook → the page ends.
"""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from labkit import world
from labkit.crash import Observation, Report, service, sweep
from labkit.gauntlet import together
from labkit.gauntlet.parts import Parts
from labkit.gauntlet.service import customer, news, orders, page, sharing, work
from labkit.gauntlet.service.carries_out import acted_once
from labkit.gauntlet.service.schemas import TABLES, ask, column, create, rows
from labkit.gauntlet.service.shows_progress import shown_once
from labkit.gauntlet.service.tells_others import FAULTS, told_customer

ORDER, WISH = "order-1", "put the shop online"
HAND_ON = "hand on"
STEPS = (*work.STEPS, HAND_ON)
PLAN = ["configure_monitoring"]
MOST = len(STEPS) + 1
"""Updates of the order."""
TOLD = "SELECT body ->> 'step', body ->> 'message' FROM progress.updates"


def everything(parts: Parts) -> Iterator[Report]:
    """An order comes in, is carried out, told to all who want to know, shown on a page, and handed on to an agent.

    The model and the tools fail, answers get lost, connections die, a second worker comes, the customer's server fails.
    """
    run, again = (partial(_serve, parts, new=new) for new in (True, False))
    yield sweep(run, again, _all_is_well, partial(_setup, parts), name="the whole service")


def _setup(parts: Parts) -> None:
    work.set_the_scene()
    create(*TABLES)
    world.arrange(**{name: {**what} for name, what in page.SHOWS.items()})
    service(customer.Customer(parts), faults=FAULTS)


def _serve(parts: Parts, *, new: bool) -> dict[str, Any]:
    """The customer comes with an order, if it is `new`, and opens the page; behind it the workers are at work."""
    if new:
        orders.accept(parts, WISH, ORDER)
    known = [order for (order,) in ask("queue", "SELECT id FROM tasks")]
    if not known:
        return {}
    broken: list[bool] = []
    orders.begin(parts)
    for _ in range(3):  # the connection of the page may die, and the browser opens it again
        with suppress(SQLAlchemyError, psycopg.Error):
            page.watch(parts, ORDER, MOST, lambda: serve_orders(parts, broken))
            break
    serve_orders(parts, broken)  # what the page did not wait for
    news.pass_on(parts, customer.OURS)
    news.deliver_all(parts)
    return {"told": orders.wait(parts, ORDER, 5)}


def serve_orders(parts: Parts, broken: list[bool]) -> None:
    """A worker takes orders, until there is none. When its connections die, it goes on with new ones."""
    while taken := orders.take():
        (order, token, _), outcome = taken, ""
        for _ in range(3):
            with suppress(SQLAlchemyError, psycopg.Error):
                outcome = page.work(parts, order, STEPS, partial(do, parts, broken))
                break
        page.tell(parts, order, "end", "completed", outcome)
        news.change(parts, order, "placed", "online")
        orders.finish(order, token, outcome)


def do(parts: Parts, broken: list[bool], step: str) -> None:
    """One step of an order. It may be done again after a restart."""
    if step == STEPS[1]:
        page.say(parts, ORDER, "c1", "hurry")
    if step == HAND_ON:
        sharing.begin(parts, PLAN)
        state = sharing.go_on(parts, {tool: partial(sharing.act, tool) for tool in PLAN}, save=sharing.LOST)
        result = ", ".join(state["done"])
    else:
        result = work.carry_out(parts, step, together.second_worker, partial(_connections_die, broken))
    page.tell(parts, ORDER, step, "tool_result", result)


def _connections_die(broken: list[bool], parts: Parts) -> None:
    """The server ends all connections, once in the life of a process."""
    if not broken:
        broken.append(True)
        together.connections_die(parts)


def _all_is_well(seen: Observation) -> None:
    if not seen.state:
        assert not seen.acknowledged, "the order was accepted, and nobody knows of it"
        assert not seen.ledger, "nobody knows of the order, and something was done"
        return
    expected = ["completed", "completed"]
    assert seen.state["told"] == expected, f"the customer was told {seen.state['told']}; expected {expected}"
    results = dict(rows(TOLD))
    acted_once(seen, results)
    handed = results[HAND_ON]
    assert handed == ", ".join(PLAN), f"the second agent has done {handed or 'nothing'}"
    together.one_winner([each for each in seen.acknowledged if each.endswith(("True", "False"))], together.row())
    obeyed = rows("SELECT what FROM house.obeyed")
    assert obeyed == [("hurry",)], f"what the customer said had its effect {len(obeyed)} times"
    billed = column("SELECT event FROM billing.bills")
    assert billed == [f"{ORDER}/1"], f"billing acted on {', '.join(billed) or 'nothing'}"
    told_customer(seen, 1)
    shown_once(seen)
