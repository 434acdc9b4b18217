"""Rows that a transaction of the caller numbers: the next of their run, seen by all once it commits, or by nobody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.grading.judge.differences import quoted, quoted_apart
from labkit.grading.judge.stage import outcome

MINE = "written before by the caller"
"""The caller's own note in that transaction."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """How one call of a scene went."""

    scene: Any
    got: Row
    before: Row
    """What was stored before the call: the last number of each run, the caller's notes, and the exercise's tables."""
    end: Row
    early: Row | None
    """What others saw before the caller's transaction ended; None if they had to wait."""

    @property
    def did(self) -> str:
        """How it ended, as the predicate of a sentence."""
        return outcome(self.got)


def assert_numbered(seen: Seen, given: Sequence[tuple[str, Row]], function: str, thing: str, table: str) -> None:
    """The rows are there if the caller has committed, under the next numbers; nothing else has changed.

    `given`: the run of each row, and what must be stored of it. `thing` is what the exercise calls a row.
    """
    scene, got, before = seen.scene, seen.got, seen.before
    said = f"After a run's {thing} {max(before['runs'].values())}, {function}"
    if len(given) > 1:
        said = f"{len(given)} {thing}s in one transaction: {function}"
    assert "failed" not in got, f"{said} {seen.did}"
    caller = got["caller"]
    assert "failed" not in caller, (
        f"{said} {seen.did}. Then the caller's own statement in that transaction {outcome(caller)}"
    )
    early = seen.early
    hidden = not early or (early[table].keys() == before[table].keys() and early["notes"] == before["notes"])
    assert hidden, (
        f"Others could see the {thing}, or what the caller had written, before the caller committed: leave COMMIT to it"
    )
    if not got["commit"]:
        undone = "The caller undid its transaction, and"
        assert seen.end[table] == before[table], f"{undone} the {thing} is there all the same: a ghost"
        assert seen.end == before, f"{undone} what it had written, or the run's last number, is there all the same"
        return
    runs, rows, numbers = dict(before["runs"]), dict(before[table]), []
    for run, row in given:
        runs[run] += 1
        numbers.append(runs[run])
        rows[run, runs[run]] = row
    again = "The caller undid its transaction, and did it again: " * scene.undo
    assert sorted(seen.end["notes"]) == sorted([*before["notes"], MINE]), (
        f"{again}{said} {seen.did}, and what the caller had written before is gone: leave ROLLBACK to it"
    )
    if not scene.busy:
        assert_same(table, f"{again}{said} {seen.did}", rows, seen.end[table], thing)
        assert_same("runs", f"{again}{said} {seen.did}", runs, seen.end["runs"])
    expected = numbers[0] if len(numbers) == 1 else numbers
    assert got["value"] == expected, f"{again}{said} returned {got['value']}; expected {expected}"


def assert_same(
    table: str, said: str, expected: Mapping[Any, Any], found: Mapping[Any, Any], thing: str = "row"
) -> None:
    """What a table has under each key is what is expected there. A key is a run and what is in it, or a name."""
    for key in [*expected, *found]:
        name = f"{thing} {quoted(key[1])} of the run {quoted(key[0])}" if isinstance(key, tuple) else quoted(key)
        assert key in found, f"{said}, and in the table {table}, {name} is missing"
        assert key in expected, f"{said}, and in the table {table} there is {name}, too"
        ours, theirs = expected[key], found[key]
        if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys() and ours != theirs:
            part = next(each for each in ours if ours[each] != theirs[each])
            name, ours, theirs = f"the {part} of {name}", ours[part], theirs[part]
        where, one, other = quoted_apart(ours, theirs)
        assert ours == theirs, f"{said}, and in the table {table}, {name} is{where} {other}; expected {one}"
