"""What a child tells its parent, one dataclass for each kind of news.

Code under test may write to the same socket: `parse` takes nothing that is not of the right form. None of these is
frozen: there is one for each effect, and a frozen one takes three times as long to make.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from labkit.crash.printable import printable
from labkit.crash.race_news import OfRaces


@dataclass(kw_only=True)
class Done:
    """An effect was performed. What follows `lines` is for the model of the disk."""

    op: str
    target: str
    lines: list[Any]
    """Frames under test, innermost first: file, function, line number."""
    result: int | None = None
    handle: int | None = None
    path: str | None = None
    to: str | None = None
    offset: int | None = None
    size: int | None = None
    data: str | None = None
    """As latin-1, the bytes that were written, or those of a file that C code has written and that loses its name; the
    target of a symbolic link."""
    meta: list | None = None
    """Pairs of a path, or a handle, and what its Meta is now."""
    synced: bool | None = None
    """Whether a write was durable when it returned."""

    @property
    def label(self) -> str:
        """The effect by name."""
        return printable(f"{self.op} {self.target}".strip())


@dataclass(kw_only=True)
class Opened:
    """From now on, `handle` stands for the file or folder at `path`."""

    handle: int
    path: str


@dataclass(kw_only=True)
class Reached:
    """A line of the code under test is about to run."""

    line: list[Any]
    values: dict[str, str]
    """The local variables, as short texts."""


@dataclass(kw_only=True)
class Native:
    """C code changes the file at `path` in the sandbox, with those beside it: SQLite."""

    path: str


@dataclass(kw_only=True)
class Refused:
    """The child was going to do what the lab can neither see nor put back, and was not let."""

    what: str
    """To stand behind "was going to"."""
    todo: str
    """What the program may do instead."""
    lines: list[Any]
    loaded: list
    """As Returned has it."""


@dataclass(kw_only=True)
class Asked:
    """The child wanted to know whether there is a process with the id of an earlier life."""

    pid: int


@dataclass(kw_only=True)
class Waiting:
    """The child waits for what nobody will do, at this line."""

    lines: list[Any]
    loaded: list
    """As Returned has it."""


@dataclass(kw_only=True)
class Repeated:
    """So many news as the recording had them at this place: a run that is repeated tells the others alone."""

    count: int


@dataclass(kw_only=True)
class Stopped:
    """The crash point is here: the child waits for SIGKILL."""

    count: int


@dataclass(kw_only=True)
class Returned:
    """The function came to its end."""

    value: Any = None
    loaded: list
    """Names of modules that it has imported, and the next child might find loaded."""
    hashes: bool = False
    """Whether the program may hash texts."""


@dataclass(kw_only=True)
class Raised:
    """The function raised."""

    error: str
    """The type of the exception."""
    text: str
    lines: list[Any]
    loaded: list
    """As Returned has it."""


News = Done | Opened | Reached | Native | Refused | Asked | Repeated | Waiting | Stopped | Returned | Raised | OfRaces
FINAL = (Waiting, Stopped, Returned, Raised)
"""The news that are the last."""
SHOWN = {"error", "text", "what", "todo"}
"""Fields that are shown as they are: what cannot be shown is replaced as they enter."""
KINDS = {kind.__name__: kind for kind in News.__args__}
FORMS = {
    name: {field: getattr(hint, "__origin__", hint) for field, hint in get_type_hints(kind).items() if hint is not Any}
    for name, kind in KINDS.items()
}


def plain(news: News) -> dict[str, Any]:
    """The news as JSON has them; what is None is left out."""
    told = {name: value for name, value in vars(news).items() if value is not None}
    return {"news": type(news).__name__, **told}


def parse(told: Any, expected: Sequence[News] = ()) -> list[News]:
    """News from what was heard, with what was only counted taken from `expected`. ValueError if it is anything else."""
    heard: list[News] = []
    try:
        for each in told:
            news = _parse(**each)
            if not isinstance(news, Repeated):
                heard.append(news)
            elif 0 < news.count <= len(expected) - len(heard):
                heard += expected[len(heard) : len(heard) + news.count]
            else:
                raise ValueError("no news: more is repeated than there was")
    except (TypeError, KeyError) as error:
        raise ValueError(f"no news: {error}") from None
    return heard


def _parse(news: str, **details: Any) -> News:
    made = KINDS[news](**details)
    for name, form in FORMS[news].items():
        if not isinstance(getattr(made, name), form):
            raise TypeError(f"{name} of {news}")
    for name in SHOWN & vars(made).keys():
        setattr(made, name, printable(getattr(made, name)))
    for each in getattr(made, "lines", ()):
        each[:] = _line(*each)
    if isinstance(made, Reached):
        made.line = _line(*made.line)
        made.values = {printable(name): printable(value) for name, value in made.values.items()}
    return made


def _line(file: str, function: str, number: int) -> list[Any]:
    """A frame's line. TypeError if it is none."""
    if not (isinstance(file, str) and isinstance(function, str) and type(number) is int):
        raise TypeError("a line")
    return [file, printable(function), number]
