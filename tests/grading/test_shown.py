"""What a grading says while it runs and at its end: a log has lines, and whom a human must look at is named."""

import io

from own_class import make_criteria
from rich.console import Console

from labkit.grading.gradebook.results import Grade
from labkit.grading.gradebook.shown import Steps, rows, summary
from labkit.grading.judge.criteria import exercises


def told(terminal):
    """What is shown of a grading of two."""
    said = io.StringIO()
    with Steps(Console(file=said, force_terminal=terminal, width=60, _environ={}), 2) as steps:
        steps.done("Ada")
        steps.done("a name [bold]that is long[/bold] " * 3)
    return said.getvalue()


def test_a_log_has_a_line_for_each_student():
    """Where there is no terminal, nothing is drawn: how far it is, whole lines, and no markup of a name's."""
    assert told(terminal=False).splitlines() == [
        "Graded 1 of 2: Ada",
        f"Graded 2 of 2: {'a name [bold]that is long[/bold] ' * 3}",
    ]


def test_a_terminal_has_a_bar():
    """And no lines."""
    assert "2/2" in told(terminal=True)
    assert "Graded" not in told(terminal=True)


def test_the_summary_names_who_needs_a_human(tmp_path):
    """With the exercise and the first reasons."""
    known = exercises(make_criteria(tmp_path / "criteria"))
    notes = ["a.ipynb is empty", "b.ipynb is a link", "c.ipynb is a PDF"]
    grades = [Grade.of("Ada", [], [], [], known), Grade.of("Bob", [], [], notes, known, look=True)]
    assert summary(grades) == [
        "2 students: 0 graded, 1 handed in nothing, 1 to be looked at",
        "Look at these yourself; their marks are blank in canvas.csv and moodle.csv:",
        "  Bob: 90: a.ipynb is empty; b.ipynb is a link; and 1 more",
    ]
    asked = [grades[1].model_copy(update={"asks": notes[:1]})]
    assert summary(asked)[1:] == [
        "Look at these yourself; their marks are blank in canvas.csv and moodle.csv:",
        "  Bob: 90: b.ipynb is a link; c.ipynb is a PDF",
        "Decide about these in policy.toml:",
        "  Bob: a.ipynb is empty",
    ]
    assert "Look at these yourself; it is about other exercises:" in summary(grades, ["91"])
    assert summary(grades[:1]) == ["1 student: 0 graded, 1 handed in nothing, 0 to be looked at"]
    assert rows(grades, {"Bob"}) == ["Bob: 0 of 3 (look)"]
