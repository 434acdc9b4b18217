"""Which tables a statement of SQL touches, as far as regular expressions understand it; else it touches everything.

A table stands for itself and for those that foreign keys tie to it. A row stands for itself where the statement names
it by the primary key, and the table has no other key: `catalogue` in the world's process says which have.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Tables = Mapping[str, Mapping[str, Any]]
"""By name: the object, as words, and the column that is its key, if a row can stand for itself."""
ANYTHING = [[["sql"], True]]
BEFORE = re.compile(r"(?:[\s;]|--[^\n]*|/\*.*?(?:\*/|$))*", re.DOTALL)
"""What may stand before a statement: comments, and the ends of empty ones."""
TEXT = re.compile(r"'(?:[^']|'')*'")
NOT_UNDERSTOOD = re.compile(
    r"--|/\*|\$\w*\$|\bE'|\bLATERAL\b|\bONLY\b|\bNOTIFY\b|\bEXECUTE\b|\bCALL\b|\bDO\s*\$", re.IGNORECASE
)
NAMED = re.compile(r"\b(?:FROM|JOIN|INTO|USING|(?<!FOR )(?<!KEY )(?<!DO )UPDATE)\s+([\w.\"]+|\()", re.IGNORECASE)
LISTED = re.compile(r"\bFROM\s+[\w.\"]+(?:\s+(?:AS\s+)?\w+)?\s*,", re.IGNORECASE)
WITH = re.compile(r"(?:\bWITH|,)\s+(\w+)\s+AS\s*(?:NOT\s+|MATERIALIZED\s*)*\(", re.IGNORECASE)
CALLED = re.compile(r"([\w.]+)\s*\(")
SAFE = {
    *("as", "in", "values", "and", "or", "not", "on", "any", "all", "exists", "conflict", "over", "filter", "where"),
    *("count", "sum", "min", "max", "avg", "coalesce", "nullif", "greatest", "least", "lower", "upper", "length"),
    *("now", "clock_timestamp", "to_timestamp", "make_interval", "abs", "round", "floor", "ceil", "cast", "row"),
    *("jsonb_build_object", "json_build_object", "jsonb_set", "to_jsonb", "jsonb_array_length", "array_agg", "unnest"),
    *("select", "using", "by", "set", "from", "interval", "numeric", "varchar", "char", "array", "gen_random_uuid"),
}
"""What stands before a parenthesis and touches no table."""
CHANGES = re.compile(
    r"\b(?:INSERT|UPDATE|DELETE|MERGE)\b|\bFOR\s+(?:UPDATE|SHARE|NO\s+KEY|KEY\s+SHARE)\b", re.IGNORECASE
)
PLAIN = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)
ENDS = re.compile(r"\s*(COMMIT|END|ROLLBACK|ABORT|PREPARE TRANSACTION)\b", re.IGNORECASE)
ISOLATES = re.compile(r"\bISOLATION\b|\bSERIALIZABLE\b|\bREPEATABLE\b", re.IGNORECASE)
SHOWS = re.compile(r"\s*SHOW\b", re.IGNORECASE)
SESSION_LOCK = re.compile(r"\bpg_(?:try_)?advisory_lock", re.IGNORECASE)
PLACE = r"%s|%\(\w+\)s(?:::\w+)?|-?\d+|''|'[^']*'"
BY_KEY = r"\bWHERE\s+(?:\w+\.)?{key}\s*=\s*({place})\s*(?:$|;|\bAND\b|\bRETURNING\b|\bFOR\b)"
SELECTS, ORS = re.compile(r"\s*\bSELECT\b", re.IGNORECASE), re.compile(r"\bOR\b", re.IGNORECASE)
ANDS = re.compile(r"\bAND\b", re.IGNORECASE)
INSERTS = re.compile(r"\s*INSERT\b(?!.*\bSELECT\b)", re.IGNORECASE | re.DOTALL)
ONLY_LOCKS = re.compile(
    r"\s*(?:LOCK\b|SELECT\s+pg_(?:try_)?advisory_(?:xact_)?lock(?:_shared)?\s*\([^()]*\)\s*;?\s*$)", re.IGNORECASE
)
"""What looks at no row."""
INSERTED = re.compile(
    r"\bINTO\s+[\w.\"]+\s*\(([^()]*)\)\s*VALUES\s*\(([^()]*)\)\s*(?:$|;|RETURNING\b|ON\s+CONFLICT\b)", re.IGNORECASE
)


@dataclass(frozen=True)
class Statement:
    """A statement, with its parameters."""

    text: str
    params: Any = None

    @property
    def ends(self) -> str:
        """COMMIT or ROLLBACK, if it is one; empty otherwise."""
        found = ENDS.match(self.text)
        return "" if not found else "ROLLBACK" if found[1].upper() in {"ROLLBACK", "ABORT"} else "COMMIT"

    @property
    def isolates(self) -> bool:
        """Whether it may change the level of isolation."""
        return bool(ISOLATES.search(self.text)) and not SHOWS.match(self.text)

    @property
    def locks_session(self) -> bool:
        """Whether it may take a lock that outlives its transaction."""
        return bool(SESSION_LOCK.search(self.text))

    def touches(self, tables: Tables) -> list[Any]:
        """Pairs of an object and whether it is written."""
        bare = TEXT.sub("''", self.text)
        names = _tables(bare, tables)
        if names is None:
            return ANYTHING
        written = bool(CHANGES.search(bare))
        rows = len(names) == 1 and self._row(tables[names[0]])
        objects = [rows] if rows else [[*tables[name]["object"]] for name in names]
        return [[each, written] for each in objects]

    def is_checked_again(self, tables: Tables) -> bool:
        """Whether it does the same if it waits as if it began after that: it names rows by their key, or none."""
        bare = TEXT.sub("''", self.text)
        if ONLY_LOCKS.match(bare):
            return True
        names = _tables(bare, tables)
        if names is None or len(names) != 1 or len(SELECTS.findall(bare)) > bool(SELECTS.match(bare)):
            return False
        if INSERTS.match(bare):
            return True
        keys = tables[names[0]].get("keys", ())
        named = [key for key in keys if _by_key(key).search(self.text)]
        return bool(named) and not ORS.search(bare) and (len(named) == len(keys) or not ANDS.search(bare))

    def _row(self, table: Mapping[str, Any]) -> list[str] | None:
        """The one row that it touches, if it names it."""
        key = table.get("key")
        if not key or len(SELECTS.findall(self.text)) > 1 or ORS.search(self.text):
            return None
        if re.match(r"\s*INSERT\b", self.text, re.IGNORECASE):
            return self._inserted(table, key)
        if re.search(rf"\bSET\b.*\b{key}\s*=.*\bWHERE\b", self.text, re.IGNORECASE | re.DOTALL):
            return None
        found = re.search(BY_KEY.format(key=re.escape(key), place=PLACE), self.text, re.IGNORECASE)
        return self._named(table, found[1], found.start(1)) if found else None

    def _inserted(self, table: Mapping[str, Any], key: str) -> list[str] | None:
        found = INSERTED.search(self.text)
        if not found or not table.get("insert"):
            return None
        columns, values = [[part.strip() for part in each.split(",")] for each in found.groups()]
        if key not in columns or len(columns) != len(values) or not re.fullmatch(PLACE, values[columns.index(key)]):
            return None
        at = found.start(2) + sum(len(part) + 1 for part in found[2].split(",")[: columns.index(key)])
        return self._named(table, values[columns.index(key)], at)

    def _named(self, table: Mapping[str, Any], value: str, at: int) -> list[str] | None:
        """The row with this value of its key, which may be a parameter."""
        if value.startswith("%("):
            value = self.params.get(value[2:].partition(")")[0]) if isinstance(self.params, Mapping) else None
        elif value == "%s":
            index = self.text[:at].count("%s")
            given = self.params if isinstance(self.params, Sequence) and not isinstance(self.params, str) else ()
            value = given[index] if index < len(given) else None
        else:
            value = value.strip("'")
        return None if value is None else [*table["object"], _alike(value)]


def _by_key(key: str) -> re.Pattern[str]:
    """Where a statement says what a column of the key is."""
    return re.compile(rf"\b(?:WHERE|AND)\s+(?:\w+\.)?{re.escape(key)}\s*=\s*(?:{PLACE})(?!\w)", re.IGNORECASE)


def _alike(value: Any) -> str:
    """One text for all the ways to write a key: 1, "01", a uuid with and without its hyphens."""
    return re.sub(r"[^0-9a-z]", "", str(value).lower()).lstrip("0")


def _tables(bare: str, tables: Tables) -> list[str] | None:
    """The tables that a statement names; None if it may touch others."""
    if not PLAIN.match(bare) or NOT_UNDERSTOOD.search(bare) or LISTED.search(bare):
        return None
    own = {name.lower() for name in WITH.findall(bare)}
    named = [name.replace('"', "").removeprefix("public.") for name in NAMED.findall(bare) if name != "("]
    found = [name for name in dict.fromkeys(named) if name.lower() not in own]
    called = {name.lower() for name in CALLED.findall(bare)} - SAFE - own - {name.lower() for name in named}
    if called or not found or any(name not in tables for name in found):
        return None
    return found


def from_verb(statement: str) -> str:
    """A statement without the comments that stand before it."""
    return statement[BEFORE.match(statement).end() :]
