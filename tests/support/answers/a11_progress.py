"""Answers to exercise 11 that graders must tell apart. WRONG: what it is, the case it breaks, what must be said, cells.

RIGHT: other shapes of a correct answer. What is not given is taken from the solution.
"""

from answers.changes import changed

PUBLISH = """
# answer: publish
def publish(conn, run, update) -> int:
    number = conn.execute(text(LAST + " FOR UPDATE"), {"run": run}).scalar_one() + 1
    conn.execute(text(SET_LAST), {"run": run, "number": number})
    conn.execute(text(INSERT), {"run": run, "number": number, "body": json.dumps(update)})
    return number
"""
FRAME = """
# answer: frame
def frame(seq, update) -> str:
    data = json.dumps(update)
    return f"id: {seq}\\ndata: {data}\\n\\n"
"""
STREAM = """
# answer: stream
def stream(conn, run, last_id, wait):
    while True:
        with conn.begin():
            end = conn.execute(text(END), {"run": run}).scalar()
            look = text(AFTER + f" ORDER BY number LIMIT {BATCH}")
            rows = conn.execute(look, {"run": run, "last": last_id}).all()
        for row in rows:
            yield row.number, row.body
            last_id = row.number
        if end is not None and end <= last_id:
            return
        if not rows:
            wait()
"""
COMMAND = """
# answer: command
def command(conn, run, command_id, what) -> bool:
    with conn.begin():
        values = {"run": run, "id": command_id, "what": what}
        result = conn.execute(text(SAVE + " ON CONFLICT DO NOTHING"), values)
    return result.rowcount == 1
"""
WORK = """
# answer: work_on
def work_on(conn, run, steps, do, apply) -> str:
    for step in steps:
        with conn.begin():
            if conn.execute(text(IS_DONE), {"run": run, "step": step}).scalar_one():
                continue
        with conn.begin():
            for command_id, what in conn.execute(text(WAITING), {"run": run}).all():
                apply(conn, what)
                conn.execute(text(APPLIED), {"run": run, "id": command_id})
            cancelled = conn.execute(text(CANCELLED), {"run": run}).scalar_one()
        if cancelled:
            return "cancelled"
        do(step)
        with conn.begin():
            conn.execute(text(DONE), {"run": run, "step": step})
    return "completed"
"""
MAY = """
# answer: may_command
def parts(url):
    found = urlsplit(url)
    return found.scheme, found.hostname, found.port or PORTS.get(found.scheme)


def may_command(origin, ours) -> bool:
    if origin is None:
        return False
    try:
        return parts(origin) == parts(ours)
    except ValueError:
        return False
"""


def publish_but(*changes):
    """The right `publish` with these changes, each an old text and a new one."""
    return changed(PUBLISH, changes)


def frame_but(*changes):
    """The right `frame` with these changes, each an old text and a new one."""
    return changed(FRAME, changes)


def stream_but(*changes):
    """The right `stream` with these changes, each an old text and a new one."""
    return changed(STREAM, changes)


def command_but(*changes):
    """The right `command` with these changes, each an old text and a new one."""
    return changed(COMMAND, changes)


def work_but(*changes):
    """The right `work_on` with these changes, each an old text and a new one."""
    return changed(WORK, changes)


def may_but(*changes):
    """The right `may_command` with these changes, each an old text and a new one."""
    return changed(MAY, changes)


PUBLISH_OWN_CONNECTION = """
# answer: publish
def publish(conn, run, update) -> int:
    # a short transaction of its own: nobody waits for the caller
    with conn.engine.begin() as own:
        number = own.execute(text(LAST + " FOR UPDATE"), {"run": run}).scalar_one() + 1
        own.execute(text(SET_LAST), {"run": run, "number": number})
        own.execute(text(INSERT), {"run": run, "number": number, "body": json.dumps(update)})
    return number
"""
PUBLISH_COUNTER_IN_PROCESS = """
# answer: publish
_last = {}


def publish(conn, run, update) -> int:
    if run not in _last:
        _last[run] = conn.execute(text(LAST + " FOR UPDATE"), {"run": run}).scalar_one()
    _last[run] += 1
    conn.execute(text(SET_LAST), {"run": run, "number": _last[run]})
    conn.execute(text(INSERT), {"run": run, "number": _last[run], "body": json.dumps(update)})
    return _last[run]
"""
PUBLISH_COUNTER_COMMITTED_APART = """
# answer: publish
def publish(conn, run, update) -> int:
    with conn.engine.begin() as counter:
        number = counter.execute(
            text("UPDATE runs SET last = last + 1 WHERE name = :run RETURNING last"), {"run": run}
        ).scalar_one()
    conn.execute(text(INSERT), {"run": run, "number": number, "body": json.dumps(update)})
    return number
"""
PUBLISH_ROLLS_BACK_AND_RETRIES = """
# answer: publish
from sqlalchemy.exc import IntegrityError


def publish(conn, run, update) -> int:
    while True:
        number = conn.execute(text(LAST), {"run": run}).scalar_one() + 1
        try:
            conn.execute(text(INSERT), {"run": run, "number": number, "body": json.dumps(update)})
            conn.execute(text(SET_LAST), {"run": run, "number": number})
            return number
        except IntegrityError:
            conn.rollback()
"""
PUBLISH_CONFLICT_DO_NOTHING = """
# answer: publish
def publish(conn, run, update) -> int:
    number = conn.execute(text(LAST), {"run": run}).scalar_one() + 1
    conn.execute(text(INSERT + " ON CONFLICT DO NOTHING"), {"run": run, "number": number, "body": json.dumps(update)})
    conn.execute(text(SET_LAST), {"run": run, "number": number})
    return number
"""
PUBLISH_ONE_LOCK_FOR_ALL = """
# answer: publish
def publish(conn, run, update) -> int:
    conn.execute(text("SELECT pg_advisory_xact_lock(11)"))
    number = conn.execute(text(LAST), {"run": run}).scalar_one() + 1
    conn.execute(text(SET_LAST), {"run": run, "number": number})
    conn.execute(text(INSERT), {"run": run, "number": number, "body": json.dumps(update)})
    return number
"""
PUBLISH_LOCKS_TOO_LATE = """
# answer: publish
def publish(conn, run, update) -> int:
    number = conn.execute(text(LAST), {"run": run}).scalar_one() + 1
    conn.execute(text("SELECT 1 FROM runs WHERE name = :run FOR UPDATE"), {"run": run})
    conn.execute(text(SET_LAST), {"run": run, "number": number})
    conn.execute(text(INSERT), {"run": run, "number": number, "body": json.dumps(update)})
    return number
"""
PUBLISH_LETS_THE_LOCK_GO = """
# answer: publish
def publish(conn, run, update) -> int:
    key = {"run": run}
    conn.execute(text("SELECT pg_advisory_lock(hashtextextended(:run, 0))"), key)
    number = conn.execute(text(LAST), key).scalar_one() + 1
    conn.execute(text(SET_LAST), {"run": run, "number": number})
    conn.execute(text(INSERT), {"run": run, "number": number, "body": json.dumps(update)})
    conn.execute(text("SELECT pg_advisory_unlock(hashtextextended(:run, 0))"), key)
    return number
"""
FRAME_SPLITLINES = """
# answer: frame
def frame(seq, update) -> str:
    lines = json.dumps(update, ensure_ascii=False).splitlines()
    return f"id: {seq}\\n" + "".join(f"data: {line}\\n" for line in lines) + "\\n"
"""
FRAME_MESSAGE_LINES = """
# answer: frame
def frame(seq, update) -> str:
    lines = [f"data: {line}" for line in update.get("message", "").split("\\n")]
    return "\\n".join([f"id: {seq}", *lines]) + "\\n\\n"
"""
FRAME_CLEANED = """
# answer: frame
def frame(seq, update) -> str:
    clean = {name: " ".join(value.split()) if isinstance(value, str) else value for name, value in update.items()}
    return f"id: {seq}\\ndata: {json.dumps(clean)}\\n\\n"
"""
STREAM_REMEMBERS_BESIDE = """
# answer: stream
_seen = {}


def stream(conn, run, last_id, wait):
    _seen[run] = last_id
    while True:
        with conn.begin():
            end = conn.execute(text(END), {"run": run}).scalar()
            look = text(AFTER + f" ORDER BY number LIMIT {BATCH}")
            rows = conn.execute(look, {"run": run, "last": _seen[run]}).all()
        for row in rows:
            _seen[run] = row.number
            yield row.number, row.body
        if end is not None and end <= _seen[run]:
            return
        if not rows:
            wait()
"""
STREAM_NEWEST_ONLY = """
# answer: stream
def stream(conn, run, last_id, wait):
    while True:
        with conn.begin():
            end = conn.execute(text(END), {"run": run}).scalar()
            look = text(AFTER + f" ORDER BY number LIMIT {BATCH}")
            rows = conn.execute(look, {"run": run, "last": last_id}).all()
            last = conn.execute(text(LAST), {"run": run}).scalar_one()
        for row in rows:
            yield row.number, row.body
        last_id = max(last, last_id)
        if end is not None and end <= last_id:
            return
        if not rows:
            wait()
"""
STREAM_WAITS_FIRST = """
# answer: stream
def stream(conn, run, last_id, wait):
    while True:
        wait()
        with conn.begin():
            end = conn.execute(text(END), {"run": run}).scalar()
            look = text(AFTER + f" ORDER BY number LIMIT {BATCH}")
            rows = conn.execute(look, {"run": run, "last": last_id}).all()
        for row in rows:
            yield row.number, row.body
            last_id = row.number
        if end is not None and end <= last_id:
            return
"""
STREAM_WAITS_AFTER_EACH_BATCH = """
# answer: stream
def stream(conn, run, last_id, wait):
    while True:
        with conn.begin():
            end = conn.execute(text(END), {"run": run}).scalar()
            look = text(AFTER + f" ORDER BY number LIMIT {BATCH}")
            rows = conn.execute(look, {"run": run, "last": last_id}).all()
        for row in rows:
            yield row.number, row.body
            last_id = row.number
        if end is not None and end <= last_id:
            return
        wait()
"""
STREAM_STATUS_OF_WHAT_IT_YIELDS = """
# answer: stream
def stream(conn, run, last_id, wait):
    while True:
        with conn.begin():
            look = text(AFTER + f" ORDER BY number LIMIT {BATCH}")
            rows = conn.execute(look, {"run": run, "last": last_id}).all()
        for number, update in rows:
            yield number, update
            last_id = number
            if update["status"] in ("completed", "error"):
                return
        if not rows:
            wait()
"""
STREAM_LOOKS_FOR_THE_END_LAST = """
# answer: stream
def stream(conn, run, last_id, wait):
    while True:
        with conn.begin():
            look = text(AFTER + f" ORDER BY number LIMIT {BATCH}")
            rows = conn.execute(look, {"run": run, "last": last_id}).all()
            ended = conn.execute(text(END), {"run": run}).first() is not None
        for row in rows:
            yield row.number, row.body
            last_id = row.number
        if ended and len(rows) < BATCH:
            return
        if not rows:
            wait()
"""
STREAM_GIVES_UP = """
# answer: stream
def stream(conn, run, last_id, wait):
    silent = 0
    while silent < 3:
        with conn.begin():
            end = conn.execute(text(END), {"run": run}).scalar()
            look = text(AFTER + f" ORDER BY number LIMIT {BATCH}")
            rows = conn.execute(look, {"run": run, "last": last_id}).all()
        for row in rows:
            yield row.number, row.body
            last_id = row.number
        if end is not None and end <= last_id:
            return
        if not rows:
            wait()
            silent += 1
"""
STREAM_COLLECTS_BATCHES = """
# answer: stream
def look(conn, run, last_id):
    rows = []
    while True:
        with conn.begin():
            more = conn.execute(
                text(AFTER + f" ORDER BY number LIMIT {BATCH}"), {"run": run, "last": last_id}
            ).all()
        rows += more
        if len(more) < BATCH:
            return rows
        last_id = more[-1].number


def stream(conn, run, last_id, wait):
    while True:
        with conn.begin():
            end = conn.execute(text(END), {"run": run}).scalar()
        rows = look(conn, run, last_id)
        for row in rows:
            yield row.number, row.body
            last_id = row.number
        if end is not None and end <= last_id:
            return
        if not rows:
            wait()
"""
STREAM_WITHIN_A_TRANSACTION = """
# answer: stream
def stream(conn, run, last_id, wait):
    while True:
        with conn.begin():
            end = conn.execute(text(END), {"run": run}).scalar()
            look = text(AFTER + f" ORDER BY number LIMIT {BATCH}")
            rows = conn.execute(look, {"run": run, "last": last_id}).all()
            for row in rows:
                yield row.number, row.body
                last_id = row.number
        if end is not None and end <= last_id:
            return
        if not rows:
            wait()
"""
STREAM_NO_TRANSACTION_ENDED = """
# answer: stream
def stream(conn, run, last_id, wait):
    while True:
        end = conn.execute(text(END), {"run": run}).scalar()
        look = text(AFTER + f" ORDER BY number LIMIT {BATCH}")
        rows = conn.execute(look, {"run": run, "last": last_id}).all()
        for row in rows:
            yield row.number, row.body
            last_id = row.number
        if end is not None and end <= last_id:
            conn.rollback()
            return
        if not rows:
            conn.rollback()
            wait()
"""
STREAM_A_LIST = """
# answer: stream
def all_of(conn, run, last_id, wait):
    found = []
    while True:
        with conn.begin():
            end = conn.execute(text(END), {"run": run}).scalar()
            look = text(AFTER + f" ORDER BY number LIMIT {BATCH}")
            rows = conn.execute(look, {"run": run, "last": last_id}).all()
        found += [tuple(row) for row in rows]
        if rows:
            last_id = rows[-1].number
        if end is not None and end <= last_id:
            return found
        if not rows:
            wait()


def stream(conn, run, last_id, wait):
    return iter(all_of(conn, run, last_id, wait))
"""
COMMAND_LOOKS_FIRST = """
# answer: command
def command(conn, run, command_id, what) -> bool:
    with conn.begin():
        known = conn.execute(
            text("SELECT 1 FROM commands WHERE run = :run AND id = :id"), {"run": run, "id": command_id}
        ).first()
        if known:
            return False
        conn.execute(text(SAVE), {"run": run, "id": command_id, "what": what})
    return True
"""
COMMAND_IN_MEMORY = """
# answer: command
_known = {}


def command(conn, run, command_id, what) -> bool:
    if (run, command_id) in _known:
        return False
    _known[run, command_id] = what
    return True
"""
COMMAND_MEMORY_BEFORE_THE_ROW = """
# answer: command
_known = set()


def command(conn, run, command_id, what) -> bool:
    if (run, command_id) in _known:
        return False
    _known.add((run, command_id))
    with conn.begin():
        conn.execute(text(SAVE + " ON CONFLICT DO NOTHING"), {"run": run, "id": command_id, "what": what})
    return True
"""
COMMAND_LEFT_OPEN = """
# answer: command
from sqlalchemy.exc import IntegrityError


def command(conn, run, command_id, what) -> bool:
    try:
        conn.execute(text(SAVE), {"run": run, "id": command_id, "what": what})
    except IntegrityError:
        return False
    conn.commit()
    return True
"""
WORK_CANCEL_IN_MEMORY = """
# answer: work_on
def work_on(conn, run, steps, do, apply) -> str:
    for step in steps:
        with conn.begin():
            if conn.execute(text(IS_DONE), {"run": run, "step": step}).scalar_one():
                continue
        with conn.begin():
            rows = conn.execute(text(WAITING), {"run": run}).all()
            for command_id, what in rows:
                apply(conn, what)
                conn.execute(text(APPLIED), {"run": run, "id": command_id})
        if any(row.what == "cancel" for row in rows):
            return "cancelled"
        do(step)
        with conn.begin():
            conn.execute(text(DONE), {"run": run, "step": step})
    return "completed"
"""
WORK_LOOKS_AFTER_EACH_STEP = """
# answer: work_on
def work_on(conn, run, steps, do, apply) -> str:
    for step in steps:
        with conn.begin():
            if conn.execute(text(IS_DONE), {"run": run, "step": step}).scalar_one():
                continue
        do(step)
        with conn.begin():
            conn.execute(text(DONE), {"run": run, "step": step})
            for command_id, what in conn.execute(text(WAITING), {"run": run}).all():
                apply(conn, what)
                conn.execute(text(APPLIED), {"run": run, "id": command_id})
            cancelled = conn.execute(text(CANCELLED), {"run": run}).scalar_one()
        if cancelled and step != steps[-1]:
            return "cancelled"
    return "completed"
"""
WORK_LOOKS_ONCE = """
# answer: work_on
def work_on(conn, run, steps, do, apply) -> str:
    with conn.begin():
        for command_id, what in conn.execute(text(WAITING), {"run": run}).all():
            apply(conn, what)
            conn.execute(text(APPLIED), {"run": run, "id": command_id})
    for step in steps:
        with conn.begin():
            if conn.execute(text(IS_DONE), {"run": run, "step": step}).scalar_one():
                continue
            cancelled = conn.execute(text(CANCELLED), {"run": run}).scalar_one()
        if cancelled:
            return "cancelled"
        do(step)
        with conn.begin():
            conn.execute(text(DONE), {"run": run, "step": step})
    return "completed"
"""
WORK_ASKS_FOR_THE_CANCEL_FIRST = """
# answer: work_on
def work_on(conn, run, steps, do, apply) -> str:
    for step in steps:
        with conn.begin():
            if conn.execute(text(IS_DONE), {"run": run, "step": step}).scalar_one():
                continue
        with conn.begin():
            cancelled = conn.execute(text(CANCELLED), {"run": run}).scalar_one()
        if cancelled:
            return "cancelled"
        with conn.begin():
            for command_id, what in conn.execute(text(WAITING), {"run": run}).all():
                apply(conn, what)
                conn.execute(text(APPLIED), {"run": run, "id": command_id})
        do(step)
        with conn.begin():
            conn.execute(text(DONE), {"run": run, "step": step})
    return "completed"
"""
WORK_STORES_STEPS_AT_THE_END = """
# answer: work_on
def work_on(conn, run, steps, do, apply) -> str:
    done = []
    try:
        for step in steps:
            with conn.begin():
                if conn.execute(text(IS_DONE), {"run": run, "step": step}).scalar_one():
                    continue
                for command_id, what in conn.execute(text(WAITING), {"run": run}).all():
                    apply(conn, what)
                    conn.execute(text(APPLIED), {"run": run, "id": command_id})
                cancelled = conn.execute(text(CANCELLED), {"run": run}).scalar_one()
            if cancelled:
                return "cancelled"
            do(step)
            done.append({"run": run, "step": step})
        return "completed"
    finally:
        if done:
            with conn.begin():
                conn.execute(text(DONE), done)
"""
WORK_MARKS_ALL = """
# answer: work_on
def work_on(conn, run, steps, do, apply) -> str:
    for step in steps:
        with conn.begin():
            if conn.execute(text(IS_DONE), {"run": run, "step": step}).scalar_one():
                continue
        with conn.begin():
            for row in conn.execute(text(WAITING), {"run": run}).all():
                apply(conn, row.what)
            conn.execute(text("UPDATE commands SET applied = true WHERE run = :run AND NOT applied"), {"run": run})
            cancelled = conn.execute(text(CANCELLED), {"run": run}).scalar_one()
        if cancelled:
            return "cancelled"
        do(step)
        with conn.begin():
            conn.execute(text(DONE), {"run": run, "step": step})
    return "completed"
"""
WORK_CANCEL_WITHOUT_EFFECT = """
# answer: work_on
def work_on(conn, run, steps, do, apply) -> str:
    for step in steps:
        with conn.begin():
            if conn.execute(text(IS_DONE), {"run": run, "step": step}).scalar_one():
                continue
            for command_id, what in conn.execute(text(WAITING), {"run": run}).all():
                if what != "cancel":
                    apply(conn, what)
                conn.execute(text(APPLIED), {"run": run, "id": command_id})
            cancelled = conn.execute(text(CANCELLED), {"run": run}).scalar_one()
        if cancelled:
            return "cancelled"
        do(step)
        with conn.begin():
            conn.execute(text(DONE), {"run": run, "step": step})
    return "completed"
"""
WORK_CANCELLED_IN_THE_END = """
# answer: work_on
def work_on(conn, run, steps, do, apply) -> str:
    def cancelled():
        with conn.begin():
            for command_id, what in conn.execute(text(WAITING), {"run": run}).all():
                apply(conn, what)
                conn.execute(text(APPLIED), {"run": run, "id": command_id})
            return conn.execute(text(CANCELLED), {"run": run}).scalar_one()

    for step in steps:
        if cancelled():
            return "cancelled"
        with conn.begin():
            done = conn.execute(text(IS_DONE), {"run": run, "step": step}).scalar_one()
        if not done:
            do(step)
            with conn.begin():
                conn.execute(text(DONE), {"run": run, "step": step})
    return "completed"
"""
WORK_TRIES_AGAIN = """
# answer: work_on
def work_on(conn, run, steps, do, apply) -> str:
    for step in steps:
        with conn.begin():
            if conn.execute(text(IS_DONE), {"run": run, "step": step}).scalar_one():
                continue
            for command_id, what in conn.execute(text(WAITING), {"run": run}).all():
                apply(conn, what)
                conn.execute(text(APPLIED), {"run": run, "id": command_id})
            if conn.execute(text(CANCELLED), {"run": run}).scalar_one():
                return "cancelled"
        try:
            do(step)
        except Exception:
            do(step)
        with conn.begin():
            conn.execute(text(DONE), {"run": run, "step": step})
    return "completed"
"""
WORK_LEFT_OPEN = """
# answer: work_on
def work_on(conn, run, steps, do, apply) -> str:
    for step in steps:
        if conn.execute(text(IS_DONE), {"run": run, "step": step}).scalar_one():
            continue
        for command_id, what in conn.execute(text(WAITING), {"run": run}).all():
            apply(conn, what)
            conn.execute(text(APPLIED), {"run": run, "id": command_id})
        cancelled = conn.execute(text(CANCELLED), {"run": run}).scalar_one()
        conn.commit()
        if cancelled:
            return "cancelled"
        do(step)
        conn.execute(text(DONE), {"run": run, "step": step})
        conn.commit()
    return "completed"
"""
MAY_BEGINS = """
# answer: may_command
def may_command(origin, ours) -> bool:
    return bool(origin) and origin.lower().startswith(ours.lower())
"""
MAY_EQUAL = """
# answer: may_command
def may_command(origin, ours) -> bool:
    return origin == ours
"""
MAY_EQUAL_IN_LOWER_CASE = """
# answer: may_command
def may_command(origin, ours) -> bool:
    return origin is not None and origin.lower() == ours.lower()
"""
MAY_PATTERN = """
# answer: may_command
import re


def may_command(origin, ours) -> bool:
    found = urlsplit(ours)
    port = found.port or PORTS[found.scheme]
    usual = "?" if port == PORTS[found.scheme] else ""
    host = f"[{found.hostname}]" if ":" in found.hostname else found.hostname
    pattern = f"{found.scheme}://{host}(:{port}){usual}"
    return origin is not None and re.fullmatch(pattern, origin, re.IGNORECASE) is not None
"""
MAY_SUBDOMAINS = """
# answer: may_command
def parts(url):
    found = urlsplit(url)
    return found.scheme, found.port or PORTS.get(found.scheme), found.hostname or ""


def may_command(origin, ours) -> bool:
    try:
        *one, host = parts(origin or "")
        *other, our_host = parts(ours)
    except ValueError:
        return False
    return one == other and (host == our_host or host.endswith("." + our_host))
"""

PUBLISH_UPDATE_RETURNING = """
# answer: publish
def publish(conn, run, update) -> int:
    number = conn.execute(
        text("UPDATE runs SET last = last + 1 WHERE name = :run RETURNING last"), {"run": run}
    ).scalar_one()
    conn.execute(text(INSERT), dict(body=json.dumps(update), number=number, run=run))
    return number
"""
PUBLISH_ONE_STATEMENT = '''
# answer: publish
def publish(conn, run, update) -> int:
    return conn.execute(
        text("""
            WITH counted AS (UPDATE runs SET last = last + 1 WHERE name = :run RETURNING name, last)
            INSERT INTO updates (run, number, body) SELECT name, last, CAST(:body AS jsonb) FROM counted
            RETURNING number
        """),
        {"run": run, "body": json.dumps(update, ensure_ascii=False)},
    ).scalar_one()
'''
PUBLISH_COMPARE_AND_SET = """
# answer: publish
def publish(conn, run, update) -> int:
    while True:
        old = conn.execute(text(LAST), {"run": run}).scalar_one()
        done = conn.execute(
            text(SET_LAST + " AND last = :old"), {"run": run, "old": old, "number": old + 1}
        )
        if done.rowcount:
            break
    conn.execute(text(INSERT), {"run": run, "number": old + 1, "body": json.dumps(update)})
    return old + 1
"""
PUBLISH_ADVISORY_LOCK = """
# answer: publish
def publish(conn, run, update) -> int:
    conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:run, 11))"), {"run": run})
    number = conn.execute(
        text("SELECT coalesce(max(number), 0) + 1 FROM updates WHERE run = :run"), {"run": run}
    ).scalar_one()
    conn.execute(text(INSERT), {"run": run, "number": number, "body": json.dumps(update)})
    conn.execute(text(SET_LAST), {"run": run, "number": number})
    return number
"""
PUBLISH_RAW_CURSOR_IN_SAVEPOINT = """
# answer: publish
def publish(conn, run, update) -> int:
    with conn.begin_nested():
        with conn.connection.cursor() as cursor:
            cursor.execute("SELECT last FROM runs WHERE name = %s FOR NO KEY UPDATE", (run,))
            (last,) = cursor.fetchone()
            cursor.execute("UPDATE runs SET last = %s WHERE name = %s", (last + 1, run))
            cursor.execute(
                "INSERT INTO updates (run, number, body) VALUES (%s, %s, %s)", (run, last + 1, json.dumps(update))
            )
    return last + 1
"""
PUBLISH_TRIES_AGAIN_IN_SAVEPOINTS = """
# answer: publish
from sqlalchemy.exc import IntegrityError


def publish(conn, run, update) -> int:
    while True:
        number = conn.execute(text(LAST), {"run": run}).scalar_one() + 1
        try:
            with conn.begin_nested():
                conn.execute(text(INSERT), {"run": run, "number": number, "body": json.dumps(update)})
        except IntegrityError:
            continue
        conn.execute(text(SET_LAST), {"run": run, "number": number})
        return number
"""
FRAME_SEVERAL_LINES = """
# answer: frame
def frame(seq, update) -> str:
    lines = json.dumps(update, indent=2).split("\\n")
    return "".join(f"data:{line}\\n" for line in lines) + f"id:{seq}\\n\\n"
"""
FRAME_CRLF = """
# answer: frame
def frame(seq, update) -> str:
    lines = [": an update", "retry: 1000", f"id: {seq}", "data: " + json.dumps(update, sort_keys=True), "", ""]
    return "\\r\\n".join(lines)
"""
FRAME_ITS_OWN_LETTERS = """
# answer: frame
from io import StringIO


def frame(seq, update) -> str:
    out = StringIO()
    print("id", seq, sep=": ", file=out)
    print("data: ", end="", file=out)
    json.dump(update, out, ensure_ascii=False, separators=(",", ":"))
    print(end="\\n\\n", file=out)
    return out.getvalue()
"""
STREAM_STATUS = """
# answer: stream
def stream(conn, run, last_id, wait):
    with conn.begin():
        end = conn.execute(text(END), {"run": run}).scalar()
    if end is not None and end <= last_id:
        return
    query = text(f"{AFTER} ORDER BY number LIMIT {BATCH}")
    while True:
        with conn.begin():
            rows = conn.execute(query, {"run": run, "last": last_id}).mappings().all()
        for row in rows:
            last_id = row["number"]
            yield last_id, row["body"]
            if row["body"]["status"] in ("completed", "error"):
                return
        if not rows:
            wait()
            with conn.begin():  # it may have ended with a number that the reader has seen
                end = conn.execute(text(END), {"run": run}).scalar()
            if end is not None and end <= last_id:
                return
"""
STREAM_CLASS = """
# answer: stream
from collections import deque


class Stream:
    def __init__(self, conn, run, last_id, wait):
        self.conn, self.run, self.last, self.wait = conn, run, last_id, wait
        self.held, self.end = deque(), None

    def __iter__(self):
        return self

    def look(self):
        with self.conn.begin():
            self.end = self.conn.execute(text(END), {"run": self.run}).scalar_one_or_none()
            found = self.conn.execute(
                text(AFTER + " ORDER BY number LIMIT 7"), {"run": self.run, "last": self.last}
            )
            self.held.extend(found.all())

    def __next__(self):
        while not self.held:
            if self.end is not None and self.end <= self.last:
                raise StopIteration
            self.look()
            if not self.held and (self.end is None or self.end > self.last):
                self.wait()
        number, update = self.held.popleft()
        self.last = number
        return [number, update]


def stream(conn, run, last_id, wait):
    return Stream(conn, run, last_id, wait)
"""
STREAM_ONE_BY_ONE = """
# answer: stream
def stream(conn, run, last_id, wait):
    while True:
        with conn.begin(), conn.connection.cursor() as cursor:
            cursor.execute(
                "SELECT number, body FROM updates WHERE run = %s AND number > %s ORDER BY number FETCH FIRST ROW ONLY",
                (run, last_id),
            )
            row = cursor.fetchone()
            ended = row is None and conn.execute(text(END + " AND number <= :last"), {"run": run, "last": last_id}).first()
        if row is not None:
            last_id = row[0]
            yield row
        elif ended:
            return
        else:
            wait()
"""
STREAM_ROLLS_BACK = """
# answer: stream
def stream(conn, run, last_id, wait):
    def batch(last):
        end = conn.execute(text(END), {"run": run}).scalars().all()
        rows = conn.execute(text(AFTER + " ORDER BY number FETCH FIRST 100 ROWS ONLY"), {"run": run, "last": last})
        found = [(row.number, row.body) for row in rows]
        conn.rollback()
        return end, found

    end, found = batch(last_id)
    while found or not end or end[0] > last_id:
        yield from found
        if found:
            last_id = found[-1][0]
        else:
            wait()
        end, found = batch(last_id)
"""
STREAM_FETCHES_FROM_A_CURSOR = """
# answer: stream
def stream(conn, run, last_id, wait):
    while True:
        with conn.begin():
            end = conn.execute(text(END), {"run": run}).scalar()
            with conn.connection.cursor(name="updates") as cursor:
                cursor.execute(
                    "SELECT number, body FROM updates WHERE run = %s AND number > %s ORDER BY number", (run, last_id)
                )
                rows = cursor.fetchmany(BATCH)
        for number, update in rows:
            last_id = number
            yield number, update
        if end is not None and end <= last_id:
            return
        if not rows:
            wait()
"""
COMMAND_RETURNING = """
# answer: command
def command(conn, run, command_id, what) -> bool:
    query = text(SAVE + " ON CONFLICT (run, id) DO NOTHING RETURNING id")
    with conn.begin():
        return conn.execute(query, {"run": run, "id": command_id, "what": what}).first() is not None
"""
COMMAND_CATCHES = """
# answer: command
from sqlalchemy.exc import IntegrityError


def command(conn, run, command_id, what) -> bool:
    try:
        with conn.begin():
            conn.execute(text(SAVE), {"run": run, "id": command_id, "what": what})
    except IntegrityError:
        return False
    return True
"""
COMMAND_BY_HAND = """
# answer: command
def command(conn, run, command_id, what) -> bool:
    values = {"run": run, "id": command_id, "what": what}
    try:
        conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:run, 0))"), {"run": run})
        known = conn.execute(text("SELECT count(*) FROM commands WHERE run = :run AND id = :id"), values).scalar_one()
        if not known:
            conn.execute(text(SAVE), values)
        conn.commit()
        return not known
    finally:
        conn.rollback()
"""
COMMAND_SAVEPOINT = """
# answer: command
from sqlalchemy.exc import IntegrityError


def command(conn, run, command_id, what) -> bool:
    with conn.begin():
        try:
            with conn.begin_nested():
                conn.execute(text(SAVE), {"run": run, "id": command_id, "what": what})
        except IntegrityError:
            return False
        return True
"""
WORK_EACH_COMMAND_APART = """
# answer: work_on
def next_command(conn, run, apply):
    with conn.begin():
        row = conn.execute(text(WAITING + " LIMIT 1 FOR UPDATE"), {"run": run}).first()
        if row:
            conn.execute(text(APPLIED), {"run": run, "id": row.id})
            apply(conn, row.what)
        return row is not None


def is_cancelled(conn, run):
    with conn.begin():
        return conn.execute(text(CANCELLED), {"run": run}).scalar_one()


def work_on(conn, run, steps, do, apply) -> str:
    with conn.begin():
        done = set(conn.execute(text("SELECT step FROM done WHERE run = :run"), {"run": run}).scalars())
    for step in [each for each in steps if each not in done]:
        while not is_cancelled(conn, run) and next_command(conn, run, apply):
            pass
        if is_cancelled(conn, run):
            return "cancelled"
        do(step)
        with conn.begin():
            conn.execute(text(DONE), {"run": run, "step": step})
    return "completed"
"""
WORK_DONE_WITH_THE_NEXT_LOOK = """
# answer: work_on
def work_on(conn, run, steps, do, apply) -> str:
    with conn.begin():
        done = set(conn.execute(text("SELECT step FROM done WHERE run = :run"), {"run": run}).scalars())
    left = [step for step in steps if step not in done]

    def look(finished):
        with conn.begin():
            for step in finished:
                conn.execute(text(DONE), {"run": run, "step": step})
            for command_id, what in conn.execute(text(WAITING), {"run": run}).all():
                apply(conn, what)
                conn.execute(text(APPLIED), {"run": run, "id": command_id})
            return conn.execute(text(CANCELLED), {"run": run}).scalar_one()

    if left and look([]):
        return "cancelled"
    for place, step in enumerate(left, 1):
        do(step)
        if place < len(left):
            if look([step]):
                return "cancelled"
        else:
            with conn.begin():
                conn.execute(text(DONE), {"run": run, "step": step})
    return "completed"
"""
WORK_RECURSIVE = """
# answer: work_on
def work_on(conn, run, steps, do, apply) -> str:
    if not steps:
        return "completed"
    first, *rest = steps
    with conn.begin():
        done = conn.execute(text(IS_DONE), {"run": run, "step": first}).scalar_one()
    if not done:
        cancelled = False
        with conn.begin():
            rows = conn.execute(text("SELECT id, what, applied FROM commands WHERE run = :run ORDER BY number"), {"run": run})
            for row in rows.all():
                if not row.applied:
                    conn.execute(text(APPLIED), {"run": run, "id": row.id})
                    apply(conn, row.what)
                if row.what == "cancel":
                    cancelled = True
                    break
        if cancelled:
            return "cancelled"
        do(first)
        with conn.begin():
            conn.execute(text(DONE), {"run": run, "step": first})
    return work_on(conn, run, rest, do, apply)
"""
WORK_BY_HAND = """
# answer: work_on
class Cancelled(Exception):
    pass


class Worker:
    def __init__(self, conn, run, apply):
        self.conn, self.run, self.apply = conn, run, apply

    def sql(self, query, **values):
        return self.conn.execute(text(query), {"run": self.run, **values})

    def listen(self):
        for command_id, what in self.sql(WAITING).fetchall():
            self.apply(self.conn, what)
            self.sql(APPLIED, id=command_id)
        stop = self.sql(CANCELLED).scalar()
        self.conn.commit()
        if stop:
            raise Cancelled


def work_on(conn, run, steps, do, apply) -> str:
    worker = Worker(conn, run, apply)
    try:
        for step in steps:
            if not worker.sql(IS_DONE, step=step).scalar():
                worker.listen()
                do(step)
                worker.sql(DONE, step=step)
            conn.commit()
    except Cancelled:
        return "cancelled"
    finally:
        conn.rollback()
    return "completed"
"""
MAY_WRITES_BOTH_WHOLE = """
# answer: may_command
def whole(url):
    found = urlsplit(url)
    return f"{found.scheme}://{found.hostname}:{found.port or PORTS[found.scheme]}"


def may_command(origin, ours) -> bool:
    try:
        return whole(origin) == whole(ours)
    except Exception:
        return False
"""
MAY_PATTERN_ESCAPED = r"""
# answer: may_command
import re

ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:]+\]|[^/?#@:\[\]\s]+)(?::(\d{1,5}))?", re.IGNORECASE)


def may_command(origin, ours) -> bool:
    found = [ORIGIN.fullmatch(url or "") for url in (origin, ours)]
    if not all(found):
        return False
    one, other = ((m[1].lower(), m[2].lower(), int(m[3] or PORTS[m[1].lower()])) for m in found)
    return one == other
"""
MAY_WITHOUT_THE_USUAL_PORT = """
# answer: may_command
def may_command(origin, ours) -> bool:
    def short(url):
        url = url.lower()
        scheme = url.partition("://")[0]
        return url.removesuffix(f":{PORTS[scheme]}") if scheme in PORTS else url

    return isinstance(origin, str) and short(origin) == short(ours)
"""

NUMBER = (
    r"publish returned .*; expected \d+|expected \d+ and \d+|The caller undid|in the table updates|in the table runs"
)
SEEN_EARLY = r"Others could see the update"
ATONCE = r"A and B: (two published at the same moment|update \d+ of the run could be seen)"
FRAMED = (
    r"frame\(\d+, .*a browser (finds \d+ events|has|takes)|the event (does not end|before it|has the name)|read as JSON"
)
YIELDED = r"stream yielded (update|number) \d+|The reader had seen number"
WAITED = r"stream called wait\(\)|called wait\(\) again and again"
STOPPED = r"stream stopped, and (update|the run)"
HELD = r"was changed in the table, and stream yielded it as it had been before: .* expected 100 at most"
BROUGHT = r"brought \d+ rows into memory; expected 100 at most"
OPEN = r"While (wait ran|a reader had an update|do ran), .*transaction was open"
BEGUN = r"A cancel came .* all the same|under way when the cancel came"
COMMAND_ID_NORMALISED = '''
# answer: command
import unicodedata


def command(conn, run, command_id, what) -> bool:
    """Store a command before this returns. False if it was there."""
    command_id = unicodedata.normalize("NFC", command_id)
    with conn.begin():
        result = conn.execute(text(SAVE + " ON CONFLICT (run, id) DO NOTHING"),
                              {"run": run, "id": command_id, "what": what})
        return result.rowcount == 1
'''

WRONG = [
    ("ids in one form of the two", "command_once", "is missing", [COMMAND_ID_NORMALISED]),
    (
        "publish commits itself",
        "gapless",
        SEEN_EARLY,
        [publish_but(("    return number", "    conn.commit()\n    return number"))],
    ),
    ("publish on a connection of its own", "gapless", SEEN_EARLY, [PUBLISH_OWN_CONNECTION]),
    ("publish counts in the process", "gapless", NUMBER, [PUBLISH_COUNTER_IN_PROCESS]),
    ("publish commits the number apart", "gapless", NUMBER, [PUBLISH_COUNTER_COMMITTED_APART]),
    ("publish rolls back and tries again", "gapless", ATONCE, [PUBLISH_ROLLS_BACK_AND_RETRIES]),
    ("publish does nothing on a conflict", "gapless", ATONCE, [PUBLISH_CONFLICT_DO_NOTHING]),
    ("publish locks after it has read", "gapless", ATONCE, [PUBLISH_LOCKS_TOO_LATE]),
    ("publish has one lock for all runs", "gapless", r"though it was for another run", [PUBLISH_ONE_LOCK_FOR_ALL]),
    ("publish lets the lock go", "gapless", ATONCE, [PUBLISH_LETS_THE_LOCK_GO]),
    ("publish without a lock", "gapless", ATONCE, [publish_but((' + " FOR UPDATE"', ""))]),
    (
        "publish does not count the run up",
        "gapless",
        r"in the table runs",
        [publish_but(('    conn.execute(text(SET_LAST), {"run": run, "number": number})\n', ""))],
    ),
    ("publish returns the number before", "gapless", NUMBER, [publish_but(("return number", "return number - 1"))]),
    ("publish returns nothing", "gapless", NUMBER, [publish_but(("return number", "return None"))]),
    (
        "publish begins by 0",
        "gapless",
        r"publish raised IntegrityError",
        [publish_but(("scalar_one() + 1", "scalar_one()"))],
    ),
    (
        "publish stores a part",
        "gapless",
        r"in the table updates, update",
        [
            publish_but(
                ("json.dumps(update)", 'json.dumps({"status": update["status"], "message": update.get("message")})')
            )
        ],
    ),
    (
        "publish stores JSON in JSON",
        "gapless",
        r"in the table updates, update",
        [publish_but(("json.dumps(update)", "json.dumps(json.dumps(update))"))],
    ),
    (
        "publish writes quotes by hand",
        "gapless",
        r"publish raised",
        [publish_but(("json.dumps(update)", "str(update).replace(\"'\", '\"')"))],
    ),
    (
        "frame with the message as it is",
        "newline_safe",
        FRAMED,
        [frame_but(("json.dumps(update)", 'update.get("message", "")'))],
    ),
    ("frame with a data line for each line of the message", "newline_safe", FRAMED, [FRAME_MESSAGE_LINES]),
    ("frame indented", "newline_safe", FRAMED, [frame_but(("json.dumps(update)", "json.dumps(update, indent=2)"))]),
    ("frame split at what is no line break", "newline_safe", FRAMED, [FRAME_SPLITLINES]),
    ("frame cleans the texts", "newline_safe", FRAMED, [FRAME_CLEANED]),
    ("frame without an empty line", "newline_safe", FRAMED, [frame_but(("\\n\\n", "\\n"))]),
    ("frame with a name", "newline_safe", FRAMED, [frame_but(('f"id', 'f"event: update\\nid'))]),
    ("frame without its number", "newline_safe", FRAMED, [frame_but(("id: {seq}\\n", ""))]),
    ("frame with the number in the wrong field", "newline_safe", FRAMED, [frame_but(("id: {seq}", "ID: {seq}"))]),
    (
        "frame with the number behind the empty line",
        "newline_safe",
        FRAMED,
        [frame_but(("id: {seq}\\ndata: {data}\\n\\n", "data: {data}\\n\\nid: {seq}\\n\\n"))],
    ),
    ("frame with a number for people", "newline_safe", FRAMED, [frame_but(("{seq}", "{seq:,}"))]),
    ("frame as Python writes it", "newline_safe", FRAMED, [frame_but(("json.dumps(update)", "repr(update)"))]),
    (
        "frame as JSON in JSON",
        "newline_safe",
        FRAMED,
        [frame_but(("json.dumps(update)", "json.dumps(json.dumps(update))"))],
    ),
    (
        "frame takes escapes back",
        "newline_safe",
        FRAMED,
        [frame_but(("json.dumps(update)", 'json.dumps(update).replace("\\\\n", "\\n")'))],
    ),
    ("frame is bytes", "newline_safe", r"expected a text", [frame_but(('\\n\\n"', '\\n\\n".encode()'))]),
    (
        "stream yields the last one again",
        "none_twice",
        YIELDED,
        [stream_but(("text(AFTER +", 'text(AFTER.replace(">", ">=") +'))],
    ),
    (
        "stream does not remember",
        "none_twice",
        YIELDED,
        [
            stream_but(
                ("            last_id = row.number\n", ""),
                ("end <= last_id", "end <= (rows[-1].number if rows else last_id)"),
            )
        ],
    ),
    ("stream in no order", "none_twice", YIELDED, [stream_but((" ORDER BY number", ""))]),
    ("stream backwards", "none_twice", YIELDED, [stream_but((" ORDER BY number", " ORDER BY number DESC"))]),
    ("stream remembers beside itself", "none_twice", YIELDED + "|" + STOPPED, [STREAM_REMEMBERS_BESIDE]),
    ("stream goes on behind the newest", "none_twice", YIELDED + "|" + STOPPED, [STREAM_NEWEST_ONLY]),
    ("stream waits first", "none_twice", WAITED, [STREAM_WAITS_FIRST]),
    ("stream waits after each batch", "none_twice", WAITED, [STREAM_WAITS_AFTER_EACH_BATCH]),
    (
        "stream of all runs",
        "none_twice",
        YIELDED + "|" + WAITED,
        [stream_but(("text(AFTER +", 'text(AFTER.replace("run = :run AND", "") +'))],
    ),
    (
        "stream yields updates alone",
        "none_twice",
        r"expected a number and an update",
        [stream_but(("yield row.number, row.body", "yield row.body"))],
    ),
    (
        "stream yields frames",
        "none_twice",
        r"expected a number and an update",
        [stream_but(("yield row.number, row.body", 'yield f"id: {row.number}\\n\\n"'))],
    ),
    (
        "stream counts for itself",
        "none_twice",
        YIELDED,
        [
            stream_but(
                ("for row in rows:", "for n, row in enumerate(rows, 1):"),
                ("yield row.number, row.body", "yield n, row.body"),
            )
        ],
    ),
    ("stream is a list", "none_twice", WAITED, [STREAM_A_LIST]),
    (
        "stream never stops",
        "ends",
        WAITED,
        [stream_but(("        if end is not None and end <= last_id:\n            return\n", ""))],
    ),
    ("stream stops when nothing is left", "ends", STOPPED, [stream_but(("            wait()", "            return"))]),
    (
        "stream stops with a batch that is not full",
        "ends",
        STOPPED,
        [stream_but(("if end is not None and end <= last_id", "if len(rows) < BATCH and last_id"))],
    ),
    ("stream looks only at what it yields", "ends", WAITED, [STREAM_STATUS_OF_WHAT_IT_YIELDS]),
    ("stream looks for the end last", "ends", STOPPED, [STREAM_LOOKS_FOR_THE_END_LAST]),
    (
        "stream stops as soon as the run has ended",
        "ends",
        STOPPED,
        [stream_but(("if end is not None and end <= last_id", "if end is not None"))],
    ),
    ("stream stops at exactly the end", "ends", WAITED, [stream_but(("end <= last_id", "end == last_id"))]),
    (
        "stream knows one kind of end",
        "ends",
        WAITED,
        [stream_but(("text(END)", "text(END.replace(\", 'error'\", ''))"))],
    ),
    (
        "stream ends with any run",
        "ends",
        STOPPED + "|" + WAITED,
        [stream_but(("text(END)", 'text(END.replace("run = :run AND", ""))'))],
    ),
    (
        "stream takes a word for the end",
        "ends",
        STOPPED,
        [
            stream_but(
                (
                    "            last_id = row.number\n",
                    '            last_id = row.number\n            if "completed" in str(row.body):\n                return\n',
                )
            )
        ],
    ),
    ("stream gives up", "ends", STOPPED, [STREAM_GIVES_UP]),
    (
        "stream refuses a number of the future",
        "ends",
        r"stream raised ValueError",
        [
            stream_but(
                (
                    "            look =",
                    '            if last_id > conn.execute(text(LAST), {"run": run}).scalar_one():\n                raise ValueError("no such update")\n            look =',
                )
            )
        ],
    ),
    (
        "stream never waits",
        "ends",
        r"neither called wait\(\) nor yielded",
        [stream_but(("            wait()", "            pass"))],
    ),
    ("stream takes all", "bounded", BROUGHT, [stream_but((" LIMIT {BATCH}", ""))]),
    (
        "stream fetches some of all",
        "bounded",
        BROUGHT,
        [stream_but((" LIMIT {BATCH}", ""), ('"last": last_id}).all()', '"last": last_id}).fetchmany(BATCH)'))],
    ),
    ("stream takes one more", "bounded", BROUGHT, [stream_but(("LIMIT {BATCH}", "LIMIT {BATCH + 1}"))]),
    ("stream takes more than needed", "bounded", BROUGHT, [stream_but(("LIMIT {BATCH}", "LIMIT 1000"))]),
    ("stream collects batches", "bounded", HELD, [STREAM_COLLECTS_BATCHES]),
    ("stream yields within a transaction", "bounded", OPEN, [STREAM_WITHIN_A_TRANSACTION]),
    ("stream ends no transaction before it yields", "bounded", OPEN, [STREAM_NO_TRANSACTION_ENDED]),
    (
        "stream waits within a transaction",
        "bounded",
        OPEN,
        [
            stream_but(
                (
                    "            wait()",
                    '            with conn.begin():\n                conn.execute(text(LAST), {"run": run})\n                wait()',
                )
            )
        ],
    ),
    (
        "stream goes on without wait",
        "bounded",
        r"let the error through|again and again",
        [
            stream_but(
                (
                    "            wait()",
                    "            try:\n                wait()\n            except Exception:\n                pass",
                )
            )
        ],
    ),
    (
        "stream ends when wait fails",
        "bounded",
        r"stopped, and the run had not ended|let the error through",
        [
            stream_but(
                (
                    "            wait()",
                    "            try:\n                wait()\n            except Exception:\n                return",
                )
            )
        ],
    ),
    ("command looks first", "command_once", r"the same command came twice", [COMMAND_LOOKS_FIRST]),
    ("command in memory", "command_once", r"in the table commands, the command .* is missing", [COMMAND_IN_MEMORY]),
    (
        "command remembers before it stores",
        "command_once",
        r"command returned|returned True; expected False|the same command",
        [COMMAND_MEMORY_BEFORE_THE_ROW],
    ),
    ("command leaves the refused transaction open", "command_once", r"left a transaction open", [COMMAND_LEFT_OPEN]),
    (
        "command does not commit",
        "command_once",
        r"left a transaction open",
        [command_but(("    with conn.begin():\n        values =", "    if True:\n        values ="))],
    ),
    (
        "command takes the last content",
        "command_once",
        r"in the table commands",
        [command_but(("DO NOTHING", "(run, id) DO UPDATE SET what = excluded.what"))],
    ),
    (
        "command does not tell",
        "command_once",
        r"expected False",
        [command_but(("return result.rowcount == 1", "return True"))],
    ),
    ("command tells the contrary", "command_once", r"expected True", [command_but(("rowcount == 1", "rowcount == 0"))]),
    (
        "command of any run",
        "command_once",
        r"expected True|in the table commands",
        [COMMAND_LOOKS_FIRST.replace("run = :run AND id", "id")],
    ),
    (
        "command cleans the id",
        "command_once",
        r"in the table commands",
        [command_but(('"id": command_id', '"id": command_id.strip().lower()'))],
    ),
    (
        "command cleans the content",
        "command_once",
        r"in the table commands",
        [command_but(('"what": what', '"what": what.strip()'))],
    ),
    (
        "command raises",
        "command_once",
        r"command raised IntegrityError",
        [command_but((' + " ON CONFLICT DO NOTHING"', ""))],
    ),
    (
        "command marks it at once",
        "command_once",
        r"in the table commands",
        [
            command_but(
                (
                    "    return result",
                    '        conn.execute(text(APPLIED), {"run": run, "id": command_id})\n    return result',
                )
            )
        ],
    ),
    ("work_on keeps the cancel in memory", "cancel_between_steps", BEGUN, [WORK_CANCEL_IN_MEMORY]),
    (
        "work_on looks after each step",
        "cancel_between_steps",
        BEGUN + "|was not applied when",
        [WORK_LOOKS_AFTER_EACH_STEP],
    ),
    ("work_on looks once", "cancel_between_steps", BEGUN + "|was not applied when", [WORK_LOOKS_ONCE]),
    ("work_on asks for the cancel first", "cancel_between_steps", BEGUN, [WORK_ASKS_FOR_THE_CANCEL_FIRST]),
    (
        "work_on stores steps at the end",
        "cancel_between_steps",
        r"was done, and was not stored when",
        [WORK_STORES_STEPS_AT_THE_END],
    ),
    (
        "work_on stores a step before it",
        "cancel_between_steps",
        r"in the table done, there is|in the table done there is|the steps that were begun are",
        [
            work_but(
                ("        do(step)\n", ""),
                (
                    '            conn.execute(text(DONE), {"run": run, "step": step})\n',
                    '            conn.execute(text(DONE), {"run": run, "step": step})\n        do(step)\n',
                ),
            )
        ],
    ),
    ("work_on marks all commands", "cancel_between_steps", r"is marked, and has not had its effect", [WORK_MARKS_ALL]),
    (
        "work_on cancels without the effect",
        "cancel_between_steps",
        r"is marked, and has not had its effect",
        [WORK_CANCEL_WITHOUT_EFFECT],
    ),
    ("work_on cancels a run that is done", "cancel_between_steps", r"expected completed", [WORK_CANCELLED_IN_THE_END]),
    ("work_on tries a step again", "cancel_between_steps", r"do twice for the step", [WORK_TRIES_AGAIN]),
    ("work_on leaves a transaction open", "cancel_between_steps", r"left a transaction open", [WORK_LEFT_OPEN]),
    (
        "work_on does not store steps",
        "cancel_between_steps",
        r"was not stored when|in the table done, the step .* is missing",
        [
            work_but(
                ('        with conn.begin():\n            conn.execute(text(DONE), {"run": run, "step": step})\n', "")
            )
        ],
    ),
    (
        "work_on does steps again",
        "cancel_between_steps",
        r"which was done",
        [
            work_but(
                ("                continue\n", "                pass\n"),
                (
                    "            conn.execute(text(DONE), {",
                    '            conn.execute(text(DONE + " ON CONFLICT DO NOTHING"), {',
                ),
            )
        ],
    ),
    (
        "work_on does steps of other runs",
        "cancel_between_steps",
        r"was to be done|were to be done|expected",
        [work_but(("text(IS_DONE)", 'text(IS_DONE.replace("run = :run AND", ""))'))],
    ),
    (
        "work_on works within a transaction",
        "cancel_between_steps",
        OPEN,
        [
            work_but(
                (
                    "        do(step)\n        with conn.begin():\n",
                    '        with conn.begin():\n            conn.execute(text(LAST), {"run": run})\n            do(step)\n',
                )
            )
        ],
    ),
    (
        "work_on works in the transaction of its look",
        "cancel_between_steps",
        OPEN,
        [
            work_but(
                (
                    "        do(step)\n        with conn.begin():\n",
                    '        conn.execute(text(LAST), {"run": run})\n        do(step)\n        if True:\n',
                ),
                ('"step": step})\n    return', '"step": step})\n            conn.commit()\n    return'),
            )
        ],
    ),
    (
        "work_on commits the effect apart",
        "cancel_between_steps",
        r"has had its effect twice|has had its effect, and is not marked",
        [
            work_but(
                (
                    "                apply(conn, what)\n                conn.execute(text(APPLIED)",
                    "                apply(conn, what)\n                conn.connection.commit()\n                conn.execute(text(APPLIED)",
                )
            )
        ],
    ),
    (
        "work_on commits the mark apart",
        "cancel_between_steps",
        r"has had its effect never|is marked, and has not had its effect|that command is not applied",
        [
            work_but(
                (
                    '                apply(conn, what)\n                conn.execute(text(APPLIED), {"run": run, "id": command_id})\n',
                    '                conn.execute(text(APPLIED), {"run": run, "id": command_id})\n                conn.connection.commit()\n                apply(conn, what)\n',
                )
            )
        ],
    ),
    (
        "work_on does not mark",
        "cancel_between_steps",
        r"not applied|is not marked|effect twice|effect \d times",
        [work_but(('                conn.execute(text(APPLIED), {"run": run, "id": command_id})\n', ""))],
    ),
    (
        "work_on takes a word for a cancel",
        "cancel_between_steps",
        r"nobody had cancelled",
        [work_but(("text(CANCELLED)", "text(CANCELLED.replace(\"= 'cancel'\", \"ILIKE '%cancel%'\"))"))],
    ),
    (
        "work_on takes what is not applied for a cancel",
        "cancel_between_steps",
        r"expected cancelled|is not applied|was not applied",
        [
            work_but(
                (
                    "            for command_id, what",
                    '            if conn.execute(text(CANCELLED.replace(" AND applied", "")), {"run": run}).scalar_one():\n                return "cancelled"\n            for command_id, what',
                )
            )
        ],
    ),
    (
        "work_on takes the cancel of another run",
        "cancel_between_steps",
        r"nobody had cancelled",
        [work_but(("text(CANCELLED)", 'text(CANCELLED.replace("run = :run AND", ""))'))],
    ),
    (
        "work_on applies the commands of all runs",
        "cancel_between_steps",
        r"has had its effect|in the table commands|were applied in the order",
        [work_but(("text(WAITING)", 'text(WAITING.replace("run = :run AND", ""))'))],
    ),
    (
        "work_on applies one command at a look",
        "cancel_between_steps",
        r"was not applied when|all the same",
        [work_but(("text(WAITING)", 'text(WAITING + " LIMIT 1")'))],
    ),
    (
        "work_on in another order",
        "cancel_between_steps",
        r"were applied in the order",
        [work_but(("text(WAITING)", 'text(WAITING + " DESC")'))],
    ),
    (
        "work_on in the order of ids",
        "cancel_between_steps",
        r"were applied in the order",
        [work_but(("text(WAITING)", 'text(WAITING.replace("number", "id"))'))],
    ),
    (
        "work_on deletes what it has applied",
        "cancel_between_steps",
        r"work_on deleted a command|has had its effect, and is not marked",
        [work_but(("text(APPLIED)", 'text("DELETE FROM commands WHERE run = :run AND id = :id")'))],
    ),
    (
        "work_on says completed",
        "cancel_between_steps",
        r"expected cancelled",
        [work_but(('return "cancelled"', "break"))],
    ),
    (
        "work_on says nothing",
        "cancel_between_steps",
        r"expected completed",
        [work_but(('    return "completed"\n', ""))],
    ),
    (
        "work_on raises at a cancel",
        "cancel_between_steps",
        r"work_on raised RuntimeError",
        [work_but(('return "cancelled"', 'raise RuntimeError("cancelled")'))],
    ),
    (
        "work_on passes over what fails",
        "cancel_between_steps",
        r"let it through",
        [
            work_but(
                (
                    "        do(step)\n",
                    "        try:\n            do(step)\n        except Exception:\n            continue\n",
                )
            )
        ],
    ),
    (
        "work_on passes over commands that fail",
        "cancel_between_steps",
        r"let it through",
        [
            work_but(
                (
                    "                apply(conn, what)\n",
                    "                try:\n                    apply(conn, what)\n                except Exception:\n                    continue\n",
                )
            )
        ],
    ),
    ("work_on backwards", "cancel_between_steps", r"before it", [work_but(("in steps:", "in reversed(steps):"))]),
    (
        "work_on in the order of names",
        "cancel_between_steps",
        r"before it",
        [work_but(("in steps:", "in sorted(steps):"))],
    ),
    ("may_command by how it begins", "foreign_origin_refused", r"expected (True|False)", [MAY_BEGINS]),
    (
        "may_command by how it ends",
        "foreign_origin_refused",
        r"returned True; expected False: another host|expected True",
        [
            MAY_BEGINS.replace(
                "origin.lower().startswith(ours.lower())", "origin.lower().endswith(urlsplit(ours).netloc.lower())"
            )
        ],
    ),
    ("may_command if equal", "foreign_origin_refused", r"returned False; expected True", [MAY_EQUAL]),
    (
        "may_command if equal in lower case",
        "foreign_origin_refused",
        r"returned False; expected True: \d+ is the port",
        [MAY_EQUAL_IN_LOWER_CASE],
    ),
    (
        "may_command by a pattern",
        "foreign_origin_refused",
        r"returned (True|False); expected (True|False)",
        [MAY_PATTERN],
    ),
    (
        "may_command with subdomains",
        "foreign_origin_refused",
        r"returned True; expected False: another host",
        [MAY_SUBDOMAINS],
    ),
    (
        "may_command by the host",
        "foreign_origin_refused",
        r"returned True; expected False: another",
        [
            may_but(
                ("return found.scheme, found.hostname, found.port or PORTS.get(found.scheme)", "return found.hostname")
            )
        ],
    ),
    (
        "may_command without the scheme",
        "foreign_origin_refused",
        r"returned True; expected False: another scheme",
        [may_but(("found.scheme, found.hostname,", "found.hostname,"))],
    ),
    (
        "may_command without the port",
        "foreign_origin_refused",
        r"returned True; expected False: another port",
        [may_but((", found.port or PORTS.get(found.scheme)", ""))],
    ),
    (
        "may_command without usual ports",
        "foreign_origin_refused",
        r"returned False; expected True: \d+ is the port",
        [may_but((" or PORTS.get(found.scheme)", ""))],
    ),
    (
        "may_command with one usual port",
        "foreign_origin_refused",
        r"expected (True|False)",
        [may_but(("PORTS.get(found.scheme)", "443"))],
    ),
    (
        "may_command by netloc",
        "foreign_origin_refused",
        r"returned False; expected True",
        [may_but(("found.hostname, found.port or PORTS.get(found.scheme)", "found.netloc"))],
    ),
    (
        "may_command trusts who says nothing",
        "foreign_origin_refused",
        r"may_command\(None, .*returned True",
        [may_but(("        return False\n    try", "        return True\n    try"))],
    ),
    (
        "may_command trusts null",
        "foreign_origin_refused",
        r"may_command\('null', .*returned True",
        [
            may_but(
                (
                    "    if origin is None:\n        return False\n",
                    '    if origin == "null":\n        return True\n    if origin is None:\n        return False\n',
                )
            )
        ],
    ),
    (
        "may_command trusts everybody",
        "foreign_origin_refused",
        r"returned True; expected False",
        [may_but(("parts(origin) == parts(ours)", "True"))],
    ),
    (
        "may_command raises for bad ports",
        "foreign_origin_refused",
        r"raised ValueError",
        [
            may_but(
                (
                    "    try:\n        return parts(origin) == parts(ours)\n    except ValueError:\n        return False\n",
                    "    return parts(origin) == parts(ours)\n",
                )
            )
        ],
    ),
    (
        "may_command raises for None",
        "foreign_origin_refused",
        r"may_command\(None.*raised",
        [may_but(("    if origin is None:\n        return False\n", ""), ("urlsplit(url)", "urlsplit(url.strip())"))],
    ),
]

RIGHT = {
    "as the solution, in other words": [PUBLISH, FRAME, STREAM, COMMAND, WORK, MAY],
    "publish counts up": [PUBLISH_UPDATE_RETURNING],
    "publish in one statement": [PUBLISH_ONE_STATEMENT],
    "publish compares and sets": [PUBLISH_COMPARE_AND_SET],
    "publish under an advisory lock": [PUBLISH_ADVISORY_LOCK],
    "publish by a raw cursor in a savepoint": [PUBLISH_RAW_CURSOR_IN_SAVEPOINT],
    "publish tries again in savepoints": [PUBLISH_TRIES_AGAIN_IN_SAVEPOINTS],
    "frame of several lines": [FRAME_SEVERAL_LINES],
    "frame with CRLF, a comment and a retry": [FRAME_CRLF],
    "frame in its own letters": [FRAME_ITS_OWN_LETTERS],
    "stream by status": [STREAM_STATUS],
    "stream as a class": [STREAM_CLASS],
    "stream one by one": [STREAM_ONE_BY_ONE],
    "stream rolls back": [STREAM_ROLLS_BACK],
    "stream fetches from a cursor": [STREAM_FETCHES_FROM_A_CURSOR],
    "command returning": [COMMAND_RETURNING],
    "command catches": [COMMAND_CATCHES],
    "command by hand": [COMMAND_BY_HAND],
    "command in a savepoint": [COMMAND_SAVEPOINT],
    "work_on with each command apart": [WORK_EACH_COMMAND_APART],
    "work_on stores with the next look": [WORK_DONE_WITH_THE_NEXT_LOOK],
    "work_on by itself": [WORK_RECURSIVE],
    "work_on by hand": [WORK_BY_HAND],
    "may_command writes both whole": [MAY_WRITES_BOTH_WHOLE],
    "may_command by an escaped pattern": [MAY_PATTERN_ESCAPED],
    "may_command without the usual port": [MAY_WITHOUT_THE_USUAL_PORT],
}

WRONG += [
    ("colon split of an address", "foreign_origin_refused", r"may_command\('https://\[2001:db8::7\]', .* returned False; expected True: it is ours",
     ['''\
# answer: may_command
def may_command(origin, ours) -> bool:
    """Whether this origin is ours: the same scheme, host and port."""

    def parts(value):
        scheme, separator, rest = value.partition("://")
        if not separator or not rest:
            raise ValueError("no origin")
        scheme = scheme.lower()
        host, colon, port = rest.partition(":")
        if not host:
            raise ValueError("no host")
        if colon and not (port.isascii() and port.isdigit()):
            raise ValueError("no port")
        return scheme, host.lower(), int(port) if colon else PORTS[scheme]

    try:
        return parts(origin) == parts(ours)
    except (AttributeError, KeyError, ValueError):
        return False
''']),
    ("advisory lock released at return", "gapless", r"A and B: two published at the same moment",
     ['''\
# answer: publish
def publish(conn, run, update) -> int:
    """Store an update in the caller's transaction; its number within the run."""
    conn.execute(text("SELECT pg_advisory_lock(hashtextextended(:run, 0))"), {"run": run})
    try:
        number = conn.execute(text(LAST), {"run": run}).scalar_one() + 1
        conn.execute(text(INSERT), {"run": run, "number": number, "body": json.dumps(update)})
        conn.execute(text(SET_LAST), {"run": run, "number": number})
        return number
    finally:
        conn.execute(text("SELECT pg_advisory_unlock(hashtextextended(:run, 0))"), {"run": run})
''']),
]  # fmt: skip
