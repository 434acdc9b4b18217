"""The outbox: what happened, as a row beside it."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from labkit.clock import Clock
from labkit.events.tables import within

RECORD = """
    WITH taken AS (
        INSERT INTO labkit_last (run, number) VALUES (%(run)s, 1)
        ON CONFLICT (run) DO UPDATE SET number = labkit_last.number + 1 RETURNING number)
    INSERT INTO labkit_outbox (run, number, type, payload, recorded_at)
    SELECT %(run)s, number, %(type)s, %(payload)s::json, coalesce(%(now)s, clock_timestamp()) FROM taken
    RETURNING number"""


@dataclass(frozen=True)
class Event:
    """What happened in a run, as the relay sends it."""

    run: str
    number: int
    """From 1, within the run."""
    type: str
    payload: Any
    recorded_at: datetime

    @property
    def id(self) -> str:
        """The same at every repeat: what the inbox keeps."""
        return f"{self.run}/{self.number}"


def record(conn: sa.Connection, run: str, type: str, payload: Any, *, clock: Clock | None = None) -> int:  # noqa: A002
    """Tell what happened, as JSON, in the caller's transaction: told if it commits, and never otherwise.

    The event's number within the run. Others that record in this run wait until the transaction ends; two that record
    in two runs, in different order, can be a deadlock, after which `in_transaction` begins again.
    """
    if not run:
        raise ValueError("a run has a name")
    values = {"run": run, "type": type, "payload": json.dumps(payload, allow_nan=False), "now": clock and clock.now()}
    return within(conn).exec_driver_sql(RECORD, values).scalar_one()


def cloud_event(event: Event, source: str) -> dict[str, Any]:
    """The event by the names of CloudEvents 1.0 (cloudevents.io), for those outside. `source`: a URI that names us."""
    about = {"specversion": "1.0", "id": event.id, "source": source, "type": event.type, "subject": event.run}
    return {**about, "time": event.recorded_at.isoformat(), "data": event.payload}
