"""Which submissions are so alike that somebody should look at both. Names, comments and layout do not count."""

import io
import keyword
import tokenize
from collections.abc import Iterable, Mapping
from itertools import combinations

from pydantic import BaseModel
from rapidfuzz.distance import Indel

ALIKE = 0.9
"""From here on a pair is listed: the share of tokens that two answers have in common, in the same order."""
FEWEST = 60
"""Tokens below which two right answers are alike by chance."""
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


class Pair(BaseModel):
    """Two students whose answers to an exercise are alike."""

    stem: str
    students: tuple[str, str]
    alike: float


def pairs(answers: Mapping[str, Mapping[str, Iterable[str]]]) -> list[Pair]:
    """Pairs that are alike, most alike first. `answers`: exercise stem → student → sources of their answers."""
    found = []
    for stem, by_student in answers.items():
        shapes = {
            student: [token for source in sources for token in shape(source)] for student, sources in by_student.items()
        }
        long = {student: tokens for student, tokens in shapes.items() if len(tokens) >= FEWEST}
        for one, other in combinations(sorted(long), 2):
            alike = Indel.normalized_similarity(long[one], long[other], score_cutoff=ALIKE)
            if alike >= ALIKE:
                found.append(Pair(stem=stem, students=(one, other), alike=round(alike, 3)))
    return sorted(found, key=lambda pair: (-pair.alike, pair.stem, pair.students))


def shape(source: str) -> list[str]:
    """The tokens of a source, with one name for all names and one for all texts; what cannot be read ends it."""
    tokens = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
                tokens.append("name")
            elif token.type == tokenize.STRING:
                tokens.append("text")
            elif token.type not in LAYOUT:
                tokens.append(token.string)
    except (tokenize.TokenError, SyntaxError):
        pass
    return tokens
