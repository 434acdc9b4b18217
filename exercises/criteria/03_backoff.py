"""Judges chapter 3: trying again. Each attempt is a request to the world, whose clock measures the delays.

A trial is one process that makes several calls, as programs do: what leaks from one to the next is seen.
"""

import json
from asyncio import CancelledError
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, pairwise
from random import Random
from typing import Any, Self

from labkit import ack, tool, trial, world
from labkit.crash import Trial
from labkit.grading.judge.calls import called, salt_hash, shown, told, until_endless
from labkit.grading.judge.program import Program
from labkit.grading.judge.survival import did

ASKED = "check_disk"
"""The tool that every attempt asks."""
LONGEST, SHOWN = 12, 150
"""Delays that a message shows, and those that a child tells."""
MANY, MORE = 300, 11_000
"""Delays that stand for no end: as many as powers of any float, and more than Python calls or anybody would list."""
DRAWS = 1000
"""Of one generator; of some one more, or what is drawn in pairs would end with it."""


class BusyError(Exception):
    """An error of the service's own, which cannot be made again from its text."""

    def __init__(self, text: str, *, seconds: float = 1.0) -> None:
        super().__init__(text, seconds)
        self.text = text

    def __str__(self) -> str:
        return self.text


class Stopped(BaseException):
    """Somebody wants to stop, in a way of their own."""


class GroupError(ExceptionGroup):
    """An error that holds another one, as a task group raises it."""

    def __new__(cls, text: str) -> Self:
        """With one error inside."""
        return super().__new__(cls, text, [ConnectionError("inside")])

    def __str__(self) -> str:
        return self.message


class Unequal(list):
    """A value that cannot be compared and is neither true nor false, as an array of numbers."""

    def __eq__(self, other: object = None) -> bool:
        raise ValueError("which of the numbers?")

    __ne__ = __bool__ = __eq__
    __hash__ = None


LATER = "each call begins with the first delay"
PASSING, LASTING = [ConnectionError, TimeoutError, BusyError], [LookupError, RuntimeError, ValueError, AssertionError]
"""Errors that pass by themselves, as most would say, and others. What counts is what is_retryable says."""
STOPS = [KeyboardInterrupt, SystemExit, CancelledError, GeneratorExit, Stopped]


@dataclass(frozen=True)
class Error:
    """What an attempt raises, and what is_retryable says to it: that does not hang on the type."""

    kind: type[BaseException]
    again: bool = True


@dataclass(frozen=True)
class Call:
    """A call of execute_with_retry. Attempt number n raises errors[n]; those behind the last error return `value`."""

    max_attempts: int
    errors: Sequence[Error]
    value: Any = "done"
    parts: Sequence[float] = ()
    """What jitter makes of each delay; if there are none, jitter is None."""
    takes: float = 0.0
    """Seconds for which each attempt lasts."""


class Seen:
    """How one call went: what the world remembers of it, and what its caller got."""

    def __init__(self, seen: Trial, mark: str, got: dict[str, Any] | None, takes: float) -> None:
        moments = {
            what: [round(call.minute * 60, 6) for call in seen.world.calls if call.arguments.get("mark") == name]
            for what, name in (("began", mark), ("ended", f"{mark} is over"))
        }
        self.began, self.got = moments["began"], got
        """When each attempt began, in seconds."""
        self._takes = takes
        self.ended = moments["ended"][0] if moments["ended"] else seen.world.elapsed()
        self.first = got["first"] if got else 0.0
        labels = [json.loads(label) for label in seen.world.acknowledged]
        self.asked = [delay for name, delay in labels if name == mark]
        """The delays that jitter was given."""
        self._trial = seen

    @property
    def number(self) -> int:
        """How many attempts came."""
        return len(self.began)

    @property
    def raised(self) -> int:
        """The attempt whose error the caller got, as it was; 0 if it did not."""
        return self.got.get("raised", 0) if self.got and not self.got.get("changed") else 0

    @property
    def waits(self) -> list[float]:
        """The delays between attempts, and how long the first was delayed, if it was."""
        late = [self.began[0] - self.first] if self.began and self.began[0] - self.first > 1e-6 else []
        return late + [round(after - before - self._takes, 6) for before, after in pairwise(self.began)]

    @property
    def late(self) -> float:
        """Seconds between the last attempt and the end of the call."""
        late = self.ended - self.began[-1] - self._takes if self.began else 0.0
        return late if late > 1e-6 else 0.0

    @property
    def did(self) -> str:
        """How it ended, as the predicate of a sentence."""
        if self.got is None:
            return did(self._trial) if self._trial.how != "returned" else "was not called"
        if "raised" in self.got:
            return f"raised the error of attempt {self.got['raised']}{self.got['changed']}"
        return f"returned {self.got['shown']}" if "shown" in self.got else told(self.got)

    def unless_raised(self, attempt: int) -> str:
        """More about the end, unless it was the error of this attempt."""
        return f" (execute_with_retry {self.did})" if not attempt or self.raised != attempt else ""


def grows(program: Program, rng: Random) -> None:
    """Each call sleeps 1, 2, 4 … between its attempts, whatever was called before; `delays` follows base and factor."""
    attempts, takes = rng.randint(11, 14), rng.randint(3, 20)
    four, some = Call(4, _fails(rng, 4)), Call(5, _fails(rng, rng.randint(1, 3)))
    slow, many = Call(4, _fails(rng, 4), takes=takes), Call(attempts, _fails(rng, attempts))
    first, _, again, late, long = _carry_out(program, rng, four, some, four, slow, many)
    _check_delays(first, [1, 2, 4])
    _check_delays(again, [1, 2, 4], "Delays of a later call in the same process: ")
    _check_delays(late, [1, 2, 4], f"Every attempt took {takes} s. Delays from its error to the next: ")
    _check_two_at_once(program, rng)
    base, factor, whole = rng.randint(11, 99) / 100, rng.randint(110, 390) / 100, rng.randint(2, 9)
    small, large = {"base": base, "factor": factor, "cap": 10**9}, {"base": whole, "factor": 3, "cap": 10**9}
    tiny = {"base": rng.randint(20, 90) / 100_000, "factor": rng.randint(12, 19) / 10, "cap": 10**9}
    questions = [small, large, tiny, small, {}]
    for question, got in zip(questions, _delays(program, attempts - 1, questions), strict=True):
        if question:
            expected = [question["base"] * question["factor"] ** n for n in range(len(got["delays"]))]
            assert _same(got["delays"], expected), (
                f"{_named(question)} gave {_list(got['delays'])}; expected {_list(expected)}"
            )
    own = got["delays"]
    assert _same(long.waits, own), (
        f"With max_attempts={attempts}, execute_with_retry slept {_list(long.waits)}; delays() gives {_list(own)}"
        f"{long.unless_raised(attempts)}"
    )


def capped(program: Program, rng: Random) -> None:
    """No delay is longer than the cap, the sequence reaches it, and goes on, whatever the numbers are."""
    base, cap = rng.randint(1, 5), rng.randint(20, 50)
    floats = {"base": rng.randint(11, 99) / 100, "factor": rng.randint(11, 14) / 10, "cap": cap + 0.5}
    whole, late = {"base": base, "factor": 3, "cap": cap}, {"base": cap + 7, "cap": cap}
    slow = {"base": 1, "factor": 1.01, "cap": rng.choice([3, 3.5, 4])}  # which takes more than a hundred
    doubled = {"base": 0.5, "factor": 2.0}
    for count, questions in (MANY, [{}, whole, late, floats, {"cap": 0}, slow]), (MORE, [{}, doubled]):
        for question, got in zip(questions, _delays(program, count, questions), strict=True):
            _check_cap(question, got)


def returns_value(program: Program, rng: Random) -> None:
    """The value of the first attempt that succeeds, at once, whatever value that is, and in whichever call."""
    word, more = f"reply {rng.randrange(10**6)}", rng.randint(2, 3)
    plans = [(0, 1, word), (0, 3, None), (1, 2, 0), (more, more + 3, word + "!")]
    others = ["", False, [], {}, ValueError("returned, not raised"), Exception, Unequal(), word]
    plans += [(rng.randint(0, 2), rng.randint(3, 5), value) for value in rng.sample(others, len(others))]
    calls = [Call(most, _fails(rng, failures), value) for failures, most, value in plans]
    for seen, (failures, most, value) in zip(_carry_out(program, rng, *calls), plans, strict=True):
        told = f"Attempt {failures + 1} of at most {most} returned {value!r}"
        came = _count(seen.number, "attempt")
        assert seen.number > failures, f"{told}, but only {came} came: execute_with_retry {seen.did}"
        assert seen.number == failures + 1, f"{told}, and {came} came: any value is a success"
        assert seen.got and seen.got.get("same"), f"{told}; execute_with_retry {seen.did}"
        assert not seen.late, f"{told}, and execute_with_retry slept {seen.late:g} s more before it returned it"
    _check_called_again(program, word)


def gives_up(program: Program, rng: Random) -> None:
    """Exactly max_attempts attempts in each call, then the last error, as it is: the same object, text and cause."""
    most = [rng.randint(3, 6), 1, 2, 7, *rng.sample([1, 2, 3, 4], 2), rng.randint(70, 80)]
    calls = [Call(number, _fails(rng, number + 3)) for number in most]
    calls[0] = Call(most[0], _fails(rng, 50))
    calls.append(Call(3, [Error(GroupError)] * 6))
    calls.append(Call(3, [Error(StopIteration)] * 6))  # no generator lets it through, and loops take it for their end
    for call, seen in zip(calls, _carry_out(program, rng, *calls), strict=True):
        max_attempts, always = call.max_attempts, " with StopIteration" * (call is calls[-1])
        told = f"max_attempts is {max_attempts}, every attempt failed{always}"
        assert seen.number == max_attempts, (
            f"{told}, and {_count(seen.number, 'attempt')} came{seen.unless_raised(seen.number)}; "
            f"expected {max_attempts}"
        )
        assert seen.raised == max_attempts, (
            f"{told}, and execute_with_retry {seen.did}; expected the error of attempt {max_attempts} itself"
        )


def permanent_once(program: Program, rng: Random) -> None:
    """What is_retryable says no to, and what is no Exception, goes to the caller at once, in any attempt and call."""
    calls, whys = [], []

    def then(earlier: int, last: Error, why: str) -> None:
        before = _fails(rng, earlier)
        if before and issubclass(last.kind, Exception):
            before[-1] = Error(last.kind)  # of the same type, and is_retryable says yes to it
        errors = [*before, last, *_fails(rng, 2)]
        calls.append(Call(earlier + 2 + rng.randint(1, 3), errors))
        whys.append((earlier + 1, why))

    lasting = [(LASTING, earlier) for earlier in (0, rng.randint(1, 2), 1)]
    for kinds, earlier in (*lasting, (PASSING, 1), (PASSING, 0), ([GroupError], 1), ([StopIteration], 1)):
        kind = rng.choice(kinds)
        then(earlier, Error(kind, again=False), f"is_retryable says no to the {kind.__name__} of attempt {earlier + 1}")
    for kind in STOPS:
        for earlier in 0, rng.randint(1, 2):
            then(earlier, Error(kind), f"{kind.__name__} came in attempt {earlier + 1}: somebody wants to stop")
    for seen, (expected, why) in zip(_carry_out(program, rng, *calls), whys, strict=True):
        came = f"{_count(seen.number, 'attempt')} came{seen.unless_raised(seen.number)}"
        assert seen.number == expected, f"{why}, and {came}; expected {expected}"
        assert seen.raised == expected, f"{why}, and execute_with_retry {seen.did}; expected this error itself"
        assert not seen.late, f"{why}, and execute_with_retry slept {seen.late:g} s before it raised it"


def spreads(program: Program, rng: Random) -> None:
    """full_jitter is uniform from 0 to any delay, by rng alone; execute_with_retry sleeps what jitter says, 0 too."""
    tiny, small = rng.randint(20, 90) / 100_000, rng.randint(20, 900) / 1000
    whole, large = rng.randint(1, 4), rng.randint(70, 5000)
    _check_jitter(program, [rng.randint(50, 600) / 10, tiny, small, whole, large], rng.randrange(10**6))
    attempts = rng.randint(8, 9)
    drawn = [[rng.randint(10, 90) / 100 for _ in range(attempts - 1)] for _ in range(2)]
    drawn[0][rng.randint(1, 3)], drawn[0][rng.randint(4, 6)] = 0, 1 + rng.randint(1, 9) / 10
    drawn[1][1] = 0.0
    calls = [Call(attempts, _fails(rng, attempts), parts=parts) for parts in (*drawn, ())]
    *jittered, plain = _carry_out(program, rng, *calls)
    for seen, parts in zip(jittered, drawn, strict=True):
        _check_slept(seen, plain.waits, parts)


def _check_two_at_once(program: Program, rng: Random) -> None:
    """Two sequences are taken in turn, as where one call is made within another."""
    base, count = rng.randint(3, 9), 5

    def take() -> list[Any]:
        made = [iter(program["delays"]()), iter(program["delays"](base=base, factor=3, cap=10**6))]
        turns = [[_number(next(each)) for each in made] for _ in range(count)]
        return [*zip(*turns, strict=True)]

    seen = trial(lambda: called(take))
    what = f"The delays of delays() and of delays(base={base}, factor=3, cap=1000000) were taken in turn"
    got = seen.value if seen.how == "returned" else {}
    assert "value" in got, f"{what}: that {told(got) if got else did(seen)}"
    expected = [[factor**n * first for n in range(count)] for first, factor in ((1, 2), (base, 3))]
    for mine, right in zip(got["value"] or [[], []], expected, strict=True):
        assert _same(mine, right), f"{what}: they gave {_list(mine)}; expected {_list(right)}, whatever the others do"


def _check_called_again(program: Program, word: str) -> None:
    """The same function, called twice: what it returned the first time is old."""
    replies = [word, f"another {word}"]

    def call_twice() -> list[Any]:
        left = iter(replies)

        def fn() -> str:
            return next(left)

        return [called(lambda: program["execute_with_retry"](fn, 3, _is_retryable, None)) for _ in replies]

    seen = trial(call_twice)
    assert seen.how == "returned", f"execute_with_retry {did(seen)}"
    for number, (got, reply) in enumerate(zip(seen.value, replies, strict=True), 1):
        came = f"returned {got['value']!r}" if "value" in got else told(got)
        assert got.get("value") == reply, (
            f"execute_with_retry was called {number} times with the same function, which returned {reply!r} the last "
            f"time; execute_with_retry {came}"
        )


def _check_delays(seen: Seen, expected: list[float], begin: str = "Delays ") -> None:
    most, waits = len(expected) + 1, seen.waits + [seen.late] * (seen.number == len(expected) + 1 and seen.late > 0)
    if seen.number != most:
        were = f"there {'was' if seen.number == 1 else 'were'} {_count(seen.number, 'attempt')}"
        why = f"{were}, and max_attempts is {most}{seen.unless_raised(seen.number)}"
    elif len(seen.waits) == most:
        why = f"the first attempt came only after {waits[0]:g} s"
    elif seen.late:
        why = "you slept after the last attempt"
    elif not any(waits):
        why = "no time passed on the world's clock; time.sleep lets it pass"
    else:
        why = "the first delay is 1, and each next one is twice as long" if begin == "Delays " else LATER
    right = seen.number == most and _same(waits, expected)
    assert right, f"{begin}{_list(waits)}; expected {_list(expected)}: {why}"


def _check_cap(question: dict[str, float], got: dict[str, Any]) -> None:
    most, delays, name = question.get("cap", 60), got["delays"], _named(question)
    long = next((number for number, delay in enumerate(delays, 1) if delay > most * (1 + 1e-5)), None)
    assert long is None, (
        f"{name} gave {_list(delays[: max(long or 0, 8)])}: delay {long} is {delays[long - 1]:g}, the cap is {most:g}"
    )
    assert "value" in got, f"{name}, after {_count(got['count'], 'delay')}, {told(got)}: it must go on, at the cap"
    assert not got["ended"], f"{name} ended after {_count(got['count'], 'delay')}: it must go on, at the cap"
    assert got["longest"] <= most * (1 + 1e-5), f"{name} gave a delay of {got['longest']:g}, the cap is {most:g}"
    assert _same(delays[-1:], [most]), (
        f"{name} gave {_list(delays[:8])}: delay {len(delays)} is {delays[-1]:g}, and should be the cap, {most:g}"
    )
    assert _same([got["last"]], [most]), (
        f"{name}: delay {got['count']} is {got['last']:g}, and should be the cap, {most:g}"
    )


def _check_jitter(program: Program, delays: list[float], seed: int) -> None:
    first, zero, again, other, *others = _draws(program, delays, seed)
    _check_uniform(delays[0], first)
    assert zero[0] == 0, f"full_jitter(0, rng) gave {zero[0]:g}; expected 0"
    assert first == again, "Two generators with one seed gave different delays: take all chance from rng"
    assert first != other, "Generators with different seeds gave the same delays: take all chance from rng"
    for delay, drawn in zip(delays[1:], others, strict=True):
        _check_uniform(delay, drawn)
    same = _drawn_in_another_process(program, delays[0], seed) == first[:5]
    assert same, "In another process, a generator with the same seed gave different delays: take all chance from rng"


def _check_uniform(delay: float, drawn: list[float]) -> None:
    name, many = f"full_jitter({delay:g}, rng)", len(drawn)
    for one in drawn:
        assert 0 <= one <= delay * (1 + 1e-5), f"{name} gave {one:g}; expected 0 to {delay:g}"
    different = len(set(drawn))
    assert different > 1, f"{name} gave {drawn[0]:g} each time: it does not spread"
    tenths = [sum(min(int(one / delay * 10), 9) == n for one in drawn) for n in range(10)]
    worst = max(range(10), key=lambda n: (not tenths[n], abs(tenths[n] - many / 10)))
    assert abs(tenths[worst] - many / 10) < many / 20, (
        f"Of {many} draws of {name}, {tenths[worst]} lay between {delay * worst / 10:g} and "
        f"{delay * (worst + 1) / 10:g}; expected about {many // 10}: each tenth is as likely as the others"
    )
    assert different > many / 2, (
        f"{many} draws of {name} gave only {different} different delays: each may lie anywhere from 0 to {delay:g}"
    )


def _check_slept(seen: Seen, plain: list[float], parts: Sequence[float]) -> None:
    """Jitter was given each delay, and what it made of it was slept."""
    attempts = len(parts) + 1
    assert len(seen.asked) >= len(plain) > 0, (
        f"{_count(attempts, 'attempt')} failed, with jitter: jitter was called {_count(len(seen.asked), 'time')} for "
        f"the {_count(attempts - 1, 'delay')} between them{seen.unless_raised(attempts)}"
    )
    for number, (given, bound, part) in enumerate(zip(seen.asked, plain, parts, strict=False), 1):
        assert _same([given], [bound]), (
            f"Before delay {number}, jitter was given {given:g}; without jitter this delay is {bound:g}: "
            "give it the delay of delays(), every time"
        )
        took = seen.waits[number - 1] if number <= len(seen.waits) else 0.0
        assert _same([took], [bound * part]), (
            f"jitter made {bound * part:g} of delay {number}, which was {bound:g}; execute_with_retry slept {took:g} s"
        )


def _fails(rng: Random, number: int) -> list[Error]:
    """So many errors of any type that are worth another attempt."""
    return [Error(rng.choice(PASSING + LASTING)) for _ in range(number)]


def _carry_out(program: Program, rng: Random, *calls: Call) -> list[Seen]:
    """Make the calls of execute_with_retry one after another, in one child."""
    marks = [f"{rng.randrange(10**9)} {number}" for number in range(len(calls))]

    def run() -> list[dict[str, Any]]:
        program["execute_with_retry"]
        return until_endless(_call(program, call, mark) for call, mark in zip(calls, marks, strict=True))

    seen = trial(run)
    found = seen.value if isinstance(seen.value, list) else []
    found += [None] * (len(calls) - len(found))
    return [Seen(seen, mark, got, call.takes) for call, mark, got in zip(calls, marks, found, strict=True)]


def _call(program: Program, call: Call, mark: str) -> dict[str, Any]:
    """In a child: call execute_with_retry, and say what its caller got."""
    errors, first = [], world.current().elapsed()

    def fn() -> Any:
        _record(mark)
        world.current().sleep(call.takes)
        if len(errors) == len(call.errors):
            return call.value
        error = call.errors[len(errors)]
        errors.append(error.kind(f"attempt {len(errors) + 1} failed"))
        errors[-1].again = error.again
        raise errors[-1] from causes[len(errors) % 2]

    def jitter(delay: float) -> float:
        ack(json.dumps([mark, float(delay)]))
        return delay * next(parts)

    fn.__qualname__, jitter.__qualname__ = "fn", "jitter"  # as errors about their arguments name them
    causes, parts = [OSError("the reason"), None], iter([*call.parts, *[0.5] * 100])

    def outcome() -> dict[str, Any]:
        try:
            got = program["execute_with_retry"](fn, call.max_attempts, _is_retryable, jitter if call.parts else None)
        except BaseException as error:
            number = next((n for n, ours in enumerate(errors, 1) if ours is error), 0)
            if not number:
                raise
            cause, text = error.__cause__ is causes[number % 2], str(error) == f"attempt {number} failed"
            return {"raised": number, "changed": "" if cause and text else _change(error, cause=cause)}
        copied = ", which is another object" * (got is not call.value and repr(got) == repr(call.value))
        return {"same": got is call.value, "shown": shown(got) + copied}

    went = called(outcome)
    _record(f"{mark} is over")
    return {"first": first, **(went.get("value") or went)}


def _is_retryable(error: Exception) -> bool:
    return getattr(error, "again", False)


def _change(error: BaseException, *, cause: bool) -> str:
    """What is different about an error that should be as it was."""
    return f", with the text {str(error)!r}" if cause else f", with {error.__cause__!r} as its cause"


def _record(mark: str) -> None:
    """Have the world remember this moment: it is asked, and gets no time to answer."""
    with suppress(world.ToolTimeoutError):
        tool(ASKED, mark=mark, timeout=0)


def _draws(program: Program, delays: list[float], seed: int) -> list[list[float]]:
    """What full_jitter draws: of the first delay, of zero, of the first by the same seed and another; of the rest."""
    first, *others = delays
    plan = [(first, seed), (0, seed), (first, seed), (first, seed + 1), *((delay, seed + 2) for delay in others)]

    def draw(delay: float, rng: Random) -> dict[str, Any]:
        world.current().sleep(0.37)  # chance may not come from a clock
        return called(lambda: [_number(program["full_jitter"](delay, rng)) for _ in range(DRAWS + bool(delay))])

    def run() -> list[dict[str, Any]]:
        rngs = [Random(number) for _, number in plan]  # all alive: no id twice
        return [draw(delay, rng) for (delay, _), rng in zip(plan, rngs, strict=True)]

    seen = trial(run)
    assert seen.how == "returned", f"full_jitter {did(seen)}; expected a number of seconds"
    for (delay, _), got in zip(plan, seen.value, strict=True):
        assert "value" in got, f"full_jitter({delay:g}, rng) {told(got)}; expected a number of seconds"
    return [got["value"] for got in seen.value]


def _drawn_in_another_process(program: Program, delay: float, seed: int) -> list[float]:
    """Its number, its time, its ids and hashes are not those of the process that a trial looks at."""

    def draw() -> None:
        world.current().sleep(1000)
        salt_hash(program["full_jitter"], "another process")
        ack(json.dumps([_number(program["full_jitter"](delay, rng)) for rng in [Random(seed)] * 5]))

    return json.loads(trial(lambda: None, draw).world.acknowledged[0])


def _delays(program: Program, count: int, questions: Iterable[dict[str, float]]) -> list[dict[str, Any]]:
    """What the student's sequence is like for each set of arguments: its first delays, and what comes later."""
    questions = list(questions)

    def look(words: dict[str, float]) -> dict[str, Any]:
        found: dict[str, Any] = {"delays": [], "count": 0, "longest": 0.0}

        def take() -> None:
            for delay in islice(program["delays"](**words), count):
                found["last"] = _number(delay)
                found["longest"] = max(found["longest"], found["last"])
                found["delays"] += [found["last"]] * (found["count"] < SHOWN)
                found["count"] += 1

        went = called(take)
        return {**found, **went, "ended": found["count"] < count}

    seen = trial(lambda: [look(words) for words in questions])
    assert seen.how == "returned", f"delays {did(seen)}; expected a sequence of seconds"
    for got in seen.value:
        assert got["count"] or "value" in got, f"delays {told(got)}; expected a sequence of seconds"
    return seen.value


def _number(value: Any) -> float:
    """A number of any kind as a float; TypeError if it is none."""
    if isinstance(value, str | bytes):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _named(question: dict[str, float]) -> str:
    return f"delays({', '.join(f'{word}={value}' for word, value in question.items())})"


def _same(got: list[float], expected: list[float]) -> bool:
    """Whether these numbers are equal; those that are not differ in what a message shows of them."""
    return len(got) == len(expected) and all(
        abs(one - other) <= max(1e-6, 1e-5 * abs(other)) for one, other in zip(got, expected, strict=True)
    )


def _list(delays: Sequence[float]) -> str:
    shown = [f"{delay:.6g}" for delay in delays[:LONGEST]]
    return ", ".join(shown + ["…"] * (len(delays) > LONGEST)) or "none"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
