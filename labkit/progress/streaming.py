"""Streaming: what is missing, then what comes, to the end."""

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import sqlalchemy as sa

from labkit.agent.updates import ProgressUpdate
from labkit.deadlines import Remaining, step_timeout
from labkit.postgres import in_autocommit, in_plain_words
from labkit.progress.telling import CHANNEL
from labkit.tasks import POLL, hints

Numbered = tuple[int, ProgressUpdate]
FROM = """
    SELECT number, body FROM labkit_updates WHERE run = %(run)s AND number >= %(last)s ORDER BY number LIMIT %(most)s"""
"""What was seen last as well: whether it is there, and whether it was the end."""


def frame(number: int, update: ProgressUpdate) -> str:
    """One event of a stream of server-sent events, its id the number. Its data is JSON, which has no line break."""
    return f"id: {number}\ndata: {json.dumps(update.model_dump(mode='json', exclude_defaults=True))}\n\n"


def updates_after(engine: sa.Engine, run: str, last_id: int = 0, *, batch: int = 100) -> tuple[list[Numbered], bool]:
    """Up to `batch` updates behind `last_id`, each with its number; and whether the stream is at its end then.

    0 asks for all. ValueError for another number that was never told. A run that has told nothing yet is no error.
    """
    most = batch + (last_id > 0)
    with in_plain_words(), in_autocommit(engine) as conn:
        rows = conn.execute(FROM, {"run": run, "last": last_id, "most": most}).fetchall()
    if last_id and (not rows or rows[0][0] != last_id):
        raise ValueError(f"the run {run} has told nothing of number {last_id}: ask for what is after 0")
    found = [(number, ProgressUpdate.model_validate(body)) for number, body in rows]
    at_end = 0 < len(found) < most and found[-1][1].ends
    return [each for each in found if each[0] > last_id], at_end


def stream(
    engine: sa.Engine,
    run: str,
    last_id: int = 0,
    *,
    batch: int = 100,
    poll: float = POLL,
    deadline: Remaining | None = None,
    pause: Callable[[float], None] | None = None,
) -> Iterator[Numbered]:
    """What the run has told behind number `last_id`, then what it tells, each with its number, until it has ended.

    Nothing is kept but a batch: who reads slowly finds the rest in the table. It listens before it looks, so what comes
    between is heard; and it looks every `poll` seconds, so a hint may get lost. DeadlineExceeded if that is too late.
    """
    with nullcontext(pause) if pause else hints(engine, run, channel=CHANNEL) as wait:
        at_end = False
        while not at_end:
            found, at_end = updates_after(engine, run, last_id, batch=batch)
            yield from found
            if found:
                last_id = found[-1][0]
            elif not at_end:
                wait(step_timeout(deadline, poll) if deadline else poll)
