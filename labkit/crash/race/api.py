"""`race` runs workers in every order; `after` is time as one of them."""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.crash.asked import Race, Raced
from labkit.crash.client import CLIENT
from labkit.crash.jobs import Limits, Observation
from labkit.crash.pickling import pickled, unwrapped
from labkit.crash.race.report import RaceReport

LIMIT = 2000
"""Orders."""
Worker = Callable[[], Any]


@dataclass(frozen=True)
class after:  # noqa: N801 - it is written where a function is expected
    """A participant that does one thing: so many virtual seconds pass, at every moment in turn."""

    seconds: float

    def __post_init__(self) -> None:
        if not 0 < self.seconds < float("inf"):
            raise ValueError(f"after({self.seconds}): time that passes is more than 0 seconds, and it ends")


def race(  # noqa: PLR0913 - each is an option of its own
    workers: Sequence[Worker | after] | Mapping[str, Worker | after],
    invariant: Callable[[Observation], None],
    setup: Callable[[], Any] | None = None,
    *,
    crash: bool = False,
    recover: Callable[[], Any] | None = None,
    limit: int = LIMIT,
    enough: int | None = None,
    ignore: Sequence[str] = (),
    name: str = "",
) -> RaceReport:
    """Run the workers in every order of their steps that can make a difference; then ask `invariant`, each time.

    A step is an effect, or a read of what others may change: of a file, of the database, of the world. Each worker is a
    process of its own; all work in one folder, in which `setup` has run, and against one world. `invariant` gets an
    Observation, with `workers`, and fails by raising. With `crash`, one worker is killed as well, at each of its steps;
    then `recover` runs in a fresh process, before the invariant. `recover` runs only after a kill. More than `limit`
    orders are not run, and the report says so; nor more than `enough`, if it is given, once one of them is broken.
    What the lab cannot put back is refused, as in a sweep.
    ValueError if there are fewer than two participants, or no worker among them; TypeError if something is no function
    that can be run.
    """
    named = _named(workers)
    for key, each in named.items():
        _check(key, each)
    for what, each in {"invariant": invariant, "setup": setup or _named, "recover": recover or _named}.items():
        if not callable(each):
            raise TypeError(f"{what} is to be a function: {each!r} is none")
    for option, orders in {"limit": limit, "enough": enough}.items():
        if orders is not None and orders < 1:
            raise ValueError(f"{option}={orders}: at least one order has to be run")
    codes = {key: float(each.seconds) if isinstance(each, after) else pickled(each) for key, each in named.items()}
    if len(codes) < 2 or all(isinstance(code, float) for code in codes.values()):
        raise ValueError("a race needs at least two participants, and one of them a function: race([work, work], …)")
    asked = Race(
        codes,
        pickled(invariant),
        pickled(setup) if setup else None,
        pickled(recover) if recover else None,
        tuple(sys.path),
        tuple(ignore),
        crash,
        limit,
        enough,
    )
    limits = Limits(CLIENT.seconds)
    raced = CLIENT.ask(asked, Raced, limits)
    return RaceReport.of(name or " and ".join(codes), raced, asked, limits)


def _check(key: str, worker: Worker | after) -> None:
    """That it can be run, and be spoken of."""
    if not isinstance(key, str) or not key.strip():
        raise ValueError(f"a worker needs a name that can be read: {key!r} is none")
    if isinstance(worker, after):
        return
    if not callable(worker):
        raise TypeError(f"a worker is a function without arguments, or after(seconds): {worker!r} is neither")
    if inspect.iscoroutinefunction(unwrapped(worker)):
        raise TypeError(f"{key} is a coroutine function, and a call of it runs nothing: call asyncio.run in a worker")
    if inspect.isgeneratorfunction(unwrapped(worker)):
        raise TypeError(f"{key} is a generator function, and a call of it runs nothing: go through it in a worker")


def _named(workers: Sequence[Worker | after] | Mapping[str, Worker | after]) -> dict[str, Worker | after]:
    """By name: that of the function, with a number where two have the same."""
    if isinstance(workers, Mapping):
        return dict(workers)
    names = ["time" if isinstance(each, after) else _name(each) for each in workers]
    named: dict[str, Worker | after] = {}
    for index, (key, each) in enumerate(zip(names, workers, strict=True)):
        number = names[: index + 1].count(key)
        named[f"{key} {number}" if names.count(key) > 1 else key] = each
    return named


def _name(worker: Worker) -> str:
    return getattr(unwrapped(worker), "__name__", type(worker).__name__)
