"""Judges chapter 10: others learn what has happened, all of it and nothing else, and each of them acts once.

A trial is one process in which many scenes are played. What was stored is kept by the server, and read when that
process is dead. Relay and receiver are killed at every point; who records or receives at the same moment is raced, in
every order. `verify`, `next_attempt` and `deliver` get their messages, their chance and their network from here; what
they must make of it is not in their process. Answers run in children only.
"""

import builtins
import copy
import hmac
import json
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from random import Random
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from psycopg import Connection

from labkit import database, race, sweep, tool, trial
from labkit.grading.judge.calls import called, shown, told, until_endless
from labkit.grading.judge.differences import quoted, quoted_apart
from labkit.grading.judge.numbered import MINE, Seen, assert_numbered, assert_same
from labkit.grading.judge.orders import ENOUGH, assert_no_order_breaks
from labkit.grading.judge.program import Program
from labkit.grading.judge.scenes import play
from labkit.grading.judge.stage import THROUGH, WAITED, Stage, ends, outcome
from labkit.grading.judge.survival import assert_survives, did

TABLES = """
    CREATE TABLE runs (name text PRIMARY KEY, last int NOT NULL DEFAULT 0);
    CREATE TABLE outbox (
        run text, number int, type text NOT NULL, payload jsonb NOT NULL, sent boolean NOT NULL DEFAULT false,
        PRIMARY KEY (run, number));
    CREATE TABLE inbox (id text PRIMARY KEY);
    CREATE TABLE notes (text text)
"""
FACTS = """
    SELECT json_build_object(
        'runs', (SELECT json_object_agg(name, last) FROM runs),
        'outbox', (SELECT json_agg(outbox ORDER BY run COLLATE "C", number) FROM outbox),
        'inbox', (SELECT json_agg(id ORDER BY id COLLATE "C") FROM inbox),
        'notes', (SELECT json_agg(text) FROM notes))
"""
FILL = {
    "runs": "INSERT INTO runs SELECT * FROM json_populate_recordset(NULL::runs, %s)",
    "outbox": "INSERT INTO outbox SELECT * FROM json_populate_recordset(NULL::outbox, %s)",
    "inbox": "INSERT INTO inbox SELECT * FROM json_populate_recordset(NULL::inbox, %s)",
}
EMPTY = "DELETE FROM runs; DELETE FROM outbox; DELETE FROM inbox; DELETE FROM notes"
NOTE = "INSERT INTO notes VALUES (:text)"
TEXTS = [
    *("", 'it\'s "online"', "one line\nand another", "развернуть: 部署 ✓", "100 % of :run, %s and \\n", " online "),
    *("NULL", "Zu\u0308rich", "deploy " * 300, '{"service": 1}', "null"),
]
ERRORS = [
    *(ConnectionError, TimeoutError, ValueError, LookupError, RuntimeError, AssertionError, OSError, ZeroDivisionError)
]
NETWORK = ("OSError", "TimeoutError", "ConnectionError", "ValueError", "UnicodeError", "LookupError", "RuntimeError")
"""What a network may raise, and libraries do, as builtins has them."""
TOLERANCE, ATTEMPTS, FIRST, FACTOR, LONGEST, DAY = 300, 12, 5, 3, 43_200, 86_400
"""As the exercise gives them."""
DRAWS, LEAST, MOST = 400, 60, 140
"""How often a delay is drawn, and how many of these fall into each quarter of what is allowed."""
OUTSIDE = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "1.1.1.1", "8.8.4.4", "2a00:1450:4001:82a::200e"]
INSIDE = [
    *("127.0.0.1", "10.0.0.7", "172.31.255.9", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.7", "224.0.0.1"),
    *("::1", "::", "fe80::1", "fd00:ec2::254", "::ffff:10.0.0.1", "64:ff9b::a00:1", "ff02::1", "2002:a00:1::"),
]
NAMES = [
    ("Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"),
    ("WEBHOOK-ID", "WEBHOOK-TIMESTAMP", "WEBHOOK-SIGNATURE"),
    ("webhook-ID", "Webhook-timestamp", "webHook-signaturE"),
]
REDIRECTS = [301, 302, 303, 307, 308]

Row = dict[str, Any]
ABOUT = ("type", "payload")


@dataclass(frozen=True)
class Stored:
    """What is stored before a call."""

    runs: dict[str, int] = field(default_factory=dict)
    """Name → number of its last event."""
    outbox: list[Row] = field(default_factory=list)
    inbox: list[str] = field(default_factory=list)

    def fill(self, connection: Connection) -> None:
        """Store this, and nothing else."""
        runs = [{"name": name, "last": last} for name, last in self.runs.items()]
        rows = {"runs": runs, "outbox": self.outbox, "inbox": [{"id": each} for each in self.inbox]}
        connection.execute(EMPTY)
        for table, statement in FILL.items():
            connection.execute(statement, [json.dumps(rows[table])])

    def create(self) -> None:
        """Make the tables, with this in them."""
        with Connection.connect(database.url(), autocommit=True) as connection:
            connection.execute(TABLES)
            self.fill(connection)


@dataclass(frozen=True)
class Recorded:
    """Events that are recorded in one transaction: run, type and payload of each."""

    stored: Stored
    events: list[tuple[str, str, Row]]
    undo: bool = False
    """Whether the caller undoes its transaction first, and then does all of it again."""
    begin: bool = False
    """Whether the caller has begun the transaction by `begin`, not by its first statement."""
    busy: str = ""
    """Another run, in which a transaction has recorded that is still open."""


@dataclass(frozen=True)
class Relayed:
    """Calls of the relay, one after another."""

    stored: Stored
    calls: int = 1
    fails: dict[tuple[str, int], int] = field(default_factory=dict)
    """Event → how often sending it fails. The error is one of ERRORS."""
    meanwhile: dict[int, Row] = field(default_factory=dict)
    """Number of a call of send → an event that others record then."""


@dataclass(frozen=True)
class Received:
    """An event that comes, once more each time."""

    stored: Stored
    id: str
    times: int = 1
    error: type[Exception] | None = None
    """What the effect raises the first time."""
    returns: Any = None
    """What the effect returns."""


class Events(Stage):
    """In a child: the answers, and whoever calls them."""

    def __init__(self, program: Program) -> None:
        super().__init__(TABLES, FACTS)
        self.program, self.raised = program, None

    def play(self, scene: Recorded | Relayed | Received) -> list[Row]:
        """What came of the scene, call by call."""
        scene.stored.fill(self.judge)
        self.scene = scene
        found: list[Row] = []
        for got in {Recorded: self._record, Relayed: self._relay, Received: self._receive}[type(scene)]():
            found.append(got)
            if ends(got):
                break
        return found

    def _record(self) -> Iterable[Row]:
        other = self.engine.connect()
        if self.scene.busy:
            yield self._call(partial(self._numbers, other, [(self.scene.busy, "online", {})])) | {"aside": True}
        for commit in [False] * self.scene.undo + [True]:
            with self.engine.connect() as conn:
                if self.scene.begin:
                    conn.begin()
                conn.execute(sa.text(NOTE), {"text": MINE})
                got = self._call(partial(self._numbers, conn, self.scene.events))
                got["early"], end = self.keep(), conn.commit if commit else conn.rollback
                if "failed" not in got:
                    got["caller"] = called(
                        lambda conn=conn, end=end: [conn.execute(sa.text("SELECT 1")).scalar(), end()]
                    )
            yield {**got, "end": self.keep(), "commit": commit}
        other.commit()
        other.close()

    def _numbers(self, conn: sa.Connection, events: Sequence[tuple[str, str, Row]]) -> Any:
        numbers = [_plain(self.program["record"](conn, run, kind, copy.deepcopy(it))) for run, kind, it in events]
        return numbers[0] if len(numbers) == 1 else numbers

    def _relay(self) -> Iterable[Row]:
        self.fails, self.sends = dict(self.scene.fails), 0
        for _ in range(self.scene.calls):
            self.log, self.open, self.line = [], 0, ""
            with self.engine.connect() as conn:
                got = self._call(lambda conn=conn: _plain(self.program["relay"](conn, self._send)))
                got |= {"log": self.log, "open": self.open, "line": self.line, "left": self.end_others()}
            yield {**got, "end": self.keep()}

    def _send(self, event: Any) -> None:
        """Look around, and perhaps fail."""
        self.sends += 1
        about = [_plain(getattr(event, name, "missing")) for name in ("run", "number", "type", "payload")]
        key = (about[0], about[1]) if isinstance(about[0], str) and isinstance(about[1], int) else ("", 0)
        self.open = self.open or self.open_now()
        self.line = self.line or (self.open_since() if self.open else "")
        if more := self.scene.meanwhile.get(self.sends):
            self.other.execute("UPDATE runs SET last = %s WHERE name = %s", [more["number"], more["run"]])
            self.other.execute(FILL["outbox"], [json.dumps([more])])
        fails = self.fails.get(key, 0) > 0
        self.log.append({"event": about, "fails": fails})
        if fails:
            self.fails[key] -= 1
            raise ERRORS[self.sends % len(ERRORS)]("the receiver is away")

    def _receive(self) -> Iterable[Row]:
        for time in range(self.scene.times):
            self.fail = self.scene.error if not time else None
            with self.engine.connect() as conn:
                got = self._call(lambda conn=conn: self._received(conn))
                got |= {"left": self.end_others()}
            yield {**got, "failing": self.fail and self.fail.__name__, "end": self.keep()}

    def _received(self, conn: sa.Connection) -> Any:
        try:
            return _plain(self.program["receive"](conn, self.scene.id, self._effect))
        except Exception as error:
            if error is not self.raised:
                raise
            return THROUGH

    def _effect(self, conn: sa.Connection) -> Any:
        conn.execute(sa.text(NOTE), {"text": self.scene.id})
        if self.fail is sa.exc.IntegrityError:
            try:
                conn.execute(sa.text("INSERT INTO runs VALUES ('the same'), ('the same')"))
            except sa.exc.IntegrityError as error:
                self.raised = error
                raise
        if self.fail:
            self.raised = self.fail("the effect has failed")
            raise self.raised
        return self.scene.returns

    def _call(self, call: Callable[[], Any]) -> Row:
        self.listens = True
        got = called(call)
        self.listens = False
        return got


def no_ghost(program: Program, rng: Random) -> None:
    """Others know of an event exactly if the caller commits; whatever else was written stays."""
    scenes = [_recorded(rng, text=text) for text in rng.sample(TEXTS, 6)]
    scenes += [_recorded(rng, count=rng.randint(2, 4), begin=True), _recorded(rng, begin=True, undo=True)]
    scenes += [_recorded(rng, undo=True, count=n) for n in (1, rng.randint(2, 3))]
    scenes += [_recorded(rng, last=0), _recorded(rng, last=rng.randint(9, 99), deleted=True)]
    for seen in _play(program, scenes):
        _check_recorded(seen)


def late_commit(program: Program, rng: Random) -> None:
    """Two that record at once get two numbers, and nobody sees the greater one first; in two runs neither waits."""
    scenes = [_recorded(rng, busy=True, last=last) for last in (0, rng.randint(1, 9))]
    for seen in _play(program, scenes):
        waited = WAITED in seen.got.get("failed", "")
        assert not waited, (
            f"A transaction that recorded in the run {quoted(seen.scene.busy)} was open, and record waited for it, "
            f"though it was for another run: it {told(seen.got)}"
        )
        _check_recorded(seen)
    _two_record(program, rng)


def none_lost(program: Program, rng: Random) -> None:
    """What waits is sent once, then marked, with no transaction open; killed anywhere, another relay sends the rest."""
    scenes = [_relayed(rng, runs, most) for runs, most in ((1, 1), (1, 4), (2, 3), (rng.randint(3, 5), 4))]
    scenes += [_relayed(rng, 2, 2, meanwhile=at, calls=3) for at in (1, 2)]
    scenes += [_relayed(rng, 1, 3, meanwhile=rng.randint(1, 3), calls=3), _relayed(rng, 3, 0, calls=2)]
    scenes += [_relayed(rng, 1, rng.randint(110, 130))]
    for seen in _play(program, scenes):
        _check_quiet(seen)
        _check_all_sent(seen)
    _relay_is_killed(program, rng)


def order_kept(program: Program, rng: Random) -> None:
    """Within a run, what comes later waits for what failed; other runs do not."""
    scenes = [_relayed(rng, runs, most) for runs, most in ((1, 12), (3, rng.randint(3, 5)))]
    scenes += [_relayed(rng, 7, 2, calls=3, fails=1) for _ in range(6)]
    scenes += [_relayed(rng, 3, most, calls=3, fails=fails) for most, fails in ((3, 1), (4, 2), (5, 3))]
    scenes += [_relayed(rng, 1, 3, calls=4, fails=1, often=2), _relayed(rng, 2, 2, calls=2, fails=2)]
    for seen in _play(program, scenes):
        _check_order(seen)
        _check_all_sent(seen)


def received_once(program: Program, rng: Random) -> None:
    """The effect is there once, however often the event comes, whatever kills us, and whoever receives it as well."""
    names = [f"shop_{accent}_{rng.randrange(10**6)}/7" for accent in ("é", "e\u0301")] + rng.sample(TEXTS, 4)
    scenes = [
        _received(rng, name, times=rng.randint(2, 3), returns=value)
        for name, value in zip(names, [None, 0, "", False, True, 7], strict=True)
    ]
    scenes += [_received(rng, rng.choice(TEXTS), had=True)]
    errors = [sa.exc.IntegrityError, *rng.sample(ERRORS, 3)]
    scenes += [_received(rng, rng.choice(names), error=error, times=3) for error in errors]
    for seen in _play(program, scenes):
        _check_received(seen)
    _receiver_is_killed(program, rng)
    for fails in (False, True):
        _two_receive(program, rng, fails=fails)


def rejects_forged(program: Program, rng: Random) -> None:
    """Whoever has the secret is believed, whatever they say; nobody else is."""
    genuine, forged = [], []
    for body in (b"", b"{}", '{"city": "Zürich", "ok":true}'.encode(), rng.randbytes(40)):
        message = _message(rng, body)
        genuine += [
            ("a genuine message", message),
            ("the same, with names in another case", message.but(names=rng.choice(NAMES))),
        ]
        forged += [
            ("another body", message.but(body=body + b" ")),
            ("the secret of somebody else", message.signed_by(_secret(rng))),
        ]
    message = _message(rng, b'{"n":1, "at": "shop"}')
    right, wrong = message.signature, message.signed_by(_secret(rng)).signature
    digest = right.removeprefix("v1,")
    for several in (f"{wrong} {right}", f"{right} {wrong}", f"v1a,{digest[::-1]} {wrong} {right}", f"{right}  {wrong}"):
        genuine.append(("several signatures, of which one is right", message.but(signature=several)))
    forged += [
        ("the body, parsed and written anew", message.but(body=json.dumps(json.loads(message.body)).encode())),
        ("the body with one byte changed", message.but(body=message.body.replace(b"1", b"2"))),
        ("an empty body", message.but(body=b"")),
        ("another id", message.but(id=f"{message.id}0")),
        ("another timestamp", message.but(timestamp=str(int(message.timestamp) + rng.choice([-1, 1])))),
        ("several signatures, all wrong", message.but(signature=f"{wrong} {right[:-4]} {right[::-1]}")),
        ("the beginning of the right signature", message.but(signature=right[: rng.randint(4, 20)])),
        ("the right signature and more", message.but(signature=right + rng.choice("Ab1="))),
        ("the right signature with more before it", message.but(signature=f"x{right}")),
        ("the right signature in other letters", message.but(signature=right.swapcase())),
        ("only the version of a signature", message.but(signature="v1,")),
        ("the right signature as one of version v1a", message.but(signature=f"v1a,{digest}")),
        ("the right signature without its version", message.but(signature=digest)),
    ]  # fmt: skip
    _check_believed(program, genuine, forged)


def rejects_old(program: Program, rng: Random) -> None:
    """A message counts for five minutes, in both directions."""
    part = rng.uniform(0.01, 0.99)
    near = [0.0, part, -part, rng.uniform(1, 299), -rng.uniform(1, 299), float(TOLERANCE), -float(TOLERANCE)]
    far = [3600.0, 86_400.0, -86_400.0, 1e9, -1e6]
    far += [sign * (TOLERANCE + more) for sign in (1, -1) for more in (part, 1.0)]
    messages = {late: _message(rng, b"{}", late) for late in near + far}
    named = {
        late: f"a message that is {abs(late):g} s {'old' if late >= 0 else 'ahead of our time'}" for late in messages
    }
    old = [(named[late], messages[late]) for late in far]
    for unit, zeros in (("milliseconds", "000"), ("nanoseconds", "000000000")):
        message = messages[0.0].but(timestamp=f"{messages[0.0].timestamp}{zeros}").signed_by(messages[0.0].secret)
        old.append((f"a timestamp in {unit}", message))
    _check_believed(program, [(named[late], messages[late]) for late in near], old)


def malformed_is_false(program: Program, rng: Random) -> None:
    """Whatever a stranger writes into the headers, the answer is False, and nothing is raised."""
    message, forged = _message(rng, b"{}"), []
    for name, part in zip(message.names, ("id", "timestamp", "signature"), strict=True):
        forged += [
            (f"a message without {name}", message.but(gone=frozenset([name]))),
            (f"an empty {name}", message.but(**{part: ""})),
        ]
    forged.append(("a message without headers", message.but(gone=frozenset(message.names))))
    anonymous = message.but(id="").signed_by(message.secret)
    forged += [
        ("an empty id that is signed", anonymous),
        ("a message without id that is signed", anonymous.but(gone=frozenset(["webhook-id"]))),
    ]
    for text in (
        "soon",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "9" * 400,
        "9" * 5000,
        "2026-11-29T10:00:00Z",
        "0x10",
        "-",
        " ",
    ):
        forged.append((f"the timestamp {quoted(text)}", message.but(timestamp=text).signed_by(message.secret)))
    for text in ("é", "v1", ",", "v1,é", " ", "v1,ключ", "v1;x", "v1," + "A" * 5000, "v1,%%%", "\x00"):
        forged.append((f"the signature {quoted(text)}", message.but(signature=text)))
    _check_believed(program, [("a genuine message", message)], forged)


def parks(program: Program, rng: Random) -> None:
    """Delays grow to their cap, half of each by chance; a receiver may ask for more, up to a day; then we give up."""
    asked = [None, 0, rng.randint(1, 3), rng.uniform(100, 9000), 50_000, DAY, DAY + 1, 10**9]
    calls = [(n, after, rng.randrange(10**6)) for n in (*range(1, ATTEMPTS + 3), 50, 5000) for after in asked]
    found = _next_attempts(program, [*calls, *calls])
    for (n, after, _), got, again in zip(calls, found, found[len(calls) :], strict=False):
        said = f"next_attempt({n}, {after!r}, rng)"
        assert "failed" not in got, f"{said} {told(got)}"
        if n >= ATTEMPTS:
            assert got["value"] is None, (
                f"{said} returned {got['value']}; expected None: {ATTEMPTS} attempts are enough"
            )
            continue
        span, wanted = min(FIRST * FACTOR ** (n - 1), LONGEST), min(after or 0, DAY)
        low, high = max(span / 2, wanted), max(span, wanted)
        value = got["value"]
        inside = isinstance(value, int | float) and low * (1 - 1e-9) <= value <= high * (1 + 1e-9)
        expected = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        assert inside, f"{said} returned {value}; expected {expected}"
        assert value == again["value"], (
            f"{said} returned {value} and then {again['value']} with an equal rng: draw only from rng"
        )
    for n in (1, rng.randint(2, 8), 10):  # the span of the last is cut
        values = [got["value"] for got in _next_attempts(program, [(n, None, seed) for seed in range(DRAWS)])]
        span = min(FIRST * FACTOR ** (n - 1), LONGEST)
        quarters = [min(int((value / span - 0.5) * 8), 3) for value in values]
        counts = [quarters.count(each) for each in range(4)]
        even = min(counts) >= LEAST and max(counts) <= MOST and len({*values}) > DRAWS // 2
        assert even, (
            f"next_attempt({n}, None, rng), {DRAWS} times: the quarters from {span / 2:g} to {span:g} hold {counts}, "
            f"with {len({*values})} different delays; all between should be equally likely"
        )


def refuses_inner_address(program: Program, rng: Random) -> None:
    """Only an address that was looked at is posted to, once; any inner one, and any other kind of URL, is refused."""
    fine = [_delivery(rng, [each]) for each in OUTSIDE]
    fine += [_delivery(rng, rng.sample(OUTSIDE, rng.randint(2, 4)), url=url) for url in _urls(rng)]
    fine += [_delivery(rng, [rng.choice(OUTSIDE)], later=[each]) for each in rng.sample(INSIDE, 3)]
    fine += [_delivery(rng, [rng.choice(OUTSIDE)], status=status, location=_inner_url(rng)) for status in REDIRECTS]
    fine += [_delivery(rng, [rng.choice(OUTSIDE)], status=status) for status in (200, 202, 404, 410, 429, 500, 503)]
    fine += [_delivery(rng, rng.sample(OUTSIDE, 3), error=error) for error in NETWORK]
    fine += [_delivery(rng, [], error=error) for error in NETWORK]
    bad = [_delivery(rng, [each]) for each in INSIDE]
    bad += [_delivery(rng, _among(rng, each)) for each in rng.sample(INSIDE, 8)]
    bad += [_delivery(rng, [rng.choice(INSIDE)], later=[rng.choice(OUTSIDE)])]
    bad += [_delivery(rng, [rng.choice(INSIDE)], url=url) for url in _urls(rng)]
    bad += [_delivery(rng, [rng.choice(OUTSIDE)], url=url) for url in _no_webhooks(rng)]
    for each, got in zip([*fine, *bad], _deliver(program, [*fine, *bad]), strict=False):
        _check_delivered(each, got, refused=each in bad)


def _play(program: Program, scenes: Sequence[Any]) -> list[Seen]:
    """Play scenes of one kind, in one child."""
    names = {Recorded: "record", Relayed: "relay", Received: "receive"}
    played, facts = play(partial(Events, program), scenes, names[type(scenes[0])])
    found = []
    for scene, calls in zip(scenes, played, strict=False):
        last = _facts(asdict(scene.stored))
        for got in calls:
            assert not got.get("aside") or "failed" not in got, f"With nobody else there, record {outcome(got)}"
            if not got.get("aside"):
                end = _facts(facts.get(got["end"], {}))
                early = _facts(facts[got["early"]]) if got.get("early") in facts else None
                found.append(Seen(scene, got, last, end, early))
                last = end
    return found


def _facts(fact: Row) -> Row:
    """What is stored, in one form: events by run and number."""
    rows = {
        (row["run"], row["number"]): {name: row[name] for name in ("type", "payload", "sent")}
        for row in fact.get("outbox") or []
    }
    lists = {name: sorted(fact.get(name) or []) for name in ("inbox", "notes")}
    return {"runs": dict(sorted((fact.get("runs") or {}).items())), "outbox": dict(sorted(rows.items())), **lists}


def _check_recorded(seen: Seen) -> None:
    """The events are there if the caller has committed."""
    events = [(run, {"type": kind, "payload": payload, "sent": False}) for run, kind, payload in seen.scene.events]
    assert_numbered(seen, events, "record", "event", "outbox")


def _check_quiet(seen: Seen) -> None:
    """While it sent, no transaction was open, and none is left."""
    whose = f"{seen.got['line']}'s transaction was open" if seen.got["line"] else "a transaction was open"
    assert not seen.got["open"], f"While send ran, {whose}: end it before you send"


def _check_all_sent(seen: Seen) -> None:
    """What waited was sent, each once and as it is, and then marked; what failed was not."""
    got, before, scene = seen.got, seen.before["outbox"], seen.scene
    assert "failed" not in got, f"relay {seen.did}{_failure_before(got)}"
    assert not got["left"], f"relay {seen.did}, and left a transaction open"
    known = before | {(row["run"], row["number"]): row for row in scene.meanwhile.values()}
    sent: list[tuple[str, int]] = []
    for each in got["log"]:
        run, number, *about = each["event"]
        key = (run, number) if isinstance(number, int) else None
        assert key in known, (
            f"relay called send with the event {quoted(number)} of the run {quoted(run)}: there is none"
        )
        assert not known[key]["sent"], f"relay sent event {number} of a run, which was marked as sent before"
        assert key not in sent, f"relay sent event {number} of a run twice in one call"
        stored = [known[key][name] for name in ABOUT]
        where, ours, given = quoted_apart(stored, about)
        assert stored == about, f"relay sent an event with type and payload{where} {given}; stored is {ours}"
        sent += [key] * (not each["fails"])
    stuck = {each["event"][0] for each in got["log"] if each["fails"]}
    for (run, number), row in before.items():
        due = not row["sent"] and (run not in stuck)
        assert not due or (run, number) in sent, (
            f"relay {seen.did}, and event {number} of {_count(before)} that waited was not sent"
        )
    for key, row in seen.end["outbox"].items():
        is_sent = key in sent or (key in before and before[key]["sent"])
        how = "send had failed" if key[0] in stuck else "it was never sent"
        assert is_sent or not row["sent"], f"relay marked event {key[1]} of a run as sent, and {how}: it is lost"
        assert row["sent"] or not is_sent, (
            f"relay sent event {key[1]} of a run, and did not mark it: it will be sent for ever"
        )
    rows, end = (
        {key: {name: row[name] for name in ABOUT} for key, row in each.items() if key in before}
        for each in (known, seen.end["outbox"])
    )
    assert_same("outbox", f"relay {seen.did}", rows, end, "event")
    assert got["value"] == len(sent), f"relay returned {got['value']}; expected {len(sent)}: so many were sent"


def _check_order(seen: Seen) -> None:
    """Each after those before it in its run; none behind one that has failed."""
    waits = {key for key, row in seen.before["outbox"].items() if not row["sent"]}
    failed: dict[str, int] = {}
    for each in seen.got["log"]:
        run, number = each["event"][:2]
        if (run, number) not in waits:
            continue
        assert run not in failed, (
            f"Sending event {failed[run]} of a run failed, and then relay called send with event {number} of that run"
        )
        first = min(n for name, n in waits if name == run)
        assert number == first, f"relay sent event {number} of a run before event {first}"
        if each["fails"]:
            failed[run] = number
        else:
            waits.discard((run, number))


def _failure_before(got: Row) -> str:
    """What send did last."""
    return ", after send had failed" if got["log"] and got["log"][-1]["fails"] else ""


def _relay_is_killed(program: Program, rng: Random) -> None:
    """Killed at any point and started again: all is sent, in order, and marked."""
    runs = rng.sample(["shop", "blog", "wiki"], 2)
    rows = [_event_row(runs[0], 1), _event_row(runs[0], 2), _event_row(runs[1], 1)]
    stored = Stored(dict(zip(runs, (2, 1), strict=True)), rng.sample(rows, 3))

    def run() -> None:
        with database.engine().connect() as connection:
            program["relay"](connection, lambda event: tool("notify", service=f"{event.run}/{event.number}"))

    def invariant(seen: Any) -> None:
        sent = [*dict.fromkeys(call.arguments["service"] for call in seen.ledger)]
        for row in rows:
            name = f"{row['run']}/{row['number']}"
            assert name in sent, f"the event {name} was never sent: it is lost"
            before = f"{row['run']}/{row['number'] - 1}"
            assert before not in sent or sent.index(before) < sent.index(name), f"{name} was sent before {before}"
        with Connection.connect(database.url(), autocommit=True) as connection:
            ((count,),) = connection.execute("SELECT count(*) FROM outbox WHERE NOT sent").fetchall()
        assert not count, f"all was sent, and {count} {'event is' if count == 1 else 'events are'} not marked"

    assert_survives(sweep(run, run, invariant, stored.create, name="relay"), effects=3)


def _check_received(seen: Seen) -> None:
    """The effect is there once, and the id with it; if the effect failed, neither is."""
    scene, got, before = seen.scene, seen.got, seen.before
    had = scene.id in before["inbox"]
    said = f"The event {quoted(scene.id)} {'had come before' if had else 'came for the first time'}: receive {seen.did}"
    if got["failing"] and not had:
        said = f"The effect raised {got['failing']}, and receive {seen.did}"
        assert got.get("value") == THROUGH, f"{said}: let the error through, as it is"
        assert not got["left"], f"{said}, and left a transaction open"
        assert seen.end == before, f"{said}, and something was stored all the same: then the event never has its effect"
        return
    assert "failed" not in got, said
    assert not got["left"], f"{said}, and left a transaction open"
    count = seen.end["notes"].count(scene.id) - before["notes"].count(scene.id)
    assert count or had, f"{said}, and what the effect did is not committed"
    assert count == (not had), f"{said}, and the event has had its effect {'again' if had else _times(count)}"
    inbox = dict.fromkeys([*before["inbox"], scene.id])
    assert_same("inbox", said, inbox, dict.fromkeys(seen.end["inbox"]))
    assert got["value"] is (not had), f"{said}; expected {not had}"


def _receiver_is_killed(program: Program, rng: Random) -> None:
    """Killed at any point and called again: the effect is there, once."""
    name = rng.choice(TEXTS)

    def run() -> None:
        with database.engine().connect() as connection:
            program["receive"](connection, name, _note(name))

    def invariant(_: Any) -> None:
        count = _notes()
        assert count, "after the restart, the event came again, and its effect is still not there"
        assert count == 1, f"the event has had its effect {_times(count)}"

    assert_survives(sweep(run, run, invariant, Stored().create, name="receive"), effects=3)


def _note(name: str) -> Callable[[sa.Connection], None]:
    """An effect that can be counted."""

    def effect(conn: sa.Connection) -> None:
        conn.execute(sa.text(NOTE), {"text": name})

    return effect


def _two_receive(program: Program, rng: Random, *, fails: bool) -> None:
    """The same event comes twice at the same moment, in every order; perhaps the effect fails, for one of them."""
    name = rng.choice(TEXTS)

    def receive(effect: Callable[[sa.Connection], None]) -> Any:
        with database.engine().connect() as connection:
            return program["receive"](connection, name, effect)

    def failing(conn: sa.Connection) -> None:
        _note(name)(conn)
        raise TimeoutError("the effect has failed")

    def invariant(seen: Any) -> None:
        count, ends = _notes(), [_ended(end) for end in seen.workers.values()]
        expected = [["raised TimeoutError", "returned True"]] * fails + [["returned False", "returned True"]]
        expected += [["returned True", "returned False"]] * (not fails)
        assert count == 1 and ends in expected, (
            f"the same event came twice at the same moment{', and the effect of A failed' * fails}: "
            f"they {' and '.join(ends)}, and the effect is there {_times(count)}; expected one True, and one effect"
        )

    workers = {"A": partial(receive, failing if fails else _note(name)), "B": partial(receive, _note(name))}
    assert_no_order_breaks(race(workers, invariant, Stored().create, enough=ENOUGH, name="receive"))


def _notes() -> int:
    """How many effects are committed."""
    with Connection.connect(database.url(), autocommit=True) as connection:
        return connection.execute("SELECT count(*) FROM notes").fetchone()[0]


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _two_record(program: Program, rng: Random) -> None:
    """Two record in the same run at the same moment, and somebody looks, in every order."""
    last = rng.choice([0, rng.randint(2, 12)])
    (run, *_), stored = _stored(rng, last, deleted=rng.choice([True, False]))

    def record() -> Any:
        with database.engine().begin() as connection:
            return program["record"](connection, run, "online", {"service": "shop"})

    def look() -> list[int]:
        with Connection.connect(database.url(), autocommit=True) as connection:
            rows = connection.execute(
                "SELECT number FROM outbox WHERE run = %s AND number > %s", [run, last]
            ).fetchall()
        return sorted(number for (number,) in rows)

    def invariant(seen: Any) -> None:
        numbers, ends = seen.workers["look"].returned, [_ended(seen.workers[name]) for name in "AB"]
        assert numbers == [last + 1, last + 2][: len(numbers)], (
            f"event {numbers[0]} of the run could be seen, and event {last + 1} was still to be committed"
        )
        assert {*ends} == {f"returned {last + 1}", f"returned {last + 2}"}, (
            f"two recorded at the same moment, after event {last}: they {' and '.join(ends)}; "
            f"expected {last + 1} and {last + 2}"
        )

    assert_no_order_breaks(
        race({"A": record, "B": record, "look": look}, invariant, stored.create, enough=ENOUGH, name="record")
    )


def _ended(end: Any) -> str:
    return f"raised {end.raised}" if end.raised else f"returned {end.returned!r}"


@dataclass(frozen=True)
class Message:
    """A message of Standard Webhooks, and the secret of whoever receives it."""

    secret: str
    id: str
    timestamp: str
    body: bytes
    now: float
    signature: str = ""
    names: tuple[str, ...] = ("webhook-id", "webhook-timestamp", "webhook-signature")
    gone: frozenset[str] = frozenset()

    def headers(self) -> dict[str, str]:
        """As they are sent, in no helpful order."""
        values = dict(zip(self.names, (self.id, self.timestamp, self.signature), strict=True))
        return {name: values[name] for name in sorted(values, reverse=len(self.id) % 2 == 0) if name not in self.gone}

    def but(self, **changes: Any) -> "Message":
        """With something else in it."""
        return replace(self, **changes)

    def signed_by(self, secret: str) -> "Message":
        """With the signature that fits what is in it now."""
        signed = f"{self.id}.{self.timestamp}.".encode() + self.body
        digest = hmac.digest(b64decode(secret.removeprefix("whsec_")), signed, "sha256")
        return replace(self, signature=f"v1,{b64encode(digest).decode()}")


def _message(rng: Random, body: bytes, late: float = 0.0) -> Message:
    """A genuine message, that comes so many seconds after its timestamp."""
    at = 1_800_000_000 + rng.randrange(10**6)
    secret = _secret(rng)
    return Message(secret, f"msg_{rng.randrange(10**9)}", str(at), body, at + late).signed_by(secret)


def _secret(rng: Random) -> str:
    return f"whsec_{b64encode(rng.randbytes(24)).decode()}"


def _check_believed(
    program: Program, genuine: Sequence[tuple[str, Message]], forged: Sequence[tuple[str, Message]]
) -> None:
    """verify is True for these, and False for those."""
    messages = [message for _, message in (*genuine, *forged)]
    given = [(each.secret, each.headers(), each.body, each.now) for each in messages]

    def run() -> list[Row]:
        return until_endless(called(partial(_plain_call, program["verify"], *each)) for each in given)

    found = _tried(run, "verify")
    for (what, _), got, expected in zip(
        (*genuine, *forged), found, [True] * len(genuine) + [False] * len(forged), strict=False
    ):
        assert "failed" not in got, f"With {what}, verify {told(got)}; expected {expected}"
        assert got["value"] is expected, f"With {what}, verify returned {got['value']}; expected {expected}"


def _plain_call(function: Callable[..., Any], *arguments: Any) -> Any:
    return _plain(function(*arguments))


def _tried(run: Callable[[], list[Row]], name: str) -> list[Row]:
    seen = trial(run)
    assert seen.how == "returned", f"{name} {did(seen)}"
    return seen.value


def _next_attempts(program: Program, calls: Sequence[tuple[int, Any, int]]) -> list[Row]:
    def run() -> list[Row]:
        answer = program["next_attempt"]
        return until_endless(called(partial(_plain_call, answer, n, after, Random(seed))) for n, after, seed in calls)

    return _tried(run, "next_attempt")


@dataclass(frozen=True)
class Delivery:
    """A URL, what the network says of its host, and what the server there answers."""

    url: str
    addresses: tuple[str, ...]
    """What resolve returns first. None: it raises the `error`."""
    later: tuple[str, ...]
    """What it returns when it is asked again."""
    status: int = 204
    location: str = ""
    error: str = ""
    """What is raised by post, or by resolve."""
    body: bytes = b"{}"


def _deliver(program: Program, deliveries: Sequence[Delivery]) -> list[Row]:
    """How each call went, who was asked, and where it was posted to."""

    def once(each: Delivery) -> Row:
        asked, posted = [], []

        def resolve(host: Any) -> list[str]:
            asked.append(_plain(host))
            addresses = each.addresses if len(asked) == 1 else each.later
            if not addresses:
                raise getattr(builtins, each.error)("no such host")
            return [*addresses]

        def post(address: Any, url: Any, body: Any) -> Any:
            posted.append([_plain(address), _plain(url), body == each.body])
            if each.error:
                raise getattr(builtins, each.error)("no answer")
            return program["Answer"](each.status, each.location)

        def call() -> Any:
            answer = program["deliver"](each.url, each.body, resolve, post)
            return [answer.status, answer.location] if isinstance(answer, program["Answer"]) else shown(answer)

        return called(call) | {"asked": asked, "posted": posted}

    return _tried(lambda: until_endless(once(each) for each in deliveries), "deliver")


def _check_delivered(each: Delivery, got: Row, *, refused: bool) -> None:
    said = f"The URL {quoted(each.url)}, at {' and '.join(each.addresses) or 'no address'}"
    if each.later != each.addresses:
        said += f", and at {' and '.join(each.later)} when resolve is asked again"
    how = f"deliver {outcome(got)}"
    if refused:
        assert not got["posted"], f"{said}: deliver posted to {got['posted'][0][0]}; expected RefusedAddressError"
        assert "raised RefusedAddressError" in got.get("failed", ""), f"{said}: {how}; expected RefusedAddressError"
        return
    host = urlsplit(each.url).hostname
    for asked in got["asked"]:
        assert str(asked).lower() == host, f"{said}: deliver asked resolve for {asked!r}; expected {host!r}"
    assert each.addresses or not got["posted"], f"{said}: deliver posted to {got['posted'][0][0]}"
    if each.addresses:
        assert got["posted"], f"{said}: {how}, and posted nothing; expected one call of post"
    for address, url, same in got["posted"]:
        assert address in each.addresses, f"{said}: deliver posted to {address}, and has not looked at it"
        assert url == each.url and same, (
            f"{said}: deliver called post with another {'body' if url == each.url else 'url'}"
        )
    assert len(got["posted"]) <= 1, f"{said}: deliver called post {len(got['posted'])} times; expected once"
    if each.error:
        assert f"raised {each.error}" in got.get("failed", ""), (
            f"{said}: {how}; expected the {each.error} of {'post' if each.addresses else 'resolve'}"
        )
    else:
        assert got.get("value") == [each.status, each.location], (
            f"{said}: {how}; expected what post has returned, an Answer of status {each.status}"
        )


def _delivery(rng: Random, addresses: Sequence[str], **more: Any) -> Delivery:
    later = more.pop("later", addresses)
    url = more.pop("url", f"https://{rng.choice(['hooks', 'shop', 'api'])}.example.com/agent?run={rng.randrange(99)}")
    return Delivery(url, tuple(addresses), tuple(later), body=json.dumps({"n": rng.randrange(99)}).encode(), **more)


def _urls(rng: Random) -> list[str]:
    """URLs whose host is easily taken for another."""
    port = rng.randint(1024, 9999)
    return [
        f"http://hooks.example.com:{port}/a", "https://hooks.example.com", "https://hooks.example.com?to=http://shop.example.com/",
        f"https://user:word@hooks.example.com:{port}/x", "http://shop.example.com@hooks.example.com/", "https://HOOKS.example.com/A",
        f"http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:{port}/", "http://1.1.1.1/x@y", "https://hooks.example.com/#@10.0.0.1",
    ]  # fmt: skip


def _no_webhooks(rng: Random) -> list[str]:
    urls = [
        "file:///etc/passwd",
        "ftp://hooks.example.com/",
        "gopher://hooks.example.com/",
        "httpx://hooks.example.com/",
    ]
    return rng.sample(
        [
            *urls,
            "http+unix://hooks.example.com/",
            "//hooks.example.com/x",
            "hooks.example.com/x",
            "",
            "http:///x",
            "https://",
            "http:/x",
            "http://:80/",
        ],
        12,
    )


def _inner_url(rng: Random) -> str:
    return rng.choice(
        [
            "http://169.254.169.254/latest/meta-data",
            "http://127.0.0.1:5432/",
            "https://10.0.0.7/",
            "https://shop.example.com/",
        ]
    )


def _among(rng: Random, address: str) -> list[str]:
    """This one with others, at any place."""
    addresses = rng.sample(OUTSIDE, rng.randint(1, 3))
    return rng.sample([address, *addresses], len(addresses) + 1)


def _stored(rng: Random, last: int, *, deleted: bool = False, runs: int = 3) -> tuple[list[str], Stored]:
    """Runs with `last` events each, of which some are sent, or all are, and deleted."""
    number = rng.randrange(10**6)
    names = [
        f"shop {number}",
        f"o'Brien's \"shop\" {number}",
        f"shop {number} ",
        f"магазин\n{number}",
        f"100 % :run {number}",
    ]
    names = rng.sample(names, runs)
    first = last if deleted else rng.randint(0, last) if last else 0
    rows = [
        _event_row(name, n, rng.choice(TEXTS), sent=n <= first)
        for name in names
        for n in range(1, last + 1)
        if not deleted
    ]
    return names, Stored(dict.fromkeys(names, last), rng.sample(rows, len(rows)))


def _event_row(run: str, number: int, text: str = "", *, sent: bool = False) -> Row:
    return {
        "run": run,
        "number": number,
        "type": f"shop.{text[:9]}",
        "payload": {"text": text, "n": number},
        "sent": sent,
    }


def _recorded(
    rng: Random,
    count: int = 1,
    *,
    text: str = "",
    last: int | None = None,
    deleted: bool = False,
    busy: bool = False,
    **more: Any,
) -> Recorded:
    names, stored = _stored(rng, rng.randint(1, 9) if last is None else last, deleted=deleted)

    def payload() -> Row:
        """JSON of all kinds."""
        inner = {"text": text, "none": None}
        return {rng.choice("abc"): rng.choice(TEXTS), "list": [1, 2.5, None, True], "of": inner, "nothing": None}

    events = [(names[0], text or rng.choice(TEXTS), payload()) for _ in range(count)]
    return Recorded(stored, events, busy=names[1] if busy else "", **more)


def _relayed(
    rng: Random, runs: int, most: int, *, calls: int = 2, fails: int = 0, often: int = 1, meanwhile: int = 0
) -> Relayed:
    """So many runs with events that wait, `most` or fewer; in `fails` of them one fails. Their names look alike."""
    name, rows, lasts, failing = f"blog's é {rng.randrange(10**6)}", [], {}, {}
    names = [
        name,
        name.upper(),
        f"{name} ",
        f" {name}",
        f"{name}\n",
        name.replace("é", "e\u0301"),
        name.replace("'", "_"),
    ]
    names = rng.sample(names, runs)
    for n, each in enumerate(names):
        sent, deleted = rng.randint(0, 2), rng.randint(0, 2)
        waiting = most if n < max(fails, 1) else rng.randint(min(most, 1), most)
        lasts[each] = deleted + sent + waiting
        rows += [_event_row(each, deleted + i, rng.choice(TEXTS), sent=i <= sent) for i in range(1, sent + waiting + 1)]
        if n < fails:
            failing[each, lasts[each] - rng.randint(min(waiting - 1, 1), waiting - 1)] = often
    more = {meanwhile: _event_row(names[-1], lasts[names[-1]] + 1, rng.choice(TEXTS))} if meanwhile else {}
    return Relayed(Stored(lasts, rng.sample(rows, len(rows))), calls, failing, more)


def _received(rng: Random, name: str, *, had: bool = False, **more: Any) -> Received:
    """An event that comes, where others came that look like it."""
    others = [f"{name} ", f" {name}", name.upper(), f"{name}0", f"{name}é", f"{name}e\u0301"]
    others += [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    others += [name.replace("_", "x"), name.replace("%", "x")]
    inbox = sorted({*others} - {name}) + [name] * had
    return Received(Stored(inbox=rng.sample(inbox, len(inbox))), name, **more)


def _plain(value: Any) -> Any:
    """A value as it can be told to another process."""
    if isinstance(value, dict | list | tuple):
        return json.loads(json.dumps(value, default=shown))
    return value if value is None or isinstance(value, bool | int | float | str) else shown(value)


def _count(rows: Row) -> int:
    return sum(not row["sent"] for row in rows.values())
