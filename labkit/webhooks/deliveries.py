"""Stored deliveries: each a row, until the receiver has the message, or a human has to look.

A delivery is a record of `labkit.claims`: its token counts the attempts, and its lease ends when the next one is due.
So a worker that dies while it posts costs one lease, and no transaction is open meanwhile. No secret is in the row.
"""

import random
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar

import sqlalchemy as sa
from pydantic import ConfigDict, Field

from labkit import claims
from labkit.claims import LEASE, Claim, LeaseLostError
from labkit.clock import Clock, SystemClock
from labkit.idempotency import KeyReusedError
from labkit.postgres import PostgresStateStore
from labkit.store import NotFoundError, VersionConflictError, paged
from labkit.task import Moving, TaskState
from labkit.webhooks.sending import ATTEMPTS, Answer, deliver, next_attempt
from labkit.webhooks.signing import check_id, sign

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
"""What is older goes first: a priority is the seconds before this."""


class Delivery(Moving):
    """A message on its way to one URL."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str] = "webhook"
    arrows: ClassVar = {
        TaskState.PENDING: (),
        TaskState.RUNNING: (TaskState.RUNNING, TaskState.COMPLETED, TaskState.FAILED),
        TaskState.FAILED: (TaskState.PENDING,),
    }
    """Besides those of claims."""

    id: str
    event_id: str
    url: str
    body: str
    state: TaskState = TaskState.PENDING
    last_answer: str = ""
    """A status, or why there was none."""
    error: str = ""
    """Of a dead letter: why."""
    forgiven: int = 0
    """Of the attempts that its token counts, those before a human's decision."""
    updated_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    version: int = 0


def submit(engine: sa.Engine, url: str, event_id: str, body: str, *, clock: Clock | None = None) -> str:
    """Store a message to be delivered, and return the delivery's id: once this has returned, it survives a crash.

    The same event to the same URL again is the same delivery; KeyReusedError if it came with another body. ValueError
    for an id that no receiver could be told, or a body that UTF-8 cannot hold.
    """
    check_id(event_id)
    delivery = Delivery(id=f"{event_id} {url}", event_id=event_id, url=url, body=body)
    delivery.body.encode()  # now, and not at every attempt, before others that are due
    age = SINCE - (clock or SystemClock()).now()
    if not claims.enqueue(engine, [delivery], priority=int(age.total_seconds()), clock=clock):
        stored = PostgresStateStore(engine).get(Delivery, delivery.id)
        if stored and stored.body != delivery.body:  # not what was given: bytes are stored as text
            raise KeyReusedError(f"the event {event_id} was submitted with another body")
    return delivery.id


def deliver_due(
    engine: sa.Engine,
    secret_of: Callable[[str], str],
    *,
    seconds: float = 15.0,
    allow: Collection[str] = (),
    clock: Clock | None = None,
    rng: random.Random | None = None,
) -> int:
    """Attempt whatever is due, one after the other, the oldest first; how many attempts that were. Call it for ever.

    `secret_of(url)` is the secret that the receiver knows. `seconds` and `allow` are those of `deliver`. In several
    processes at once, each takes what no other has.
    """
    claims.reap(engine, Delivery, clock=clock)
    post, attempts = partial(deliver, seconds=seconds, allow=allow), 0
    while taken := claims.claim(engine, Delivery, lease=seconds + LEASE, clock=clock):
        _attempt(engine, taken[0], secret_of, post, clock, rng)
        attempts += 1
    return attempts


def dead_letters(engine: sa.Engine) -> list[Delivery]:
    """What was given up; `error` says why."""
    return list(paged(PostgresStateStore(engine).list_by_state, Delivery, "failed"))


def submit_again(engine: sa.Engine, delivery_id: str, *, clock: Clock | None = None) -> Delivery:
    """Let a dead letter have its attempts anew. IllegalTransitionError if it is none."""
    store = PostgresStateStore(engine, clock)
    delivery = store.get(Delivery, delivery_id)
    if delivery is None:
        raise NotFoundError(f"the delivery {delivery_id} was never submitted")
    return store.save(delivery.model_copy(update={"state": TaskState.PENDING, "error": ""}))


def _attempt(
    engine: sa.Engine,
    held: Claim[Delivery],
    secret_of: Callable[[str], str],
    post: Callable[[str, Mapping[str, str], bytes], Answer],
    clock: Clock | None,
    rng: random.Random | None,
) -> None:
    message, number = held.record, held.token - held.record.forgiven
    if number > ATTEMPTS:  # workers have died of it, so nobody gave it up
        return _end(engine, held, TaskState.FAILED, message.last_answer or "none was told", clock)
    body, now = message.body.encode(), (clock or SystemClock()).now().timestamp()
    answer = post(message.url, sign(secret_of(message.url), message.event_id, body, now), body)
    told = answer.problem or f"{answer.status}"
    if answer.is_delivered:
        return _end(engine, held, TaskState.COMPLETED, told, clock)
    delay = None if answer.is_final else next_attempt(number, answer.retry_after, rng)
    if delay is None:
        return _end(engine, held, TaskState.FAILED, told, clock)
    with suppress(LeaseLostError, VersionConflictError):  # then another worker has it
        claims.heartbeat(engine, held, lease=delay, clock=clock)
        PostgresStateStore(engine, clock).save(message.model_copy(update={"last_answer": told}))
    return None


def _end(engine: sa.Engine, held: Claim[Delivery], state: TaskState, told: str, clock: Clock | None) -> None:
    """As the last attempt ended. If the claim is lost, another worker's counts."""
    attempts = min(held.token - held.record.forgiven, ATTEMPTS)
    error = f"given up after attempt {attempts} of {ATTEMPTS}; the last answer: {told}" if state == "failed" else ""
    forgiven = held.token if error else held.record.forgiven
    update = {"state": state, "last_answer": told, "error": error, "forgiven": forgiven}
    claims.finish(engine, held, held.record.model_copy(update=update), clock=clock)
