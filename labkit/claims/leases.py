"""Claims: enqueue, claim, heartbeat, finish and reap, each of them one SQL statement."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic

from sqlalchemy import Engine

from labkit.claims.statements import CLAIM, ENQUEUE, FINISH, HEARTBEAT, REAP, execute
from labkit.clock import Clock
from labkit.postgres import COLUMNS, parse
from labkit.store import R, StoreError
from labkit.task import Task

LEASE = 60.0
"""Seconds for which a claim counts, unless somebody extends it."""
LONGEST = 1e9
"""Seconds, 31 years: the end of a lease must be a time that Python can read, or the claim is nobody's for ever."""


class LeaseLostError(StoreError):
    """The claim is no longer ours: the lease expired, and the task was given back or to another worker."""


@dataclass(frozen=True)
class Claim(Generic[R]):
    """The right to work on a record until `lease_until`, and the proof of it: `token`."""

    record: R
    """As it was claimed: running."""
    token: int
    """Counts the claims of this record. Hand it on to whatever could refuse an old one."""
    lease_until: datetime

    @property
    def id(self) -> str:
        """The id of the record."""
        return self.record.id


def enqueue(engine: Engine, records: Sequence[R], *, priority: int = 0, clock: Clock | None = None) -> list[str]:
    """Store new records of one kind to be claimed, the highest `priority` first; returns the ids that were free."""
    if not records:
        return []
    rows = execute(engine, ENQUEUE, clock, priority=priority, **_columns(records))
    return sorted(row.id for row in rows)


def claim(
    engine: Engine, kind: type[R] = Task, *, limit: int = 1, lease: float = LEASE, clock: Clock | None = None
) -> list[Claim[R]]:
    """Take up to `limit` pending records: highest priority first, then by id. Empty if there is none to be had.

    No two workers get the same record, and none waits for another: rows that are locked are skipped. A claim counts
    for `lease` seconds of the database's time, or of `clock` if one is given. CorruptState if a record cannot be read:
    like what was claimed with it, it is pending again when the lease is over.
    """
    rows = execute(engine, CLAIM, clock, kind=kind.kind, limit=limit, lease=_positive(lease))
    return [_claim(kind, row) for row in sorted(rows, key=lambda row: (-row.priority, row.id))]


def heartbeat(engine: Engine, held: Claim[R], *, lease: float = LEASE, clock: Clock | None = None) -> Claim[R]:
    """The claim with a lease of `lease` seconds from now. LeaseLostError if it is no longer ours.

    It says that the worker lives, not that its work goes on: a deadline is for that.
    """
    kind, seconds = held.record.kind, _positive(lease)
    for row in execute(engine, HEARTBEAT, clock, kind=kind, id=held.id, token=held.token, lease=seconds):
        return replace(held, lease_until=row.lease_until.astimezone(UTC))
    raise LeaseLostError(f"{kind} {held.id}: the lease with token {held.token} is lost")


def finish(engine: Engine, held: Claim[R], record: R, *, clock: Clock | None = None) -> bool:
    """Store what has become of the claimed record. False, and nothing is changed, if the claim is no longer ours."""
    return finish_all(engine, [(held, record)], clock=clock)[0]


def finish_all(engine: Engine, done: Sequence[tuple[Claim[R], R]], *, clock: Clock | None = None) -> list[bool]:
    """`finish` for many claims of one kind, in one statement and one commit: for each, whether it was still ours.

    A record that the worker saved itself since it claimed it is given as it was saved last: the version must be that.
    """
    if not done:
        return []
    for held, record in done:
        record.check_follows(held.record)
        if record.id != held.id or record.state == "running":
            raise ValueError(f"{held.record.kind} {held.id} cannot be finished as {record.id}, {record.state}")
    rows = _columns([record for _, record in done])
    ours = set(execute(engine, FINISH, clock, tokens=[held.token for held, _ in done], **rows))
    return [(held.id, held.token) in ours for held, _ in done]


def reap(engine: Engine, kind: type[R] = Task, *, limit: int = 100, clock: Clock | None = None) -> list[str]:
    """Make up to `limit` records pending again whose lease has expired; returns their ids.

    Call it now and then, in any process: several reapers do no harm.
    """
    return sorted(row.id for row in execute(engine, REAP, clock, kind=kind.kind, limit=limit))


def _columns(records: Sequence[Any]) -> dict[str, Any]:
    """What the statements take of these records, which are of one kind. What could not be read back is refused."""
    bodies = [record.model_dump(mode="json", warnings=False) for record in records]
    again = [type(record).model_validate(body) for record, body in zip(records, bodies, strict=True)]
    rest = [{name: body[name] for name in body if name not in COLUMNS} for body in bodies]
    return {
        "kind": records[0].kind,
        "ids": [record.id for record in again],
        "states": [body["state"] for body in bodies],
        "versions": [record.version for record in again],
        "bodies": [json.dumps(body, allow_nan=False) for body in rest],
    }


def _claim(kind: type[R], row: Any) -> Claim[R]:
    return Claim(parse(kind, row._asdict()), row.token, row.lease_until.astimezone(UTC))


def _positive(lease: float) -> float:
    if not lease > 0:
        raise ValueError(f"a lease of {lease} seconds is over before it begins")
    if lease > LONGEST:
        raise ValueError(f"a lease of {lease} seconds has no end: nobody would take over from a dead worker")
    return lease
