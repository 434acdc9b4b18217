"""Which submissions are so alike that somebody should look at both. Names, comments and layout do not count."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from pydantic import BaseModel
from rapidfuzz.distance import Indel

ALIKE = 0.9
"""From here on a pair is listed: the share of tokens that two answers have in common, in the same order."""
FEWEST = 60
"""Tokens below which two right answers are alike by chance."""


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
