"""Which submissions are so alike that somebody should look at both. Names, comments and layout do not count."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from pydantic import BaseModel
from rapidfuzz.distance import Indel

from labkit.grading.gradebook.results import Grade
from labkit.grading.judge.judge import Status

ALIKE = 0.9
"""From here on a pair is listed: the share of tokens that two answers have in common, in the same order."""
FEWEST = 60
"""Tokens below which two right answers are alike by chance."""
FEW, USUAL = 3, 0.2
"""A right answer that more than so many have, and more than this share of the class, is the usual one."""


class Pair(BaseModel):
    """Two students whose answers to an exercise are alike."""

    stem: str
    students: tuple[str, str]
    alike: float


def pairs(answers: Mapping[str, Mapping[str, Sequence[int]]]) -> list[Pair]:
    """Pairs that are alike, most alike first. `answers`: exercise stem → student → tokens of their answers."""
    found = []
    for stem, by_student in answers.items():
        long = {student: tokens for student, tokens in by_student.items() if len(tokens) >= FEWEST}
        for one, other in combinations(sorted(long), 2):
            alike = Indel.normalized_similarity(long[one], long[other], score_cutoff=ALIKE)
            if alike >= ALIKE:
                found.append(Pair(stem=stem, students=(one, other), alike=round(alike, 3)))
    return sorted(found, key=lambda pair: (-pair.alike, pair.stem, pair.students))


class Group(BaseModel):
    """Students whose answers to an exercise are alike."""

    stem: str
    students: list[str]
    alike: float
    """The least, of the pairs that make it a group."""
    wrong: list[str]
    """The cases that all of them fail."""
    usual: bool
    """Whether so many wrote it that it says nothing."""


def groups(pairs: Iterable[Pair], grades: Sequence[Grade]) -> list[Group]:
    """Pairs that belong together, as one. Those that are wrong in the same way come first, what is usual last."""
    joined: dict[tuple[str, str], tuple[frozenset[str], float]] = {}
    for pair in pairs:
        both = [joined.get((pair.stem, student), (frozenset([student]), 1.0)) for student in pair.students]
        members, alike = both[0][0] | both[1][0], min(both[0][1], both[1][1], pair.alike)
        joined |= {(pair.stem, student): (members, alike) for student in members}
    failed = {grade.student: _failed(grade) for grade in grades}
    handed = Counter(result.stem for grade in grades for result in grade.results)
    found = []
    for stem, members in sorted({(stem, tuple(sorted(members))) for (stem, _), (members, _) in joined.items()}):
        wrong = set.intersection(*(failed.get(student, {}).get(stem, set()) for student in members))
        usual = not wrong and len(members) > max(FEW, handed[stem] * USUAL)
        alike = joined[stem, members[0]][1]
        found.append(Group(stem=stem, students=list(members), alike=alike, wrong=sorted(wrong), usual=usual))
    return sorted(found, key=lambda group: (group.usual, not group.wrong, -group.alike, group.stem, group.students))


def _failed(grade: Grade) -> dict[str, set[str]]:
    """Exercise stem → the cases that are not met."""
    return {r.stem: {v.case for v in r.verdicts if v.status is Status.FAIL} for r in grade.results}
