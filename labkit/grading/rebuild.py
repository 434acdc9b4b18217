"""The judged program: the instructor's given cells and the student's answers, in the instructor's order."""

import linecache
from dataclasses import dataclass
from typing import Any

from labkit.crash.trace import GIVEN
from labkit.grading.answers import Submission
from labkit.grading.criteria import Exercise


@dataclass(frozen=True)
class Source:
    """A cell of the program under the file name that its frames show."""

    file: str
    text: str


@dataclass
class Program:
    """The judged program. It is a value until somebody asks for a name: only then, in a child, is it run."""

    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        self._namespace: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """What the program defines under `name`; NameError if it does not. The first time, this runs the program."""
        if not self._namespace:
            self._namespace["__name__"] = "answers"
            for source in self.sources:
                exec(compile(source.text, source.file, "exec"), self._namespace)  # noqa: S102 - in a child, to be judged
        if name not in self._namespace:
            raise NameError(f"name {name!r} is not defined")
        return self._namespace[name]

    def errors(self) -> dict[str, str]:
        """File name → why it is not Python."""
        found = {}
        for source in self.sources:
            try:
                compile(source.text, source.file, "exec")
            except SyntaxError as error:
                found[source.file] = f"line {error.lineno} is not Python: {error.msg}"
            except ValueError as error:
                found[source.file] = f"it is not Python: {error}"
        return found


def rebuild(exercise: Exercise, submission: Submission) -> Program:
    """The program to judge, its lines known to `linecache` for the report."""
    sources = []
    for number, cell in enumerate(exercise.cells, 1):
        name = cell.answer
        text = submission.answers.get(name, cell.source) if name else cell.source
        sources.append(Source(answer_file(name) if name else f"{GIVEN} {number}>", text))
    for source in sources:
        linecache.cache[source.file] = (len(source.text), None, source.text.splitlines(keepends=True), source.file)
    return Program(tuple(sources))


def answer_file(name: str) -> str:
    """The file name of an answer's frames."""
    return f"<answer {name}>"
