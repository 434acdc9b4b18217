"""labkit's own answers to exercise 10: events in the tables of that exercise, as `labkit.events` has them in its own.

They run in children only, as those of `own.py`.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from labkit.address_guard import RefusedAddressError, is_outside
from labkit.webhooks import LONGEST, TOLERANCE

RUNS = sa.table("runs", sa.column("name"), sa.column("last"))
OUTBOX = sa.table(
    "outbox", *map(sa.column, ("run", "number", "type")), sa.column("payload", JSONB), sa.column("sent", sa.Boolean)
)
INBOX = sa.table("inbox", sa.column("id"))
ATTEMPTS, FIRST, FACTOR, CAP = 12, 5, 3, 43_200


class Event(NamedTuple):
    """As the exercise has it."""

    run: str
    number: int
    type: str
    payload: dict[str, Any]


def record(conn: sa.Connection, run: str, type: str, payload: Any) -> int:  # noqa: A002 - the exercise's
    """An update counts up, and keeps the run's row locked until the caller's transaction ends."""
    count_up = RUNS.update().where(RUNS.c.name == run).values(last=RUNS.c.last + 1).returning(RUNS.c.last)
    number = conn.scalar(count_up)
    conn.execute(OUTBOX.insert().values(run=run, number=number, type=type, payload=payload))
    return number


def relay(conn: sa.Connection, send: Callable[[Event], object]) -> int:
    """One by one: sent, then marked. A run in which one has failed waits for the next call."""
    columns = OUTBOX.c["run", "number", "type", "payload"]
    with conn.begin():
        rows = conn.execute(sa.select(*columns).where(~OUTBOX.c.sent).order_by(OUTBOX.c.run, OUTBOX.c.number)).all()
    sent, failed = 0, set()
    for event in (Event(*row) for row in rows):
        if event.run in failed:
            continue
        try:
            send(event)
        except Exception:  # noqa: BLE001 - whatever it is, other runs go on
            failed.add(event.run)
            continue
        with conn.begin():
            this = (OUTBOX.c.run == event.run, OUTBOX.c.number == event.number)
            conn.execute(OUTBOX.update().where(*this).values(sent=True))
        sent += 1
    return sent


def receive(conn: sa.Connection, event_id: str, effect: Callable[[sa.Connection], object]) -> bool:
    """The primary key decides, and its row is committed with the effect."""
    with conn.begin():
        fresh = (
            conn.scalar(insert(INBOX).values(id=event_id).on_conflict_do_nothing().returning(INBOX.c.id)) is not None
        )
        if fresh:
            effect(conn)
    return fresh


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """As Standard Webhooks says."""
    found = {name.lower(): value for name, value in headers.items()}
    name, at = found.get("webhook-id", ""), found.get("webhook-timestamp", "")
    if not name or not (at.isascii() and at.isdigit() and len(at) < 16) or abs(now - int(at)) > TOLERANCE:
        return False
    signed = f"{name}.{at}.".encode(errors="replace") + body
    digest = b64encode(hmac.digest(b64decode(secret.removeprefix("whsec_")), signed, "sha256"))
    given = found.get("webhook-signature", "").split()
    return any(hmac.compare_digest(b"v1," + digest, each.encode(errors="replace")) for each in given)


def next_attempt(n: int, retry_after: float | None, rng: Random) -> float | None:
    """Half of the span for sure, half of it by chance."""
    if n >= ATTEMPTS:
        return None
    span = min(FIRST * FACTOR ** (n - 1), CAP)
    return max(rng.uniform(span / 2, span), min(retry_after or 0.0, LONGEST))


def deliver(
    url: str, body: bytes, resolve: Callable[[str], list[str]], post: Callable[[str, str, bytes], object]
) -> object:
    """Resolved once; every address is looked at, and one of them posted to."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise RefusedAddressError("a webhook's URL is http or https, and has a host")
    addresses = resolve(parts.hostname)
    if not all(is_outside(ip_address(address)) for address in addresses):
        raise RefusedAddressError(f"{parts.hostname} has an address inside")
    return post(addresses[0], url, body)
