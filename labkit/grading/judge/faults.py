"""What is wrong with an instructor's exercises and cases, told before anybody is graded: `labkit criteria check`.

First what can be read off the files; then each case is tried with the solution, which must meet it, and with the
unsolved notebook, which must not.
"""

import inspect
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from labkit.grading.judge.criteria import Case, Exercise, Judge, exercises
from labkit.grading.judge.judge import Sitting, Status
from labkit.grading.notebook.cells import read_notebook
from labkit.grading.notebook.submission import Submission, submission_from
from labkit.repository import UsageError, root

SEEDS = (0, 1)
"""Each case is tried with the inputs of two seeds."""
UNSOLVED = "\n# as it was handed out\n"
"""Makes a stub an answer, which is judged."""


def faults(folder: Path) -> Iterator[str]:
    """A line for each. UsageError if there is no criteria.toml that can be used."""
    known = exercises(folder)
    named = tomllib.loads((folder / "criteria.toml").read_text(encoding="utf-8")).get("criteria")
    if not known:
        yield "criteria.toml names no exercise"
    for stem, exercise in known.items():
        if not exercise.cases:
            yield f"{stem} has no case: nothing of it is judged"
            continue
        found = [*_of_texts(exercise, named), *_of_files(exercise)]
        yield from found
        if not found:
            yield from _tried(exercise)


def solution(exercise: Exercise) -> Path | None:
    """The notebook with the instructor's answers: in solutions/, within the folder, beside it, or in the repository."""
    places = exercise.folder, exercise.folder.resolve().parent, root()
    paths = [place / "solutions" / f"{exercise.stem}.ipynb" for place in places]
    return next((path for path in paths if path.is_file()), None)


def _of_texts(exercise: Exercise, named: object) -> Iterator[str]:
    """Of what criteria.toml says of one exercise."""
    ids = [case.id for case in exercise.cases]
    yield from (f"{exercise.number}.{name} is there twice" for name in sorted({n for n in ids if ids.count(n) > 1}))
    for place, case in enumerate(exercise.cases):
        name = f"{exercise.number}.{case.id}"
        if isinstance(named, dict) and case.criterion not in named:
            yield f"{name} counts for {case.criterion}, which is no criterion under [criteria]"
        yield from (
            f"{name} needs {each}, which is no case above it" for each in case.depends_on if each not in ids[:place]
        )
        if not case.hints:
            yield f"{name} has no hint"
        if not case.answers:
            yield f"{name} names no answer: it would be judged without one"
        for each in case.answers:
            if each not in exercise.signatures:
                yield f"{name} needs the answer {each}, which has no line under [exercises.{exercise.stem}.signatures]"


def _of_files(exercise: Exercise) -> Iterator[str]:
    """Of its notebook, and of the code of its cases."""
    try:
        stubs = exercise.stubs
    except UsageError as error:
        yield str(error)
    else:
        for name in exercise.signatures:
            if name not in stubs:
                yield f"{exercise.notebook.name} has no cell that begins with `# answer: {name}`"
    path = f"criteria/{exercise.stem}.py"
    try:
        judges = exercise.judges()
    except FileNotFoundError:
        yield f"there is no {path}: it judges the cases"
    except AttributeError as error:
        yield f"{path} has no function {error.name}, which criteria.toml names as a case"
    except Exception as error:  # noqa: BLE001 - whatever the instructor's code raises
        yield f"{path} does not load: {type(error).__name__}: {error}"
    else:
        yield from _of_functions(path, judges)


def _of_functions(path: str, judges: Mapping[str, Judge]) -> Iterator[str]:
    for name, judge in judges.items():
        if list(inspect.signature(judge).parameters) != ["program", "rng"]:
            yield f"{path}: {name} must take (program, rng)"
    module = next(iter(judges.values())).__globals__
    for name, each in module.items():
        own = inspect.isfunction(each) and each.__globals__ is module and not name.startswith("_")
        if own and name not in judges and list(inspect.signature(each).parameters) == ["program", "rng"]:
            yield f"{path}: {name} judges, and is no case in criteria.toml: begin its name with _ if it is none"


def _tried(exercise: Exercise) -> Iterator[str]:
    path = solution(exercise)
    unsolved = Submission({name: f"{cell.source}{UNSOLVED}" for name, cell in exercise.stubs.items()})
    if path is None:
        yield f"there is no solutions/{exercise.stem}.ipynb: no case of {exercise.number} was tried with a solution"
    for seed in SEEDS:
        if path is not None:
            solved = Sitting(exercise, submission_from(read_notebook(path), exercise.stubs), seed)
            yield from _unmet(exercise, solved, path, seed)
        stub = Sitting(exercise, unsolved, seed)
        for case in exercise.cases:
            if stub.verdict(_alone(case)).status is Status.PASS:
                yield f"{exercise.number}.{case.id} is met by the unsolved notebook (seed {seed})"


def _unmet(exercise: Exercise, solved: Sitting, path: Path, seed: int) -> Iterator[str]:
    for case in exercise.cases:
        verdict = solved.verdict(_alone(case))
        if verdict.status is not Status.PASS:
            what = verdict.what or "it is the unsolved cell"
            yield f"{exercise.number}.{case.id} is not met by {path.parent.name}/{path.name} (seed {seed}): {what}"


def _alone(case: Case) -> Case:
    """The case, to be judged whatever became of others."""
    return case.model_copy(update={"depends_on": ()})
