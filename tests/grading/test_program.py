"""A judged program runs as a module: what works in a notebook's cells works in an answer cell."""

from textwrap import dedent

import pytest

from labkit import trial
from labkit.grading.judge.program import Program
from labkit.grading.judge.source import Source

ANSWERS = {
    "a dataclass with annotations that are not evaluated": """
        from __future__ import annotations
        from dataclasses import dataclass, field, fields

        @dataclass
        class Note:
            text: str = ""
            more: list[Note] = field(default_factory=list)

        def answer():
            return [each.name for each in fields(Note)]
        """,
    "annotations in quotes, asked for": """
        import typing

        class Chain:
            following: "Chain | None"

        def answer():
            return str(typing.get_type_hints(Chain)["following"].__args__[0].__name__)
        """,
    "a class of its own, pickled and loaded": """
        import pickle

        class Note:
            def __init__(self, text):
                self.text = text

        def answer():
            return pickle.loads(pickle.dumps(Note("kept"))).text
        """,
    "a model that refers to what the given cell has imported": """
        from __future__ import annotations
        from pydantic import BaseModel

        class Envelope(BaseModel):
            task: Task

        def answer():
            return Envelope(task=Task(id="t", user_input="x")).task.id
        """,
    "its own source, of a function and of a class": """
        import inspect

        class Note:
            kept = True

        def answer():
            return [inspect.getsource(answer).splitlines()[0], inspect.getsource(Note).splitlines()[1].strip()]
        """,
    "its own module": """
        import sys

        def answer():
            return sys.modules[__name__].answer is answer and __file__ != ""
        """,
}
VALUES = [["text", "more"], "Chain", "kept", "t", ["def answer():", "kept = True"], True]


def program(text, name="answers_00"):
    """A given cell and an answer."""
    answer = Source("<answer answer>", f"# answer: answer\n{dedent(text)}")
    return Program((Source("<given 1>", "from labkit import Task\n"), answer), name)


def asked(answers):
    """A function that asks for the answer in a child and calls it there."""

    def ask():
        return answers["answer"]()

    return ask


@pytest.mark.parametrize(("text", "value"), list(zip(ANSWERS.values(), VALUES, strict=True)), ids=ANSWERS)
def test_an_answer_may_look_itself_up_as_any_module_may(text, value):
    """Dataclasses, pickle, pydantic, typing and inspect look into sys.modules."""
    seen = trial(asked(program(text)))
    assert (seen.failure, seen.value) == ("returned", value)


def test_what_one_life_pickles_the_next_can_load():
    """The module has the same name in every process."""
    text = """
        import pickle
        from pathlib import Path

        class Note:
            text = "kept"

        def answer():
            path = Path("note")
            if path.exists():
                return pickle.loads(path.read_bytes()).text
            path.write_bytes(pickle.dumps(Note()))
        """
    ask = asked(program(text))
    assert trial(ask, ask).value == "kept"


def test_a_program_that_fails_while_it_is_run_fails_each_time_in_the_same_way():
    """Half a program is none: the second look tells the same error, and not that a name is missing."""
    answers = program("raise LookupError('at the top')\ndef answer():\n    pass\n")

    def twice():
        told = []
        for _ in range(2):
            try:
                answers["answer"]
            except LookupError as error:
                told.append(repr(error))
        return told

    assert trial(twice).value == ["LookupError('at the top')"] * 2


def test_programs_of_two_exercises_live_side_by_side():
    """As in the capstone: neither sees the other's names."""
    first, second = program("def answer():\n    return 1\n"), program("def answer():\n    return 2\n", "answers_99")
    assert trial(lambda: [first["answer"](), second["answer"](), first["answer"]()]).value == [1, 2, 1]
