"""How a child ended, as its parent saw it."""

import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from labkit.crash.asked import Failure
from labkit.crash.jobs import Memory
from labkit.crash.news import Asked, Done, Native, News, Raised, Returned, Waiting
from labkit.crash.zygote.patience import Over


class How(StrEnum):
    """How a child ended."""

    STOPPED = "stopped"
    """It waited at its crash point, and was killed there."""
    RETURNED = "returned"
    RAISED = "raised"
    DIED = "died"
    """By itself, before it had told its end."""
    HUNG = "hung"
    """It had not ended in time. Asked by a signal, it may have told where it was."""
    WAITING = "waiting"
    """It waited for what nobody would do."""
    REFUSED = "refused"
    """It was going to do what the lab cannot explore."""
    GARBLED = "garbled"
    """What it told was no news."""
    FLOODED = "flooded"
    """It had more effects than the limit."""


class NotExploredError(Exception):
    """The sweep cannot go on, or would prove nothing. Its text says why; `lines` where."""

    def __init__(self, text: str, lines: list[Any] | None = None) -> None:
        super().__init__(text)
        self.lines = lines or []


@dataclass
class Ending:
    """How a child ended, with all that it told."""

    how: How
    memory: Memory
    news: list[News] = field(default_factory=list)
    over: Over | None = None
    """Why it had no more time, if it HUNG."""
    limit: int = 0
    """The effects that it was allowed."""
    status: int = 0
    """As in subprocess: −9 was killed by SIGKILL."""
    output: str = ""

    @property
    def effects(self) -> list[Done]:
        """The effects it had, in order."""
        return [news for news in self.news if isinstance(news, Done)]

    @property
    def native(self) -> set[str]:
        """What C code changes past the shim: SQLite's databases, what it keeps beside, the times of their folders."""
        files: set[str] = set()
        for news in self.news:
            if isinstance(news, Native):
                files |= sqlite_files(news.path)
            elif isinstance(news, Done) and news.op in {"rename", "replace", "link"}:
                files |= {news.to + each[len(news.path) :] for each in files if is_at(each, news.path)}
        return files | {str(folder) for path in files for folder in PurePath(path).parents if folder.name}

    @property
    def asked(self) -> list[int]:
        """The process ids of earlier lives that it asked about."""
        return [news.pid for news in self.news if isinstance(news, Asked)]

    @property
    def labels(self) -> list[str]:
        """The effects by name."""
        return [effect.label for effect in self.effects]

    @property
    def loaded(self) -> list[Any]:
        """What it says that it has imported."""
        return getattr(self.news[-1], "loaded", []) if self.news else []

    @property
    def returned(self) -> Returned:
        """What it told at the end; nothing if it did not return."""
        last = self.news[-1] if self.news else None
        return last if isinstance(last, Returned) else Returned(loaded=[])

    @property
    def failure(self) -> Failure:
        """Why it did not return."""
        last = self.news[-1] if self.news else None
        if isinstance(last, Raised):
            return Failure(last.text, last.error, last.lines)
        told = self.how is How.FLOODED or isinstance(last, Waiting)
        return Failure(self.words, lines=getattr(last, "lines", []) if told else [])

    @property
    def words(self) -> str:
        """How it ended, as the predicate of a sentence."""
        match self.how:
            case How.RAISED:
                return f"raised {self.failure.error}: {self.failure.text}"
            case How.HUNG | How.WAITING:
                return "did not end in time"
            case How.FLOODED:
                return f"had more effects than the limit of {self.limit} allows"
            case How.GARBLED:
                return "told the crash lab something that it does not understand"
            case How.DIED:
                return f"ended by itself, with exit status {self.status}"
        return self.how.value


def sqlite_files(database: str) -> set[str]:
    """The files that SQLite keeps for a database."""
    return {f"{database}{end}" for end in ("", "-journal", "-wal", "-shm")}


def is_at(path: str, place: str) -> bool:
    """Whether a path is that place, or lies below it."""
    return path == place or path.startswith(place + os.sep)
