"""A verdict on a terminal has the text of everywhere else."""

import io
import re

import pytest
from rich.console import Console

from labkit.grading.judge.as_text import as_text
from labkit.grading.judge.judge import Result, Status, Verdict
from labkit.grading.on_terminal import judged

VERDICTS = [
    Verdict(case=f"case_{status.name}", criterion="c", title=f"[bold]PASS {'long ' * 40}", marks=1, status=status)
    for status in Status
]
RESULT = Result(stem="01_it", title="It", seed=0, verdicts=VERDICTS, notes=["odd"])


@pytest.mark.parametrize("terminal", [True, False])
def test_the_text_is_the_same_on_a_terminal_but_for_colour(terminal):
    """Whatever is in it, and however wide the terminal is."""
    said = io.StringIO()
    console = Console(file=said, force_terminal=terminal, width=40, _environ={})
    assert judged(console, 2, lambda tell: (tell(VERDICTS[0], None), RESULT)[1]) == RESULT
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.getvalue())
    assert text.endswith(as_text(RESULT) + "\n")
    assert ("\x1b[1;32mPASS" in said.getvalue()) is terminal
    assert (text == as_text(RESULT) + "\n") is not terminal
