"""The judged program as it travels to a child. It imports next to nothing: every process of a judge loads it."""

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from labkit.grading.judge.source import Skipped, Source


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


class NotInAChildError(RuntimeError):
    """An answer was to be run by the process that judges it, outside of every enclosure."""


@dataclass
class Program:
    """The judged program. It is a value until somebody asks for a name: only then, in a child, is it run.

    It runs as a module in `sys.modules`, for what looks there: dataclasses, pickle, pydantic, `typing.get_type_hints`.
    Only its copies are run, those that pickle has carried to another process: never here, in a judge's.
    """

    sources: tuple[Source, ...]
    name: str = "answers"
    """Of the module: the same in every life, as what one life pickles the next may load."""

    def __post_init__(self) -> None:
        self._module: ModuleType | None = None
        self._failed: dict[str, BaseException] = {}
        self._skipped: list[Skipped] = []
        self._travelled = False

    def __getstate__(self) -> dict[str, Any]:
        """The copy may be run."""
        return {**vars(self), "_travelled": True}

    def __getitem__(self, name: str) -> Any:
        """What the program defines under `name`; NameError if it does not. The first time, this runs the program.

        NotInAChildError where the program was made.
        """
        module = self._module = self._module or self._run()
        if name in self._failed:
            raise self._failed[name]
        if name not in vars(module):
            raise NameError(f"name {name!r} is not defined")
        return getattr(module, name)

    def _run(self) -> ModuleType:
        if not self._travelled:
            raise NotInAChildError("a case calls an answer in the judge's process: call it in what sweep or trial runs")
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
