"""The source of the program under test, with a mark in the margin where a crash breaks it."""

import ast
from collections.abc import Iterable

from labkit.crash.lines import Line, lines_of
from labkit.crash.report.findings import Findings

BREAKS, SURVIVES = "X", "·"


def source(report: Findings) -> str:
    """Each function that had effects: X where a crash after an effect of that line breaks it, · where none does."""
    marks: dict[Line, str] = {}
    for point in report.points[1:]:
        line = report.effects[point.k - 1].line
        if line is not None and marks.get(line) != BREAKS:
            marks[line] = SURVIVES if point.survives else BREAKS
    blocks = dict.fromkeys((line.file, _block(line)) for line in marks)
    return "\n\n".join(_show(file, block, marks) for file, block in blocks)


def _show(file: str, block: range, marks: dict[Line, str]) -> str:
    here = {line.number: mark for line, mark in marks.items() if line.file == file}
    rows = [f"  {here.get(n, ' ')} {n:4}  {Line(file, '', n).raw}" for n in block]
    return "\n".join(rows)


def _block(line: Line) -> range:
    """The line numbers of the innermost function around a line; of the line alone if there is none."""
    alone = range(line.number, line.number + 1)
    if line.function == "<lambda>":
        return alone
    try:
        tree = ast.parse("".join(lines_of(line.file)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return alone
    around = [node for node in _functions(tree) if node.lineno <= line.number <= node.end_lineno]
    if not around:
        return alone
    innermost = max(around, key=lambda node: node.lineno)
    return range(innermost.lineno, innermost.end_lineno + 1)


def _functions(tree: ast.AST) -> Iterable[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
