"""What of a student's files counts, for each exercise. What cannot be used is named, with what to do."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from labkit.crash.printable import printable
from labkit.grading.judge.criteria import Exercise, submission_of
from labkit.grading.notebook.cells import Cell, cells_of
from labkit.grading.notebook.scripts import cells_of_script
from labkit.grading.notebook.submission import BY_ID, Submission, find_answers
from labkit.grading.notebook.text import decoded
from labkit.grading.reader.copies import Copy, File, best_of
from labkit.grading.reader.files import STAND_IN
from labkit.repository import UsageError

NOTEBOOK = re.compile(r"\.ipynb", re.IGNORECASE)
SCRIPT = re.compile(r"\.py$", re.IGNORECASE)
ANSWER = re.compile(r"#\s*answer\s*:", re.IGNORECASE)


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
    in_doubt: set[str] = field(default_factory=set)
    """The exercises of which another copy may count."""


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
        unread += _unread(file, found, _named(file, exercises))
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


def _unread(file: File, found: Collection[str], stem: str | None) -> list[tuple[str | None, str]]:
    """What is to be told of a file that answers nothing, or not what it is named after; by that exercise."""
    if found:
        others = ", ".join(found)
        wrong = stem and stem not in found
        return [(stem, f"{file.shown} holds answers to {others}, and none to {stem}")] if wrong else []
    if not NOTEBOOK.search(file.path[-1]):
        return [(None, f"{file.shown} was not read: only notebooks count")]
    what = f"holds no answer to {stem}: no cell begins with `# answer:`" if stem else "is none of the exercises"
    return [(stem, f"{file.shown} {what}")]


def _copies(file: File, exercises: Mapping[str, Exercise]) -> dict[str, Copy]:
    """Exercise stem → the file as a copy of it. UsageError if it should be a notebook, and is none."""
    if file.problem:
        raise UsageError(f"{file.shown} {file.problem}")
    if STAND_IN.match(file.path[-1]):
        raise UsageError(f"{file.shown} holds nothing of the file, which is in iCloud: download it, hand it in again")
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
    written = {
        name for name, source in submission.answers.items() if source.strip() != exercise.stubs[name].source.strip()
    }
    return Copy(file, submission, frozenset(written), is_notebook)


def _named(file: File, exercises: Iterable[str]) -> str | None:
    return max((stem for stem in exercises if stem in file.path[-1]), key=len, default=None)


def _take(chosen: Chosen, stem: str, copies: Sequence[Copy]) -> None:
    best, note, in_doubt = best_of(copies, stem)
    chosen.in_doubt |= {stem} if in_doubt else set()
    chosen.notes += [note] * bool(note)
    if not best.file.path[-1].endswith(".ipynb"):
        chosen.notes.append(f"{best.file.shown} is not named .ipynb; it was read all the same")
    elif best.file.packed:
        chosen.notes.append(f"{best.file.shown} was taken out of an archive")
    chosen.submissions[stem], chosen.counted[stem] = best.submission, best.file.shown
