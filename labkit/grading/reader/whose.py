"""Whose a file or a folder is, by the names that platforms give to what instructors download.

A row of PLATFORMS for each form of name. What fits none is a name that people gave: a student's, or theirs and the
exercise's.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Whose:
    """A student, as far as a name says."""

    student: str
    """As it is shown, composed (NFC): of two students it is never the same, if the platform keeps them apart."""
    platform: str = ""
    id: str = ""
    """What the platform's import knows the student by."""
    attempt: str = ""
    """Of two files of a student, the one whose attempt sorts later is the newer one."""
    told: bool = False
    """Whether it is no file of theirs, but what they or the platform wrote about it."""


PLATFORMS = {
    "Autolab": re.compile(r"(?P<student>[^_@]+@[^_@]+)_(?P<attempt>\d+)_.+"),
    "Canvas, anonymous": re.compile(
        r"(?P<student>anon_(?:LATE_)?[^\W_]{5})_(?:LATE_)?(?:(?P<attempt>\d+)_.+|(?P<told>(?:text|link)\.html?))"
    ),
    "Canvas": re.compile(
        r"(?P<student>[^_].*?)_(?:LATE_)?(?P<id>\d+)_(?:(?P<attempt>\d+)_.+|(?P<told>(?:text|link)\.html?))"
    ),
    "Moodle": re.compile(r"(?P<student>.+?)_(?P<id>\d+)_assignsubmission_(?:(?P<told>onlinetext)|file|\w+?)(?:_.*)?"),
    "Blackboard": re.compile(
        r"(?P<student>.+)_(?:attempt|Versuch|poging|intento|tentativ[aeo])_(?P<attempt>\d{4}(?:-\d\d){5})(?:_.+|(?P<told>\.txt))?"
    ),
    "A+": re.compile(r"(?P<student>\d+(?:\+\d+)*)_file\d+_submission(?P<attempt>\d+)(?:\..+)?"),
    "nbgrader": re.compile(r"(?P<student>[^+]+)\+[^+]+\+(?P<attempt>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) \S+"),
    "Gradescope": re.compile(r"(?P<student>submission_(?P<id>\d+))"),
    "Brightspace": re.compile(
        r"(?P<id>\d+)-\d+ - (?P<student>.+?) - (?P<attempt>(?=[^-]*(?<!\d)\d{4}(?!\d))[^-]+?)(?: - .+)?"
    ),
}
"""Platform → the names of its files or folders, whole."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
AMERICAN = re.compile(r"([A-Z][a-z]{2})[a-z]* (\d{1,2}), (\d{4}) (\d{1,2})(\d\d) ?([AP])M")
"""A time as Brightspace writes it: "Nov 28, 2026 530 PM"."""
COPY = re.compile(
    r"(?>(?:[ _.-]*+(?:\(\d+\)|\[\d+\]|copy of|copy(?:[ _-]?\d+)?|\d{1,2}|late|final|kopie))*+)[ _.-]*",
    re.IGNORECASE,
)
"""What stands behind an exercise's name in a copy's. Possessive: a long name of digits has one reading only."""
ENDINGS = re.compile(
    r"(?:\.(?:ipynb|json|txt|zip|tar|t?gz|t?bz2|t?xz|zst|lz|lzma|py|html?|pdf|7z|rar|docx?|md|icloud))+(?: ?\(\d+\))?$",
    re.IGNORECASE,
)
JOINERS = "\u200c\u200d"
"""What is not seen, and belongs to names in Persian, and to emoji."""
CONFUSABLE = str.maketrans("аеорсухіјѕһԁԛԝνοαρτυικӏвнмткзАВЕКМНОРСТУХІ", "aeopcyxijshdqwvoaptuiklbhmtk3abekmhopctyxi")
"""Letters of other scripts that look like Latin ones."""
LONGEST = 80
RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
"""What no file is called on Windows."""


def whose(name: str, stems: Iterable[str] = (), *, folder: bool = False) -> Whose:
    """Whose a file or a folder of this name is. `stems`: the exercises, whose names are no part of a student's."""
    name = unicodedata.normalize("NFC", name)  # of macOS, and of others
    for platform, form in PLATFORMS.items():
        if match := form.fullmatch(name):
            found = match.groupdict()
            student = found["student"].strip().replace("anon_LATE_", "anon_")
            number = found.get("id") or ""
            if platform == "Blackboard":  # "Homework 3_ada": what is before the last _ may be hers, too
                number = student.rpartition("_")[2]
            elif number and number not in student:
                student = f"{student}_{number}"
            attempt = found.get("attempt") or ""
            attempt = _sortable(attempt) if platform == "Brightspace" else attempt
            return Whose(
                shown(student), platform.partition(",")[0], number, attempt.rjust(30, "0"), bool(found.get("told"))
            )
    return Whose(shown(name if folder else _of_people(name, stems)))


def _sortable(time: str) -> str:
    """Nothing if it is in another language: then it is not known which of two is the later one."""
    american = AMERICAN.fullmatch(time)
    if not american or american[1] not in MONTHS:
        return ""
    month, day, year, hour, minute, half = american.groups()
    hours = int(hour) % 12 + 12 * (half == "P")
    return f"{year}-{MONTHS.index(month) + 1:02}-{int(day):02}-{hours:02}-{minute}"


def _of_people(name: str, stems: Iterable[str]) -> str:
    bare = ENDINGS.sub("", name)
    for stem in stems:
        before, found, after = bare.partition(stem)
        if found:
            after = "" if COPY.fullmatch(after) else after
            return f"{before} {after}".strip(" _-.") or bare
    return bare.strip(" _-.") or name


def shown(name: str) -> str:
    """A name as it can be shown, in which no two bytes or characters of a name become the same."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        each if each.isprintable() or each in JOINERS else each.encode("unicode_escape").decode() for each in text
    )


def file_names(students: Iterable[str]) -> dict[str, str]:
    """Student → a file name that nobody else in the class has, on any file system, however alike they look."""
    plain = {student: _plain(student) for student in students}
    folded = [_folded(name) for name in plain.values()]
    return {
        student: name if name == student and folded.count(_folded(name)) == 1 else f"{name}-{_digest(student)}"
        for student, name in plain.items()
    }


def short(student: str) -> str:
    """A name of few letters that stands for this student alone, whatever the name is."""
    plain = student.isascii() and len(student) <= LONGEST and student == _plain(student)
    return student if plain else f"{_digest(student)}{_digest(student[::-1])}"


def _plain(student: str) -> str:
    name = "".join(each if each.isalnum() or each in " -_." else "-" for each in student)
    name = name.encode()[:LONGEST].decode(errors="ignore").strip(" .-") or "student"
    return f"{name}-" if RESERVED.fullmatch(name.partition(".")[0]) else name


def _folded(name: str) -> str:
    bare = "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    return bare.translate(CONFUSABLE).casefold().replace("l", "i").replace("1", "i").replace("0", "o")


def _digest(student: str) -> str:
    return hashlib.sha256(student.encode(errors="surrogatepass")).hexdigest()[:10]
