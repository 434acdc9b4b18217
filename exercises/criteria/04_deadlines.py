"""Judges chapter 4: what a step may take, and a run that ends by its task's deadline. Answers run in children only.

The steps are tools of two minutes. Each tells the world how many seconds it was given, and the world has the clock.
A trial is one process that carries out several tasks, as workers do: what leaks from one to the next is seen.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from itertools import product
from numbers import Real
from random import Random
from typing import Any

from labkit import Deadline, DeadlineExceeded, FakeClock, FileStateStore, SystemClock, Task, TaskState, world
from labkit.crash import Line, Report, Trial, sweep, trial
from labkit.crash.zygote.explore import DOWNTIME
from labkit.grading.judge.calls import called, shown, told
from labkit.grading.judge.differences import quoted
from labkit.grading.judge.program import Program
from labkit.grading.judge.survival import assert_survives, did

STEPS = ["create_dns", "issue_certificate", "deploy_container", "configure_monitoring", "notify"]
EACH = 120
"""Seconds that each of them takes."""
MOMENT = "check_disk"
"""A tool that is given no time: so the world remembers when a run began, and when it ended."""
STORE = "tasks"
PLENTY = 4000
"""Seconds in which everything can be done."""
DAY = 86_400
MACHINE = SystemClock()
GOES_ON = (TaskState.PENDING, TaskState.RUNNING)
TEXTS = ["", "Error: none", '"quoted"\nand on a line of its own', "готово: 完成 ✓", "TimeoutError", " done "]
"""What steps may return. It is text, whatever it looks like."""
SAYINGS = [
    "it did not work",
    '{"error": {"code": 503}} and {0}, {}',
    "100 % of %s",
    "no " * 400,
    "",
    "no\nand once more, no",
]
"""What an error may say."""


class RefusedError(Exception):
    """An error of a step's own."""


class SilentError(Exception):
    """An error that is raised without arguments."""

    def __init__(self, _text: str) -> None:
        super().__init__()


ERRORS = [
    *(
        SilentError,
        RefusedError,
        RuntimeError,
        KeyError,
        ValueError,
        ConnectionError,
        TimeoutError,
        AssertionError,
        DeadlineExceeded,
    )
]


@dataclass(eq=False)
class OddClock(SystemClock):
    """A machine's clock: wall time is `days` ahead, and moves by `hours` while the first step runs; it was booted once.

    `start` is when the run began, in the world's seconds. By this clock, the first step takes `more` seconds longer
    than by others: as where a machine was suspended meanwhile, and its time.monotonic stood still.
    """

    days: int = 0
    hours: int = 0
    more: int = 0
    boot: float = 0.0
    start: float = 0.0

    def now(self) -> datetime:
        """Wall time, as somebody set it."""
        hours = self.hours if self.has_moved else 0
        return super().now() + timedelta(days=self.days, hours=hours, seconds=self.more if self.has_moved else 0)

    def monotonic(self) -> float:
        """Seconds since the machine was booted."""
        return super().monotonic() + self.boot + (self.more if self.has_moved else 0)

    @property
    def has_moved(self) -> bool:
        """Whether the time of the first step is over."""
        return world.current().elapsed() - self.start >= EACH


@dataclass(frozen=True)
class Run:
    """A task that is carried out: what its steps do, and how many seconds away its deadline is."""

    plan: list[str]
    seconds: float
    limit: float
    name: str
    """Of the service that is deployed: it was drawn, so an answer cannot know it."""
    journal: dict[str, str] = field(default_factory=dict)
    """What was done before: then the task is running."""
    waited: float = 0.0
    """Seconds between the making of the task and run_steps."""
    faults: Mapping[str, type[Exception] | None] = field(default_factory=dict)
    """Step → the error that it raises at once; None: it acts, and no answer comes in its time."""
    saying: str | None = None
    """What such an error says; its own kind, if nothing is given."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Step → what it returns, if that is not what its tool says."""
    clock: OddClock = field(default_factory=OddClock)
    zone: float = 0.0
    """The time zone of the deadline, in hours from UTC."""
    of: str = ""
    """Of an earlier run, whose task has been deleted: this one has its id."""

    @property
    def id(self) -> str:
        """Of the task."""
        return f"task-{self.of or self.name}"


class Seen:
    """How run_steps did with a task: what the world remembers, and what is on the disk."""

    def __init__(self, seen: Trial, run: Run, got: dict[str, Any] | None) -> None:
        ours = [call for call in seen.world.calls if call.arguments.get("service") == run.name]
        moments = {call.arguments.get("moment"): call.minute * 60 for call in ours if call.tool == MOMENT}
        self.start, self.got = moments.get("made", 0.0), got
        self.ended = round(moments.get("ended", seen.world.elapsed()) - self.start, 6)
        """Seconds after the task was made; all moments are."""
        self.calls = [replace(call, minute=call.minute - self.start / 60) for call in ours if call.tool in STEPS]
        """Of the steps. Whatever else an answer calls has not this name."""
        self.failure = did(seen) if seen.how != "returned" else ""
        try:
            record = json.loads(seen.files[f"{STORE}/task/{run.id}.json"])["record"]
            self.stored = Task.model_validate(record)
        except (KeyError, TypeError, ValueError):
            self.stored = None

    @property
    def returned(self) -> bool:
        """Whether run_steps raised nothing."""
        return self.got is not None and "value" in self.got

    @property
    def value(self) -> Any:
        """What it returned: a task as plain data, or something else in words."""
        return self.got["value"] if self.returned else None

    @property
    def did(self) -> str:
        """How it ended, as the predicate of a sentence."""
        if self.got is None:
            return self.failure or "was not called, or hid how it ended"
        return f"returned {_brief(self.value)}" if self.returned else told(self.got)

    @property
    def returned_instead(self) -> str:
        """What it returned in place of the task in the store, as the predicate of a sentence."""
        stored, got = self.stored.model_dump(mode="json"), self.value
        if not isinstance(got, dict) or got["state"] != stored["state"]:
            return self.did
        return f"{self.did} with another {', '.join(name for name in stored if got[name] != stored[name])}"

    def is_stored(self, state: TaskState) -> bool:
        """Whether the store has the task in this state."""
        return self.stored is not None and self.stored.state is state

    @property
    def state(self) -> str:
        """What became of the task, in words."""
        if self.stored is None:
            return "gone"
        return f"{self.stored.state} ({self.stored.error})" if self.stored.error else str(self.stored.state)


def run_deadline(program: Program, rng: Random) -> None:
    """With time enough all is done; with too little the run ends by its deadline, whatever clocks and zones say."""
    texts = dict(zip(STEPS, rng.sample(TEXTS, len(STEPS)), strict=True))
    plenty = _made(rng, 3, PLENTY)
    odd = _made(rng, 5, PLENTY, texts=texts, clock=OddClock(days=-2, boot=rng.randint(1, 10**6)))
    other = "The clock that run_steps was given shows another day than the machine's: ask that clock, and no other."
    back, forward = (
        f"Wall time was set {way} by an hour at {EACH} s, and run_steps went by it." for way in ("back", "forward")
    )
    east, west = rng.randint(3, 22) / 2, -rng.randint(3, 22) / 2
    zones = [f"The deadline in the task is written in another time zone, UTC{hours:+g} h." for hours in (east, west)]
    tight = {
        "": _tight(rng),
        other: _tight(rng, clock=OddClock(days=3)),
        back: _tight(rng, clock=OddClock(hours=-1)),
        forward: _tight(rng, clock=OddClock(hours=1)),
        zones[0]: _tight(rng, zone=east),
        zones[1]: _tight(rng, zone=west),
        "In a later run of the same process.": _tight(rng, clock=OddClock(boot=rng.randint(1, 10**6))),
    }
    again = "An earlier task with the same id had another deadline, in this process."
    of_that_id = _made(rng, 3, PLENTY)
    tight[again] = _tight(rng, of=of_that_id.name)
    moved = _tight(rng, clock=OddClock(days=3))
    before = _made(rng, 3, 3 * DAY + 3 * EACH + moved.seconds)  # which takes three steps: then the other one is made
    tight["An earlier run in this process had the same deadline, and another clock."] = moved
    *tights, last = tight.values()
    first, second, _, *others = _carry_out(program, plenty, odd, of_that_id, *tights, before, last)
    _check_done(first, plenty)
    others.pop(-2)
    for seen, (why, run) in zip(others, tight.items(), strict=True):
        said = f"Ended at {seen.ended:g} s, deadline {run.seconds:g} s"
        last = [f"{c.tool} began at {_second(c):g} s, and was given {_given(c)} s" for c in seen.calls]
        assert seen.ended <= run.seconds + 1e-6, f"{said}. {why or ''.join(last[-1:])}"
        assert seen.calls, f"{said}, and no step began: run_steps {seen.did}. {why}"
        began, fit = len(seen.calls), -(-int(run.seconds) // EACH)
        assert began >= fit, (
            f"{said}, and {run.plan[began]} did not begin, with time left for it: run_steps {seen.did}. {why}".strip()
        )
    _check_done(second, odd)


def operation_deadline(program: Program, rng: Random) -> None:
    """Each step gets its limit, or what is left if that is less: exactly, and at that moment."""
    same, part = rng.randint(30, 90), rng.randint(1, 99) / 100
    pairs = [(rng.randint(1, 50), 60), (rng.randint(100, 500), rng.randint(60, 90)), (0.5, 60), (45, 45)]
    pairs += [(same + part, same), (same - part, same), (rng.randint(2, 50) + part, 60), (part / 100, 60)]
    pairs += [(rng.randint(100, 500), rng.randint(10, 90) + part), (10**6, 10**5), (300, part), (2, 1)]
    for (left, limit), answer in zip(pairs, _answers(program, pairs), strict=True):
        expected = min(left, limit)
        assert _is_about(answer, expected), (
            f"With {left:g} s left and a limit of {limit:g} s, step_timeout {_said(answer)}; expected {expected:g}"
        )
    runs = [_tight(rng), _tight(rng), _tight(rng)]
    runs[1:] = [replace(run, seconds=run.seconds + part, limit=run.limit + part) for run in runs[1:]]
    for seen, run in zip(_carry_out(program, *runs), runs, strict=True):
        for call in seen.calls:
            left, given = run.seconds - _second(call), call.arguments.get("given")
            assert _is_about(given, min(run.limit, left)), (
                f"{call.tool} began with {left:g} s left and a limit of {run.limit:g} s. "
                f"It was given {_given(call)}; expected {min(run.limit, left):g}"
            )
        began = len(seen.calls)
        assert seen.ended < run.seconds or began > 2, f"run_steps {seen.did}, and {run.plan[began]} did not begin"
        assert began > 2, (
            f"{run.plan[began]} did not begin, with {run.seconds - seen.ended:g} s left and a limit of {run.limit:g} s:"
            f" run_steps {seen.did}"
        )


def no_late_start(program: Program, rng: Random) -> None:
    """At the deadline, and after it, no step begins."""
    pairs = [(0, 60), (-rng.randint(1, 500), 60), (-rng.randint(1, 99) / 100, 60), (0, rng.randint(1, 9))]
    for (left, _), answer in zip(pairs, _answers(program, pairs), strict=True):
        assert answer == "raised DeadlineExceeded", (
            f"With {left:g} s left, step_timeout {_said(answer)}; expected DeadlineExceeded"
        )
    fit, over = rng.randint(2, 3), rng.randint(1, 500)
    first = _made(rng, 4, EACH * fit)
    passed = [_made(rng, 4, EACH, waited=EACH + late) for late in (over, 0.25, 0)]
    begun = [replace(_made(rng, 4, EACH, waited=EACH + over), journal=_journal(run.plan[:1])) for run in passed[:1]]
    suspended = _made(rng, 4, 3 * EACH, clock=OddClock(more=rng.randint(3 * EACH, PLENTY)))
    seen, *others, slow = _carry_out(program, first, *passed, *begun, suspended)
    late = [call for call in seen.calls if _second(call) >= EACH * fit]
    assert not late, f"{late[0].tool} began at {_second(late[0]):g} s, deadline {EACH * fit} s: then nothing may start"
    assert seen.calls, f"With {EACH * fit} s to go, no step began: run_steps {seen.did}"
    for run, seen in zip([*passed, *begun], others, strict=True):
        past = run.waited - run.seconds
        when = f"had passed {past:g} s before run_steps was called" if past else "was the moment of the call"
        assert not seen.calls, f"The deadline {when}, and it began {seen.calls[0].tool}"
    assert len(slow.calls) < 2, (
        f"The clock that run_steps was given showed {EACH + suspended.clock.more} s after {slow.calls[0].tool}, "
        f"deadline {suspended.seconds:g} s, and {slow.calls[1].tool} began: read the time only from that clock"
    )


def restart_keeps_deadline(program: Program, rng: Random) -> None:
    """What is journalled never runs again; killed anywhere, the run goes on, and ends by the deadline in its task."""
    run = replace(_made(rng, 3, rng.randint(310, 350)), clock=OddClock(boot=rng.randint(1, 10**6)))
    task = Task(id=run.id, user_input=run.name, deadline=_at(run.seconds), created_at=_at(0))

    def recover() -> dict[str, Any]:
        found = FileStateStore(STORE).get(Task, task.id)
        # Told to a process that the answer cannot reach, and before the answer is loaded.
        world.ack(json.dumps([world.WorldClock().monotonic(), found.state, list(found.journal)]))
        # The machine was booted anew.
        return _call(program, replace(run, clock=OddClock())) if found.state in GOES_ON else {}

    def invariant(seen) -> None:
        assert len(seen.acknowledged) == 1, "run_steps acknowledged something: only its caller may"
        (began, state, journal), ended = json.loads(seen.acknowledged[0]), world.WorldClock().monotonic()
        ours = [call for call in seen.calls if call.arguments.get("service") == run.name]
        before = [call for call in ours if _second(call) < began]
        after = ours[len(before) :]
        _no_step_twice([call.tool for call in before], [call.tool for call in after], journal)
        stored = FileStateStore(STORE).get(Task, task.id)
        assert stored.deadline == task.deadline, (
            f"The deadline in the store was {run.seconds} s, and is {_after_start(stored.deadline)} now"
        )
        assert ended <= max(run.seconds, began) + 1e-6, (
            f"Ended at {ended:g} s, deadline {run.seconds} s: the process that started at {began:g} s "
            f"{_gave(after[-1:], run.seconds)}"
        )
        came = f": run_steps {told(seen.state)}" if "failed" in seen.state else ""
        rest, failed = run.seconds - began + DOWNTIME, bool(before) and not _was_done(before[-1])
        assert state in GOES_ON or failed or rest <= run.limit, (
            f"With {rest:g} s left, the task in the store was {state} already"
        )
        for idle, end in (ours == before and state in GOES_ON, began), (stored.state in GOES_ON, ended):
            assert not idle or run.seconds - end <= run.limit, (
                f"The process that started at {began:g} s had {run.seconds - end:g} s left, and began no further step"
                f"{came}"
            )

    report = sweep(
        partial(_call, program, run), recover, invariant, lambda: FileStateStore(STORE).insert(task), name="run_steps"
    )
    assert_survives(report, effects=6, moment=_by_steps)
    _check_journals(program, rng)


def _by_steps(report: Report, k: int) -> tuple[str, Line | None]:
    """A crash point, by the steps that had run."""
    done = [effect for effect in report.effects[:k] if effect.op == "tool"]
    return (f"after {done[-1].target} had run", done[-1].line) if done else ("before the first step", None)


def saves_failure(program: Program, rng: Random) -> None:
    """A run that fails ends there; it is saved as failed, with a reason of its own and with what was done; returned."""
    plan = rng.sample(STEPS, 4)
    step = plan[rng.randint(1, 2)]
    over, refused = "The deadline came between two steps", f"{step} refused to work"
    kinds, sayings = rng.sample(ERRORS, len(ERRORS)), rng.sample(SAYINGS, len(SAYINGS))
    runs = {
        "The deadline came while a step ran": _tight(rng),
        over: _made(rng, 4, EACH * rng.randint(1, 2)),
        f"No answer came from {step} in its time": _made(rng, 4, PLENTY, faults={step: None}),
        refused: _made(rng, 4, PLENTY, faults={step: world.ToolError}),
        f"{step} could not be reached": _made(rng, 4, PLENTY, faults={step: world.ToolUnavailableError}),
        f"{plan[0]} refused to work": _made(rng, 4, PLENTY, faults={plan[0]: world.ToolError}),
    }
    runs = {what: replace(run, plan=plan) for what, run in runs.items()}
    for place, kind, saying in zip([0, 3, 1, 2, 0, 3, 1, 2, 1], kinds, [*sayings, *sayings[:3]], strict=True):
        run = _made(rng, 4, PLENTY)
        what = f"{run.plan[place]} raised {kind.__name__}({quoted(saying)})"
        runs[what] = replace(run, faults={run.plan[place]: kind}, saying=saying)
    half, late = _made(rng, 4, PLENTY), _made(rng, 4, EACH)
    runs["A later step failed, and the journal was half full"] = replace(
        half, journal=_journal(half.plan[1:2]), faults={half.plan[2]: RefusedError}
    )
    for waited in (EACH, EACH + rng.randint(1, 500)):
        runs[f"The deadline had passed {waited - EACH} s before run_steps was called"] = replace(
            _made(rng, 4, EACH), waited=waited
        )
    runs["The deadline had passed before the second process began"] = replace(
        late, waited=EACH * 2, journal=_journal(late.plan[:1])
    )
    found = _carry_out(program, *runs.values())
    reasons = {what: _reason_saved(what, runs[what], seen) for what, seen in zip(runs, found, strict=True)}
    for one, other in product(list(runs)[2:6], (over, refused)):
        assert one == other or reasons[one] != reasons[other], (
            f"{other}; in another run, {one}. Both times the error is {reasons[one]!r}: that does not say why"
        )


def _reason_saved(what: str, run: Run, seen: Seen) -> str:
    """The error of a task that cannot be completed, because of `what` happens."""
    called = [call.tool for call in seen.calls]
    broken = [name for name in run.faults if name in called]
    later = called[called.index(broken[0]) + 1 :] if broken else []
    assert seen.returned or later, f"{what}, and run_steps {seen.did}; expected the failed task"
    assert broken or not run.faults, (
        f"With {PLENTY} s for {len(run.plan)} steps of {EACH} s, {next(iter(run.faults))} did not begin. "
        f"The task is {seen.state}"
    )
    assert not later, f"{what}, and after that run_steps ran {', '.join(later)}: an error ends the run"
    assert seen.is_stored(TaskState.FAILED), f"{what}, and the task in the store is {seen.state}; expected a failed one"
    stored, done = seen.stored, [call for call in seen.calls if _was_done(call, run.faults)]
    assert (stored.error or "").strip(), f"{what}, and the error of the failed task is {quoted(stored.error)}: say why"
    assert not broken or broken[0] in stored.error, (
        f"{what}, and the error of the failed task is {quoted(stored.error)}: say which step failed"
    )
    names = [*run.journal, *(call.tool for call in done)]
    told = [name for name in run.plan if name in stored.error]
    assert not told or {*told} - {*names}, (
        f"{what}, and the error of the failed task is {quoted(stored.error)}: {told[0]} was done, and has not failed"
    )
    assert told, (
        f"{what}, and the error of the failed task is {quoted(stored.error)}: say which step failed or could not start"
    )
    assert list(stored.journal) == names, (
        f"{what}. {', '.join(names) or 'No step'} had been done; "
        f"the journal in the store has {', '.join(stored.journal) or 'nothing'}"
    )
    _check_results(stored, run)
    assert seen.value == stored.model_dump(mode="json"), (
        f"{what}. The failed task is in the store, and run_steps {seen.returned_instead}; expected that task"
    )
    return stored.error


def _check_done(seen: Seen, run: Run) -> None:
    ran, lacking = [call.tool for call in seen.calls], [name for name in run.plan if name not in run.journal]
    told = f"With {PLENTY} s for {len(run.plan)} steps of {EACH} s,"
    if run.journal:
        told = f"The task was running, with {', '.join(run.journal)} in its journal, and"
    assert seen.returned, f"{told} run_steps {seen.did}"
    assert ran == lacking, (
        f"{told} run_steps ran {', '.join(ran) or 'nothing'}; expected {', '.join(lacking) or 'nothing'}. "
        f"The task is {seen.state}"
    )
    assert seen.is_stored(TaskState.COMPLETED), (
        f"{told} the task in the store is {seen.state}; expected a completed one"
    )
    _check_results(seen.stored, run)
    assert seen.value == seen.stored.model_dump(mode="json"), (
        f"{told} the completed task is in the store, and run_steps {seen.returned_instead}; expected that task"
    )


def _check_results(stored: Task, run: Run) -> None:
    """The journal has what each step returned."""
    if stored.state is TaskState.COMPLETED:
        lacking = next((name for name in run.plan if name not in stored.journal), None)
        assert not lacking, f"{lacking} returned {quoted(_answer(run, lacking))}, and the journal has it not"
    for name, kept in stored.journal.items():
        answer = _answer(run, name)
        assert kept == answer, f"{name} returned {answer!r}; the journal has {kept!r}"


def _answer(run: Run, name: str) -> str:
    """What a step has returned, in this process or in an earlier one."""
    return run.journal.get(name, run.texts.get(name, world.TOOLS[name].answer.format(service=run.name)))


def _check_journals(program: Program, rng: Random) -> None:
    """A second process runs what the journal lacks, whatever it has: not always the first steps of this plan."""
    runs = [_made(rng, 4, PLENTY) for _ in range(4)]
    had = (
        [run.plan[:2] for run in runs[:1]] + [run.plan[1:4:2] for run in runs[1:2]] + [[runs[2].plan[3]], runs[3].plan]
    )
    runs = [replace(run, journal=_journal(names)) for run, names in zip(runs, had, strict=True)]
    for seen, run in zip(_carry_out(program, *runs), runs, strict=True):
        _check_done(seen, run)


def _no_step_twice(before: list[str], after: list[str], journal: list[str]) -> None:
    """Of the steps that ran before a crash, only the one in flight runs again; what is journalled has run."""
    for step in journal:
        assert step in before, f"{step} was journalled as finished, and had never run"
    for step in after:
        assert step not in journal, f"{step} was journalled as finished, and ran again after the restart"
        assert step not in before[:-1], f"{step} had finished before, and ran again"


def _gave(last: list[world.Call], seconds: float) -> str:
    """What a process that ended too late gave to its last step, as the predicate of a sentence."""
    if not last:
        return "began no step"
    left = seconds - _second(last[0])
    if left <= 0:
        return f"began {last[0].tool} {-left:g} s after the deadline"
    return f"gave {last[0].tool} {_given(last[0])} s, and {left:g} s were left"


def _given(call: world.Call) -> Any:
    """How many seconds a step was given, as a message shows it."""
    given = call.arguments.get("given")
    return f"{given:g}" if isinstance(given, float) else given


def _was_done(call: world.Call, faults: Mapping[str, Any] = {}) -> bool:
    """Whether a step had the time that it takes, and came to its end."""
    given = call.arguments.get("given")
    return call.tool not in faults and isinstance(given, int | float) and given >= EACH


def _made(rng: Random, steps: int, seconds: float, **more: Any) -> Run:
    """A run of so many steps that must end in so many seconds. The limit is more than a step takes."""
    name = f"{rng.choice(['shop', 'blog', 'mail', 'wiki'])}-{rng.randrange(10**6)}"
    return Run(rng.sample(STEPS, steps), seconds, rng.randint(130, 200), name, **more)


def _tight(rng: Random, **more: Any) -> Run:
    """A run of four steps with time for two of them, and for a part of the third."""
    return _made(rng, 4, rng.randint(250, 350), **more)


def _journal(names: list[str]) -> dict[str, str]:
    """What these steps returned before: an empty text, and texts that name other steps."""
    return {name: f"{name} was done before {', '.join(STEPS)}" if n else "" for n, name in enumerate(names)}


def _at(seconds: float) -> datetime:
    """Wall time, so many seconds after the world began."""
    return FakeClock().now() + timedelta(seconds=seconds)


def _carry_out(program: Program, *runs: Run) -> list[Seen]:
    """Make the tasks and carry them out, one after another in one child."""

    def carry_out() -> list[dict[str, Any]]:
        found = []
        for run in runs:
            run.clock.start = world.current().elapsed()
            _moment(run, "made")
            store = FileStateStore(STORE, run.clock)
            store.delete(Task, run.id)
            store.insert(_task(run))
            world.current().sleep(run.waited)
            found.append(_call(program, run))
            _moment(run, "ended")
            if found[-1].get("endless"):
                break
        return found

    seen = trial(carry_out)
    found = seen.value if isinstance(seen.value, list) else []
    return [Seen(seen, run, got) for run, got in zip(runs, [*found, *[None] * (len(runs) - len(found))], strict=True)]


def _task(run: Run) -> Task:
    """In a child: the task of a run, made now."""
    now = run.clock.now()
    zone = timezone(timedelta(hours=run.zone))
    return Task(
        id=run.id,
        user_input=run.name,
        state=TaskState.RUNNING if run.journal else TaskState.PENDING,
        journal=run.journal,
        deadline=(now + timedelta(seconds=run.seconds)).astimezone(zone),
        created_at=now,
    )


def _call(program: Program, run: Run) -> dict[str, Any]:
    """In a child: call run_steps with what is stored; what it returned, or how it failed."""
    store = FileStateStore(STORE, run.clock)
    steps = {name: _unnamed(partial(_step, run, name)) for name in run.plan}
    run_steps = program["run_steps"]

    def call() -> Any:
        returned = run_steps(store.get(Task, run.id), steps, store, run.clock, run.limit)
        return returned.model_dump(mode="json") if isinstance(returned, Task) else shown(returned)

    return called(call)


def _unnamed(do: Callable[[Any], str]) -> Callable[[Any], str]:
    """The same, as a function that says nowhere what it does: the name of a step is in the dict."""

    def step(timeout: Any) -> str:
        return do(timeout)

    return step


def _step(run: Run, name: str, timeout: Any) -> str:
    """A step: it tells the world what it was given, and works as long as it takes. Its errors do not say its name."""
    number = _number(timeout)
    given = f"{timeout!r}, not a number" if number is None else number
    fails = name in run.faults
    error = run.faults.get(name)
    wait = 0 if number is None or error else number
    try:
        answer = world.tool(name, timeout=wait, service=run.name, given=given)
    except world.ToolTimeoutError:
        if error:
            raise error(f"it did not work: {error.__name__}" if run.saying is None else run.saying) from None
        raise
    if fails:
        raise world.ToolTimeoutError(f"no answer after {wait:g} s: it may have acted, or not")
    return run.texts.get(name, answer)


def _moment(run: Run, what: str) -> None:
    """Have the world remember this moment."""
    with suppress(world.ToolTimeoutError):
        world.tool(MOMENT, timeout=0, service=run.name, moment=what)


def _answers(program: Program, pairs: list[tuple[float, float]]) -> list[Any]:
    """What step_timeout answers with so many seconds left and such a limit: a number, or else what it did in words."""

    def ask(left: float, limit: float) -> Any:
        clock = FakeClock()
        deadline = Deadline.after(left + 50, clock)  # it is asked, and then time passes
        with suppress(Exception):
            program["step_timeout"](deadline, limit)
        clock.sleep(50)
        try:
            given = program["step_timeout"](deadline, limit)
        except DeadlineExceeded:
            return "raised DeadlineExceeded"
        except Exception as error:
            if type(error).__name__ == "DeadlineExceeded":
                return f"raised DeadlineExceeded of its own, not that of the given cell: {error}"
            raise
        number = _number(given)
        return f"returned {shown(given)}" if number is None else number

    seen = trial(lambda: [called(partial(ask, *pair)) for pair in pairs])
    assert seen.how == "returned", f"step_timeout {did(seen)}"
    return [got["value"] if "value" in got else told(got) for got in seen.value]


def _number(value: Any) -> float | None:
    """A number of any kind, as a float; None if it is none."""
    return float(value) if isinstance(value, Real | Decimal) else None


def _said(answer: Any) -> str:
    return f"returned {answer:g}" if isinstance(answer, int | float) else str(answer)


def _is_about(given: Any, expected: float) -> bool:
    return isinstance(given, int | float) and abs(given - expected) < 1e-5


def _second(call: world.Call) -> float:
    """When a tool was asked."""
    return round(call.minute * 60, 6)


def _after_start(at: datetime | None) -> str:
    return "gone" if at is None else f"{(at - FakeClock().now()).total_seconds():g} s"


def _brief(value: Any) -> str:
    return f"a {value['state']} task" if isinstance(value, dict) and "state" in value else str(value)
