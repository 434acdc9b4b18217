"""A call of an answer in a child: what it returned, or how it failed, at which line of the learner's."""

import asyncio
import re
import resource
import time

import pytest

from labkit import trial
from labkit.grading.judge.calls import called, salt_hash, shown, told
from labkit.grading.judge.program import Program
from labkit.grading.judge.source import Source


def call(*lines: str) -> dict:
    """How a call of `answer` went, in a child."""
    source = Source("<answer answer>", "\n".join(["def answer():", *(f"    {line}" for line in lines)]))
    source.show()
    program = Program((source,))
    seen = trial(lambda: [called(program["answer"]), called(lambda: "the next call")])
    assert seen.value[1] == {"value": "the next call"}
    return seen.value[0]


def test_a_value_is_told():
    """What the call returned, whatever it is."""
    assert call("return [None, 0]") == {"value": [None, 0]}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("raise ValueError('no')", "raised ValueError: no"),
        ("raise KeyboardInterrupt", "raised KeyboardInterrupt"),
        ("raise SystemExit(3)", "raised SystemExit: 3"),
    ],
)
def test_an_error_is_told_with_type_text_and_line(line, said):
    """Those that are no Exception, too; the next call begins as if nothing had been."""
    assert told(call(line)) == f"{said} at answer, line 2: {line}"


def test_a_long_error_is_told_in_part():
    """And how long it was: a message is read by somebody."""
    said = told(call("raise ValueError('no ' * 400)"))
    assert re.search(r"no n?o?… \(\d+ characters\) at answer, line 2", said)
    assert len(said) < 500


@pytest.mark.parametrize("body", ["pass", "try: 1 / 0\n        except Exception: pass"])
def test_a_loop_without_end_is_ended_and_named(body):
    """After a second of processor time, whatever errors the loop swallows; the next call has its own second."""
    got = call("while True:", f"    {body}")
    assert got["endless"]
    assert told(got).startswith("did not end after a second of work at answer, line ")


def test_each_call_has_a_second_of_its_own():
    """What came before in the same process counts for nothing, however long the world's clock says that it took."""

    def work() -> float:
        end = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) + 0.7
        while sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) < end:
            pass
        return time.process_time()

    assert trial(lambda: [called(work) for _ in range(3)]).value == [{"value": 0.0}] * 3


def test_what_is_shown_of_a_coroutine_says_what_to_do():
    """A value is shown as Python does; nothing of a coroutine has run, and it says why."""

    async def answer() -> None:
        await asyncio.sleep(0)

    assert shown("1") == "'1'"
    assert shown(answer()) == "a coroutine, of which nothing has run: write def in place of async def"


@pytest.mark.parametrize(
    ("hashed", "alike"),
    [("7", True), ("(0.5, (1, 2))", True), ("'a text'", False), ("(1, 'a text')", False), ("frozenset(['a'])", False)],
)
def test_texts_have_another_hash_in_another_process_and_numbers_have_not(hashed, alike):
    """What Python salts is another one, however deep it lies; a hash of numbers alone is the same in every process."""
    source = Source("<answer answer>", f"def answer():\n    return hash({hashed})\n")
    program = Program((source,))

    def both():
        before = program["answer"]()
        salt_hash(program["answer"], "another process")
        return [before, program["answer"]()]

    before, after = trial(both).value
    assert (before == after) is alike
