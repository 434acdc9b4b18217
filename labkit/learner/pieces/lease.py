"""A lease and its zombie, on a time line: worker A claims a task and stalls; B looks for work every ten seconds.

Claimed, reaped and finished by `labkit.claims`, in a database of its own, on a clock that nobody waits for.
"""

from labkit import claims, database
from labkit.clock import FakeClock
from labkit.learner.pieces.play import Control, play
from labkit.learner.pieces.view import Bar, Lane, View
from labkit.postgres import connect, create_schema
from labkit.task import Task, TaskState

WORK = 20
"""Seconds that B needs for the task."""
LOOKS = 10
"""Seconds between two looks of B."""
MEANING = (("good", "this write counts"), ("bad", "this write is refused: the token is old"), ("plain", "holds it"))


def lease_line() -> None:
    """Show who holds a task while its worker stalls, and whose result counts: choose lease and stall."""
    play(
        view,
        Control("lease in seconds", (30, 60, 120), 60),
        Control("A stalls, in seconds", (20, 70, 100), 100),
    )


def view(lease: float, stall: float) -> View:
    """The time line of both workers."""
    with database.throwaway() as url:
        engine, clock = connect(url), FakeClock()
        try:
            create_schema(engine)
            claims.enqueue(engine, [Task(id="blog", user_input="deploy")], clock=clock)
            return _line(engine, clock, lease, stall)
        finally:
            engine.dispose()


def _line(engine: object, clock: FakeClock, lease: float, stall: float) -> View:
    def finish(held: claims.Claim) -> str:
        done = claims.finish(engine, held, held.record.to(TaskState.COMPLETED, result="up"), clock=clock)
        return "good" if done else "bad"

    (a,) = claims.claim(engine, lease=lease, clock=clock)
    b = claimed = None
    ends: dict[str, tuple[float, str]] = {}
    while len(ends) < 2 and clock.monotonic() < lease + stall + 2 * WORK:
        at = clock.monotonic()
        if at == stall:
            ends["A"] = at, finish(a)
        if b is None and at % LOOKS == 0 and claims.reap(engine, clock=clock):
            (b,), claimed = claims.claim(engine, lease=lease, clock=clock), at
        if b and at == claimed + WORK:
            ends["B"] = at, finish(b)
        clock.sleep(5)
    over = max(stall, ends["B"][0] if b else 0) + LOOKS
    held = [Bar(0, min(lease, over), "A's, with token 1")]
    held += [Bar(claimed, min(claimed + lease, over), "B's, with token 2")] if b else []
    lanes = [Lane("worker A", _worker(0, *ends["A"], "stalls", a.token)), Lane("lease", tuple(held))]
    lanes.insert(1, Lane("worker B", _worker(claimed, *ends["B"], "works", b.token) if b else ()))
    return View(_title(ends, b, lease), tuple(lanes), "seconds", over, MEANING)


def _worker(start: float, end: float, kind: str, does: str, token: int) -> tuple[Bar, ...]:
    said = "counts" if kind == "good" else "is refused"
    return Bar(start, end, does), Bar(end, end + 5, f"writes with token {token}, and it {said}", kind)


def _title(ends: dict[str, tuple[float, str]], b: claims.Claim | None, lease: float) -> str:
    if b is None:
        when = "in time" if ends["A"][0] <= lease else "after its lease, and before B looked"
        return f"A wakes in second {ends['A'][0]:g}, {when}: its write counts, and B never had the task"
    came = "is refused" if ends["A"][1] == "bad" else "counts"
    other = "counts" if ends["B"][1] == "good" else "is refused"
    return f"A wakes in second {ends['A'][0]:g}, when B had the task: A's write {came}, and B's {other}"
