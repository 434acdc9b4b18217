"""The process that reads what one student handed in: forked, confined, limited, and dead when it has told.

It sees Python, labkit and that student's files, read-only. It takes their bytes with the right to read all files, gives
that right up, and only then opens archives or parses. Whatever it dies of costs this student alone.
"""

import resource
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path

from labkit.grading.judge.criteria import Exercise, exercises
from labkit.grading.reader.archives import names
from labkit.grading.reader.choice import choose
from labkit.grading.reader.copies import File
from labkit.grading.reader.files import ARCHIVE, OF_STUDENTS, files_at, inside, of_the_student, unpacked, wanted
from labkit.grading.reader.of_class import Layout
from labkit.grading.reader.tokens import tokens
from labkit.grading.reader.told import LONGEST_NAME, MOST_LISTED, MOST_NAMES, Answers, Listed, Told, Who, counted
from labkit.grading.reader.told import MOST_BYTES as MOST
from labkit.grading.reader.whose import Whose, whose
from labkit.grading.sandbox.room import Room
from labkit.grading.sandbox.warm import Servers
from labkit.isolation.confine import Confinement, confine, supports
from labkit.isolation.namespaces import give_up_capabilities
from labkit.isolation.work import ForkServerError

SECONDS, PATIENCE, MEMORY = 10, 60, 768 * 2**20
"""Processor time, real time, and bytes of address space that reading what a student handed in may take."""
OUT_OF_MEMORY = 3
"""The exit status of a reader that had not enough."""
EXERCISES: dict[str, Exercise] = {}
"""Those of the class: in the fork server, and so in its forks."""


@dataclass(frozen=True)
class Bundle:
    """What is known of a student's files before any is opened."""

    whose: Whose
    folder: Path
    """The class's, from which paths are told."""
    paths: list[Path] = field(default_factory=list)
    """Their folder, or their files; or the archive of the class."""
    of_class: bool = False
    """Whether the one path is the archive of a class."""
    named: bool = False
    """Whether the instructor has named that archive: it does not only lie alone in a folder."""


class UnreadError(Exception):
    """Nothing of a bundle can be used: which limit its reader met, or how it died."""


class DiedError(UnreadError):
    """The reader died, and no limit tells why: the next one may not."""


def ask(servers: Servers, bundle: Bundle, room: Room, *, listing: bool = False) -> bytes:
    """Have a fork read the bundle in that room, and return what it says. UnreadError if that is nothing to use."""
    plan, limits = room.to_read(*map(str, bundle.paths))
    began = time.monotonic()
    try:
        status, heard = servers.ask(load, tell, (bundle, replace(limits, memory=MEMORY), listing), plan, PATIENCE, MOST)
    except ForkServerError as error:
        raise DiedError(f"its reader was not started: {error}") from None
    if heard is None:
        raise UnreadError(f"it comes to more than {MOST // 2**20} MB")
    if status == OUT_OF_MEMORY:
        raise UnreadError(f"it needed more than {MEMORY // 2**20} MB of memory")
    if status == -signal.SIGKILL and time.monotonic() - began >= PATIENCE:
        raise UnreadError(f"it took more than {PATIENCE} seconds")
    if status == -signal.SIGKILL and time.monotonic() - began >= SECONDS:
        raise UnreadError(f"it took more than {SECONDS} seconds of processor time")
    if status or not heard:
        raise DiedError(f"its reader ended with exit status {status}")
    return heard


def load(criteria: Path | None) -> None:
    """In the fork server: read the instructor's exercises."""
    EXERCISES.update({stem: each for stem, each in exercises(criteria).items() if each.cases})
    for each in EXERCISES.values():
        len(each.stubs)
    supports()  # it looks for the C library by a temporary file, which a reader may not write


def tell(out: Connection, bundle: Bundle, confinement: Confinement, listing: bool) -> None:  # noqa: FBT001 - as it travels
    """In a fork: read what is in the bundle, or who has files in it, and tell it as JSON."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    confine(confinement, None)
    try:
        files = taken(bundle, EXERCISES)
        give_up_capabilities()
        out.send_bytes(said(bundle, files, EXERCISES, listing=listing))
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)


def taken(bundle: Bundle, stems: Iterable[str]) -> list[File]:
    """The bundle's files, with their bytes. Nothing of them is parsed."""
    paths = {path: whose(path.name, stems, folder=path.is_dir()) for path in bundle.paths}
    return list(files_at(paths, bundle.folder))


def said(bundle: Bundle, files: Iterable[File], known: Mapping[str, Exercise], *, listing: bool) -> bytes:
    """What is told of the bundle's files."""
    told = listed(files, known, named=bundle.named) if listing else read(bundle, files, known)
    return told.model_dump_json().encode()


def listed(archives: Iterable[File], stems: Iterable[str], *, named: bool = True) -> Listed:
    """Who has files in the archive of a class."""
    found, loose = {}, {}
    for archive in archives:
        layout = Layout.of(archive.data, archive.whose, stems, named=named)
        for name in filter(wanted, names(archive.data)):
            owner = layout.owner(inside(name))
            no_students = owner is archive.whose and not OF_STUDENTS.search(name)
            kept = loose if no_students else found
            kept[owner.student] = Who(student=owner.student, platform=owner.platform, id=owner.id)
    return Listed(students=list((found or loose).values())[:MOST_LISTED])


def read(bundle: Bundle, taken: Iterable[File], known: Mapping[str, Exercise]) -> Told:
    """What of the files counts."""
    files = list(_opened(bundle, taken, known))
    written = [file for file in files if file.whose.told]
    chosen = choose(of_the_student([file for file in files if not file.whose.told]), known)
    notes = [*chosen.notes, *(f"{file.shown} is what was written beside the files" for file in written)]
    look = chosen.look or any(b"answer:" in file.data for file in written)
    answers = {
        stem: Answers(
            file=chosen.counted[stem],
            answers=each.answers,
            elsewhere=sorted(name for name in each.elsewhere if len(name) <= LONGEST_NAME)[:MOST_NAMES],
            notes=counted(each.notes),
            tokens=tokens(each.answers.values()),
            in_doubt=stem in chosen.in_doubt,
        )
        for stem, each in chosen.submissions.items()
    }
    return Told(exercises=answers, notes=counted(notes), look=look)


def _opened(bundle: Bundle, taken: Iterable[File], stems: Iterable[str]) -> Iterable[File]:
    if not bundle.of_class:
        return unpacked(taken, lambda _: True)
    archives = list(taken)
    alone = whose(bundle.paths[0].name, stems)
    layout = Layout.of(archives[0].data if archives else b"", alone, stems, named=bundle.named)
    files = unpacked(archives, lambda name: layout.owner(inside(name)).student == bundle.whose.student)
    return (replace(file, whose=layout.owner(file.path[1:]), packed=_is_packed(file)) for file in files)


def _is_packed(file: File) -> bool:
    """Whether a file in the archive of a class was in an archive of the student's, too."""
    return any(ARCHIVE.search(part) for part in file.path[1:-1])
