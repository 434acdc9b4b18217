"""Progress updates: what an agent run tells those who watch it."""

import hashlib
from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

LONGEST = 4000
"""Characters of a message. What is larger is an artifact, and the message says where it is."""


class Status(StrEnum):
    """What is going on."""

    THINKING = "thinking"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    COMPLETED = "completed"
    ERROR = "error"


class ProgressUpdate(BaseModel):
    """What a run is doing, for the human who waits for it. ValidationError, a ValueError, if it is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = Field(min_length=1)
    step: int = Field(ge=1)
    total: int | None = Field(default=None, ge=1)
    """How many steps there are; None: nobody knows."""
    status: Status
    tool: str = ""
    message: str = Field(default="", max_length=LONGEST)
    asks: bool = False
    """Whether the run waits until a human has confirmed this step."""
    time: AwareDatetime

    @property
    def ends(self) -> bool:
        """Whether nothing follows, unless the run is tried again."""
        return self.status in {Status.COMPLETED, Status.ERROR}

    @property
    def key(self) -> str:
        """The same when a run that goes on after a crash tells this again, and other than all else that it tells."""
        said = self.message if self.status is Status.ERROR else ""
        return f"{self.step} {self.status} {self.asks} {hashlib.sha256(said.encode()).hexdigest()[:16]}"

    @classmethod
    def cut(cls, message: str, **fields: object) -> Self:
        """An update with as much of the message as fits, and without what is no text."""
        message = message.encode(errors="replace").decode()
        return cls(message=message if len(message) <= LONGEST else f"{message[: LONGEST - 1]}…", **fields)
