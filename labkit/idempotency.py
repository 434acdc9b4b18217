"""Doing something once, although it may be asked for twice: the idempotency record and its rules.

    no record → in progress → completed → (after its time to live) no record
                            → given back, after an error that did nothing: no record
                            → expired: nobody knows whether the work was done

The claim of a key is an insert, of which only one can succeed. AWS Lambda Powertools and Stripe keep the same record.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from labkit.clock import EPOCH, Clock, SystemClock
from labkit.store import AlreadyExistsError, NotFoundError, StateStore, VersionConflictError

LEASE, TTL = 60.0, 24 * 3600.0
"""Seconds that the work may take, and that its result is kept."""


class OnceState(StrEnum):
    """Where a key stands."""

    IN_PROGRESS = "in progress"
    COMPLETED = "completed"
    GIVEN_BACK = "given back"


class KeyReusedError(ValueError):
    """The key belongs to another request: the same key came with other arguments."""


class InProgressError(ConnectionError):
    """Somebody else is doing this work now. After `retry_after` seconds, their lease will be over."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnknownOutcomeError(Exception):
    """An earlier attempt died in mid-work: only the world knows whether it was done, or a human must say."""


class Once(BaseModel):
    """The idempotency record: its id is the key."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str] = "idempotency"

    id: str
    fingerprint: str
    """Of the arguments: one key stands for one request."""
    state: OnceState = OnceState.IN_PROGRESS
    result: str | None = None
    expires_at: datetime
    """In progress: when its worker counts as dead. Completed: when the result may be forgotten."""
    updated_at: datetime = EPOCH
    version: int = 0

    @property
    def may_follow(self) -> None:
        """None: stores compare the version alone, and any state may follow any other."""

    def check_follows(self, stored: Self) -> None:
        """Raise nothing, for the same reason."""

    def is_free(self, now: datetime) -> bool:
        """Whether it counts as no record: its result may be forgotten, or it was given back."""
        return self.state is not OnceState.IN_PROGRESS and self.expires_at <= now


def step_key(task_id: str, step: str) -> str:
    """The key of a step: the same at every attempt and after every restart, another for every other step."""
    return json.dumps([task_id, step], ensure_ascii=False)  # "a", "b/c" and "a/b", "c" must not be one key


def fingerprint(arguments: Any) -> str:
    """A digest of plain data that does not depend on the order of its keys."""
    return hashlib.sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest()


def again() -> None:
    """For `unknown`: run the work again; a tool that keeps the key will not act twice."""


def nobody_knows() -> None:
    """For `unknown`: raise UnknownOutcomeError, for a human to find out."""
    raise UnknownOutcomeError("an earlier attempt ended in mid-work: find out whether it acted before you go on")


def run_once(  # noqa: PLR0913 - each is a decision that only the caller can take
    store: StateStore,
    key: str,
    work: Callable[[], str],
    *,
    arguments: Any = None,
    clock: Clock | None = None,
    unknown: Callable[[], str | None] = nobody_knows,
    harmless: Callable[[Exception], bool] = lambda error: False,
    lease: float = LEASE,
    ttl: float = TTL,
) -> str:
    """The result of `work` under this key: done now, or by whoever was first in the last `ttl` seconds.

    After an attempt that died, or failed with an error that is not `harmless`, `unknown` is asked: it returns the
    result of that attempt, None to work again, or raises. KeyReusedError if the key came with other `arguments`.
    InProgressError while somebody else works, for at most `lease` seconds; VersionConflictError if that is over before
    `work` is and somebody else has taken the key; whatever `work` and `unknown` raise.
    """
    clock = clock or SystemClock()
    fresh = Once(id=key, fingerprint=fingerprint(arguments), expires_at=_in(clock, lease))
    record, result = _insert(store, fresh), None
    if record is None:
        stored = _existing(store, fresh, clock.now())
        left = (stored.expires_at - clock.now()).total_seconds()
        if left > 0 and stored.state is OnceState.IN_PROGRESS:
            raise InProgressError(f"somebody else is working under the key {key}", retry_after=left)
        if left > 0:
            return stored.result
        if stored.state is OnceState.IN_PROGRESS:
            result = unknown()
        record = _replace(store, stored, fresh.model_copy(update={"expires_at": _in(clock, lease)}))
    if result is None:
        try:
            result = work()
        except Exception as error:
            _give_back(store, record, free=harmless(error))
            raise
    done = {"state": OnceState.COMPLETED, "result": result, "expires_at": _in(clock, ttl)}
    store.save(record.model_copy(update=done))
    return result


def _in(clock: Clock, seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)


def _insert(store: StateStore, record: Once) -> Once | None:
    try:
        return store.insert(record)
    except AlreadyExistsError:
        return None


def _existing(store: StateStore, fresh: Once, now: datetime) -> Once:
    stored = store.get(Once, fresh.id)
    if stored is None:
        raise InProgressError(f"somebody else has just deleted the key {fresh.id}")
    if stored.fingerprint != fresh.fingerprint and not stored.is_free(now):
        raise KeyReusedError(f"the key {fresh.id} was used with other arguments")
    return stored


def _replace(store: StateStore, stored: Once, fresh: Once) -> Once:
    try:
        return store.save(fresh.model_copy(update={"version": stored.version}))
    except VersionConflictError:
        raise InProgressError(f"somebody else has just taken the key {fresh.id}") from None


def _give_back(store: StateStore, record: Once, *, free: bool) -> None:
    """After an error: the key is free again if nothing can have happened, or else its outcome is unknown from now."""
    state = OnceState.GIVEN_BACK if free else OnceState.IN_PROGRESS
    with suppress(VersionConflictError, NotFoundError):  # then the key is somebody else's: not ours to give back
        store.save(record.model_copy(update={"state": state, "expires_at": EPOCH}))
