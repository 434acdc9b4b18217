"""What happens to an order is told: to billing, in the house, and to the customer's server, by the answers of 10.

A change of the order and its event are one transaction. The relay hands each event on: billing receives it, and a row
says what is still to be delivered by webhook. pending → delivered, refused (an inner address), or dead (given up).
"""

import json
from functools import partial
from http.client import HTTPException
from random import Random
from typing import Any

import sqlalchemy as sa

from labkit.address_guard import RefusedAddressError
from labkit.clock import SystemClock
from labkit.gauntlet.parts import Parts
from labkit.gauntlet.service import customer
from labkit.gauntlet.service.schemas import ask, at

CHANGE = sa.text("UPDATE house.orders SET state = :after WHERE id = :order AND state = :before")
TO_DELIVER = "INSERT INTO deliveries (id, url, body) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
WAITING = "SELECT id, url, body, attempts FROM deliveries WHERE state = 'pending' ORDER BY id"
CAME = "UPDATE deliveries SET state = %s, attempts = %s WHERE id = %s"
BILL = sa.text("INSERT INTO bills VALUES (:event)")
DELIVERED, REFUSED, DEAD, PENDING = "delivered", "refused", "dead", "pending"


def change(parts: Parts, order: str, before: str, after: str) -> None:
    """Change the state of an order and record that, or neither; if it was changed already, do nothing."""
    with at("events") as conn, conn.begin():
        if conn.execute(CHANGE, {"order": order, "before": before, "after": after}).rowcount:
            parts["record"](conn, order, after, {"order": order})


def pass_on(parts: Parts, *urls: str) -> None:
    """What the relay's process does: send what waits to billing, and note to whom it is to be delivered."""
    with at("events") as conn:
        parts["relay"](conn, partial(_hand_on, parts, urls))


def _hand_on(parts: Parts, urls: tuple[str, ...], event: Any) -> None:
    name = f"{event.run}/{event.number}"
    receive(parts, name)
    body = json.dumps({"type": event.type, "run": event.run, "number": event.number})
    for url in urls:
        ask("house", TO_DELIVER, f"{name} {url}", url, body)


def receive(parts: Parts, name: str) -> bool:
    """Billing has got an event: whether it was new."""
    with at("billing") as conn:
        return bool(parts["receive"](conn, name, lambda conn: conn.execute(BILL, {"event": name})))


def deliver_all(parts: Parts) -> None:
    """Deliver what waits, one after the other, until each has come somewhere."""
    for row in ask("house", WAITING):
        _deliver(parts, *row)


def _deliver(parts: Parts, name: str, url: str, body: str, attempts: int) -> None:
    state = PENDING
    while state == PENDING:
        status, attempts = attempt(parts, name.partition(" ")[0], url, body.encode()), attempts + 1
        delay = parts["next_attempt"](attempts, None, Random(f"{name} {attempts}"))
        state = status if status != PENDING else PENDING if delay is not None else DEAD
        ask("house", CAME, state, attempts, name)
        if state == PENDING:
            SystemClock().sleep(delay)


def attempt(parts: Parts, event_id: str, url: str, body: bytes) -> str:
    """Sign and post a message once; what came of it."""
    headers = customer.signed(parts, event_id, body, customer.now())
    try:
        answer = parts["deliver"](url, body, customer.resolve, customer.posting(parts, headers))
    except RefusedAddressError:
        return REFUSED
    except (OSError, HTTPException):
        return PENDING
    return DELIVERED if 200 <= answer.status < 300 else PENDING
