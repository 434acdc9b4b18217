"""The answers among a student's cells, and what names and imports a cell has, by Python's parser. Nothing is run."""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from labkit.grading.notebook.cells import Cell

NOT_PARSED = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What `ast.parse` raises for a source that is not Python, or is nested too deeply."""


@dataclass
class Submission:
    """What a student handed in."""

    answers: dict[str, str] = field(default_factory=dict)
    """Answer name → source of its cell."""
    elsewhere: set[str] = field(default_factory=set)
    """Names that the student's other cells define. They do not exist for the judge."""
    notes: list[str] = field(default_factory=list)
    """What was odd about the notebook, for the report."""

    def add(self, source: str) -> None:
        """Take in a code cell; of two answers with one name the last counts."""
        if name := Cell(source).answer:
            self.answers[name] = source
        else:
            self.elsewhere |= names_defined(source)


def submission_from(cells: Iterable[Cell], answer_ids: dict[str, str]) -> Submission:
    """A submission from a notebook's cells: by marker, else by the cell ids (`answer_ids`: id → answer name)."""
    submission = Submission()
    for cell in cells:
        if cell.answer in submission.answers:
            submission.notes.append(f"there are two cells `# answer: {cell.answer}`; the last one counts")
        submission.add(cell.source)
    names = set(answer_ids.values())
    for cell in cells:
        name = answer_ids.get(cell.id)
        if name and name not in submission.answers and cell.answer not in names:
            said = f"says `# answer: {cell.answer}`" if cell.answer else "is gone"
            submission.notes.append(f"the line `# answer: {name}` {said}; its cell was found by its id")
            submission.answers[name] = cell.source
    return submission


def names_defined(source: str) -> set[str]:
    """The names that a cell defines at its top level; none if it does not parse."""
    try:
        tree = ast.parse(source)
    except NOT_PARSED:
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.partition(".")[0])
    return names


def labkit_imports(source: str) -> set[str]:
    """What a cell imports of labkit, such as "labkit.clock.Clock"; nothing if it does not parse."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except NOT_PARSED:
        return set()
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {f"{n.module}.{alias.name}" for n in nodes if isinstance(n, ast.ImportFrom) for alias in n.names}
    return {name for name in names if name.partition(".")[0] == "labkit"}
