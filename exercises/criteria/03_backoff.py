"""Judges chapter 3: trying again. Each attempt is a request to the world, whose clock measures the delays."""

import json
from collections.abc import Callable, Sequence
from itertools import cycle, islice, pairwise
from random import Random
from typing import Any

from labkit import ack, arrange, tool, trial
from labkit.crash import Trial
from labkit.grading.judge.program import Program

ASKED, SECONDS = "check_disk", 2.0
"""The tool that every attempt uses, and how long it takes when it answers. A refusal takes no time."""
MANY, LONGEST = 100, 12
"""Attempts and delays that stand for no end, and delays that a message shows."""
PASSING, LASTING = [ConnectionError, TimeoutError], [LookupError, RuntimeError, ValueError]
"""Errors that pass by themselves, as most would say, and others. What counts is what is_retryable says."""


def grows(program: Program, rng: Random) -> None:
    """Four attempts have the delays 1, 2, 4 between them; `delays` follows base and factor."""
    seen = _refused(program, rng, max_attempts=4)
    _check_delays(seen, [1, 2, 4])
    base, factor = rng.randint(2, 9) / 2, rng.randint(3, 5)
    got = _delays(program, 6, {"base": base, "factor": factor, "cap": 10**6})[0]
    expected = [base * factor**n for n in range(6)]
    assert _same(got, expected), (
        f"delays(base={base:g}, factor={factor}, cap=1000000) gave {_list(got)}; expected {_list(expected)}"
    )
    attempts = rng.randint(8, 10)
    own = _delays(program, attempts - 1, {})[0]
    slept = _between(_refused(program, rng, max_attempts=attempts))
    assert _same(slept, own), (
        f"With max_attempts={attempts}, execute_with_retry slept {_list(slept)}; delays() gives {_list(own)}"
    )


def capped(program: Program, rng: Random) -> None:
    """No delay is longer than the cap, the sequence reaches it, and goes on."""
    base, cap = rng.randint(1, 5), rng.randint(20, 50)
    questions = [{}, {"base": base, "factor": 3, "cap": cap}, {"base": cap + 7, "cap": cap}]
    for question, got in zip(questions, _delays(program, MANY, *questions), strict=True):
        name = f"delays({', '.join(f'{word}={value}' for word, value in question.items())})"
        most = question.get("cap", 60)
        long = next((number for number, delay in enumerate(got, 1) if delay > most), None)
        assert long is None, (
            f"{name} gave {_list(got[: max(long or 0, 8)])}: delay {long} is {max(got[:long]):g}, the cap is {most}"
        )
        assert len(got) == MANY, f"{name} ended after {_count(len(got), 'delay')}: it must go on, at the cap"
        assert got[-1] == most, (
            f"{name} gave {_list(got[:8])}: delay {MANY} is {got[-1]:g}, and should be the cap, {most}"
        )


def returns_value(program: Program, rng: Random) -> None:
    """The value of the first attempt that succeeds, at once, whatever value that is."""
    word = f"reply {rng.randrange(10**6)}"
    more = rng.randint(2, 3)
    for refusals, max_attempts, value in ((0, 1, word), (0, 3, None), (1, 2, 0), (more, more + 3, word)):
        seen = _attempt(program, rng, [ConnectionError] * refusals, max_attempts, value=value)
        number = len(seen.world.calls)
        told = f"Attempt {refusals + 1} of at most {max_attempts} returned {value!r}"
        assert number > refusals, f"{told}, but only {_count(number, 'attempt')} came: execute_with_retry {_end(seen)}"
        assert number == refusals + 1, f"{told}, and {_count(number, 'attempt')} came: any value is a success"
        returned = seen.value.get("returned") if isinstance(seen.value, dict) else None
        assert returned == json.dumps(value), f"{told}; execute_with_retry {_end(seen)}"
        late = seen.world.elapsed() - _seconds(seen)[-1] - SECONDS
        assert late < 1e-6, f"{told}, and execute_with_retry slept {late:g} s more before it returned it"


def gives_up(program: Program, rng: Random) -> None:
    """Exactly max_attempts attempts, then the last error, as it is."""
    for max_attempts in (rng.randint(3, 6), 1, 2):
        seen = _refused(program, rng, max_attempts)
        number = len(seen.world.calls)
        told = f"max_attempts is {max_attempts}, every attempt failed"
        assert number == max_attempts, (
            f"{told}, and {_count(number, 'attempt')} came{_unless_raised(seen, number)}; expected {max_attempts}"
        )
        assert _raised(seen) == max_attempts, (
            f"{told}, and execute_with_retry {_end(seen)}; expected the error of attempt {max_attempts} itself"
        )


def permanent_once(program: Program, rng: Random) -> None:
    """An error that is not retryable is raised at once, in the first attempt or later."""
    usual, other = rng.choice(PASSING), rng.choice(LASTING)
    for again, never, earlier in ((usual, other, 0), (usual, other, rng.randint(1, 2)), (other, usual, 1)):
        plan = [*[again] * earlier, never, again, again]
        seen = _attempt(
            program, rng, plan, max_attempts=5, retryable=lambda error, again=again: isinstance(error, again)
        )
        _check_once(seen, earlier + 1, f"is_retryable says no to the {never.__name__} of attempt {earlier + 1}")
    seen = _attempt(program, rng, [KeyboardInterrupt, usual], max_attempts=3, retryable=lambda error: True)
    _check_once(seen, 1, "KeyboardInterrupt came in attempt 1: somebody wants to stop")


def spreads(program: Program, rng: Random) -> None:
    """full_jitter is uniform from 0 to the delay, all chance from rng; execute_with_retry sleeps what jitter says."""
    delay, seed = rng.randint(10, 600) / 10, rng.randrange(10**6)
    _check_jitter(delay, _draws(program, delay, seed))
    parts, attempts = [rng.randint(10, 90) / 100 for _ in range(9)], rng.randint(4, 6)
    plain = _waits(_refused(program, rng, attempts))
    seen = _refused(program, rng, attempts, parts=parts)
    asked, slept = [float(label) for label in seen.world.acknowledged], _waits(seen)
    assert len(asked) >= len(plain) > 0, (
        f"{_count(attempts, 'attempt')} failed, with jitter: jitter was called {_count(len(asked), 'time')} for the "
        f"{_count(attempts - 1, 'delay')} between them{_unless_raised(seen, attempts)}"
    )
    for number, (given, bound, part) in enumerate(zip(asked, plain, parts, strict=False), 1):
        assert _same([given], [bound]), (
            f"Before delay {number}, jitter was given {given:g}; without jitter this delay is {bound:g}: "
            "give it the delay of delays(), every time"
        )
        took = slept[number - 1] if number <= len(slept) else 0.0
        assert _same([took], [bound * part]), (
            f"jitter made {bound * part:g} of delay {number}, which was {bound:g}; execute_with_retry slept {took:g} s"
        )


def _check_delays(seen: Trial, expected: list[float]) -> None:
    waits, attempts, most = _waits(seen), len(seen.world.calls), len(expected) + 1
    after = seen.world.elapsed() - _seconds(seen)[-1] if attempts == most else 0.0
    waits += [after] * (after > 0)
    if attempts != most:
        were = f"there {'was' if attempts == 1 else 'were'} {_count(attempts, 'attempt')}"
        why = f"{were}, and max_attempts is {most}{_unless_raised(seen, attempts)}"
    elif len(waits) == most and not after:
        why = f"the first attempt came only after {waits[0]:g} s"
    elif after:
        why = "you slept after the last attempt"
    elif not any(waits):
        why = "no time passed on the world's clock; time.sleep lets it pass"
    else:
        why = "the first delay is 1, and each next one is twice as long"
    assert _same(waits, expected) and attempts == most, f"Delays {_list(waits)}; expected {_list(expected)}: {why}"


def _check_once(seen: Trial, expected: int, told: str) -> None:
    number = len(seen.world.calls)
    came = f"{_count(number, 'attempt')} came{_unless_raised(seen, number)}"
    assert number == expected, f"{told}, and {came}; expected {expected}"
    assert _raised(seen) == expected, f"{told}, and execute_with_retry {_end(seen)}; expected this error itself"
    late = seen.world.elapsed() - _seconds(seen)[-1]
    assert late < 1e-6, f"{told}, and execute_with_retry slept {late:g} s before it raised it"


def _check_jitter(delay: float, draws: dict[str, list[float]]) -> None:
    first = draws["first"]
    for drawn in first:
        assert 0 <= drawn <= delay, f"full_jitter({delay:g}, rng) gave {drawn:g}; expected 0 to {delay:g}"
    assert len(set(first)) > 1, f"full_jitter({delay:g}, rng) gave {first[0]:g} each time: it does not spread"
    tenths = [sum(delay * n / 10 <= drawn < delay * (n + 1) / 10 for drawn in first) for n in range(10)]
    worst = max(range(10), key=lambda n: (not tenths[n], abs(tenths[n] - len(first) / 10)))
    assert abs(tenths[worst] - len(first) / 10) < len(first) / 20, (
        f"Of {len(first)} draws of full_jitter({delay:g}, rng), {tenths[worst]} lay between {delay * worst / 10:g} and "
        f"{delay * (worst + 1) / 10:g}; expected about {len(first) // 10}: each tenth is as likely as the others"
    )
    assert draws["zero"] == [0], f"full_jitter(0, rng) gave {draws['zero'][0]:g}; expected 0"
    assert first == draws["again"], "Two generators with one seed gave different delays: take all chance from rng"
    assert first != draws["other"], "Generators with different seeds gave the same delays: take all chance from rng"


def _draws(program: Program, delay: float, seed: int) -> dict[str, list[float]]:
    """What full_jitter draws: 1,000 times, again with the same seed, with another, and of a delay of zero."""

    def draw() -> dict[str, list[float]]:
        rngs = {"first": Random(seed), "again": Random(seed), "other": Random(seed + 1)}  # all alive: no id twice
        drawn = {who: [float(program["full_jitter"](delay, rng)) for _ in range(1000)] for who, rng in rngs.items()}
        return {**drawn, "zero": [float(program["full_jitter"](0, Random(seed)))]}

    seen = trial(draw)
    assert seen.how == "returned", f"full_jitter({delay:g}, rng) {_end(seen)}; expected a number of seconds"
    return seen.value


def _delays(program: Program, count: int, *questions: dict[str, float]) -> list[list[float]]:
    """The first delays that the student's sequence has, for each set of arguments."""

    def ask() -> list[list[float]]:
        return [[float(delay) for delay in islice(program["delays"](**words), count)] for words in questions]

    seen = trial(ask)
    assert seen.how == "returned", f"delays {_end(seen)}; expected a sequence of seconds"
    return seen.value


def _refused(program: Program, rng: Random, max_attempts: int, parts: Sequence[float] = ()) -> Trial:
    """Every attempt fails."""
    return _attempt(program, rng, [rng.choice(PASSING) for _ in range(MANY)], max_attempts, parts=parts)


def _attempt(
    program: Program,
    rng: Random,
    plan: list[type[BaseException]],
    max_attempts: int,
    *,
    value: Any = "done",
    retryable: Callable[[Exception], bool] = lambda error: True,
    parts: Sequence[float] = (),
) -> Trial:
    """Run execute_with_retry in a child: attempt number i raises plan[i], and those behind the plan return `value`."""
    mark = rng.randrange(10**9)

    def run() -> dict[str, Any]:
        errors = []

        def fn() -> Any:
            try:
                tool(ASKED, mark=mark)
            except ConnectionError:
                errors.append(plan[len(errors)](f"attempt {len(errors) + 1} failed"))
                raise errors[-1] from None
            return value

        def jitter(delay: float) -> float:
            ack(repr(float(delay)))
            return delay * next(shares)

        shares = cycle(parts)
        try:
            got = program["execute_with_retry"](fn, max_attempts, retryable, jitter if parts else None)
        except BaseException as error:
            number = next((n for n, ours in enumerate(errors, 1) if ours is error), 0)
            if not number:
                raise
            return {"raised": number}
        return {"returned": json.dumps(got, default=repr), "shown": repr(got)}

    return trial(run, setup=lambda: arrange(faults={ASKED: ["transient"] * len(plan)}))


def _seconds(seen: Trial) -> list[float]:
    """When each attempt began, on the world's clock."""
    return [round(call.minute * 60, 6) for call in seen.world.calls]


def _between(seen: Trial) -> list[float]:
    """The delays between attempts."""
    return [round(after - before, 6) for before, after in pairwise(_seconds(seen))]


def _waits(seen: Trial) -> list[float]:
    """The same, and how long the first attempt was delayed, if it was."""
    return [*[first for first in _seconds(seen)[:1] if first], *_between(seen)]


def _raised(seen: Trial) -> int:
    """The attempt whose error execute_with_retry raised; 0 if it did not."""
    return seen.value.get("raised", 0) if isinstance(seen.value, dict) else 0


def _end(seen: Trial) -> str:
    """How it ended, as the predicate of a sentence."""
    if seen.how != "returned":
        return f"{seen.failure}{f' at {seen.line}' if seen.line else ''}"
    if _raised(seen):
        return f"raised the error of attempt {_raised(seen)}"
    return f"returned {seen.value['shown']}"


def _unless_raised(seen: Trial, attempt: int) -> str:
    """More about the end, unless it was the error of this attempt."""
    return f" (execute_with_retry {_end(seen)})" if _raised(seen) != attempt or not attempt else ""


def _same(got: list[float], expected: list[float]) -> bool:
    return len(got) == len(expected) and all(
        abs(one - other) <= 1e-6 * max(1, abs(other)) for one, other in zip(got, expected, strict=True)
    )


def _list(delays: Sequence[float]) -> str:
    shown = [f"{delay:.6g}" for delay in delays[:LONGEST]]
    return ", ".join(shown + ["…"] * (len(delays) > LONGEST)) or "none"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
