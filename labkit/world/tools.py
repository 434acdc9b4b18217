"""The tools of the outside world: what each answers, what it offers to a caller in doubt, and how it fails."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a tool offers to a caller who does not know whether it has acted."""

    KEYED = "keyed"
    """It takes an idempotency key, as payment providers do: a call may be repeated under the same key."""
    ASKED = "asked"
    """It can be asked whether it has acted."""
    NEITHER = "neither"
    """Nobody can know."""


class Fault(StrEnum):
    """What can go wrong with a call, on demand."""

    NONE = "none"
    """Nothing: a call to get over before the next fault."""
    TRANSIENT = "transient"
    """Nothing has happened; the next call may succeed."""
    PERMANENT = "permanent"
    """Nothing has happened, and nothing ever will."""
    AMBIGUOUS = "ambiguous"
    """It has happened, and the answer is lost."""


@dataclass(frozen=True)
class Tool:
    """What a tool answers, and how many virtual seconds it takes."""

    answer: str
    seconds: float = 120.0
    reads: bool = False
    """It changes nothing, so the ledger does not list it."""
    undoes: str | None = None
    """The tool whose latest effect it takes back, for the same arguments. It does no harm if there is none."""
    after: tuple[str, str] | None = None
    """Another tool, and what this one answers once that one has acted."""


TOOLS: Mapping[str, Tool] = {
    "create_dns": Tool("{service}.example.com points to 192.0.2.7"),
    "issue_certificate": Tool("certificate for {service}.example.com"),
    "deploy_container": Tool("container {service} is up"),
    "configure_monitoring": Tool("{service} is watched"),
    "notify": Tool("team told that {service} is live"),
    "delete_dns": Tool("{service}.example.com is gone", undoes="create_dns"),
    "revoke_certificate": Tool("certificate for {service}.example.com is revoked", undoes="issue_certificate"),
    "remove_container": Tool("container {service} is gone", undoes="deploy_container"),
    "remove_monitoring": Tool("{service} is no longer watched", undoes="configure_monitoring"),
    "charge": Tool("charged {customer} {amount} EUR", 2.0),
    "check_disk": Tool("the disk is 95% full", 2.0, reads=True, after=("clean_logs", "the disk is 41% full")),
    "clean_logs": Tool("54 GB of old logs are gone", 60.0),
}


class ToolError(ValueError):
    """The world cannot do what a tool was asked. To ask again will not help."""


class ToolUnavailableError(ToolError, ConnectionError):
    """The tool could not be reached: nothing has happened, and a later call may succeed."""


class ToolConflictError(ToolError, ConnectionError):
    """An earlier call under the same key has not ended yet."""


class ToolTimeoutError(ToolError, TimeoutError):
    """No answer came in time: what was asked may have happened, or not."""
