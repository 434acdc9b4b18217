"""Commands: what the user wants of a run, kept until it was done."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from labkit.clock import Clock
from labkit.events.tables import check_done, within
from labkit.idempotency import KeyReusedError

SAVE = """
    INSERT INTO labkit_commands (run, id, what, saved_at)
    VALUES (%(run)s, %(id)s, %(what)s, coalesce(%(now)s, clock_timestamp())) ON CONFLICT DO NOTHING"""
SAVED = "SELECT what FROM labkit_commands WHERE run = %(run)s AND id = %(id)s"
WAITING = """
    SELECT id, what FROM labkit_commands WHERE run = %(run)s AND applied_at IS NULL ORDER BY number FOR UPDATE"""
MARK = """
    UPDATE labkit_commands SET applied_at = coalesce(%(now)s, clock_timestamp()) WHERE run = %(run)s AND id = %(id)s"""


@dataclass(frozen=True)
class Command:
    """What the user wants, under an id that whoever sends it has made, so that it can be sent again."""

    run: str
    id: str
    what: dict[str, Any]
    """`do` says what: cancel, confirm or priority; the rest is JSON that this needs."""


def command(
    conn: sa.Connection, run: str, command_id: str, what: Mapping[str, Any], *, clock: Clock | None = None
) -> bool:
    """Save a command in the caller's transaction; True the first time, False if it is there already.

    Acknowledge it when that is committed, and not before. KeyReusedError if the id came with another content;
    ValueError if it does not say what to do, or is no text of PostgreSQL's.
    """
    if not (run and command_id):
        raise ValueError("a command has a run and an id")
    wanted = dict(what)
    if not isinstance(wanted.get("do"), str):
        raise ValueError("a command says what to do: {'do': 'cancel'}")  # noqa: TRY004 - as all refusals
    text = json.dumps(wanted, sort_keys=True, allow_nan=False)
    if "\0" in f"{run}{command_id}" or "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("a command has no NUL in it: PostgreSQL cannot keep it")
    values = {"run": run, "id": command_id, "what": text, "now": clock and clock.now()}
    if within(conn).exec_driver_sql(SAVE, values).rowcount == 1:
        return True
    if conn.exec_driver_sql(SAVED, values).scalar_one() != text:
        raise KeyReusedError(f"the command {command_id} was saved with another content: give this one another id")
    return False


def apply_commands(
    conn: sa.Connection,
    run: str,
    effects: Mapping[str, Callable[[sa.Connection, Command], object]],
    *,
    clock: Clock | None = None,
) -> list[Command]:
    """Do `effects[what to do](conn, command)` for each command that waits, as they came; those that were done now.

    Effect and mark are both in the caller's transaction: once, after any crash. What an effect does outside may be
    done again, and must be no more than once then. A command that `effects` does not have waits on. Of two that apply
    the commands of a run at once, one waits for the other's end.
    """
    rows = within(conn).exec_driver_sql(WAITING, {"run": run}).all()
    found = [Command(run, command_id, json.loads(text)) for command_id, text in rows]
    ours = [each for each in found if each.what.get("do") in effects]
    for each in ours:
        check_done(effects[each.what["do"]](conn, each))
        conn.exec_driver_sql(MARK, {"run": run, "id": each.id, "now": clock and clock.now()})
    return ours
