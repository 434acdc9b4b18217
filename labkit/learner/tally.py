"""How many predictions were right, and about which chapter most were wrong."""

import ast
import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from labkit import repository
from labkit.learner import state
from labkit.learner.state import State, UnkeptError


@dataclass(frozen=True)
class Chapter:
    """A chapter, and what it asks."""

    stem: str
    title: str
    """As in "1. File storage"."""
    questions: tuple[str, ...]


@cache
def chapters(root: Path) -> tuple[Chapter, ...]:
    """All chapters of the course, in order."""
    return tuple(_chapter(path) for path in sorted((root / "notebooks").glob("*.ipynb")))


def _chapter(path: Path) -> Chapter:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    sources = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    title = next((found[1] for kind, text in sources if kind == "markdown" and (found := re.match("# (.+)", text))), "")
    asked = [question for kind, text in sources if kind == "code" for question in _questions(text)]
    return Chapter(path.stem, title or path.stem, tuple(asked))


def _questions(source: str) -> list[str]:
    if "predict(" not in source:
        return []
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call.args[0].value for call in calls if ast.unparse(call.func) == "predict"]


def predictions() -> None:
    """Say how many of your predictions were right, in all chapters, and about what most were wrong."""
    try:
        print(sentence(state.read() if state.is_watched() else State(), chapters(repository.root())))
    except UnkeptError as error:
        print(error)


def sentence(kept: State, known: tuple[Chapter, ...]) -> str:
    """The same as a line."""
    right = [each.right for each in kept.predictions.values() if each.right is not None]
    if not right:
        return "You have made no prediction yet."
    wrong = Counter(
        {chapter.title: sum(_is_wrong(kept, question) for question in chapter.questions) for chapter in known}
    )
    most = [title for title, count in wrong.most_common(1) if count]
    said = f"You were right {sum(right)} {'time' if sum(right) == 1 else 'times'} of {len(right)}"
    return f"{said}, most often wrong about chapter {most[0]}." if most else f"{said}."


def _is_wrong(kept: State, question: str) -> bool:
    return question in kept.predictions and kept.predictions[question].right is False
