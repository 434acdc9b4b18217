"""A prediction is a number in a range, one of some texts, or an order; it says how far off it was."""

import pytest

from labkit.learner.kinds import Choice, Number, Order, kind_of
from labkit.repository import UsageError


def test_the_options_say_what_is_asked_for():
    """Two numbers are a range, texts are a choice, and an order has its own name."""
    assert kind_of((0, 5), "", ()) == Number(0, 5)
    assert kind_of((0.5, 5), "s", ()) == Number(0.5, 5, "s")
    assert kind_of(("more", "fewer"), "", ()) == Choice(("more", "fewer"))
    assert kind_of((), "", ["a", "b"]) == Order(("a", "b"))


@pytest.mark.parametrize(
    ("options", "order"),
    [((), ()), ((5, 0), ()), ((0,), ()), ((0, "a"), ()), (("a", "a"), ()), ((), ["a"]), (("a", "b"), ["a", "b"])],
)
def test_what_cannot_be_asked_is_refused_with_an_example(options, order):
    """In one line."""
    with pytest.raises(UsageError, match=r'predict\("How many\?", 0, 5\)$'):
        kind_of(options, "", order)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        *((Number(0, 5), wrong) for wrong in (-1, 6, "3", True, None, float("nan"))),
        *((Choice(("a", "b")), wrong) for wrong in ("c", None, 0, ["a"])),
        *((Order(("a", "b")), wrong) for wrong in (["a"], ["a", "a"], "ab", None, [None, "a"], 3)),
    ],
)
def test_what_is_no_answer_is_refused(kind, wrong):
    """The line says what would be one."""
    with pytest.raises(UsageError, match=r"predict a number from 0 to 5|predict one of: a; b|put each once: a; b"):
        kind.read(wrong)


@pytest.mark.parametrize(
    ("kind", "asks", "value", "outcome", "other", "distance"),
    [
        (Number(0, 5), "From 0 to 5.", 1, "1 of 5", 0, " You were off by 1."),
        (Number(1, 4), "From 1 to 4.", 3, "3", 1, " You were off by 2."),
        (Number(0, 600, "s"), "From 0 to 600 s.", 119.5, "119.5 s", 0, " You were off by 119.5 s."),
        (Choice(("a", "b")), "One of: a; b.", "a", '"a"', "b", ""),
        (Order(("a", "b", "c")), "Put in order: a; b; c.", ["b", "a", "c"], "b, a, c", ["a", "b", "c"],
         " 1 of 3 stands in the right place."),
        (Order(("a", "b", "c")), "Put in order: a; b; c.", ["b", "a", "c"], "b, a, c", ["c", "b", "a"],
         " 0 of 3 stand in the right place."),
    ],
)  # fmt: skip
def test_it_is_said_in_words(kind, asks, value, outcome, other, distance):
    """What is asked, what came out, how far off the prediction was."""
    assert kind.asks() == asks
    assert kind.read(value) == value
    assert kind.outcome(value) == outcome
    assert kind.distance(other, value) == distance
