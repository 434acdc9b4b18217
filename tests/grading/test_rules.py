"""A rule that an exercise does not state is no case: rule, sentence and case side by side."""

import json

import pytest
from rules import RULES

from labkit.grading.judge.criteria import exercises
from labkit.repository import root


def text_of(stem):
    """All that a student reads in the exercise's notebook, in one line."""
    notebook = json.loads((root() / "exercises" / f"{stem}.ipynb").read_text("utf-8"))
    return " ".join(" ".join("".join(cell["source"]) for cell in notebook["cells"]).split())


@pytest.mark.parametrize("stem", RULES)
def test_each_rule_is_stated_in_the_exercise(stem):
    """The sentence stands in the notebook that students get."""
    text = text_of(stem)
    assert [rule for rule, sentence, _ in RULES[stem] if sentence not in text] == []


@pytest.mark.parametrize("stem", RULES)
def test_each_case_judges_a_rule(stem):
    """No case without a rule, and no rule without a case."""
    assert {case for *_, case in RULES[stem]} == {case.id for case in exercises()[stem].cases}
