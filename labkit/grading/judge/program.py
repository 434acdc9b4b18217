"""The judged program as it travels to a child. It imports next to nothing: every process of a judge loads it."""

from dataclasses import dataclass
from typing import Any


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
            except (ValueError, RecursionError, MemoryError) as error:
                found[source.file] = f"it is not Python: {error or 'it is nested too deeply'}"
        return found
