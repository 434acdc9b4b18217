"""The judged program as it travels to a child. It imports next to nothing: every process of a judge loads it."""

import ast
import linecache
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Notebook:
    """What `get_ipython()` is in a judged program: magics and shell lines do nothing."""

    def run_line_magic(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    run_cell_magic = system = run_line_magic

    def getoutput(self, *_: Any, **__: Any) -> list[str]:
        """Nothing, as of a command that says nothing."""
        return []


IN_NOTEBOOKS = {"get_ipython": Notebook, "display": lambda *_, **__: None}
"""What exists in every notebook."""


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
            return f"it is not Python: {error or 'it is nested too deeply'}"
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


@dataclass
class Program:
    """The judged program. It is a value until somebody asks for a name: only then, in a child, is it run.

    It runs as a module in `sys.modules`, for what looks there: dataclasses, pickle, pydantic, `typing.get_type_hints`.
    """

    sources: tuple[Source, ...]
    name: str = "answers"
    """Of the module: the same in every life, as what one life pickles the next may load."""

    def __post_init__(self) -> None:
        self._module: ModuleType | None = None
        self._failed: dict[str, BaseException] = {}
        self._skipped: list[Skipped] = []

    def __getitem__(self, name: str) -> Any:
        """What the program defines under `name`; NameError if it does not. The first time, this runs the program."""
        module = self._module = self._module or self._run()
        if name in self._failed:
            raise self._failed[name]
        if name not in vars(module):
            raise NameError(f"name {name!r} is not defined")
        return getattr(module, name)

    def _run(self) -> ModuleType:
        module = sys.modules[self.name] = ModuleType(self.name)
        whole = Source(f"<{self.name}>", "\n".join(source.text for source in self.sources))
        module.__file__ = whole.file
        vars(module).update(IN_NOTEBOOKS)
        for source in (*self.sources, whole):
            source.show()
        first, classes = 0, []
        for source in self.sources:
            self._run_source(source, vars(module))
            for each in vars(module).values():  # since Python 3.13 a class knows its line, and its module the file
                mine = isinstance(each, type) and each.__module__ == self.name and "__firstlineno__" in vars(each)
                if mine and all(each is not known for known in classes):
                    each.__firstlineno__ += first
                    classes.append(each)
            first += source.text.count("\n") + 1
        return module

    def _run_source(self, source: Source, names: dict[str, Any]) -> None:
        """Run it. What it raises is kept for whoever needs what it was to define: the other sources are run."""
        try:
            self._skipped += source.run(names)
        except (Exception, SystemExit) as error:
            if not source.answer:
                raise
            for name in source.promised():
                self._failed[name] = error
                names[name] = _raising(error)

    def skipped(self) -> list[dict[str, Any]]:
        """In a child: which statements tried something out and failed, as plain data."""
        self._module = self._module or self._run()
        return [vars(each) for each in self._skipped]

    def errors(self) -> dict[str, str]:
        """File name → why it is not Python."""
        return {source.file: error for source in self.sources if (error := source.error())}


def _raising(error: BaseException) -> Any:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail
