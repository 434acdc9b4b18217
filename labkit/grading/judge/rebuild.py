"""The judged program: the instructor's given cells and the student's answers, in the instructor's order."""

from labkit.crash.under_test import GIVEN
from labkit.grading.judge.criteria import Exercise
from labkit.grading.judge.program import Program
from labkit.grading.judge.source import Source, statements
from labkit.grading.notebook.language import NOT_PARSED
from labkit.grading.notebook.submission import Submission


def rebuild(exercise: Exercise, submission: Submission) -> Program:
    """The program to judge, its lines known to `linecache` for the report."""
    sources = []
    for number, cell in enumerate(exercise.cells, 1):
        name = cell.answer
        text = submission.answers.get(name, cell.source) if name else cell.source
        sources.append(
            Source(f"{GIVEN} {number}>", text)
            if name is None
            else Source(answer_file(name), text, name, _tries(text, name))
        )
    for source in sources:
        source.show()
    return Program(tuple(sources), f"answers_{exercise.number}")


def _tries(text: str, answer: str) -> bool:
    """Whether an answer tries something out below its functions."""
    try:
        return any(each.tries for each in statements(text, answer))
    except NOT_PARSED:
        return False


def answer_file(name: str) -> str:
    """The file name of an answer's frames."""
    return f"<answer {name}>"
