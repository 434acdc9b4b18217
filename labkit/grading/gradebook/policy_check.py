"""Whether a policy speaks of exercises, cases and students that there are: told before anybody is graded."""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from labkit.grading.gradebook.policy import Mark, Policy, folded
from labkit.grading.judge.criteria import Exercise
from labkit.repository import UsageError


def check(policy: Policy, path: Path, exercises: Mapping[str, Exercise], people: Collection[str]) -> None:
    """UsageError, naming file and key, if the policy speaks of an exercise, a case or a student that there is not."""
    numbers = {each.number: each for each in exercises.values()}
    known = {*people, *policy.roster}
    _check_names(policy, path)
    for table in "due", "extensions", "handed_in":
        for number, times in getattr(policy, table).items():
            _named(path, f"{table}.{number}", number, numbers, "exercise")
            for student in times if table != "due" else ():
                _named(path, f"{table}.{number}.{student}", student, known, "student")
    met: set[tuple[str, str]] = set()
    for place, override in enumerate(policy.overrides, 1):
        where = f"overrides.{place}"
        _named(path, f"{where}.student", override.student, known, "student")
        most = _most(path, f"{where}.of", override.of, numbers)
        if override.marks is not None and override.marks > most:
            most_of = f"{override.of} has {most:g} marks at most" if override.of else "say in `of` what they are for"
            _refuse(path, f"{where}.marks", most_of)
        if (override.student, override.of) in met:
            _refuse(path, where, f"{override.student} has another override for the same, above it")
        met.add((override.student, override.of))


def _check_names(policy: Policy, path: Path) -> None:
    """No name is that of two students."""
    called: dict[str, str] = {}
    for key, each in policy.roster.items():
        for name in (key, *each.names):
            if called.setdefault(folded(name), key) != key:
                _refuse(path, f"roster.{key}", f"{name!r} is also a name of {called[folded(name)]!r}")


def _most(path: Path, key: str, of: str, numbers: Mapping[str, Exercise]) -> Mark:
    """How many marks an override can give."""
    number, _, case = of.partition(".")
    if not of:
        return -1
    _named(path, key, number, numbers, "exercise")
    cases = {each.id: each.marks for each in numbers[number].cases}
    if case:
        _named(path, key, case, cases, f"case of exercise {number}")
    return cases[case] if case else sum(cases.values())


def _named(path: Path, key: str, name: str, known: Iterable[str], what: str) -> None:
    if name not in known:
        _refuse(path, key, f"there is no {what} {name!r}{meant(name, known)}")


def meant(name: str, known: Iterable[str]) -> str:
    """The end of a complaint about a name: which one it may have been meant for, if one is like it."""
    close = get_close_matches(name, known, 1)
    return f": did you mean {close[0]!r}?" if close else ""


def _refuse(path: Path, key: str, why: str) -> NoReturn:
    raise UsageError(f"{path}: {key}: {why}")
