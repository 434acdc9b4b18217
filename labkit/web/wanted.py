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
        in_transaction(engine, lambda conn: command(conn, run, wanted.id, what))
    except ValidationError as error:
        problem = error.errors()[0]
        return {"id": known, "refused": f"{'.'.join(map(str, problem['loc'])) or 'command'}: {problem['msg']}"}
    except KeyReusedError as error:
        return {"id": known, "refused": str(error)}
    except StoreError:
        return {"id": known, "again": "the database does not answer: send it again"}
    return {"id": known, "saved": True}
