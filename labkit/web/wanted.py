"""What the user wants, as the browser sends it: checked, saved, and answered."""

from typing import Any, Literal, Self

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from labkit.idempotency import KeyReusedError
from labkit.postgres import in_transaction
from labkit.progress import command
from labkit.store import StoreError

LONGEST = 4096
"""Characters of a command."""
MOST_WAITING = 100
"""Commands of a run that wait and say to do the same; the first cancel is always taken."""
WAITING = """
    SELECT count(*) FROM labkit_commands
    WHERE run = %(run)s AND applied_at IS NULL AND what::jsonb ->> 'do' = %(do)s"""


class TooManyError(Exception):
    """More commands wait than anybody means."""


class Wanted(BaseModel):
    """A command as the browser sends it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    id: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")
    do: Literal["cancel", "confirm", "priority"]
    step: int | None = None
    approved: bool | None = None
    priority: int | None = Field(default=None, ge=-1000, le=1000)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needs = {"cancel": set(), "confirm": {"step", "approved"}, "priority": {"priority"}}[self.do]
        if self.model_dump(exclude={"id", "do"}, exclude_none=True).keys() != needs:
            raise ValueError(f"{self.do} is told with {' and '.join(sorted(needs)) or 'nothing else'}")
        return self


def saved(engine: sa.Engine, run: str, text: str) -> dict[str, Any]:
    """Save a command, which is JSON, and only then say so: `saved`, `refused` for good, or `again`: send it again."""
    known = None
    try:
        wanted = Wanted.model_validate_json(text)
        known, what = wanted.id, wanted.model_dump(exclude={"id"}, exclude_none=True)
        in_transaction(engine, lambda conn: _save(conn, run, wanted.id, what))
    except ValidationError as error:
        problem = error.errors()[0]
        return {"id": known, "refused": f"{'.'.join(map(str, problem['loc'])) or 'command'}: {problem['msg']}"}
    except (KeyReusedError, TooManyError) as error:
        return {"id": known, "refused": str(error)}
    except StoreError:
        return {"id": known, "again": "the database does not answer: send it again"}
    return {"id": known, "saved": True}


def _save(conn: sa.Connection, run: str, command_id: str, what: dict[str, Any]) -> None:
    if command(conn, run, command_id, what):
        waiting = conn.exec_driver_sql(WAITING, {"run": run, "do": what["do"]}).scalar_one()
        if waiting > MOST_WAITING:
            raise TooManyError(f"{MOST_WAITING} commands to {what['do']} wait already")
