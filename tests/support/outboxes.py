"""Events and webhooks in the crash lab and in the race lab: labkit's own way, and the wrong ways to do it.

Each guarantee is a function of who has to keep it: labkit's own way does, at each point and in every order, and a wrong
one does not.
"""

import base64
import json
import urllib.request
from contextlib import suppress
from functools import partial

from labkit import WorldClock, ack, database, in_transaction, race, service, sweep, tool, webhooks
from labkit.claims import LEASE
from labkit.events import cloud_event, create_tables, receive, record, relay
from labkit.postgres import create_schema

RUN = "run-7"
URL = "http://127.0.0.1:8001/hook"
SECRET = "whsec_" + base64.b64encode(b"a" * 24).decode()
CLOCK = WorldClock()


def execute(statement, *values):
    """The rows, if there are any, of one statement."""
    with database.engine().begin() as conn:
        done = conn.exec_driver_sql(statement, values)
        return [tuple(row) for row in done] if done.returns_rows else []


def tables():
    """Of labkit, of what happens here, and of the effects at the consumer."""
    create_tables(database.engine())
    execute("CREATE TABLE steps (name text PRIMARY KEY)")
    execute("CREATE TABLE effects (id text)")


def step(conn, name):
    """What happens in the run."""
    conn.exec_driver_sql("INSERT INTO steps VALUES (%s)", (name,))


def send(event):
    """To the others: what they got is in the ledger."""
    tool("charge", customer=event.payload, amount=1)


def in_the_transaction(name):
    """A step, and what it tells others."""

    def work(conn):
        step(conn, name)
        return record(conn, RUN, "step.finished", name, clock=CLOCK)

    return in_transaction(database.engine(), work)


def relay_all():
    """One call of the relay."""
    return relay(database.engine(), send, clock=CLOCK)


def before_the_commit(name):
    """The wrong way: others hear of what may never be."""

    def work(conn):
        step(conn, name)
        tool("charge", customer=name, amount=1)

    in_transaction(database.engine(), work)


def after_the_commit(name):
    """The wrong way: a kill between the two, and nobody hears of it."""
    in_transaction(database.engine(), lambda conn: step(conn, name))
    tool("charge", customer=name, amount=1)


MARK_FIRST = "UPDATE labkit_outbox SET sent_at = now() WHERE sent_at IS NULL RETURNING payload #>> '{}'"


def marked_before_sending():
    """The wrong way: what was marked is never sent again."""
    for (name,) in execute(MARK_FIRST):
        tool("charge", customer=name, amount=1)


def told(seen):
    """What the others got, in order."""
    return [call.arguments["customer"] for call in seen.ledger]


def told_is_what_happened(seen):
    """No more, no less, and in order."""
    happened = {name for (name,) in execute("SELECT name FROM steps")}
    assert not {*told(seen)} - happened, f"a ghost: {told(seen)} of {sorted(happened)}"
    assert not happened - {*told(seen)}, f"lost: {told(seen)} of {sorted(happened)}"
    assert [*dict.fromkeys(told(seen))] == sorted(happened), f"out of order: {told(seen)}"


def told_through(way=in_the_transaction, tell=relay_all, *, depth=1):
    """Two steps, and the others are told; after a kill, they are told what is left to tell."""

    def run():
        for name in ("1 build", "2 deploy"):
            way(name)
        tell()

    return sweep(run, tell, told_is_what_happened, tables, depth=depth)


# the inbox


def effect(conn):
    """The consumer's."""
    conn.exec_driver_sql("INSERT INTO effects VALUES ('run-7/1')")


def in_one_transaction():
    """Receive the event."""
    return in_transaction(database.engine(), lambda conn: receive(conn, "run-7/1", effect, clock=CLOCK))


def received_first():
    """The wrong way: a kill between the two, and the effect never is."""
    if in_transaction(database.engine(), lambda conn: receive(conn, "run-7/1", lambda _: None)):
        in_transaction(database.engine(), effect)


def effect_first():
    """The wrong way: a kill between the two, and the effect is twice."""
    if not execute("SELECT 1 FROM labkit_inbox WHERE id = 'run-7/1'"):
        in_transaction(database.engine(), effect)
        in_transaction(database.engine(), lambda conn: receive(conn, "run-7/1", lambda _: None))


def effect_once(_):
    """As the consumer's table says."""
    found = execute("SELECT id FROM effects")
    assert len(found) == 1, f"{len(found)} effects"


def received_through(way=in_one_transaction, *, depth=1):
    """The event comes again, as after a kill it does."""

    def run():
        way()
        way()

    return sweep(run, way, effect_once, tables, depth=depth)


# the webhook


class Receiver:
    """A stranger's server (WSGI): believes what is signed, and keeps the ids of what it has applied."""

    def __init__(self):
        self.applied = {}

    def __call__(self, environ, start_response):
        """Apply a message once, or tell what was applied."""
        if environ["REQUEST_METHOD"] == "GET":
            start_response("200 OK", [("content-type", "application/json")])
            return [json.dumps(list(self.applied.values())).encode()]
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        headers = {name[5:].replace("_", "-"): text for name, text in environ.items() if name.startswith("HTTP_")}
        if not webhooks.verify(SECRET, headers, body, CLOCK.now().timestamp()):
            start_response("401 Unauthorized", [])
            return []
        self.applied.setdefault(headers["WEBHOOK-ID"], json.loads(body)["data"])
        start_response("204 No Content", [])
        return []


def strangers_server(faults=()):
    """An application over HTTP, and the tables of ours."""
    tables()
    create_schema(database.engine())
    service(Receiver(), faults=[*faults])


def by_stored_delivery(event):
    """How the relay sends: it submits."""
    body = json.dumps(cloud_event(event, "https://lab.example/"))
    webhooks.submit(database.engine(), URL, event.id, body, clock=CLOCK)


def by_one_post(event):
    """The wrong way: whoever does not answer now is never told."""
    body = json.dumps(cloud_event(event, "https://lab.example/")).encode()
    webhooks.deliver(URL, webhooks.sign(SECRET, event.id, body, CLOCK.now().timestamp()), body, allow=["127.0.0.1"])


def deliver():
    """One call of the sender."""
    return webhooks.deliver_due(database.engine(), lambda _: SECRET, allow=["127.0.0.1"], clock=CLOCK)


def asked():
    """The stranger's answer, after as many faults as are left."""
    while True:
        with suppress(OSError), urllib.request.urlopen(URL) as reply:
            return reply.read()


def applied_once(seen):
    """The stranger has applied what happened here."""
    applied = json.loads(asked())
    expected = sorted(name for (name,) in execute("SELECT name FROM steps"))
    if seen.acknowledged:
        assert expected, "what was acknowledged is gone"
    assert applied == expected, f"applied {applied} of {expected}"


def delivered_through(post=by_stored_delivery, *, faults=(), depth=1):
    """One step, from its transaction to a stranger's server over HTTP; after a kill, what is due is done."""

    def go_on():
        CLOCK.sleep(15 + LEASE + 1)
        relay(database.engine(), post, clock=CLOCK)
        for _ in range(1 + len(faults)):
            deliver()
            CLOCK.sleep(15 + LEASE + 1)

    def run():
        in_the_transaction("1 build")
        ack("built")
        go_on()

    return sweep(run, go_on, applied_once, partial(strangers_server, faults), depth=depth)


# races


def recorded(*names):
    """These steps are there before the race."""
    tables()
    for name in names:
        in_the_transaction(name)


def gapless(seen):
    """And each has the number that it was told."""
    numbers = sorted(end.returned for end in seen.workers.values() if end.how == "returned")
    rows = [number for (number,) in execute("SELECT number FROM labkit_outbox ORDER BY number")]
    assert rows == [*range(1, len(rows) + 1)], f"the numbers are {rows}"
    assert {*numbers} <= {*rows}
    assert len({*numbers}) == len(numbers)


def two_record(workers=2, *, crash=False):
    """In one run, at once."""
    ways = {name: partial(in_the_transaction, name) for name in "abc"[:workers]}
    return race(ways, gapless, tables, crash=crash, recover=partial(in_the_transaction, "d") if crash else None)


def told_in_order(seen):
    """Now, or by the next call of the relay; what was told once is not told again."""
    next_call = []
    relay(database.engine(), lambda event: next_call.append(event.payload), clock=CLOCK)
    recorded = [name for (name,) in execute("SELECT payload #>> '{}' FROM labkit_outbox ORDER BY number")]
    found = told(seen) + next_call
    assert found == recorded, f"told: {found} of {recorded}"


def record_and_relay():
    """While one records, another records in the same run and relays: what commits late is not skipped."""

    def second():
        in_the_transaction("b")
        relay_all()

    return race({"first": partial(in_the_transaction, "a"), "second": second}, told_in_order, tables)


def tables_with_a_sequence():
    """An outbox that has no numbers by run."""
    tables()
    execute("CREATE TABLE by_sequence (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)")
    execute("CREATE TABLE told_until (id bigint)")
    execute("INSERT INTO told_until VALUES (0)")


def numbered_by_a_sequence(name):
    """The number is taken before the commit, and others commit meanwhile."""
    execute("INSERT INTO by_sequence (name) VALUES (%s)", name)


def tell_more_than_the_last():
    """The wrong way: it remembers how far it has come."""
    ((last,),) = execute("SELECT id FROM told_until")
    for number, name in execute("SELECT id, name FROM by_sequence WHERE id > %s ORDER BY id", last):
        tool("charge", customer=name, amount=1)
        execute("UPDATE told_until SET id = %s", number)


def none_is_skipped(seen):
    """What is behind the last was told."""
    ((last,),) = execute("SELECT id FROM told_until")
    passed = {name for (name,) in execute("SELECT name FROM by_sequence WHERE id <= %s", last)}
    assert not passed - {*told(seen)}, f"skipped: {passed - {*told(seen)}}"


def more_than_the_last():
    """As `record_and_relay`, over a sequence."""

    def second():
        numbered_by_a_sequence("b")
        tell_more_than_the_last()

    return race(
        {"first": partial(numbered_by_a_sequence, "a"), "second": second}, none_is_skipped, tables_with_a_sequence
    )


WAITING = "SELECT run, number, payload #>> '{}' FROM labkit_outbox WHERE sent_at IS NULL ORDER BY run, number"


def relay_without_a_lock():
    """The wrong way: each sends what it finds, and what it has found may have been sent meanwhile."""
    for run, number, name in execute(WAITING):
        tool("charge", customer=name, amount=1)
        execute("UPDATE labkit_outbox SET sent_at = now() WHERE run = %s AND number = %s", run, number)


def told_again_at_worst(seen):
    """After a kill some are told again; but nothing is told before what precedes it."""
    recorded = [name for (name,) in execute("SELECT payload #>> '{}' FROM labkit_outbox ORDER BY number")]
    assert [*dict.fromkeys(told(seen))] == recorded, f"told: {told(seen)}"


def two_relay(way=relay_all, names=("1 build",), workers=2, *, crash=False):
    """They are at it when there are events of one run to tell."""
    invariant, recover = (told_again_at_worst, relay_all) if crash else (told_in_order, None)
    return race([way] * workers, invariant, partial(recorded, *names), crash=crash, recover=recover)


def look_then_receive():
    """The wrong way: it looks whether it has come, and later keeps that."""
    if execute("SELECT 1 FROM labkit_inbox WHERE id = 'run-7/1'"):
        return
    with database.engine().begin() as conn:
        effect(conn)
        conn.exec_driver_sql("INSERT INTO labkit_inbox VALUES ('run-7/1', now()) ON CONFLICT DO NOTHING")


def two_receive(way=in_one_transaction, workers=2, *, crash=False):
    """One event, and each has it."""
    return race([way] * workers, effect_once, tables, crash=crash, recover=way if crash else None)
