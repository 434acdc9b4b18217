"""The cells of a notebook that was saved as a Python script, by Jupyter, Databricks, jupytext, marimo or an editor."""

import re
import textwrap

from labkit.grading.notebook.cells import Cell
from labkit.grading.notebook.text import decoded

FIRST_LINE = re.compile(r"^# (?:(?:In ?\[[ \d*]*\]:?|%%|COMMAND -).*|\+(?: .*)?|-)$", re.MULTILINE)
"""Where a cell begins."""
OF_MARIMO = re.compile(r"^@app\.(cell|function|class_definition)\b.*\n", re.MULTILINE)
"""Where one begins in marimo's: the cell is a function, or in newer ones a function of the student's as it is."""
FUNCTION = re.compile(r"(?:async )?def \w+\([^()]*\)[^\n]*:\n(?P<body>(?:[ \t]+.*\n?|\n)*)")
RETURN = re.compile(r"^return\b.*(?:\n[ \t)].*)*\s*\Z", re.MULTILINE)
"""What marimo puts at the end of a cell: the names that it defines."""


def cells_of_script(data: bytes) -> tuple[list[Cell], list[str]]:
    """The cells, and what is to be told of them."""
    text, notes = decoded(data)
    text = text.replace("\r\n", "\n")
    notes.append("a Python script was handed in, not the notebook; it was read all the same")
    if "marimo.App(" in text:
        _, *parts = OF_MARIMO.split(text.partition("\nif __name__ ==")[0])
        return [Cell(_of_marimo(*each)) for each in zip(parts[::2], parts[1::2], strict=True)], notes
    return [Cell(part.strip("\n")) for part in FIRST_LINE.split(text)], notes


def _of_marimo(kind: str, part: str) -> str:
    """What stands in a cell of marimo's, as in any other notebook."""
    if kind == "cell" and (match := FUNCTION.match(part)):
        part = RETURN.sub("", textwrap.dedent(match["body"]))
    return part.strip("\n")
