"""The judged program as it travels to a child. It imports next to nothing: every process of a judge loads it."""

import linecache
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Source:
    """A cell of the program under the file name that its frames show."""

    file: str
    text: str

    def show(self) -> None:
        """Let `linecache` find the lines, for tracebacks and for `inspect`."""
        linecache.cache[self.file] = (len(self.text), None, self.text.splitlines(keepends=True), self.file)


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

    def __getitem__(self, name: str) -> Any:
        """What the program defines under `name`; NameError if it does not. The first time, this runs the program."""
        module = self._module = self._module or self._run()
        if name not in vars(module):
            raise NameError(f"name {name!r} is not defined")
        return getattr(module, name)

    def _run(self) -> ModuleType:
        module = sys.modules[self.name] = ModuleType(self.name)
        whole = Source(f"<{self.name}>", "\n".join(source.text for source in self.sources))
        module.__file__ = whole.file
        for source in (*self.sources, whole):
            source.show()
        first, classes = 0, []
        for source in self.sources:
            exec(compile(source.text, source.file, "exec"), vars(module))  # noqa: S102 - in a child, to be judged
            for each in vars(module).values():  # since Python 3.13 a class knows its line, and its module the file
                mine = isinstance(each, type) and each.__module__ == self.name and "__firstlineno__" in vars(each)
                if mine and all(each is not known for known in classes):
                    each.__firstlineno__ += first
                    classes.append(each)
            first += source.text.count("\n") + 1
        return module

    def errors(self) -> dict[str, str]:
        """File name → why it is not Python."""
        found = {}
        for source in self.sources:
            try:
                compile(source.text, source.file, "exec")
            except SyntaxError as error:
                found[source.file] = f"line {error.lineno} is not Python: {error.msg}"
            except (ValueError, RecursionError, MemoryError) as error:
                found[source.file] = f"it is not Python: {error or 'it is nested too deeply'}"
        return found
