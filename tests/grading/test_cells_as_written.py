"""What is plainly wrong with a cell has a sentence of its own, and only where the case fails."""

import pytest
from corpora import submission

from labkit.grading.judge.criteria import find
from labkit.grading.judge.judge import Status, judge

RIGHT = """# answer: step_key
def step_key(task_id, step):
    return json.dumps([task_id, step])
"""
SENTENCES = {
    "a coroutine": (
        "async def step_key(task_id, step):\n    return json.dumps([task_id, step])",
        "`step_key` is a coroutine function, and nobody awaits it: write `def` in place of `async def`.",
    ),
    "a constant": ("step_key = 'key'", "`step_key` is a value, and the exercise asks for a function."),
    "a text with gaps": ("step_key = f'key {1}'", "`step_key` is a text, and the exercise asks for a function."),
    "a decorator": (
        "def step_key(task_id, step):\n    def make():\n        return 'key'\n    return make",
        "`step_key` returns the function `make`, as a decorator does: call it, and return what it returns.",
    ),
    "another name": (
        "def key_of(task_id, step):\n    return json.dumps([task_id, step])",
        "The cell `# answer: step_key` defines no `step_key`: use the name that the exercise gives.",
    ),
    "a check": (
        "def step_key(task_id, step):\n    check('02')\n    return json.dumps([task_id, step])",
        "`check(...)` is called in an answer cell, where it does not exist: give it a cell of its own.",
    ),
    "a breakpoint": (
        "def step_key(task_id, step):\n    breakpoint()\n    return json.dumps([task_id, step])",
        "`breakpoint()` is still in the cell of step_key, and nobody can answer it there: take it out.",
    ),
}


def verdict(text):
    """On the keys of this cell."""
    exercise, cases = find("02")
    cell = text if text.startswith("#") else f"# answer: step_key\n{text}\n"
    return judge(exercise, submission("02", [cell]), [each for each in cases if each.id == "keys_differ"]).verdicts[0]


@pytest.mark.parametrize("what", SENTENCES)
def test_what_is_plainly_wrong_is_said_plainly(what):
    """Not what came of it, which would be a riddle."""
    text, sentence = SENTENCES[what]
    assert (verdict(text).status, verdict(text).what) == (Status.FAIL, sentence)


OTHERS = {
    "an async helper": f"{RIGHT}\nasync def later():\n    pass",
    "a class that is called": "class step_key(str):\n    def __new__(cls, *names):\n        return str(names)",
    "a breakpoint never reached": "def step_key(*names):\n    names or breakpoint()\n    return f'{names}'",
    "an inner function": "def step_key(*names):\n    def make():\n        return f'{names}'\n    return make()",
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_only_looks_alike_is_judged(what):
    """The sentences are no rules: an answer that keeps its promise passes."""
    assert verdict(OTHERS[what]).status is Status.PASS


def test_a_wrong_answer_with_an_async_helper_is_told_what_happened():
    """Nothing is wrong with the way in which it is written."""
    found = verdict("async def later():\n    pass\n\n\ndef step_key(task_id, step):\n    return f'{task_id}/{step}'")
    assert found.what.startswith("step_key(")
