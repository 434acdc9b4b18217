"""Watching: streams that wait share one look at the database, however many they are."""

import asyncio
from collections import Counter
from contextlib import suppress

import sqlalchemy as sa

from labkit.postgres import in_autocommit, in_plain_words

LASTS = "SELECT run, last FROM labkit_streams WHERE run = ANY(%s)"


class Watch:
    """Tells the streams of this process when their runs have told something."""

    def __init__(self, engine: sa.Engine, poll: float) -> None:
        """It looks every `poll` seconds, while `look` runs."""
        self._engine, self._poll = engine, poll
        self._news = asyncio.Condition()
        self._watched: Counter[str] = Counter()
        self._lasts: dict[str, int] = {}

    async def look(self) -> None:
        """Look for ever. While the database is down, there is no news."""
        while True:
            await asyncio.sleep(self._poll)
            if not self._watched:
                continue
            with suppress(Exception):  # whatever it was: nobody else looks
                found = await asyncio.to_thread(self._look, [*self._watched])
                async with self._news:
                    self._lasts = found
                    self._news.notify_all()

    def _look(self, runs: list[str]) -> dict[str, int]:
        with in_plain_words(), in_autocommit(self._engine) as connection:
            return dict(connection.execute(LASTS, [runs]).fetchall())

    async def more(self, run: str, seen: int, seconds: float) -> bool:
        """Wait until the run has told more than number `seen`; False if it did not for so long."""
        self._watched[run] += 1
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: self._lasts.get(run, 0) > seen)
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._watched[run] -= 1
            self._watched += Counter()  # those that nobody waits for any more are not asked for
