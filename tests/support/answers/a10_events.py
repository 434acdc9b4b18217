"""Answers to exercise 10 that graders must tell apart. WRONG: what it is, the case it breaks, what must be said, cells.

RIGHT: other shapes of a correct answer. What is not given is taken from the solution. Most of them were written by
somebody who had seen only the text of the exercise.
"""

from answers.changes import changed

RECORD = """
# answer: record
def record(conn, run, type, payload) -> int:
    number = conn.execute(text(LAST + " FOR UPDATE"), {"run": run}).scalar_one() + 1
    conn.execute(text(SET_LAST), {"run": run, "number": number})
    conn.execute(text(INSERT), {"run": run, "number": number, "type": type, "payload": json.dumps(payload)})
    return number
"""
RELAY = """
# answer: relay
def relay(conn, send) -> int:
    with conn.begin():
        rows = conn.execute(text(WAITING + " ORDER BY run, number")).all()
    count = 0
    failed = set()
    for row in rows:
        if row.run in failed:
            continue
        try:
            send(Event(row.run, row.number, row.type, row.payload))
        except Exception:
            failed.add(row.run)
            continue
        with conn.begin():
            conn.execute(text(MARK), {"run": row.run, "number": row.number})
        count += 1
    return count
"""
RECEIVE = """
# answer: receive
def receive(conn, event_id, effect) -> bool:
    with conn.begin():
        result = conn.execute(text(RECEIVED + " ON CONFLICT DO NOTHING"), {"id": event_id})
        if result.rowcount == 0:
            return False
        effect(conn)
    return True
"""
VERIFY = """
# answer: verify
def verify(secret, headers, body, now) -> bool:
    low = {name.lower(): value for name, value in headers.items()}
    message_id = low.get("webhook-id", "")
    stamp = low.get("webhook-timestamp", "")
    given = low.get("webhook-signature", "")
    if not message_id or not stamp or not given:
        return False
    try:
        sent_at = int(stamp)
    except ValueError:
        return False
    if not sent_at - TOLERANCE <= now <= sent_at + TOLERANCE:
        return False
    try:
        right = signature(secret, message_id, stamp, body).encode()
        return any(hmac.compare_digest(right, one.encode()) for one in given.split())
    except UnicodeError:
        return False
"""
NEXT = """
# answer: next_attempt
def next_attempt(n, retry_after, rng) -> float | None:
    if n >= ATTEMPTS:
        return None
    span = min(LONGEST, FIRST * FACTOR ** (n - 1))
    delay = rng.uniform(span / 2, span)
    if retry_after is not None:
        delay = max(delay, min(retry_after, DAY))
    return delay
"""
DELIVER = """
# answer: deliver
def deliver(url, body, resolve, post) -> Answer:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise RefusedAddressError("not http or https")
    if not parts.hostname:
        raise RefusedAddressError("no host")
    addresses = resolve(parts.hostname)
    for address in addresses:
        if not is_outside(ip_address(address)):
            raise RefusedAddressError("an address inside")
    return post(addresses[0], url, body)
"""


def record_but(*changes):
    """The right `record` with these changes, each an old text and a new one."""
    return changed(RECORD, changes)


def relay_but(*changes):
    """The right `relay` with these changes, each an old text and a new one."""
    return changed(RELAY, changes)


def receive_but(*changes):
    """The right `receive` with these changes, each an old text and a new one."""
    return changed(RECEIVE, changes)


def verify_but(*changes):
    """The right `verify` with these changes, each an old text and a new one."""
    return changed(VERIFY, changes)


def next_but(*changes):
    """The right `next_attempt` with these changes, each an old text and a new one."""
    return changed(NEXT, changes)


def deliver_but(*changes):
    """The right `deliver` with these changes, each an old text and a new one."""
    return changed(DELIVER, changes)


RECORD_OWN_CONNECTION = """
# answer: record
def record(conn, run, type, payload) -> int:
    # the event has its own short transaction, so that nobody waits for the caller
    with conn.engine.begin() as own:
        number = own.execute(text(LAST + " FOR UPDATE"), {"run": run}).scalar_one() + 1
        own.execute(text(SET_LAST), {"run": run, "number": number})
        own.execute(text(INSERT), {"run": run, "number": number, "type": type, "payload": json.dumps(payload)})
    return number
"""
RECORD_ROW_ON_OWN_CONNECTION = """
# answer: record
def record(conn, run, type, payload) -> int:
    number = conn.execute(
        text("UPDATE runs SET last = last + 1 WHERE name = :run RETURNING last"), {"run": run}
    ).scalar_one()
    with conn.engine.begin() as writer:
        writer.execute(text(INSERT), {"run": run, "number": number, "type": type, "payload": json.dumps(payload)})
    return number
"""
RECORD_ROLLS_BACK_AND_RETRIES = """
# answer: record
from sqlalchemy.exc import IntegrityError


def record(conn, run, type, payload) -> int:
    while True:
        number = conn.execute(text(LAST), {"run": run}).scalar_one() + 1
        values = {"run": run, "number": number, "type": type, "payload": json.dumps(payload)}
        try:
            conn.execute(text(INSERT), values)
            conn.execute(text(SET_LAST), {"run": run, "number": number})
            return number
        except IntegrityError:
            conn.rollback()
"""
RECORD_COUNTER_COMMITTED_APART = """
# answer: record
def record(conn, run, type, payload) -> int:
    # like a sequence: take the number in a transaction of its own
    with conn.engine.begin() as counter:
        number = counter.execute(
            text("UPDATE runs SET last = last + 1 WHERE name = :run RETURNING last"), {"run": run}
        ).scalar_one()
    conn.execute(text(INSERT), {"run": run, "number": number, "type": type, "payload": json.dumps(payload)})
    return number
"""
RECORD_LAST_IN_PROCESS = """
# answer: record
_last = {}


def record(conn, run, type, payload) -> int:
    if run not in _last:
        _last[run] = conn.execute(text(LAST + " FOR UPDATE"), {"run": run}).scalar_one()
    _last[run] += 1
    number = _last[run]
    conn.execute(text(SET_LAST), {"run": run, "number": number})
    conn.execute(text(INSERT), {"run": run, "number": number, "type": type, "payload": json.dumps(payload)})
    return number
"""
RECORD_MAX_OF_OUTBOX = """
# answer: record
def record(conn, run, type, payload) -> int:
    conn.execute(text(LAST + " FOR UPDATE"), {"run": run})
    number = conn.execute(
        text("SELECT coalesce(max(number), 0) + 1 FROM outbox WHERE run = :run"), {"run": run}
    ).scalar_one()
    conn.execute(text(SET_LAST), {"run": run, "number": number})
    conn.execute(text(INSERT), {"run": run, "number": number, "type": type, "payload": json.dumps(payload)})
    return number
"""
RELAY_MARKS_BEFORE_SENDING = """
# answer: relay
def relay(conn, send) -> int:
    with conn.begin():
        rows = conn.execute(text(WAITING + " ORDER BY run, number")).all()
    count, failed = 0, set()
    for row in rows:
        if row.run in failed:
            continue
        with conn.begin():
            conn.execute(text(MARK), {"run": row.run, "number": row.number})
        try:
            send(Event(*row))
            count += 1
        except Exception:
            failed.add(row.run)
            with conn.begin():
                conn.execute(
                    text("UPDATE outbox SET sent = false WHERE run = :run AND number = :number"),
                    {"run": row.run, "number": row.number},
                )
    return count
"""
RELAY_MARKS_ALL_AT_THE_END = """
# answer: relay
def relay(conn, send) -> int:
    with conn.begin():
        rows = conn.execute(text(WAITING + " ORDER BY run, number")).all()
    done, failed = [], set()
    for row in rows:
        if row.run in failed:
            continue
        try:
            send(Event(*row))
            done.append({"run": row.run, "number": row.number})
        except Exception:
            failed.add(row.run)
    if done:
        with conn.begin():
            conn.execute(text(MARK), done)
    return len(done)
"""
RELAY_BEGIN_AROUND_SEND = """
# answer: relay
def relay(conn, send) -> int:
    with conn.begin():
        rows = conn.execute(text(WAITING + " ORDER BY run, number")).all()
    count, failed = 0, set()
    for row in rows:
        if row.run in failed:
            continue
        try:
            with conn.begin():
                send(Event(*row))
                conn.execute(text(MARK), {"run": row.run, "number": row.number})
            count += 1
        except Exception:
            failed.add(row.run)
    return count
"""
RELAY_TRANSACTION_OF_THE_READ = """
# answer: relay
def relay(conn, send) -> int:
    rows = conn.execute(text(WAITING + " ORDER BY run, number")).all()
    count, failed = 0, set()
    for row in rows:
        if row.run in failed:
            continue
        try:
            send(Event(*row))
        except Exception:
            failed.add(row.run)
            continue
        conn.execute(text(MARK), {"run": row.run, "number": row.number})
        conn.commit()
        count += 1
    conn.rollback()
    return count
"""
RELAY_TRIES_THREE_TIMES = """
# answer: relay
def relay(conn, send) -> int:
    with conn.begin():
        rows = conn.execute(text(WAITING + " ORDER BY run, number")).all()
    count, failed = 0, set()
    for row in rows:
        if row.run in failed:
            continue
        for _ in range(3):
            try:
                send(Event(*row))
            except Exception:
                continue
            with conn.begin():
                conn.execute(text(MARK), {"run": row.run, "number": row.number})
            count += 1
            break
        else:
            failed.add(row.run)
    return count
"""
RECEIVE_EFFECT_IN_SECOND_TRANSACTION = """
# answer: receive
def receive(conn, event_id, effect) -> bool:
    with conn.begin():
        new = conn.execute(text(RECEIVED + " ON CONFLICT DO NOTHING"), {"id": event_id}).rowcount == 1
    if not new:
        return False
    try:
        with conn.begin():
            effect(conn)
    except BaseException:
        with conn.begin():
            conn.execute(text("DELETE FROM inbox WHERE id = :id"), {"id": event_id})
        raise
    return True
"""
RECEIVE_EFFECT_FIRST = """
# answer: receive
def receive(conn, event_id, effect) -> bool:
    with conn.begin():
        seen = conn.execute(text("SELECT 1 FROM inbox WHERE id = :id"), {"id": event_id}).first()
    if seen:
        return False
    with conn.begin():
        effect(conn)
    with conn.begin():
        conn.execute(text(RECEIVED + " ON CONFLICT DO NOTHING"), {"id": event_id})
    return True
"""
RECEIVE_ANY_INTEGRITY_ERROR = """
# answer: receive
from sqlalchemy.exc import IntegrityError


def receive(conn, event_id, effect) -> bool:
    try:
        with conn.begin():
            conn.execute(text(RECEIVED), {"id": event_id})
            effect(conn)
    except IntegrityError:
        return False
    return True
"""
RECEIVE_LOOKS_THEN_INSERTS = """
# answer: receive
def receive(conn, event_id, effect) -> bool:
    with conn.begin():
        if conn.execute(text("SELECT 1 FROM inbox WHERE id = :id FOR UPDATE"), {"id": event_id}).first():
            return False
        effect(conn)
        conn.execute(text(RECEIVED), {"id": event_id})
    return True
"""
RECEIVE_TRY_LOCK = """
# answer: receive
def receive(conn, event_id, effect) -> bool:
    with conn.begin():
        lock = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:id, 0))")
        mine = conn.execute(lock, {"id": event_id}).scalar_one()
        if not mine:
            return False  # somebody else has it in hand
        if conn.execute(text(RECEIVED + " ON CONFLICT DO NOTHING"), {"id": event_id}).rowcount == 0:
            return False
        effect(conn)
    return True
"""
RECEIVE_OPEN_AFTER_DUPLICATE = """
# answer: receive
def receive(conn, event_id, effect) -> bool:
    result = conn.execute(text(RECEIVED + " ON CONFLICT DO NOTHING"), {"id": event_id})
    if result.rowcount == 0:
        return False
    try:
        effect(conn)
    except BaseException:
        conn.rollback()
        raise
    conn.commit()
    return True
"""
RECEIVE_OPEN_AFTER_ERROR = """
# answer: receive
def receive(conn, event_id, effect) -> bool:
    transaction = conn.begin()
    new = conn.execute(text(RECEIVED + " ON CONFLICT DO NOTHING"), {"id": event_id}).rowcount == 1
    if new:
        effect(conn)
    transaction.commit()
    return new
"""
VERIFY_LENIENT_BASE64 = """
# answer: verify
def verify(secret, headers, body, now) -> bool:
    low = {name.lower(): value for name, value in headers.items()}
    message_id = low.get("webhook-id", "")
    stamp = low.get("webhook-timestamp", "")
    if not message_id:
        return False
    try:
        sent_at = int(stamp)
        right = b64decode(signature(secret, message_id, stamp, body).removeprefix("v1,"))
    except ValueError:
        return False
    if not sent_at - TOLERANCE <= now <= sent_at + TOLERANCE:
        return False
    for one in low.get("webhook-signature", "").split():
        version, _, code = one.partition(",")
        try:
            if version == "v1" and hmac.compare_digest(right, b64decode(code)):
                return True
        except ValueError:
            continue
    return False
"""
DELIVER_LOOKS_AT_THE_FIRST = """
# answer: deliver
def deliver(url, body, resolve, post) -> Answer:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RefusedAddressError("not a URL for a webhook")
    for address in resolve(parts.hostname):
        if not is_outside(ip_address(address)):
            raise RefusedAddressError("an address inside")
        return post(address, url, body)
"""
RECORD_UPDATE_RETURNING = """
# answer: record
def record(conn, run, type, payload) -> int:
    number = conn.execute(
        text("UPDATE runs SET last = last + 1 WHERE name = :run RETURNING last"), {"run": run}
    ).scalar_one()
    conn.execute(text(INSERT), dict(payload=json.dumps(payload), type=type, number=number, run=run))
    return number
"""
RECORD_ONE_STATEMENT = '''
# answer: record
def record(conn, run, type, payload) -> int:
    return conn.execute(
        text("""
            WITH counted AS (UPDATE runs SET last = last + 1 WHERE name = :run RETURNING name, last)
            INSERT INTO outbox (run, number, type, payload)
            SELECT name, last, CAST(:type AS text), CAST(:payload AS jsonb) FROM counted
            RETURNING number
        """),
        {"run": run, "type": type, "payload": json.dumps(payload, ensure_ascii=False)},
    ).scalar_one()
'''
RECORD_COMPARE_AND_SET = """
# answer: record
def record(conn, run, type, payload) -> int:
    while True:
        old = conn.execute(text(LAST), {"run": run}).scalar_one()
        done = conn.execute(
            text("UPDATE runs SET last = :new WHERE name = :run AND last = :old RETURNING last"),
            {"run": run, "old": old, "new": old + 1},
        ).first()
        if done is not None:
            break
    conn.execute(text(INSERT), {"run": run, "number": old + 1, "type": type, "payload": json.dumps(payload)})
    return old + 1
"""
RECORD_ADVISORY_LOCK = """
# answer: record
def record(conn, run, type, payload) -> int:
    conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:run, 10))"), {"run": run})
    number = conn.execute(text(LAST), {"run": run}).scalar_one() + 1
    conn.execute(text(INSERT), {"run": run, "number": number, "type": type, "payload": json.dumps(payload)})
    conn.execute(text(SET_LAST), {"run": run, "number": number})
    return number
"""
RECORD_RAW_CURSOR_IN_SAVEPOINT = """
# answer: record
def record(conn, run, type, payload) -> int:
    with conn.begin_nested():
        with conn.connection.cursor() as cursor:
            cursor.execute("SELECT last FROM runs WHERE name = %s FOR NO KEY UPDATE", (run,))
            (last,) = cursor.fetchone()
            cursor.execute("UPDATE runs SET last = %s WHERE name = %s", (last + 1, run))
            cursor.execute(
                "INSERT INTO outbox (run, number, type, payload) VALUES (%s, %s, %s, CAST(%s AS jsonb))",
                (run, last + 1, type, json.dumps(payload)),
            )
    return last + 1
"""
RECORD_CORE = """
# answer: record
from sqlalchemy import Integer, column, insert, select, table, update
from sqlalchemy.dialects.postgresql import JSONB

RUNS = table("runs", column("name"), column("last", Integer))
OUTBOX = table("outbox", column("run"), column("number", Integer), column("type"), column("payload", JSONB))


def record(conn, run, type, payload) -> int:
    mine = RUNS.c.name == run
    number = conn.scalars(select(RUNS.c.last).where(mine).with_for_update()).one() + 1
    conn.execute(insert(OUTBOX).values(run=run, number=number, type=type, payload=payload))
    conn.execute(update(RUNS).where(mine).values(last=number))
    return number
"""
RELAY_ROUND_ROBIN = """
# answer: relay
from collections import defaultdict, deque


def relay(conn, send) -> int:
    queues = defaultdict(deque)
    with conn.begin():
        for row in conn.execute(text(WAITING + " ORDER BY number DESC")):
            queues[row.run].appendleft(Event(*row))
    turn, count = deque(queues.values()), 0
    while turn:
        queue = turn.popleft()
        event = queue.popleft()
        try:
            send(event)
        except Exception:
            continue
        with conn.begin():
            conn.execute(text(MARK), {"run": event.run, "number": event.number})
        count += 1
        if queue:
            turn.append(queue)
    return count
"""
RELAY_READS_ONE_BY_ONE = """
# answer: relay
def relay(conn, send) -> int:
    with conn.begin():
        keys = conn.execute(text("SELECT number, run FROM outbox WHERE NOT sent")).all()
    count, waits = 0, set()
    for number, run in sorted(keys):
        if run in waits:
            continue
        with conn.begin():
            row = conn.execute(
                text(WAITING + " AND run = :run AND number = :number"), {"run": run, "number": number}
            ).one_or_none()
        if row is None:
            continue
        try:
            send(Event(run=row.run, number=row.number, type=row.type, payload=row.payload))
        except Exception:
            waits.add(run)
        else:
            with conn.begin():
                conn.execute(text(MARK), {"run": run, "number": number})
            count += 1
    return count
"""
RELAY_TWO_ROUNDS = """
# answer: relay
def waiting(conn, failed):
    with conn.begin():
        rows = conn.execute(text(WAITING)).mappings().all()
    return sorted((row for row in rows if row["run"] not in failed), key=lambda row: (row["run"], row["number"]))


def relay(conn, send) -> int:
    failed, count = set(), 0
    for _ in range(2):  # the second round takes those that came during the first
        for row in waiting(conn, failed):
            if row["run"] in failed:
                continue
            try:
                send(Event(**row))
            except Exception:
                failed.add(row["run"])
                continue
            with conn.begin():
                conn.execute(text(MARK), {"run": row["run"], "number": row["number"]})
            count += 1
    return count
"""
RELAY_RAW_CURSOR_AND_COMMIT = """
# answer: relay
from itertools import groupby


class Relay:
    def __init__(self, conn, send):
        self.conn, self.send = conn, send

    def query(self, sql, values=()):
        with self.conn.begin():
            with self.conn.connection.cursor() as cursor:
                cursor.execute(sql, values)
                return cursor.fetchall() if cursor.description else []

    def sent(self, events):
        for event in events:
            try:
                self.send(Event(*event))
            except Exception:
                return
            self.query("UPDATE outbox SET sent = true WHERE run = %s AND number = %s", event[:2])
            yield event

    def __call__(self):
        rows = self.query(WAITING + " ORDER BY run, number")
        return sum(1 for _, events in groupby(rows, key=lambda row: row[0]) for _ in self.sent(events))


def relay(conn, send) -> int:
    return Relay(conn, send)()
"""
RELAY_AUTOBEGIN = """
# answer: relay
def relay(conn, send) -> int:
    rows = conn.execute(text(WAITING + " ORDER BY number, run")).all()
    conn.rollback()
    blocked, count = set(), 0
    for run, number, type_, payload in rows:
        if run not in blocked:
            try:
                send(Event(run, number, type_, payload))
            except Exception:
                blocked |= {run}
            else:
                conn.execute(
                    text("UPDATE outbox SET sent = true WHERE run = :run AND number <= :number AND NOT sent"),
                    {"run": run, "number": number},
                )
                conn.commit()
                count += 1
    return count
"""
RECEIVE_SAVEPOINT = """
# answer: receive
from sqlalchemy.exc import IntegrityError


def receive(conn, event_id, effect) -> bool:
    with conn.begin():
        try:
            with conn.begin_nested():
                conn.execute(text(RECEIVED), {"id": event_id})
        except IntegrityError:
            return False
        effect(conn)
        return True
"""
RECEIVE_BY_HAND = """
# answer: receive
from sqlalchemy.exc import IntegrityError


def receive(conn, event_id, effect) -> bool:
    try:
        try:
            conn.execute(text(RECEIVED), {"id": event_id})
        except IntegrityError:
            return False
        effect(conn)
        conn.commit()
        return True
    finally:
        conn.rollback()
"""
RECEIVE_ADVISORY_LOCK = """
# answer: receive
def receive(conn, event_id, effect) -> bool:
    with conn.begin():
        conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:id, 0))"), {"id": event_id})
        if conn.execute(text("SELECT count(*) FROM inbox WHERE id = :id"), {"id": event_id}).scalar_one():
            return False
        effect(conn)
        conn.execute(text(RECEIVED), {"id": event_id})
    return True
"""
RECEIVE_CORE_RETURNING = """
# answer: receive
from contextlib import contextmanager

from sqlalchemy import column, table
from sqlalchemy.dialects.postgresql import insert

INBOX = table("inbox", column("id"))


@contextmanager
def once(conn, event_id):
    statement = insert(INBOX).values(id=event_id).on_conflict_do_nothing().returning(INBOX.c.id)
    with conn.begin():
        yield conn.execute(statement).first() is not None


def receive(conn, event_id, effect) -> bool:
    with once(conn, event_id) as new:
        if new:
            effect(conn)
    return new
"""
RECEIVE_LOOKS_FIRST = """
# answer: receive
def receive(conn, event_id, effect) -> bool:
    with conn.begin():
        if conn.execute(text("SELECT 1 FROM inbox WHERE id = :id"), {"id": event_id}).first() is not None:
            return False
    with conn.begin(), conn.connection.cursor() as cursor:
        cursor.execute("INSERT INTO inbox (id) VALUES (%s) ON CONFLICT DO NOTHING RETURNING true", (event_id,))
        if not cursor.fetchall():
            return False
        effect(conn)
    return True
"""
VERIFY_FRACTIONS_AND_REGEX = """
# answer: verify
import re
from fractions import Fraction


def verify(secret, headers, body, now) -> bool:
    try:
        low = {name.casefold(): value for name, value in headers.items()}
        message_id, stamp, given = (low["webhook-" + rest] for rest in ("id", "timestamp", "signature"))
        if message_id == "" or not re.fullmatch("[0-9]{1,18}", stamp):
            return False
        if abs(Fraction(now) - int(stamp)) > TOLERANCE:
            return False
        right = signature(secret, message_id, stamp, body).encode()
        hits = 0
        for one in given.split(" "):
            hits += hmac.compare_digest(one.encode("utf-8", "replace"), right)
        return hits > 0
    except Exception:
        return False
"""
VERIFY_SET_OF_SIGNATURES = """
# answer: verify
def header(headers, wanted):
    return next((value for name, value in headers.items() if name.lower() == wanted), "")


def verify(secret, headers, body, now) -> bool:
    message_id, stamp = header(headers, "webhook-id"), header(headers, "webhook-timestamp")
    if not message_id or not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 20):
        return False
    if now > int(stamp) + TOLERANCE or now < int(stamp) - TOLERANCE:
        return False
    try:
        return signature(secret, message_id, stamp, body) in set(header(headers, "webhook-signature").split())
    except UnicodeEncodeError:
        return False
"""
VERIFY_SIGNS_ITSELF = """
# answer: verify
import hashlib


def verify(secret, headers, body, now) -> bool:
    found = {}
    for name in headers:
        found.setdefault(name.lower(), headers[name])
    try:
        parts = [found["webhook-id"], found["webhook-timestamp"]]
        age = now - float(int(parts[1]))
        prefix = ".".join(parts + [""]).encode()
    except (KeyError, ValueError, OverflowError):
        return False
    key = b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, prefix, hashlib.sha256)
    digest.update(body)
    right = b"v1," + b64encode(digest.digest())
    fresh = -TOLERANCE <= age <= TOLERANCE
    known = [hmac.compare_digest(each.encode(errors="ignore") if each.isascii() else b"", right)
             for each in found.get("webhook-signature", "").split()]
    return parts[0] != "" and fresh and True in known
"""
VERIFY_MATCH_AND_SMALL_STEPS = """
# answer: verify
from decimal import Decimal, InvalidOperation


class Malformed(Exception):
    pass


def read(headers):
    values = {key.strip().lower(): value for key, value in headers.items()}
    match values:
        case {"webhook-id": str(name), "webhook-timestamp": str(at), "webhook-signature": str(given)}:
            if name and at and given:
                return name, at, given
    raise Malformed


def seconds(stamp):
    try:
        return Decimal(int(stamp))
    except (ValueError, InvalidOperation) as error:
        raise Malformed from error


def verify(secret, headers, body, now) -> bool:
    try:
        message_id, stamp, given = read(headers)
        if (Decimal(now) - seconds(stamp)).copy_abs() > TOLERANCE:
            raise Malformed
        right = signature(secret, message_id, stamp, body).encode("ascii")
        return any([hmac.compare_digest(right, one.encode()) for one in given.split()])
    except (Malformed, UnicodeError):
        return False
"""
NEXT_RECURSIVE = """
# answer: next_attempt
def span_after(n):
    return FIRST if n == 1 else min(LONGEST, FACTOR * span_after(n - 1))


def next_attempt(n, retry_after, rng) -> float | None:
    if n < ATTEMPTS:
        span = span_after(n)
        drawn = span - rng.random() * span / 2
        asked = DAY if retry_after is not None and retry_after > DAY else retry_after
        return drawn if asked is None or asked < drawn else float(asked)
    return None
"""
NEXT_TABLE = """
# answer: next_attempt
from itertools import accumulate, repeat

SPANS = list(accumulate(repeat(FACTOR, ATTEMPTS - 2), lambda span, factor: min(span * factor, LONGEST), initial=FIRST))


def next_attempt(n, retry_after, rng) -> float | None:
    try:
        span = SPANS[n - 1]
    except IndexError:
        return None
    delays = [rng.uniform(span, span * 0.5)]
    if retry_after:
        delays.append(min(DAY, retry_after))
    return sorted(delays)[-1]
"""
NEXT_LOOP_AND_BITS = """
# answer: next_attempt
def next_attempt(n, retry_after, rng) -> float | None:
    share = 0.5 + rng.getrandbits(52) / 2**53  # drawn also if nobody needs it
    if not n < ATTEMPTS:
        return None
    span = FIRST
    for _ in range(n - 1):
        span *= FACTOR
    if span > LONGEST:
        span = LONGEST
    return max(min(float(DAY), retry_after if retry_after is not None else 0.0), share * span)
"""
DELIVER_LAST_ADDRESS = """
# answer: deliver
def deliver(url, body, resolve, post) -> Answer:
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
    except ValueError as error:
        raise RefusedAddressError("not a URL") from error
    if {scheme} - {"http", "https"} or host is None or host == "":
        raise RefusedAddressError("not http, or without a host")
    looked_at = {address: is_outside(ip_address(address)) for address in resolve(host)}
    if not all(looked_at.values()):
        raise RefusedAddressError(f"{host} is inside")
    return post(list(looked_at)[-1], url, body)
"""
DELIVER_SHORTEST_ADDRESS = """
# answer: deliver
from urllib.parse import urlparse


class Target:
    def __init__(self, url, resolve):
        self.url = url
        parsed = urlparse(url)
        self.host = parsed.hostname if parsed.scheme in {"http", "https"} else None
        if not self.host:
            raise RefusedAddressError("refused: " + repr(url))
        self.addresses = sorted(resolve(self.host), key=lambda address: (":" in address, address))
        inner = [address for address in self.addresses if not is_outside(ip_address(address))]
        if inner:
            raise RefusedAddressError("refused: " + ", ".join(inner))


def deliver(url, body, resolve, post) -> Answer:
    target = Target(url, resolve)
    return post(target.addresses[0], target.url, body)
"""
DELIVER_FRESH_DRAW = """
# answer: deliver
import random


def outside(address):
    if is_outside(ip_address(address)):
        return address
    raise RefusedAddressError(address + " is inside")


def deliver(url, body, resolve, post) -> Answer:
    match urlsplit(url):
        case parts if parts.scheme in ("http", "https") and parts.hostname:
            return post(random.choice(list(map(outside, resolve(parts.hostname)))), url, body)
    raise RefusedAddressError("http or https, with a host")
"""
DELIVER_SCHEME_WITHOUT_S = """
# answer: deliver
def deliver(url, body, resolve, post) -> Answer:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host or parts.scheme.removesuffix("s") != "http":
        raise RefusedAddressError("http or https, with a host")
    addresses = tuple(resolve(host))
    if any(not is_outside(ip_address(each)) for each in addresses):
        raise RefusedAddressError("an address inside")
    first, *_ = addresses
    answer = post(first, url, body)
    return answer
"""

RECORD_QUOTES_BY_HAND = """
# answer: record
def record(conn, run, type, payload) -> int:
    number = conn.execute(text(LAST + " FOR UPDATE"), {"run": run}).scalar_one() + 1
    conn.execute(text(SET_LAST), {"run": run, "number": number})
    statement = INSERT.replace(":type", f"'{type}'")
    conn.execute(text(statement), {"run": run, "number": number, "payload": json.dumps(payload)})
    return number
"""

EFFECT_FIRST = """
# answer: receive
def receive(conn, event_id, effect):
    with conn.begin() as transaction:
        effect(conn)
        if not conn.execute(text(RECEIVED + " ON CONFLICT DO NOTHING"), {"id": event_id}).rowcount:
            transaction.rollback()
            return False
    return True
"""

PAYLOAD_WITHOUT_NONE = """
# answer: record
def record(conn, run, type, payload) -> int:
    number = conn.execute(text("UPDATE runs SET last = last + 1 WHERE name = :run RETURNING last"), {"run": run}).scalar_one()
    known = {name: value for name, value in payload.items() if value is not None}
    event = {"run": run, "number": number, "type": type, "payload": json.dumps(known)}
    conn.execute(text(INSERT), event)
    return number
"""

WRONG = [
    ("a payload without what is null", "no_ghost", "the payload of event", [PAYLOAD_WITHOUT_NONE]),
    (
        "record commits",
        "no_ghost",
        r"Others could see the event",
        [record_but(("    return number\n", "    conn.commit()\n    return number\n"))],
    ),
    ("record own connection", "no_ghost", r"Others could see the event", [RECORD_OWN_CONNECTION]),
    ("record row on own connection", "no_ghost", r"Others could see the event", [RECORD_ROW_ON_OWN_CONNECTION]),
    (
        "record commits first",
        "no_ghost",
        r"Others could see the event",
        [
            record_but(
                (
                    "    number = conn.execute(text(LAST",
                    "    conn.commit()  # lock briefly\n    number = conn.execute(text(LAST",
                )
            )
        ],
    ),
    (
        "record rolls back and retries",
        "late_commit",
        r"two recorded at the same moment, after event \d+: they",
        [RECORD_ROLLS_BACK_AND_RETRIES],
    ),
    (
        "record counter committed apart",
        "no_ghost",
        r"what it had written, or the run's last number, is there all the same",
        [RECORD_COUNTER_COMMITTED_APART],
    ),
    (
        "record last in process",
        "no_ghost",
        r"in the table outbox, (the type of )?event \d+ of the run",
        [RECORD_LAST_IN_PROCESS],
    ),
    (
        "record quotes by hand",
        "no_ghost",
        r"in the table outbox, (the type of )?event \d+ of the run",
        [RECORD_QUOTES_BY_HAND],
    ),
    (
        "record reads without lock",
        "late_commit",
        r"two recorded at the same moment, after event \d+: they",
        [record_but(('text(LAST + " FOR UPDATE")', "text(LAST)"))],
    ),
    (
        "record max of outbox",
        "no_ghost",
        r"in the table outbox, (the type of )?event \d+ of the run",
        [RECORD_MAX_OF_OUTBOX],
    ),
    (
        "record for key share",
        "late_commit",
        r"two recorded at the same moment, after event \d+: they",
        [record_but(("FOR UPDATE", "FOR KEY SHARE"))],
    ),
    ("record for share deadlock", "late_commit", r"deadlock: A waits for B", [record_but(("FOR UPDATE", "FOR SHARE"))]),
    (
        "record nowait",
        "late_commit",
        r"two recorded at the same moment, after event \d+: they",
        [record_but(("FOR UPDATE", "FOR UPDATE NOWAIT"))],
    ),
    (
        "record one advisory key",
        "late_commit",
        r"record waited for it, though it was for another run",
        [
            record_but(
                (
                    '    number = conn.execute(text(LAST + " FOR UPDATE")',
                    '    conn.execute(text("SELECT pg_advisory_xact_lock(10)"))\n    number = conn.execute(text(LAST)',
                )
            )
        ],
    ),
    (
        "record table lock",
        "late_commit",
        r"record waited for it, though it was for another run",
        [
            record_but(
                (
                    "    number = conn.execute(text(LAST",
                    '    conn.execute(text("LOCK TABLE outbox IN EXCLUSIVE MODE"))\n    number = conn.execute(text(LAST',
                )
            )
        ],
    ),
    (
        "record conflict ignored",
        "late_commit",
        r"two recorded at the same moment, after event \d+: they",
        [record_but(('LAST + " FOR UPDATE"', "LAST"), ("text(INSERT)", 'text(INSERT + " ON CONFLICT DO NOTHING")'))],
    ),
    (
        "relay marks before sending",
        "none_lost",
        r"was never sent: it is lost",
        [RELAY_MARKS_BEFORE_SENDING],
    ),
    (
        "relay marks the whole run",
        "none_lost",
        r"marked event \d+ of a run as sent, and it was never sent",
        [
            relay_but(
                (
                    'conn.execute(text(MARK), {"run": row.run, "number": row.number})',
                    'conn.execute(text("UPDATE outbox SET sent = true WHERE run = :run AND NOT sent"), {"run": row.run})',
                )
            )
        ],
    ),
    (
        "relay transaction of the read",
        "none_lost",
        r"send ran, line \d+ of relay's transaction was open",
        [RELAY_TRANSACTION_OF_THE_READ],
    ),
    (
        "relay count left open",
        "none_lost",
        r"relay raised \w+",
        [
            relay_but(
                (
                    "    return count\n",
                    '    left = conn.execute(text("SELECT count(*) FROM outbox WHERE NOT sent")).scalar_one()\n    if left:\n        print(left, "events still wait")\n    return count\n',
                )
            )
        ],
    ),
    (
        "relay one per run",
        "none_lost",
        r"event \d+ of \d+ that waited was not sent",
        [
            relay_but(
                (
                    'text(WAITING + " ORDER BY run, number")',
                    'text("SELECT DISTINCT ON (run) run, number, type, payload FROM outbox WHERE NOT sent ORDER BY run, number")',
                )
            )
        ],
    ),
    (
        "relay first hundred",
        "none_lost",
        r"event \d+ of \d+ that waited was not sent",
        [relay_but(("ORDER BY run, number", "ORDER BY run, number LIMIT 100"))],
    ),
    (
        "relay unordered",
        "order_kept",
        r"sent event \d+ of a run before event \d+",
        [relay_but(('WAITING + " ORDER BY run, number"', "WAITING"))],
    ),
    (
        "relay number as text",
        "order_kept",
        r"sent event \d+ of a run before event \d+",
        [relay_but(("    count = 0\n", '    rows.sort(key=lambda row: f"{row.run}/{row.number}")\n    count = 0\n'))],
    ),
    (
        "relay later ones go on",
        "order_kept",
        r"failed, and then relay called send with event \d+ of that run",
        [relay_but(("            failed.add(row.run)\n", ""))],
    ),
    (
        "relay first failure ends it",
        "order_kept",
        r"event \d+ of \d+ that waited was not sent",
        [relay_but(("            failed.add(row.run)\n            continue\n", "            break\n"))],
    ),
    (
        "relay failed runs look alike",
        "order_kept",
        r"event \d+ of \d+ that waited was not sent",
        [
            relay_but(
                ("if row.run in failed", "if row.run.strip().casefold() in failed"),
                ("failed.add(row.run)", "failed.add(row.run.strip().casefold())"),
            )
        ],
    ),
    (
        "relay remembers failed runs",
        "order_kept",
        r"event \d+ of \d+ that waited was not sent",
        [relay_but(("def relay", "failed = set()\n\n\ndef relay"), ("    failed = set()\n    for", "    for"))],
    ),
    (
        "relay only network errors",
        "order_kept",
        r"relay raised \w+",
        [relay_but(("except Exception:", "except (OSError, TimeoutError):"))],
    ),
    (
        "relay tries three times",
        "order_kept",
        r"failed, and then relay called send with event \d+ of that run",
        [RELAY_TRIES_THREE_TIMES],
    ),
    (
        "receive effect in second transaction",
        "received_once",
        r"after the restart, the event came again, and its effect is still not there",
        [RECEIVE_EFFECT_IN_SECOND_TRANSACTION],
    ),
    ("receive effect first", "received_once", r"the event has had its effect twice", [RECEIVE_EFFECT_FIRST]),
    ("receive any integrity error", "received_once", r"let the error through, as it is", [RECEIVE_ANY_INTEGRITY_ERROR]),
    (
        "receive looks then inserts",
        "received_once",
        r"the same event came twice at the same moment",
        [RECEIVE_LOOKS_THEN_INSERTS],
    ),
    ("receive try lock", "received_once", r"the same event came twice at the same moment", [RECEIVE_TRY_LOCK]),
    (
        "receive savepoint only",
        "received_once",
        r"receive raised \w+",
        [receive_but(("with conn.begin():", "with conn.begin_nested():"))],
    ),
    (
        "receive like",
        "received_once",
        r"what the effect did is not committed",
        [
            receive_but(
                (
                    "    with conn.begin():\n",
                    '    with conn.begin():\n        if conn.execute(text("SELECT 1 FROM inbox WHERE id LIKE :id"), {"id": event_id}).first():\n            return False\n',
                )
            )
        ],
    ),
    (
        "receive normalised id",
        "received_once",
        r"came for the first time: receive returned False",
        [
            receive_but(
                ("def receive", "import unicodedata\n\n\ndef receive"),
                ('{"id": event_id}', '{"id": unicodedata.normalize("NFKC", event_id).strip()}'),
            )
        ],
    ),
    ("receive open after duplicate", "received_once", r"receive raised \w+", [RECEIVE_OPEN_AFTER_DUPLICATE]),
    ("receive open after error", "received_once", r"receive raised \w+", [RECEIVE_OPEN_AFTER_ERROR]),
    (
        "receive seen in process",
        "received_once",
        r"let the error through, as it is",
        [
            receive_but(
                ("def receive", "_seen = set()\n\n\ndef receive"),
                (
                    "    with conn.begin():\n",
                    "    if event_id in _seen:\n        return False\n    _seen.add(event_id)\n    with conn.begin():\n",
                ),
            )
        ],
    ),
    (
        "verify substring",
        "rejects_forged",
        r"verify returned (?:True|False); expected (?:True|False)",
        [
            verify_but(
                (
                    "return any(hmac.compare_digest(right, one.encode()) for one in given.split())",
                    "return right in given.encode()",
                )
            )
        ],
    ),
    (
        "verify any version",
        "rejects_forged",
        r"verify returned (?:True|False); expected (?:True|False)",
        [
            verify_but(
                (
                    "hmac.compare_digest(right, one.encode())",
                    'hmac.compare_digest(right.split(b",")[1], one.split(",")[-1].encode())',
                )
            )
        ],
    ),
    (
        "verify all of them",
        "rejects_forged",
        r"verify returned (?:True|False); expected (?:True|False)",
        [verify_but(("return any(", "return all("))],
    ),
    (
        "verify lenient base64",
        "rejects_forged",
        r"verify returned (?:True|False); expected (?:True|False)",
        [VERIFY_LENIENT_BASE64],
    ),
    (
        "verify zip",
        "rejects_forged",
        r"verify returned (?:True|False); expected (?:True|False)",
        [verify_but(("hmac.compare_digest(right, one.encode())", "all(a == b for a, b in zip(right, one.encode()))"))],
    ),
    (
        "verify body cleaned",
        "rejects_forged",
        r"verify returned (?:True|False); expected (?:True|False)",
        [verify_but(("stamp, body).encode()", "stamp, body.strip()).encode()"))],
    ),
    (
        "verify only first signature",
        "rejects_forged",
        r"verify returned (?:True|False); expected (?:True|False)",
        [verify_but(("given.split())", "given.split()[:1])"))],
    ),
    (
        "verify future allowed",
        "rejects_old",
        r"verify returned (?:True|False); expected (?:True|False)",
        [verify_but(("if not sent_at - TOLERANCE <= now <= sent_at + TOLERANCE", "if now - sent_at > TOLERANCE"))],
    ),
    (
        "verify no future at all",
        "rejects_old",
        r"verify returned (?:True|False); expected (?:True|False)",
        [
            verify_but(
                ("if not sent_at - TOLERANCE <= now <= sent_at + TOLERANCE", "if not 0 <= now - sent_at <= TOLERANCE")
            )
        ],
    ),
    (
        "verify exactly refused",
        "rejects_old",
        r"verify returned (?:True|False); expected (?:True|False)",
        [
            verify_but(
                (
                    "if not sent_at - TOLERANCE <= now <= sent_at + TOLERANCE",
                    "if not sent_at - TOLERANCE < now < sent_at + TOLERANCE",
                )
            )
        ],
    ),
    (
        "verify whole seconds",
        "rejects_old",
        r"verify returned (?:True|False); expected (?:True|False)",
        [
            verify_but(
                ("if not sent_at - TOLERANCE <= now <= sent_at + TOLERANCE", "if abs(int(now) - sent_at) > TOLERANCE")
            )
        ],
    ),
    (
        "verify timedelta seconds",
        "rejects_old",
        r"verify returned (?:True|False); expected (?:True|False)",
        [
            verify_but(
                ("def verify", "from datetime import datetime, timezone\n\n\ndef verify"),
                (
                    "        sent_at = int(stamp)\n    except ValueError:",
                    "        sent_at = datetime.fromtimestamp(int(stamp), timezone.utc)\n    except (ValueError, OverflowError, OSError):",
                ),
                (
                    "    if not sent_at - TOLERANCE <= now <= sent_at + TOLERANCE:\n",
                    "    age = abs(datetime.fromtimestamp(now, timezone.utc) - sent_at)\n    if age.seconds > TOLERANCE:\n",
                ),
            )
        ],
    ),
    (
        "verify milliseconds too",
        "rejects_old",
        r"verify returned (?:True|False); expected (?:True|False)",
        [
            verify_but(
                (
                    "    except ValueError:\n",
                    "        if sent_at > 100_000_000_000:  # some senders use milliseconds\n            sent_at //= 1000\n    except ValueError:\n",
                )
            )
        ],
    ),
    (
        "verify nan",
        "malformed_is_false",
        r"verify returned (?:True|False); expected (?:True|False)",
        [
            verify_but(
                ("sent_at = int(stamp)", "sent_at = float(stamp)"),
                ("if not sent_at - TOLERANCE <= now <= sent_at + TOLERANCE", "if abs(now - sent_at) > TOLERANCE"),
            )
        ],
    ),
    (
        "verify isdigit",
        "malformed_is_false",
        r"verify raised \w+",
        [
            verify_but(
                (
                    "    try:\n        sent_at = int(stamp)\n    except ValueError:\n        return False\n",
                    "    if not stamp.isdigit():\n        return False\n    sent_at = int(stamp)\n",
                )
            )
        ],
    ),
    (
        "verify timestamp not caught",
        "malformed_is_false",
        r"verify raised \w+",
        [
            verify_but(
                (
                    "    try:\n        sent_at = int(stamp)\n    except ValueError:\n        return False\n",
                    "    sent_at = int(stamp)\n",
                )
            )
        ],
    ),
    (
        "verify compares texts",
        "malformed_is_false",
        r"verify raised \w+",
        [verify_but(("stamp, body).encode()", "stamp, body)"), ("one.encode()", "one"))],
    ),
    (
        "verify needs a comma",
        "malformed_is_false",
        r"verify raised \w+",
        [
            verify_but(
                (
                    "        return any(hmac.compare_digest(right, one.encode()) for one in given.split())\n",
                    '        for one in given.split():\n            version, code = one.split(",")\n            if version == "v1" and hmac.compare_digest(right, f"v1,{code}".encode()):\n                return True\n        return False\n',
                )
            )
        ],
    ),
    (
        "verify empty id",
        "malformed_is_false",
        r"verify returned (?:True|False); expected (?:True|False)",
        [verify_but(("if not message_id or not stamp or not given", "if not stamp or not given"))],
    ),
    (
        "verify two spellings",
        "rejects_forged",
        r"verify returned (?:True|False); expected (?:True|False)",
        [
            verify_but(
                (
                    "    low = {name.lower(): value for name, value in headers.items()}\n",
                    '    low = {name: headers.get(name) or headers.get(name.title(), "") for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}\n',
                )
            )
        ],
    ),
    (
        "next one too many",
        "parks",
        r"expected None: 12 attempts are enough",
        [next_but(("n >= ATTEMPTS", "n > ATTEMPTS"))],
    ),
    (
        "next span one step ahead",
        "parks",
        r"next_attempt\(.*returned [\d.]+; expected [\d.]+",
        [next_but(("FACTOR ** (n - 1)", "FACTOR ** n"))],
    ),
    (
        "next cut after draw",
        "parks",
        r"all between should be equally likely",
        [
            next_but(
                ("span = min(LONGEST, FIRST * FACTOR ** (n - 1))", "span = FIRST * FACTOR ** (n - 1)"),
                ("delay = rng.uniform(span / 2, span)", "delay = min(LONGEST, rng.uniform(span / 2, span))"),
            )
        ],
    ),
    (
        "next retry after in span",
        "parks",
        r"next_attempt\(.*returned [\d.]+; expected [\d.]+",
        [
            next_but(
                (
                    "    delay = rng.uniform(span / 2, span)\n    if retry_after is not None:\n        delay = max(delay, min(retry_after, DAY))\n    return delay\n",
                    "    if retry_after is not None:\n        span = max(span, min(retry_after, DAY))\n    return rng.uniform(span / 2, span)\n",
                )
            )
        ],
    ),
    (
        "next longest cuts retry after",
        "parks",
        r"next_attempt\(.*returned [\d.]+; expected [\d.]+",
        [next_but(("min(retry_after, DAY)", "min(retry_after, LONGEST)"))],
    ),
    (
        "next retry after beats giving up",
        "parks",
        r"expected None: 12 attempts are enough",
        [next_but(("if n >= ATTEMPTS:", "if n >= ATTEMPTS and retry_after is None:"))],
    ),
    (
        "next more than a day is ignored",
        "parks",
        r"next_attempt\(.*returned [\d.]+; expected [\d.]+",
        [
            next_but(
                (
                    "if retry_after is not None:\n        delay = max(delay, min(retry_after, DAY))",
                    "if retry_after is not None and retry_after <= DAY:\n        delay = max(delay, retry_after)",
                )
            )
        ],
    ),
    (
        "next whole seconds",
        "parks",
        r"next_attempt\(1, None, rng\)",
        [next_but(("rng.uniform(span / 2, span)", "rng.randint(span // 2, span)"))],
    ),
    (
        "next other random",
        "parks",
        r"draw only from rng",
        [next_but(("def next_attempt", "import random\n\n\ndef next_attempt"), ("rng.uniform", "random.uniform"))],
    ),
    (
        "deliver resolves again",
        "refuses_inner_address",
        r"deliver posted to .*, and has not looked at it",
        [deliver_but(("post(addresses[0],", "post(resolve(parts.hostname)[0],"))],
    ),
    (
        "deliver looks at the first",
        "refuses_inner_address",
        r"deliver posted to .*; expected RefusedAddressError",
        [DELIVER_LOOKS_AT_THE_FIRST],
    ),
    (
        "deliver skips inner ones",
        "refuses_inner_address",
        r"deliver posted to .*; expected RefusedAddressError",
        [
            deliver_but(
                (
                    '    for address in addresses:\n        if not is_outside(ip_address(address)):\n            raise RefusedAddressError("an address inside")\n',
                    '    addresses = [address for address in addresses if is_outside(ip_address(address))]\n    if not addresses:\n        raise RefusedAddressError("an address inside")\n',
                )
            )
        ],
    ),
    (
        "deliver next address on error",
        "refuses_inner_address",
        r"deliver called post \d times",
        [
            deliver_but(
                (
                    "    return post(addresses[0], url, body)\n",
                    "    for address in addresses[:-1]:\n        try:\n            return post(address, url, body)\n        except OSError:\n            continue\n    return post(addresses[-1], url, body)\n",
                )
            )
        ],
    ),
    (
        "deliver netloc is no host",
        "refuses_inner_address",
        r"deliver posted to .*; expected RefusedAddressError",
        [deliver_but(("if not parts.hostname:", "if not parts.netloc:"))],
    ),
    (
        "deliver begins with http",
        "refuses_inner_address",
        r"deliver posted to .*; expected RefusedAddressError",
        [deliver_but(('if parts.scheme not in ("http", "https"):', 'if not parts.scheme.startswith("http"):'))],
    ),
    (
        "deliver cached addresses",
        "refuses_inner_address",
        r"deliver posted to .*, and has not looked at it",
        [
            deliver_but(
                ("def deliver", "_known = {}\n\n\ndef deliver"),
                (
                    "    addresses = resolve(parts.hostname)\n",
                    "    if parts.hostname not in _known:\n        _known[parts.hostname] = resolve(parts.hostname)\n    addresses = _known[parts.hostname]\n",
                ),
            )
        ],
    ),
    (
        "deliver unknown host is refused",
        "refuses_inner_address",
        r"expected the OSError of resolve",
        [
            deliver_but(
                (
                    "    addresses = resolve(parts.hostname)\n",
                    '    try:\n        addresses = resolve(parts.hostname)\n    except Exception as error:\n        raise RefusedAddressError("unknown host") from error\n',
                )
            )
        ],
    ),
    (
        "deliver takes a ValueError of resolve for a bad URL",
        "refuses_inner_address",
        r"expected the ValueError of resolve",
        [
            deliver_but(
                (
                    "    addresses = resolve(parts.hostname)\n",
                    "    try:\n        addresses = resolve(parts.hostname)\n    except ValueError as error:\n        raise RefusedAddressError(url) from error\n",
                )
            )
        ],
    ),
    (
        "deliver follows redirects with care",
        "refuses_inner_address",
        r"deliver asked resolve for",
        [
            deliver_but(
                (
                    "    return post(addresses[0], url, body)\n",
                    "    answer = post(addresses[0], url, body)\n    if answer.status in (307, 308) and answer.location:\n        return deliver(answer.location, body, resolve, post)  # looks at the new address as well\n    return answer\n",
                )
            )
        ],
    ),
    (
        "deliver not private",
        "refuses_inner_address",
        r"deliver posted to .*; expected RefusedAddressError",
        [deliver_but(("if not is_outside(ip_address(address)):", "if ip_address(address).is_private:"))],
    ),
]

RIGHT = {
    "receive has the effect first, and undoes it": [EFFECT_FIRST],
    "relay marks all at the end": [RELAY_MARKS_ALL_AT_THE_END],
    "relay begin around send": [RELAY_BEGIN_AROUND_SEND],
    "record update returning": [RECORD_UPDATE_RETURNING],
    "record one statement": [RECORD_ONE_STATEMENT],
    "record compare and set": [RECORD_COMPARE_AND_SET],
    "record advisory lock": [RECORD_ADVISORY_LOCK],
    "record raw cursor in savepoint": [RECORD_RAW_CURSOR_IN_SAVEPOINT],
    "record core": [RECORD_CORE],
    "relay round robin": [RELAY_ROUND_ROBIN],
    "relay reads one by one": [RELAY_READS_ONE_BY_ONE],
    "relay two rounds": [RELAY_TWO_ROUNDS],
    "relay raw cursor and commit": [RELAY_RAW_CURSOR_AND_COMMIT],
    "relay autobegin": [RELAY_AUTOBEGIN],
    "receive savepoint": [RECEIVE_SAVEPOINT],
    "receive by hand": [RECEIVE_BY_HAND],
    "receive advisory lock": [RECEIVE_ADVISORY_LOCK],
    "receive core returning": [RECEIVE_CORE_RETURNING],
    "receive looks first": [RECEIVE_LOOKS_FIRST],
    "verify fractions and regex": [VERIFY_FRACTIONS_AND_REGEX],
    "verify set of signatures": [VERIFY_SET_OF_SIGNATURES],
    "verify signs itself": [VERIFY_SIGNS_ITSELF],
    "verify match and small steps": [VERIFY_MATCH_AND_SMALL_STEPS],
    "next recursive": [NEXT_RECURSIVE],
    "next table": [NEXT_TABLE],
    "next loop and bits": [NEXT_LOOP_AND_BITS],
    "deliver last address": [DELIVER_LAST_ADDRESS],
    "deliver shortest address": [DELIVER_SHORTEST_ADDRESS],
    "deliver fresh draw": [DELIVER_FRESH_DRAW],
    "deliver scheme without s": [DELIVER_SCHEME_WITHOUT_S],
}

WRONG += [
    ("receive normalized id", "received_once", r"The event '.*' came for the first time: receive returned False",
     ['''\
# answer: receive
import unicodedata


def receive(conn, event_id, effect) -> bool:
    """Have the effect of this event, unless it was there before."""
    key = unicodedata.normalize("NFC", event_id)
    with conn.begin():
        if conn.execute(text(RECEIVED + " ON CONFLICT DO NOTHING"), {"id": key}).rowcount == 0:
            return False
        effect(conn)
    return True
''']),
]  # fmt: skip

WRONG += [
    ("any unique violation is a duplicate", "received_once", r"The effect raised .*IntegrityError.*, and receive returned False",
     ['''\
# answer: receive
from sqlalchemy.exc import IntegrityError

UNIQUE_VIOLATION = "23505"


def receive(conn, event_id, effect) -> bool:
    """Have the effect of this event, unless it was there before."""
    try:
        with conn.begin():
            conn.execute(text(RECEIVED), {"id": event_id})
            effect(conn)
    except IntegrityError as error:
        if error.orig.sqlstate != UNIQUE_VIOLATION:
            raise  # a foreign key, a check: not ours
        return False
    return True
''']),
]  # fmt: skip
