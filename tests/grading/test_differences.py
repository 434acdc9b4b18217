"""What a message shows of two values that differ is never the same text twice."""

import pytest

from labkit.agent_state import Fact
from labkit.grading.judge.differences import LONGEST, apart, brief, plain, quoted_apart

FACT = {"key": "zone", "value": "blue", "source": "user"}


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        (["a"], ["b"], ""),
        ([FACT], [{**FACT, "source": ""}], "[0]"),
        ([FACT, FACT], [{**FACT, "source": ""}, FACT], "[0]"),
        ("é", "e\u0301", " from character 1 on"),
        (["\u00c5"], ["\u212b"], "[0] from character 1 on"),
        ("a" * LONGEST + "b", "a" * LONGEST + "c", f" from character {LONGEST + 1} on"),
        ("a" * LONGEST + "b", "a" * LONGEST, f" from character {LONGEST + 1} on"),
        (["x"] * LONGEST, ["x"] * (LONGEST + 1), f"[{LONGEST}]"),
        ({"text": "x" * LONGEST}, {"text": "x" * LONGEST, "none": None}, "['none']"),
        ({"text": "x" * LONGEST}, {"text": "x" * LONGEST, "more": 1}, "['more']"),
    ],
)
def test_two_values_that_differ_are_told_by_two_texts(one, other, where):
    """Where they look alike as a whole, by the first part that differs."""
    place, first, second = apart(one, other)
    assert place == where
    assert first != second


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("done", "", ("", "'done'", "''")),
        ("None", None, ("", "'None'", "None")),
        ("Z\u00fcrich", "Zu\u0308rich", (" from character 2 on", r"'\xfcrich'", r"'u\u0308rich'")),
        ("a" * 200 + "b", "a" * 200 + "c", (" from character 201 on", "'b'", "'c'")),
        ("a" * 90, "b", ("", f"'{'a' * 40}'… (90 characters)", "'b'")),
        ("same", "same", ("", "'same'", "'same'")),
    ],
)
def test_two_texts_are_told_as_python_writes_them(one, other, told):
    """Not too long, and never alike unless they are equal."""
    assert quoted_apart(one, other) == told


def test_a_model_is_plain_with_all_that_it_holds():
    """Fields that nobody has set, and keys that nobody knows."""
    assert plain((Fact(key="a", value="b", since=1), {1: None})) == [
        {"key": "a", "value": "b", "source": "", "since": 1},
        {"1": None},
    ]


def test_what_is_shown_is_short():
    """Facts by key and value, and no text longer than anybody reads."""
    assert brief([FACT]) == '["zone=blue"]'
    assert len(brief("x" * 1000)) == LONGEST + 1
