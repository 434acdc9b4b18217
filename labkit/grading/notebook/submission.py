"""The answers among a student's cells. Nothing is run.

An answer is found by its first line, else by the id of its cell, else by what its cell defines. The unsolved cell
counts only if there is nothing else.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from labkit.grading.notebook.cells import Cell
from labkit.grading.notebook.language import (
    as_python,
    is_python,
    shape,
    unfenced,
    without_checks,
    without_stub,
)
from labkit.grading.notebook.markers import alike, defines, has_function, parts
from labkit.grading.notebook.names import names_defined

MARKED, WRITTEN, BY_ID, BY_NAME = range(4)
"""How an answer was found: by its first line, in a text cell, by its cell's id, by what it defines."""


@dataclass
class Submission:
    """What a student handed in."""

    answers: dict[str, str] = field(default_factory=dict)
    """Answer name → source of its cell, as plain Python if it can be."""
    elsewhere: set[str] = field(default_factory=set)
    """Names that the student's other cells define. They do not exist for the judge."""
    notes: list[str] = field(default_factory=list)
    """What was odd about the notebook, for the report."""


@dataclass(frozen=True)
class Found:
    """A place where an answer may be."""

    name: str
    source: str
    how: int
    note: str = ""

    @property
    def whole(self) -> bool:
        """Whether it defines what it is to answer."""
        return defines(self.source, self.name)


def submission_from(cells: Sequence[Cell], stubs: Mapping[str, Cell]) -> Submission:
    """A submission from a notebook's cells. `stubs`: answer name → the unsolved cell; if there are none, any name."""
    found, rest = find_answers(cells, stubs)
    submission = Submission(elsewhere=set().union(*map(names_defined, rest)))
    for name in stubs or dict.fromkeys(each.name for each in found):
        if mine := [each for each in found if each.name == name]:
            stub = stubs[name].source if name in stubs else ""
            submission.answers[name] = _chosen(mine, stub, submission.notes)
    return submission


def find_answers(cells: Sequence[Cell], stubs: Mapping[str, Cell]) -> tuple[list[Found], list[str]]:
    """All places where answers may be, and the sources of the other code cells."""
    ours = {cell.source.strip() for cell in stubs.values()}
    ids = {cell.id: name for name, cell in stubs.items() if cell.id}
    found: list[Found] = []
    rest: list[str] = []
    marked: list[tuple[Cell, list[Found]]] = []
    taken = False
    for cell, following in zip(cells, [*cells[1:], None], strict=False):
        if taken:
            taken = False
            continue
        mine = _in_cell(cell, stubs)
        if len(mine) == 1 and following and (joined := _joined(mine[0], following, stubs)):
            mine, taken = [joined], True
        if not mine and cell.kind == "code" and cell.source.strip():
            mine = _unmarked(cell, ids, stubs)
            rest += [cell.source] * (not mine or all(each.how == BY_NAME for each in mine))
        elif cell.kind == "code":
            marked.append((cell, mine))
        found += [each for each in mine if each.source.strip() not in ours or each.how == MARKED]
    unsolved = {name: shape(cell.source) for name, cell in stubs.items()}
    known = Counter(each.name for each in found if shape(each.source) != unsolved.get(each.name))
    for cell, mine in marked:  # an answer without a line of its own; the others in this cell must not be old ones
        if all(known[each.name] == 1 for each in mine):
            found += _by_name(cell, [name for name in stubs if not known[name]])
    return found, rest


def _in_cell(cell: Cell, stubs: Mapping[str, Cell]) -> list[Found]:
    whole = parts(cell.source, stubs)
    found = []
    for part in whole:
        note = f"`{part.said}` was taken as `# answer: {part.name}`" if part.said else ""
        if len(whole) > 1:
            others = ", ".join(each.name for each in whole if each is not part)
            note = f"the answer {part.name} is in the same cell as {others}; it was taken from there"
        if cell.kind == "code":
            found.append(Found(part.name, part.source, MARKED, note))
        elif defines(text := unfenced(part.source), part.name):
            note = f"the answer {part.name} is in a cell of type {cell.kind}; it was taken as code"
            found.append(Found(part.name, text, WRITTEN, note))
    return found


def _joined(found: Found, following: Cell, stubs: Mapping[str, Cell]) -> Found | None:
    """An answer that was split: it goes on in the next cell, and is none without it."""
    if found.how != MARKED or following.kind != "code" or parts(following.source, stubs):
        return None
    if not following.source.strip() or (found.whole and is_python(found.source)):
        return None
    for between in ("\n", ""):
        source = f"{found.source}{between}{following.source}"
        if defines(source, found.name) and is_python(source):
            note = f"the answer {found.name} goes on in the next cell; both were taken"
            return Found(found.name, source, MARKED, note)
    return None


def _unmarked(cell: Cell, ids: Mapping[str, str], stubs: Mapping[str, Cell]) -> list[Found]:
    """Answers in a cell that does not say so."""
    name, said = ids.get(cell.id, ""), cell.answer
    if name and (said is None or alike(said, name) or defines(cell.source, name)):
        what = f"says `# answer: {said}`" if said else "is gone"
        return [Found(name, cell.source, BY_ID, f"the line `# answer: {name}` {what}; its cell was found by its id")]
    return _by_name(cell, stubs)


def _by_name(cell: Cell, names: Iterable[str]) -> list[Found]:
    note = "no cell begins with `# answer: {0}`; the cell that defines {0} was taken"
    return [Found(each, cell.source, BY_NAME, note.format(each)) for each in names if has_function(cell.source, each)]


def _chosen(found: Sequence[Found], stub: str, notes: list[str]) -> str:
    """The source that counts: a solved one before the unsolved one, and of those the surest; of equals, the last."""
    unsolved = shape(stub) if stub else None
    solved = [each for each in found if shape(each.source) != unsolved]
    if not solved:
        return stub
    best = max(reversed(solved), key=lambda each: (each.whole, -each.how))
    marked = [each for each in found if each.how == MARKED]
    sources = [best.source]
    if best.how == MARKED:
        sources = [each.source for each in solved if each.how == MARKED and not each.whole and each is not best]
        sources = [*(each for each in sources if is_python(each)), best.source] if best.whole else [best.source]
        if len({each.source.strip() for each in marked}) > 1:
            notes.append(_several(best, marked, solved, len(sources)))
    elif best.how == BY_NAME and marked:
        notes.append(f"the cell `# answer: {best.name}` is unsolved; another cell that defines {best.name} was taken")
    if best.note and not (best.how == BY_NAME and marked):
        notes.append(best.note)
    return _cleaned(best.name, "\n".join(sources), stub, notes)


def _several(best: Found, marked: Sequence[Found], solved: Sequence[Found], together: int) -> str:
    which = "were put together" if together > 1 else "the last one counts"
    if together == 1 and best is not marked[-1]:
        which = "the solved one counts" if marked[-1] not in solved else "the one that defines it counts"
    number = "two" if len(marked) == 2 else len(marked)
    return f"there are {number} cells `# answer: {best.name}`; {which}"


def _cleaned(name: str, source: str, stub: str, notes: list[str]) -> str:
    source, repaired = as_python(source)
    source, asked = without_checks(source)
    source, kept = without_stub(source, name, stub) if stub else (source, [])
    notes += [f"in the answer {name}: {note}" for note in dict.fromkeys([*repaired, *asked, *kept])]
    return source
