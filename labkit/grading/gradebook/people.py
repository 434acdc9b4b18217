"""Who the rows of a book are, by the roster: one row for each student, whatever names and ids their files had."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from labkit.grading.gradebook.policy import Policy, folded
from labkit.grading.gradebook.policy_check import meant
from labkit.grading.gradebook.rows import Entry, Row
from labkit.grading.reader.reader import Bundle
from labkit.repository import UsageError


def prefixes(students: Iterable[str]) -> list[str]:
    """What several names begin with, up to a dash, longest first: GitHub's assignment, a group of Moodle."""
    found = Counter(name[: place + 1] for name in set(students) for place, each in enumerate(name) if each == "-")
    return sorted((prefix for prefix, number in found.items() if number > 1), key=len, reverse=True)


def known_as(row: Row, policy: Policy, before: Sequence[str] = ()) -> str:
    """The roster's name for a student; nothing if they are not on it. `before`: what names may begin with."""
    names = {folded(name): key for key, each in policy.roster.items() for name in (key, *each.names)}
    numbers = {str(each.canvas): key for key, each in policy.roster.items() if each.canvas is not None}
    for each in row.entries.values():
        if each.platform == "Canvas" and each.id in numbers:
            return numbers[each.id]
    bare = [row.student.removesuffix(f"_{each.id}") for each in row.entries.values() if each.id]
    whole = [row.student, *bare]
    rest = [name.removeprefix(prefix) for prefix in before for name in whole if name.startswith(prefix)]
    return next((names[folded(name)] for name in (*whole, *rest) if folded(name) in names), "")


def by_roster(rows: Iterable[Row], policy: Policy) -> list[Row]:
    """The rows under the roster's names, and one for each who has not handed in; as they are where there is none.

    Rows of one student are one, unless both have an exercise: then nobody knows who is meant, and both stay.
    """
    found: dict[str, list[Row]] = {name: [] for name in policy.roster}
    rows = list(rows)
    before = prefixes(row.student for row in rows)
    for row in rows:
        found.setdefault(known_as(row, policy, before) or row.student, []).append(row)
    joined = [each for name, mine in found.items() for each in _joined(name, mine)]
    return sorted(joined, key=lambda row: row.student)


def chosen(bundles: Sequence[Bundle], names: Collection[str], policy: Policy) -> list[Bundle]:
    """The bundles of those who are named, as they hand in or as the roster calls them. UsageError if one is nobody's.

    All, if nobody is named.
    """
    if not names:
        return list(bundles)
    found: dict[str, list[Bundle]] = {}
    before = prefixes(each.whose.student for each in bundles)
    for each in bundles:
        who = each.whose
        row = Row(id=who.student, student=who.student, entries={"": Entry(platform=who.platform, id=who.id)})
        for name in {who.student, known_as(row, policy, before)} - {""}:
            found.setdefault(name, []).append(each)
    for name in names:
        if name not in found and name in policy.roster:
            raise UsageError(f"{name} is on the roster, and has handed in nothing here")
        if name not in found:
            raise UsageError(f"nobody is called {name!r}{meant(name, found)}")
    wanted = [each.whose.student for name in names for each in found[name]]
    return [each for each in bundles if each.whose.student in wanted]


def _joined(name: str, rows: list[Row]) -> list[Row]:
    done: dict[str, Entry] = {}
    for row in rows:
        mine = {stem: each for stem, each in row.entries.items() if each.result or each.undecided}
        if mine.keys() & done.keys():
            return [*rows, *([] if any(row.student == name for row in rows) else [Row(id=name, student=name)])]
        done |= mine
    rest = {stem: each for row in rows for stem, each in row.entries.items() if stem not in done}
    called = [row.student for row in rows if row.student != name]
    return [Row(id=name, student=name, entries={**rest, **done}, called=called)]
