"""Where a student stands: chapters with their predictions and cases, then the criteria of the course.

The same in a notebook, in a terminal, and where nobody has begun. All that it says is in words.
"""

from collections.abc import Collection
from html import escape
from typing import NamedTuple

from IPython.display import display

from labkit import repository
from labkit.grading.judge.criteria import criteria, exercises
from labkit.learner import state
from labkit.learner.state import State, UnkeptError
from labkit.learner.tally import chapters, sentence

NOT_BEGUN = "not begun"
MET = "PASS"
LEFT = 'style="text-align: left"'
"""In place of Jupyter's own: texts are read from the left."""


class Map(NamedTuple):
    """Tables of texts; the first row of each is its head."""

    chapters: list[tuple[str, ...]]
    criteria: list[tuple[str, ...]]
    last: list[str]
    """What is said below them."""

    def __str__(self) -> str:
        blocks = [_aligned(self.chapters), _aligned(self.criteria), self.last]
        return "\n\n".join("\n".join(block) for block in blocks)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        tables = [_table(self.chapters), _table(self.criteria)]
        lines = [f"<p>{escape(line)}</p>" for line in self.last]
        return {"text/html": "\n".join([*tables, *lines]), "text/plain": str(self)}


def my_progress() -> None:
    """Show where you stand: chapters, predictions, exercises, and the criteria of the course."""
    try:
        if state.is_watched():
            display(map_of(state.read()))
        else:
            print(map_of(State()))
    except UnkeptError as error:
        print(error)


def map_of(kept: State) -> Map:
    """The map of a student's state."""
    course, known = chapters(repository.root()), exercises()
    rows, coming = [("chapter", "predictions", "exercise")], ""
    for chapter in course:
        exercise = known.get(chapter.stem)
        cases = [f"{exercise.number}.{case.id}" for case in exercise.cases] if exercise else []
        rows.append((chapter.title, _predicted(kept, chapter.questions), _met(kept, cases) if cases else "none"))
        begun = any(question in kept.predictions for question in chapter.questions)
        if not coming and not (all(kept.cases.get(case) == MET for case in cases) if cases else begun):
            coming = chapter.title
    cases_of = {name: [] for name in criteria()}
    for exercise in known.values():
        for case in exercise.cases:
            cases_of[case.criterion].append(f"{exercise.number}.{case.id}")
    met = [(name, _met(kept, cases_of[name]), promise) for name, promise in criteria().items()]
    last = [sentence(kept, course), f"Next: {coming}" if coming else "Nothing is left: you have done it all."]
    return Map(rows, [("criterion", "cases", "what it promises"), *met], last)


def _predicted(kept: State, questions: Collection[str]) -> str:
    made = [kept.predictions[question] for question in questions if question in kept.predictions]
    if not made:
        return NOT_BEGUN
    return f"{len(made)} of {len(questions)}, {sum(each.right is True for each in made)} right"


def _met(kept: State, cases: Collection[str]) -> str:
    met = sum(kept.cases.get(case) == MET for case in cases)
    if not any(case in kept.cases for case in cases):
        return NOT_BEGUN
    return f"{met} of {len(cases)} met{', done' if met == len(cases) else ''}"


def _table(rows: list[tuple[str, ...]]) -> str:
    """In HTML, for a narrow screen and for a screen reader."""
    head, *body = [[escape(text) for text in row] for row in rows]
    heads = "".join(f'<th scope="col" {LEFT}>{text}</th>' for text in head)
    lines = []
    for name, *texts in body:
        rest = "".join(f"<td {LEFT}>{text}</td>" for text in texts)
        lines.append(f'<tr><th scope="row" {LEFT}>{name}</th>{rest}</tr>')
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
