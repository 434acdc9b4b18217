"""Whose the files in the archive of a class are: as a platform names them, or a folder for each student.

Only names that the instructor's platform has given are believed, never those within a student's folder or archive.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from labkit.grading.reader.archives import names
from labkit.grading.reader.files import inside, wanted
from labkit.grading.reader.told import LONGEST_NAME
from labkit.grading.reader.whose import Whose, whose

OURS = {"work", "exercises", "notebooks", "solutions", "docs", "labkit", "tests"}
"""Folders of a course: an archive that has one of them at its top is one student's."""


@dataclass(frozen=True)
class Layout:
    """Where in the archive the students' names stand."""

    alone: Whose
    """Whose the archive is, if it is one student's."""
    stems: Iterable[str]
    depth: int = 0
    """Folders above the students' own, as in Gradescope's exports."""
    folders: bool = False
    """Whether each folder is a student's, though no platform has named it."""

    @classmethod
    def of(cls, data: bytes, alone: Whose, stems: Iterable[str], *, named: bool) -> "Layout":
        """The archive's. `named`: the instructor has named it, so that it is no student's who handed in alone."""
        paths = [inside(name) for name in filter(wanted, names(data))]
        tops = {path[0] for path in paths if path}
        below = {path[1] for path in paths if len(path) > 2}
        if alone.platform or not named or _of_platform(tops, stems):
            return cls(alone, stems)
        if len(tops) == 1 and _of_platform(below, stems):
            return cls(alone, stems, depth=1)
        people = len(tops) > 1 and not tops & OURS and all(len(path) > 1 for path in paths)
        return cls(alone, stems, folders=people)

    def owner(self, path: tuple[str, ...]) -> Whose:
        """Whose the file at this path in the archive is."""
        path = path[self.depth :]
        if not path or self.alone.platform:
            return self.alone
        found = whose(path[0][:LONGEST_NAME], self.stems, folder=len(path) > 1)
        return found if found.platform or self.folders else self.alone


def _of_platform(found: Iterable[str], stems: Iterable[str]) -> bool:
    return any(whose(name[:LONGEST_NAME], stems, folder=True).platform for name in found)
