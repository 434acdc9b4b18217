"""Which of a student's files count: by the answers in them, never by the order of their names.

A solved copy comes before an unsolved one, a saved one before what was put aside, and of two solved ones the one with
more answers, then the newest. What cannot be used is named, with what to do.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from labkit.crash.printable import printable
from labkit.grading.judge.criteria import Exercise, submission_of
from labkit.grading.notebook.cells import Cell, cells_of
from labkit.grading.notebook.language import shape
from labkit.grading.notebook.scripts import cells_of_script
from labkit.grading.notebook.submission import BY_ID, Submission, find_answers
from labkit.grading.notebook.text import decoded
from labkit.grading.reader.whose import Whose
from labkit.repository import UsageError

NOTEBOOK = re.compile(r"\.ipynb", re.IGNORECASE)
SCRIPT = re.compile(r"\.py$", re.IGNORECASE)
ANSWER = re.compile(r"#\s*answer\s*:", re.IGNORECASE)
ASIDE = "ipynb_checkpoints", "kept-by-update"
"""Where Jupyter and `labkit update` put earlier versions."""
NUMBER = re.compile(r"(\d+)(?=\)?(?:\.\w+)*$)")
"""The number of a copy, in the end of its name."""


@dataclass(frozen=True)
class File:
    """A file that was handed in."""

    path: tuple[str, ...]
    """From the class's folder down, through archives, too."""
    whose: Whose
    data: bytes = b""
    when: float = 0.0
    problem: str = ""
    """Why it was not read."""
    packed: bool = False
    """Whether it was in an archive."""

    @property
    def shown(self) -> str:
        """Its path, as it can be shown."""
        return printable("/".join(self.path))


@dataclass(frozen=True)
class Copy:
    """A file that answers an exercise."""

    file: File
    submission: Submission
    solved: int
    is_notebook: bool

    @property
    def rank(self) -> tuple[object, ...]:
        """The greatest counts."""
        name = self.file.path[-1]
        number = NUMBER.search(name)
        saved = not any(aside in part for aside in ASIDE for part in self.file.path) and "-checkpoint" not in name
        order = self.file.whose.attempt, int(self.file.when), int(number[1][-9:]) if number else 0, self.file.path
        return bool(self.solved), self.is_notebook, saved, self.solved, order


@dataclass
class Chosen:
    """What counts of a student's files."""

    submissions: dict[str, Submission] = field(default_factory=dict)
    """Exercise stem → answers."""
    counted: dict[str, str] = field(default_factory=dict)
    """Exercise stem → the file that they come from."""
    notes: list[str] = field(default_factory=list)
    look: bool = False
    """Whether something must be looked at by hand: it may hold answers that nobody has read."""


def choose(files: Iterable[File], exercises: Mapping[str, Exercise]) -> Chosen:
    """Read a student's files, and take the best copy for each exercise."""
    chosen, copies, unread = Chosen(), {stem: [] for stem in exercises}, []
    for file in files:
        try:
            found = _copies(file, exercises)
        except UsageError as error:
            unread.append((_named(file, exercises), printable(str(error))))
            continue
        for stem, copy in found.items():
            copies[stem].append(copy)
        if not found and NOTEBOOK.search(file.path[-1]):
            stem = _named(file, exercises)
            what = f"holds no answer to {stem}: no cell begins with `# answer:`" if stem else "is none of the exercises"
            unread.append((stem, f"{file.shown} {what}"))
        elif not found:
            unread.append((None, f"{file.shown} was not read: only notebooks count"))
    for stem, each in copies.items():
        if each:
            _take(chosen, stem, each)
    missing = set(exercises) - set(chosen.submissions)
    for stem, note in unread:
        may_count = stem in missing or (
            stem is None and " is none of the exercises" not in note and " only notebooks" not in note
        )
        chosen.look = chosen.look or (bool(missing) and may_count) or not chosen.submissions
        if may_count or not chosen.submissions or " only notebooks" not in note:
            chosen.notes.append(note)
    return chosen


def _copies(file: File, exercises: Mapping[str, Exercise]) -> dict[str, Copy]:
    """Exercise stem → the file as a copy of it. UsageError if it should be a notebook, and is none."""
    if file.problem:
        raise UsageError(f"{file.shown} {file.problem}")
    is_notebook = bool(NOTEBOOK.search(file.path[-1])) or file.data[:200].lstrip(b"\xef\xbb\xbf \r\n\t").startswith(
        b"{"
    )
    if is_notebook:
        try:
            cells, notes = cells_of(file.data, file.shown)
        except UsageError:
            if NOTEBOOK.search(file.path[-1]) or b'"cell' in file.data:
                raise
            return {}
    elif SCRIPT.search(file.path[-1]) and ANSWER.search(decoded(file.data)[0]):
        cells, notes = cells_of_script(file.data)
    elif ANSWER.search(decoded(file.data)[0]):
        raise UsageError(f"{file.shown} holds answers, and is no notebook: hand in the .ipynb file")
    else:
        return {}
    found = {stem: _copy(file, cells, notes, exercise, is_notebook=is_notebook) for stem, exercise in exercises.items()}
    return {stem: copy for stem, copy in found.items() if copy}


def _copy(
    file: File, cells: Sequence[Cell], notes: Sequence[str], exercise: Exercise, *, is_notebook: bool
) -> Copy | None:
    named = exercise.stem in file.path[-1]
    if not named and not any(name in cell.source for cell in cells for name in exercise.stubs):
        return None  # of many exercises, most are no part of a file
    found, _ = find_answers(cells, exercise.stubs)
    if not any(each.how < BY_ID for each in found) and not (found and named):
        return None
    submission = submission_of(exercise, cells, notes)
    submission.notes = [printable(note) for note in submission.notes]
    solved = sum(source.strip() != exercise.stubs[name].source.strip() for name, source in submission.answers.items())
    return Copy(file, submission, solved, is_notebook)


def _named(file: File, exercises: Iterable[str]) -> str | None:
    return next((stem for stem in exercises if stem in file.path[-1]), None)


def _take(chosen: Chosen, stem: str, copies: Sequence[Copy]) -> None:
    best = max(copies, key=lambda copy: copy.rank)
    said = {
        tuple(sorted((name, shape(text)) for name, text in each.submission.answers.items()))
        for each in copies
        if each.solved
    }
    if len(said) > 1:
        more = [each for each in copies if each.solved]
        why = "it has the most answers" if any(each.solved < best.solved for each in more) else "it is the newest"
        number = "two" if len(more) == 2 else len(more)
        chosen.notes.append(f"there are {number} notebooks for {stem}; {best.file.shown} counts: {why}")
    if not best.file.path[-1].endswith(".ipynb"):
        chosen.notes.append(f"{best.file.shown} is not named .ipynb; it was read all the same")
    elif best.file.packed:
        chosen.notes.append(f"{best.file.shown} was taken out of an archive")
    chosen.submissions[stem], chosen.counted[stem] = best.submission, best.file.shown
