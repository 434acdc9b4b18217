"""What the steps of a grading are called: by all that their result depends on. Another name is another step."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from labkit.grading.gradebook.steps import Key
from labkit.grading.gradebook.student import Student
from labkit.grading.judge.criteria import Exercise
from labkit.grading.sandbox import guarantees
from labkit.repository import UsageError


@dataclass
class Fingerprints:
    """Of one grading."""

    exercises: Mapping[str, Exercise]
    seed: int
    enclosed: bool
    run_notebooks: bool

    def key(self, student: Student, stem: str) -> Key:
        """The names of the two steps of an exercise."""
        given = [student.told(stem), self.seed, self.enclosed, self._judges[stem]]
        name = f"{stem} {hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:20]}"
        return Key(name, f"{name} notebook" if self.run_notebooks else "")

    @cached_property
    def _judges(self) -> dict[str, str]:
        """A digest of each exercise's judge: labkit, the notebook, and the cases with their code."""
        ours = hashlib.sha256()
        for path in sorted(guarantees.package().rglob("*.py")):
            ours.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        found = {}
        for stem, each in self.exercises.items():
            whole = ours.copy()
            whole.update(each.model_dump_json(exclude={"folder"}).encode())
            for path in each.notebook, each.folder / "criteria" / f"{stem}.py":
                try:
                    whole.update(path.read_bytes())
                except OSError as error:
                    raise UsageError(f"{path} cannot be read: {error.strerror}") from None
            found[stem] = whole.hexdigest()
        return found
