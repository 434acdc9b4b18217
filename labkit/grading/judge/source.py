"""A cell of the judged program, and its statements. It imports next to nothing: every process of a judge loads it."""

import ast
import linecache
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import CodeType
from typing import Any

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Skipped:
    """A statement that tried something out, and failed."""

    answer: str
    line: int
    error: str


@dataclass(frozen=True)
class Statement:
    """A statement at the top level of a source."""

    tree: ast.Module
    tries: bool
    """Whether the answer is whole without it."""

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.tree.body[-1].lineno

    def code(self, file: str) -> CodeType:
        """What Python makes of it. SyntaxError for what no parser sees, such as an `await` outside a function."""
        return compile(self.tree, file, "exec")


def statements(text: str, answer: str = "") -> Iterator[Statement]:
    """A source's statements, in order. Those below its answer that nothing in it needs only try something out."""
    body = ast.parse(text).body
    future = [node for node in body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    functions = [node for node in body if isinstance(node, DEFINITIONS)]
    needed = {each.id for node in functions for each in ast.walk(node) if isinstance(each, ast.Name)}
    needed |= {answer, "*", *(node.name for node in functions)}
    below = False
    for node in body:
        is_function = isinstance(node, DEFINITIONS)
        bound = () if is_function else set(_bound(node))
        yield Statement(ast.Module([*future, node], []), below and not is_function and needed.isdisjoint(bound))
        below = below or is_function or answer in bound


def _bound(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]


@dataclass(frozen=True)
class Source:
    """A cell of the program under the file name that its frames show."""

    file: str
    text: str
    answer: str = ""
    """The answer that it is to define; nothing for the instructor's code."""
    tries: bool = False
    """Whether it tries something out: then its statements are run one by one, and of these may fail."""

    def show(self) -> None:
        """Let `linecache` find the lines, for tracebacks and for `inspect`."""
        linecache.cache[self.file] = (len(self.text), None, self.text.splitlines(keepends=True), self.file)

    def error(self) -> str:
        """Why it is not Python; nothing if it is."""
        try:
            if self.tries:
                for statement in statements(self.text, self.answer):
                    if not statement.tries:
                        statement.code(self.file)
            else:
                compile(self.text, self.file, "exec")
        except SyntaxError as error:
            return f"line {error.lineno} is not Python: {error.msg}"
        except (ValueError, RecursionError, MemoryError) as error:
            return f"it is not Python: {str(error) or 'it is nested too deeply'}"
        return ""

    def promised(self) -> Iterator[str]:
        """The answer, and what functions and classes it brings along."""
        yield self.answer
        with suppress(SyntaxError):
            yield from (node.name for node in ast.parse(self.text).body if isinstance(node, DEFINITIONS))

    def run(self, names: dict[str, Any]) -> list[Skipped]:
        """Run it with these global names. What it raises where it tries something out is returned."""
        if not self.tries:
            exec(compile(self.text, self.file, "exec"), names)  # noqa: S102 - in a child, to be judged
            return []
        skipped = []
        for statement in statements(self.text, self.answer):
            try:
                exec(statement.code(self.file), names)  # noqa: S102 - as above
            except (Exception, SystemExit) as error:
                if not statement.tries:
                    raise
                skipped.append(Skipped(self.answer, statement.line, type(error).__name__))
        return skipped
