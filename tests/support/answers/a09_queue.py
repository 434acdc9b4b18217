"""Answers to exercise 9 that graders must tell apart. WRONG: what it is, the case it breaks, what must be said, cells.

RIGHT: other shapes of a correct answer. What is not given is taken from the solution.
"""

from answers.changes import changed

SUBMITS = """
# answer: submit
def submit(conn, user_input, key, priority=0, limit=100):
    with conn.begin():
        conn.execute(text(ONE_AT_A_TIME))
        stored = conn.execute(text(READ), {"id": key}).one_or_none()
        if stored is None:
            if conn.execute(text(COUNT)).scalar() >= limit:
                raise QueueFullError("full")
            wish = json.dumps({"user_input": user_input, "priority": priority})
            conn.execute(text(INSERT), {"id": key, "wish": wish})
        elif stored.wish["user_input"] != user_input:
            raise KeyReusedError(key)
    return key
"""
WAITS = """
# answer: wait
def wait(conn, task_id, deadline, clock):
    while True:
        with conn.begin():
            task = task_of(conn.execute(text(READ), {"id": task_id}).one())
        if task.state in ("completed", "failed"):
            return task
        left = deadline.remaining()
        if left <= 0:
            raise DeadlineExceeded(task_id)
        clock.sleep(min(POLL, left))
"""
DRAINS = """
# answer: drain
def drain(conn, held):
    ours = text(GIVE_BACK + " AND state = 'running' AND token = :token")
    with conn.begin():
        for task in held:
            conn.execute(ours, {"id": task.id, "token": task.token})
"""


def submit_but(*changes):
    """The right `submit` with these changes, each an old text and a new one."""
    return changed(SUBMITS, changes)


def wait_but(*changes):
    """The right `wait` with these changes, each an old text and a new one."""
    return changed(WAITS, changes)


def drain_but(*changes):
    """The right `drain` with these changes, each an old text and a new one."""
    return changed(DRAINS, changes)


LOCKED = "        conn.execute(text(ONE_AT_A_TIME))\n"
BEGUN = "    with conn.begin():\n"
FULL = """\
            if conn.execute(text(COUNT)).scalar() >= limit:
                raise QueueFullError("full")
"""
STORED = "            conn.execute(text(INSERT)"
OTHER_INPUT = """\
        elif stored.wish["user_input"] != user_input:
            raise KeyReusedError(key)
"""
LOOK = 'conn.execute(text(READ), {"id": key}).one_or_none()'
SLEEPS = "clock.sleep(min(POLL, left))"
OVER_FIRST = "    while True:\n        if deadline.remaining() <= 0:\n            raise DeadlineExceeded(task_id)\n"
PARKED = (
    '            if task.state == "failed":\n                raise RuntimeError(task.error)\n            return task'
)
GIVES = '            conn.execute(ours, {"id": task.id, "token": task.token})\n'
UNLESS = '            if not conn.execute(ours, {"id": task.id, "token": task.token}).rowcount:\n'
OURS = """" AND state = 'running' AND token = :token")"""

IN_MEMORY = """
# answer: submit
QUEUE = {}


def submit(conn, user_input, key, priority=0, limit=100):
    if key in QUEUE:
        if QUEUE[key][0] != user_input:
            raise KeyReusedError(key)
        return key
    if len(QUEUE) >= limit:
        raise QueueFullError("full")
    QUEUE[key] = user_input, priority
    return key
"""
ROW_THEN_WISH = """
# answer: submit
def submit(conn, user_input, key, priority=0, limit=100):
    with conn.begin():
        conn.execute(text(ONE_AT_A_TIME))
        stored = conn.execute(text(READ), {"id": key}).one_or_none()
        if stored is None:
            if conn.execute(text(COUNT)).scalar() >= limit:
                raise QueueFullError("full")
            conn.execute(text(INSERT), {"id": key, "wish": "{}"})
        elif stored.wish["user_input"] != user_input:
            raise KeyReusedError(key)
    if stored is None:
        wish = json.dumps({"user_input": user_input, "priority": priority})
        with conn.begin():
            conn.execute(text("UPDATE tasks SET wish = CAST(:wish AS jsonb) WHERE id = :id"), {"id": key, "wish": wish})
    return key
"""
AS_IF_TAKEN = 'INSERT.replace("wish)", "wish, state)").replace("jsonb))", "jsonb), \'running\')")'
LET_IN = """\
    if stored is None:
        with conn.begin():
            conn.execute(text(GIVE_BACK), {"id": key})
    return key"""
STORED_THEN_LET_IN = submit_but((STORED, STORED.replace("INSERT", AS_IF_TAKEN)), ("    return key", LET_IN))
IN_A_FILE = """
# answer: submit
from pathlib import Path


def submit(conn, user_input, key, priority=0, limit=100):
    file = Path("queue.json")
    queue = json.loads(file.read_text()) if file.exists() else {}
    queue.setdefault(key, [user_input, priority])
    file.write_text(json.dumps(queue))
    return key
"""
UPSERT = """
# answer: submit
def submit(conn, user_input, key, priority=0, limit=100):
    wish = json.dumps({"user_input": user_input, "priority": priority})
    with conn.begin():
        conn.execute(text(ONE_AT_A_TIME))
        if conn.execute(text(READ), {"id": key}).one_or_none() is None:
            if conn.execute(text(COUNT)).scalar() >= limit:
                raise QueueFullError("full")
        conn.execute(text(INSERT + " ON CONFLICT (id) DO UPDATE SET wish = excluded.wish"), {"id": key, "wish": wish})
    return key
"""
SUBMITTED_ANEW = UPSERT.replace("wish = excluded.wish", "state = 'pending'").replace(
    "    with conn",
    """\
    with conn.begin():
        old = conn.execute(text(READ), {"id": key}).one_or_none()
    if old and old.wish["user_input"] != user_input:
        raise KeyReusedError(key)
    with conn""",
)
KNOWN_IN_MEMORY = """
# answer: submit
KNOWN = {}


def submit(conn, user_input, key, priority=0, limit=100):
    if KNOWN.setdefault(key, user_input) != user_input:
        raise KeyReusedError(key)
    with conn.begin():
        conn.execute(text(ONE_AT_A_TIME))
        if conn.execute(text("SELECT 1 FROM tasks WHERE id = :id"), {"id": key}).first():
            return key
        if conn.execute(text(COUNT)).scalar() >= limit:
            raise QueueFullError("full")
        wish = json.dumps({"user_input": user_input, "priority": priority})
        conn.execute(text(INSERT), {"id": key, "wish": wish})
    return key
"""
UNLOCKED_BUT_ONCE = submit_but((LOCKED, ""), ("text(INSERT), {", 'text(INSERT + " ON CONFLICT DO NOTHING"), {'))
LIMIT_FIRST = """
# answer: submit
def submit(conn, user_input, key, priority=0, limit=100):
    with conn.begin():
        conn.execute(text(ONE_AT_A_TIME))
        if conn.execute(text(COUNT)).scalar() >= limit:
            raise QueueFullError("full")
        stored = conn.execute(text(READ), {"id": key}).one_or_none()
        if stored is None:
            wish = json.dumps({"user_input": user_input, "priority": priority})
            conn.execute(text(INSERT), {"id": key, "wish": wish})
        elif stored.wish["user_input"] != user_input:
            raise KeyReusedError(key)
    return key
"""
STORED_THEN_REFUSED = """
# answer: submit
def submit(conn, user_input, key, priority=0, limit=100):
    with conn.begin():
        conn.execute(text(ONE_AT_A_TIME))
        stored = conn.execute(text(READ), {"id": key}).one_or_none()
        if stored is None:
            wish = json.dumps({"user_input": user_input, "priority": priority})
            conn.execute(text(INSERT), {"id": key, "wish": wish})
        elif stored.wish["user_input"] != user_input:
            raise KeyReusedError(key)
    with conn.begin():
        if stored is None and conn.execute(text(COUNT)).scalar() > limit:
            raise QueueFullError("full")
    return key
"""

TAKEN_OUT = """
# answer: wait
def wait(conn, task_id, deadline, clock):
    while True:
        with conn.begin():
            task = task_of(conn.execute(text(READ), {"id": task_id}).one())
            if task.state in ("completed", "failed"):
                conn.execute(text("UPDATE tasks SET result = NULL WHERE id = :id"), {"id": task_id})
                return task
        left = deadline.remaining()
        if left <= 0:
            raise DeadlineExceeded(task_id)
        clock.sleep(min(POLL, left))
"""
DELETED = TAKEN_OUT.replace("UPDATE tasks SET result = NULL WHERE", "DELETE FROM tasks WHERE")
MARKED = TAKEN_OUT.replace("SET result = NULL", "SET journal = to_jsonb(1)")
ONLY_LISTENS = """
# answer: wait
def wait(conn, task_id, deadline, clock):
    raw = conn.connection.driver_connection
    raw.execute("LISTEN tasks")
    raw.commit()
    if not any(note.payload == task_id for note in raw.notifies(timeout=max(deadline.remaining(), 0), stop_after=1)):
        raise DeadlineExceeded(task_id)
    with conn.begin():
        return task_of(conn.execute(text(READ), {"id": task_id}).one())
"""
LOOKS_THEN_LISTENS = """
# answer: wait
def wait(conn, task_id, deadline, clock):
    def look():
        with conn.begin():
            return task_of(conn.execute(text(READ), {"id": task_id}).one())

    task = look()
    if task.state in ("completed", "failed"):
        return task
    raw = conn.connection.driver_connection
    raw.execute("LISTEN tasks")
    raw.commit()
    while deadline.remaining() > 0 and list(raw.notifies(timeout=deadline.remaining(), stop_after=1)):
        task = look()
        if task.state in ("completed", "failed"):
            return task
    raise DeadlineExceeded(task_id)
"""
BELIEVES_HINTS = """
# answer: wait
def wait(conn, task_id, deadline, clock):
    raw = conn.connection.driver_connection
    raw.execute("LISTEN tasks")
    raw.commit()
    heard = False
    while True:
        with conn.begin():
            task = task_of(conn.execute(text(READ), {"id": task_id}).one())
        if heard or task.state in ("completed", "failed"):
            return task
        left = deadline.remaining()
        if left <= 0:
            raise DeadlineExceeded(task_id)
        heard = any(note.payload == task_id for note in raw.notifies(timeout=min(POLL, left), stop_after=1))
"""
LISTENS_WITHOUT_END = """
# answer: wait
def wait(conn, task_id, deadline, clock):
    raw = conn.connection.driver_connection
    raw.execute("LISTEN tasks")
    raw.commit()
    while True:
        with conn.begin():
            task = task_of(conn.execute(text(READ), {"id": task_id}).one())
        if task.state in ("completed", "failed"):
            return task
        if deadline.remaining() <= 0:
            raise DeadlineExceeded(task_id)
        next(raw.notifies())
"""
ONE_TRANSACTION = """
# answer: wait
def wait(conn, task_id, deadline, clock):
    with conn.begin():
        while True:
            task = task_of(conn.execute(text(READ), {"id": task_id}).one())
            if task.state in ("completed", "failed"):
                return task
            left = deadline.remaining()
            if left <= 0:
                raise DeadlineExceeded(task_id)
            clock.sleep(min(POLL, left))
"""

READ_THEN_WRITE = """
# answer: drain
def drain(conn, held):
    with conn.begin():
        for task in held:
            row = conn.execute(text(READ), {"id": task.id}).one()
            if row.state == "running" and row.token == task.token:
                conn.execute(text(GIVE_BACK), {"id": task.id})
"""
MIXED_LISTS = """
# answer: drain
def drain(conn, held):
    statement = "UPDATE tasks SET state = 'pending' WHERE state = 'running' AND id = ANY(:ids) AND token = ANY(:tokens)"
    with conn.begin():
        conn.execute(text(statement), {"ids": [task.id for task in held], "tokens": [task.token for task in held]})
"""
ASKED_INSIDE = """
# answer: drain
def drain(conn, held):
    with conn.begin():
        for each in held:
            mine = "SELECT id FROM tasks WHERE id = :id AND token = :token AND state = 'running'"
            conn.execute(
                text(f"UPDATE tasks SET state = 'pending' WHERE id IN ({mine})"), {"id": each.id, "token": each.token}
            )
"""
SKIPS_LOCKED = """
# answer: drain
def drain(conn, held):
    ours = text("SELECT id FROM tasks WHERE id = :id AND token = :token AND state = 'running' FOR UPDATE SKIP LOCKED")
    with conn.begin():
        for task in held:
            for found in conn.execute(ours, {"id": task.id, "token": task.token}).scalars().all():
                conn.execute(text(GIVE_BACK), {"id": found})
"""
PUT_IN_ANEW = """
# answer: drain
def drain(conn, held):
    with conn.begin():
        for task in held:
            gone = conn.execute(
                text("DELETE FROM tasks WHERE id = :id AND state = 'running' AND token = :token RETURNING *"),
                {"id": task.id, "token": task.token},
            ).one_or_none()
            if gone:
                conn.execute(
                    text("INSERT INTO tasks (id, wish, token, journal) VALUES "
                         "(:id, CAST(:wish AS jsonb), :token, CAST(:journal AS jsonb))"),
                    {"id": gone.id, "wish": json.dumps(gone.wish), "token": gone.token,
                     "journal": json.dumps(gone.journal)},
                )
"""
GONE_BETWEEN = """
# answer: drain
def drain(conn, held):
    columns = "id, wish, state, number, token, journal, result, error"
    for task in held:
        with conn.begin():
            row = conn.execute(
                text("DELETE FROM tasks WHERE id = :id AND state = 'running' AND token = :token RETURNING *"),
                {"id": task.id, "token": task.token},
            ).one_or_none()
        if row:
            values = dict(row._mapping) | {"wish": json.dumps(row.wish), "journal": json.dumps(row.journal)}
            with conn.begin():
                conn.execute(text(f"INSERT INTO tasks ({columns}) VALUES (:id, CAST(:wish AS jsonb), 'pending', "
                                  ":number, :token, CAST(:journal AS jsonb), :result, :error)"), values)
"""

SURVIVES, ONCE, URGENT, FULLNESS = "survives_submit", "same_key_once", "urgent_first", "refuses_when_full"
TWICE, MISSED, BACK = "waits_twice", "missed_notify", "gives_back"

PRIORITY_BECOMES_A_FLOAT = """
# answer: submit
def submit(conn, user_input, key, priority=0, limit=100) -> str:
    wish = json.dumps({"user_input": user_input, "priority": float(priority)})  # a number, also if it comes as "3"
    with conn.begin():
        conn.execute(text(ONE_AT_A_TIME))
        row = conn.execute(text(READ), {"id": key}).one_or_none()
        if row is not None:
            if row.wish["user_input"] != user_input:
                raise KeyReusedError
            return key
        if conn.execute(text(COUNT)).scalar() >= limit:
            raise QueueFullError
        conn.execute(text(INSERT), {"id": key, "wish": wish})
    return key
"""

EMPTY_INPUT_NEVER_COMPARED = """
# answer: submit
def submit(conn, user_input, key, priority=0, limit=100) -> str:
    with conn.begin():
        conn.execute(text(ONE_AT_A_TIME))
        row = conn.execute(text(READ), {"id": key}).one_or_none()
        before = row and row.wish.get("user_input")
        if before and before != user_input:
            raise KeyReusedError
        if row is None:
            if conn.execute(text(COUNT)).scalar() >= limit:
                raise QueueFullError
            conn.execute(text(INSERT), {"id": key, "wish": json.dumps({"user_input": user_input, "priority": priority})})
    return key
"""

FIRST_OF_TWO_FOR_AN_ID = '''
# answer: drain
def drain(conn, held) -> None:
    """Give back what this worker still holds, and commit."""
    tokens = {}
    for task in held:
        tokens.setdefault(task.id, task.token)  # each task once
    with conn.begin():
        for key, token in sorted(tokens.items()):
            conn.execute(text(GIVE_BACK + " AND token = :token AND state = 'running'"), {"id": key, "token": token})
'''

WRONG = [
    ("an empty input is never compared", "same_key_once", "the empty text", [EMPTY_INPUT_NEVER_COMPARED]),
    ("the first token of each id", "gives_back", "is held with token", [FIRST_OF_TWO_FOR_AN_ID]),
    ("a priority becomes a float", "urgent_first", "before the second", [PRIORITY_BECOMES_A_FLOAT]),
    ("a queue in memory", SURVIVES, r"others find no such task in the table", [IN_MEMORY]),
    ("a queue in a file", SURVIVES, r"others find no such task in the table", [IN_A_FILE]),
    ("no COMMIT", SURVIVES, r"has not committed: others cannot see the task", [submit_but((BEGUN, "    if True:\n"))]),
    (
        "a savepoint is no COMMIT",
        SURVIVES,
        r"has not committed",
        [submit_but((BEGUN, "    conn.execute(text(COUNT))\n    with conn.begin_nested():\n"))],
    ),
    (
        "an id by chance",
        SURVIVES,
        r"others find no such task in the table",
        [
            submit_but(
                ("# answer: submit\n", "# answer: submit\nfrom uuid import uuid4\n\n\n"),
                ('"id": key, "wish"', '"id": str(uuid4()), "wish"'),
            )
        ],
    ),
    (
        "an id from the clock",
        SURVIVES,
        r"returned 'task-[\d.]+'; expected the key",
        [
            submit_but(
                ("    return key", '    return f"task-{time.time()}"'), ("def submit", "import time\n\n\ndef submit")
            )
        ],
    ),
    (
        "the input without spaces",
        SURVIVES,
        r"its wish holds 'deploy'; expected ' deploy '",
        [submit_but(('"user_input": user_input', '"user_input": user_input.strip()'), (OTHER_INPUT, ""))],
    ),
    ("stored first, let in later", SURVIVES, r"the task is 'running': nobody takes it", [STORED_THEN_LET_IN]),
    ("a row first, its wish later", SURVIVES, r"Killed .*after the restart, submit raised KeyError", [ROW_THEN_WISH]),
    (
        "quotes by hand",
        SURVIVES,
        r"raised ProgrammingError: .*line \d",
        [submit_but((LOOK, "conn.execute(text(f\"SELECT * FROM tasks WHERE id = '{key}'\")).one_or_none()"))],
    ),
    (
        "reads after its COMMIT",
        SURVIVES,
        r"and left a transaction open",
        [submit_but(("    return key", "    return conn.execute(text(READ), {'id': key}).one().id"))],
    ),
    (
        "look, then insert",
        ONCE,
        r"A and B: two submitted with the same key, limit=1\. They .*raised QueueFullError",
        [submit_but((LOCKED, ""))],
    ),
    (
        "only inserts",
        ONCE,
        r"raised IntegrityError: .*; expected KeyReusedError: another process used",
        [submit_but((LOOK, "None"))],
    ),
    ("overwrites", ONCE, r"expected KeyReusedError: another process used the key with another input", [UPSERT]),
    (
        "another input is accepted",
        ONCE,
        r"expected KeyReusedError: another process used the key with another input",
        [submit_but((OTHER_INPUT, ""))],
    ),
    (
        "looks among pending tasks only",
        ONCE,
        r"its task is (running|completed|failed)\. Expected the key",
        [submit_but((LOOK, 'conn.execute(text(READ + " AND state = \'pending\'"), {"id": key}).one_or_none()'))],
    ),
    (
        "texts that look alike",
        ONCE,
        r"expected KeyReusedError",
        [
            submit_but(
                ('stored.wish["user_input"] != user_input', 'stored.wish["user_input"].strip() != user_input.strip()')
            )
        ],
    ),
    (
        "keys that look alike",
        ONCE,
        r"expected the key|others find no such task",
        [submit_but((BEGUN, "    key = key.strip().lower()\n    with conn.begin():\n"))],
    ),
    ("a finished task is done again", ONCE, r"left state 'pending'; expected", [SUBMITTED_ANEW]),
    ("what it knows is in memory", ONCE, r"expected KeyReusedError", [KNOWN_IN_MEMORY]),
    (
        "a priority as text",
        URGENT,
        r"priorities -?\d+ and -?\d+, workers take the first before the second",
        [submit_but(('"priority": priority', '"priority": str(priority)'))],
    ),
    ("no priority", URGENT, r"workers take the first before the second", [submit_but((', "priority": priority', ""))]),
    (
        "the lowest first",
        URGENT,
        r"workers take the first before the second",
        [submit_but(('"priority": priority', '"priority": -priority'))],
    ),
    (
        "none below zero",
        URGENT,
        r"priorities -\d+ and -?\d+",
        [submit_but(('"priority": priority', '"priority": max(priority, 0)'))],
    ),
    (
        "three digits at most",
        URGENT,
        r"workers take the first before the second|submitted later is taken first",
        [submit_but(('"priority": priority', '"priority": min(priority, 999)'))],
    ),
    ("one too many", FULLNESS, r"expected QueueFullError: \d+ tasks? may wait", [submit_but((">= limit", "> limit"))]),
    ("one too few", FULLNESS, r"raised QueueFullError.*expected the key", [submit_but((">= limit", "+ 1 >= limit"))]),
    (
        "counts all",
        FULLNESS,
        r"raised QueueFullError.*expected the key",
        [submit_but(("text(COUNT)", 'text("SELECT count(*) FROM tasks")'))],
    ),
    (
        "counts what runs",
        FULLNESS,
        r"raised QueueFullError.*expected the key",
        [submit_but(("text(COUNT)", "text(\"SELECT count(*) FROM tasks WHERE state IN ('pending', 'running')\")"))],
    ),
    ("no limit", FULLNESS, r"expected QueueFullError", [submit_but((FULL, ""))]),
    ("the limit before the key", FULLNESS, r"that key is there already.* Expected the key", [LIMIT_FIRST]),
    (
        "counts, then inserts",
        FULLNESS,
        r"A and B: two submitted at the same moment, limit=\d, .* Now \d are pending",
        [UNLOCKED_BUT_ONCE],
    ),
    ("stores, then refuses", FULLNESS, r"raised QueueFullError.*there is a new task", [STORED_THEN_REFUSED]),
    (
        "refuses without a word",
        FULLNESS,
        r"returned .*; expected QueueFullError",
        [submit_but(('raise QueueFullError("full")', "return key"))],
    ),
    (
        "a limit of nothing is none",
        FULLNESS,
        r"expected QueueFullError: 0 tasks may wait",
        [submit_but((">= limit:", ">= limit > 0:"))],
    ),
    ("always a hundred", FULLNESS, r"expected QueueFullError: 1 task may wait", [submit_but((">= limit", ">= 100"))]),
    ("the result is taken out", TWICE, r"left result None; expected", [TAKEN_OUT]),
    ("deleted when read", TWICE, r"the task '.*' is gone", [DELETED]),
    ("marked as shown", TWICE, r"left journal .*; expected", [MARKED]),
    (
        "only the result",
        TWICE,
        r"expected the task, which is completed|expected the task, which is failed",
        [wait_but(("return task", "return task.result"))],
    ),
    (
        "a failed task is an error",
        TWICE,
        r"raised RuntimeError: .*expected the task, which is failed",
        [wait_but(("            return task", PARKED))],
    ),
    (
        "a task without its error",
        TWICE,
        r"error of the returned task is None; expected",
        [wait_but(("return task", "return task.model_copy(update={'error': None})"))],
    ),
    (
        "only completed tasks have ended",
        TWICE,
        r"expected the task, which is failed",
        [wait_but(('in ("completed", "failed")', '== "completed"'))],
    ),
    (
        "the deadline before the look",
        TWICE,
        r"raised DeadlineExceeded.*expected the task",
        [wait_but(("    while True:\n", OVER_FIRST))],
    ),
    ("only listens", MISSED, r"raised DeadlineExceeded", [ONLY_LISTENS]),
    ("looks once, then listens", MISSED, r"raised DeadlineExceeded", [LOOKS_THEN_LISTENS]),
    ("believes hints", MISSED, r"returned a task that is (running|pending)", [BELIEVES_HINTS]),
    ("listens without end", MISSED, r"did not end: no notification came", [LISTENS_WITHOUT_END]),
    ("sleeps past the deadline", MISSED, r"deadline [\d.]+ s", [wait_but((SLEEPS, "clock.sleep(POLL)"))]),
    (
        "sleeps by the machine's clock",
        MISSED,
        r"did not sleep by clock\.sleep",
        [wait_but((SLEEPS, "time.sleep(min(POLL, left))"), ("def wait", "import time\n\n\ndef wait"))],
    ),
    ("spins", MISSED, r"did not end: 200 statements were sent, in 0 s", [wait_but((SLEEPS, "pass"))]),
    (
        "halves what is left",
        MISSED,
        r"looked more than 10 times in 0.5 s, from [\d.]+ s on",
        [wait_but((SLEEPS, "clock.sleep(min(POLL, left / 2 if left > 0.0001 else left))"))],
    ),
    ("one transaction", MISSED, r"While wait slept, line \d+ of wait's transaction was open", [ONE_TRANSACTION]),
    (
        "progress is not the end",
        MISSED,
        r"returned a task that is running",
        [wait_but(('task.state in ("completed", "failed")', 'task.journal or task.state in ("completed", "failed")'))],
    ),
    (
        "looks too seldom",
        MISSED,
        r"s after that; expected 0\.5 s at most",
        [wait_but(("min(POLL, left)", "min(2, left)"))],
    ),
    ("gives up early", MISSED, r"with 0\.\d+ s left: the task may still end", [wait_but(("left <= 0", "left < POLL"))]),
    (
        "no deadline",
        MISSED,
        r"ended after [\d.]+ s, deadline [\d.]+ s",
        [
            wait_but(
                ("        if left <= 0:\n            raise DeadlineExceeded(task_id)\n", ""),
                ("min(POLL, left)", "POLL"),
            )
        ],
    ),
    (
        "None in place of an error",
        MISSED,
        r"wait returned 'None'; expected DeadlineExceeded",
        [wait_but(("raise DeadlineExceeded(task_id)", "return None"))],
    ),
    (
        "as it is given",
        BACK,
        r"token \d+.*left (state|token)",
        [drain_but((f"text(GIVE_BACK + {OURS}", "text(GIVE_BACK)"))],
    ),
    (
        "whoever has it",
        BACK,
        r"running, token \d+, and is held with token \d+: drain left state 'pending'; expected 'running'",
        [drain_but((" AND token = :token", ""), (', "token": task.token', ""))],
    ),
    (
        "finished or not",
        BACK,
        r"left state 'pending'; expected '(completed|failed)'",
        [drain_but(("AND state = 'running' ", ""))],
    ),
    (
        "completes",
        BACK,
        r"left state 'completed'; expected 'pending'",
        [drain_but(("text(GIVE_BACK", "text(GIVE_BACK.replace('pending', 'completed')"))],
    ),
    (
        "progress is lost",
        BACK,
        r"left journal .*\{\}",
        [drain_but(("text(GIVE_BACK", "text(GIVE_BACK.replace(\"'pending'\", \"'pending', journal = '{}'\")"))],
    ),
    (
        "the token counts up",
        BACK,
        r"left token \d; expected \d",
        [drain_but(("text(GIVE_BACK", "text(GIVE_BACK.replace(\"'pending'\", \"'pending', token = token + 1\")"))],
    ),
    (
        "stops at the first that is lost",
        BACK,
        r"left state 'running'; expected 'pending'",
        [drain_but((GIVES, UNLESS + "                break\n"))],
    ),
    (
        "an error at the first that is lost",
        BACK,
        r"drain raised ValueError",
        [drain_but((GIVES, UNLESS + "                raise ValueError(task.id)\n"))],
    ),
    (
        "reads, then writes",
        BACK,
        r"Right before statement 2, another worker (took the task over|completed the task)",
        [READ_THEN_WRITE],
    ),
    (
        "asks what it holds in a query inside",
        BACK,
        r"A and B: B has taken the task over.* The task is pending",
        [ASKED_INSIDE],
    ),
    ("skips what is locked", BACK, r"A and B: B has saved what it did .* The task is running", [SKIPS_LOCKED]),
    ("two lists", BACK, r"left state 'pending'; expected 'running'", [MIXED_LISTS]),
    ("put in anew", BACK, r"lost their places in the queue", [PUT_IN_ANEW]),
    ("gone in between", BACK, r"Killed .*the task '.*' is gone", [GONE_BETWEEN]),
    ("not committed", BACK, r"left state 'running'; expected 'pending'", [drain_but((BEGUN, "    if True:\n"))]),
    (
        "all that run",
        BACK,
        r"(and is not held|and is held with token \d): drain left state 'pending'; expected 'running'",
        [
            drain_but(
                (f"text(GIVE_BACK + {OURS}", "text(\"UPDATE tasks SET state = 'pending' WHERE state = 'running'\")"),
                ('ours, {"id": task.id, "token": task.token}', "ours"),
            )
        ],
    ),
]

INSERT_OR_NOTHING = """
# answer: submit
def submit(conn, user_input, key, priority=0, limit=100):
    wish = json.dumps({"priority": priority, "user_input": user_input}, ensure_ascii=False)
    with conn.begin():
        conn.execute(text(ONE_AT_A_TIME))
        room = " SELECT :id, CAST(:wish AS jsonb) WHERE (SELECT count(*) FROM tasks WHERE state = 'pending') < :limit"
        conn.execute(
            text("INSERT INTO tasks (id, wish)" + room + " ON CONFLICT DO NOTHING"),
            {"id": key, "wish": wish, "limit": limit},
        )
        stored = conn.execute(text(READ), {"id": key}).mappings().first()
    if not stored:
        raise QueueFullError(f"{limit} tasks are waiting")
    if stored["wish"]["user_input"] != user_input:
        raise KeyReusedError(key)
    return stored["id"]
"""
TABLE_LOCKED = submit_but(("text(ONE_AT_A_TIME)", 'text("LOCK TABLE tasks IN SHARE ROW EXCLUSIVE MODE")'))
A_LOCK_OF_ITS_OWN = submit_but(("text(ONE_AT_A_TIME)", "text(\"SELECT pg_advisory_xact_lock(hashtext('queue'))\")"))
COMMITTED_BY_HAND = """
# answer: submit
def submit(conn, user_input, key, priority=0, limit=100):
    try:
        conn.execute(text(ONE_AT_A_TIME))
        match conn.execute(text(READ), {"id": key}).first():
            case None:
                if conn.scalar(text(COUNT)) >= limit:
                    raise QueueFullError(f"full: {limit}")
                wish = {"user_input": user_input, "priority": int(priority)}
                conn.execute(text(INSERT), {"id": key, "wish": json.dumps(wish)})
            case row if row.wish["user_input"] != user_input:
                raise KeyReusedError(f"{key} was used for {row.wish['user_input']!r}")
    except Exception:
        conn.rollback()
        raise
    conn.commit()
    return key
"""
CORE = """
# answer: submit
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

TASKS = sa.table("tasks", sa.column("id"), sa.column("wish", JSONB), sa.column("state"))


def submit(conn, user_input, key, priority=0, limit=100):
    with conn.begin():
        conn.execute(sa.select(sa.func.pg_advisory_xact_lock(9)))
        wish = conn.scalar(sa.select(TASKS.c.wish).where(TASKS.c.id == key))
        if wish is not None:
            if wish["user_input"] == user_input:
                return key
            raise KeyReusedError(key)
        waiting = sa.select(sa.func.count()).select_from(TASKS).where(TASKS.c.state == "pending")
        if conn.scalar(waiting) >= limit:
            raise QueueFullError("try again later")
        wish = {"user_input": user_input, "priority": priority}
        conn.execute(sa.insert(TASKS).values(id=key, wish=wish, state="pending"))
    return key
"""
RAW_CURSOR = """
# answer: submit
from psycopg.types.json import Jsonb


def submit(conn, user_input, key, priority=0, limit=100):
    raw = conn.connection.driver_connection
    with raw.transaction(), raw.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(9)")
        cursor.execute("SELECT wish ->> 'user_input' FROM tasks WHERE id = %s", [key])
        if found := cursor.fetchone():
            if found[0] != user_input:
                raise KeyReusedError(key)
            return key
        cursor.execute("SELECT count(*) FROM tasks WHERE state = 'pending'")
        if cursor.fetchone()[0] >= limit:
            raise QueueFullError(key)
        wish = Jsonb({"user_input": user_input, "priority": priority})
        cursor.execute("INSERT INTO tasks (id, wish) VALUES (%s, %s)", [key, wish])
    return key
"""
SAVEPOINT = """
# answer: submit
from sqlalchemy.exc import IntegrityError


def submit(conn, user_input, key, priority=0, limit=100):
    wish = json.dumps({"user_input": user_input, "priority": priority})
    with conn.begin():
        conn.execute(text(ONE_AT_A_TIME))
        try:
            with conn.begin_nested():
                conn.execute(text(INSERT), {"id": key, "wish": wish})
        except IntegrityError:
            if conn.execute(text(READ), {"id": key}).one().wish["user_input"] != user_input:
                raise KeyReusedError(key) from None
        else:
            if conn.execute(text(COUNT)).scalar() > limit:
                raise QueueFullError("full")
    return key
"""
SERIALIZABLE = """
# answer: submit
from sqlalchemy.exc import DBAPIError


def submit(conn, user_input, key, priority=0, limit=100):
    conn.execution_options(isolation_level="SERIALIZABLE")
    wish = json.dumps({"user_input": user_input, "priority": priority})
    for _ in range(5):
        try:
            with conn.begin():
                stored = conn.execute(text(READ), {"id": key}).one_or_none()
                if stored is None:
                    if conn.execute(text(COUNT)).scalar() >= limit:
                        raise QueueFullError("full")
                    conn.execute(text(INSERT), {"id": key, "wish": wish})
                elif stored.wish["user_input"] != user_input:
                    raise KeyReusedError(key)
            return key
        except DBAPIError as error:
            if error.orig.sqlstate not in ("40001", "23505"):
                raise
    raise QueueFullError("too many at once")
"""
SESSION = """
# answer: submit
from sqlalchemy.orm import Session


def submit(conn, user_input, key, priority=0, limit=100):
    with Session(conn) as session, session.begin():
        session.execute(text(ONE_AT_A_TIME))
        if row := session.execute(text(READ), {"id": key}).one_or_none():
            if row.wish["user_input"] != user_input:
                raise KeyReusedError(key)
        elif session.scalar(text(COUNT)) >= limit:
            raise QueueFullError("full")
        else:
            wish = json.dumps({"user_input": user_input, "priority": priority, "by": "session"})
            session.execute(text(INSERT), {"id": key, "wish": wish})
    return key
"""

LISTENS_AND_LOOKS = """
# answer: wait
def wait(conn, task_id, deadline, clock):
    raw = conn.connection.driver_connection
    raw.execute("LISTEN tasks")
    raw.commit()
    try:
        while True:
            with conn.begin():
                task = task_of(conn.execute(text(READ), {"id": task_id}).one())
            if task.state in ("completed", "failed"):
                return task
            if (left := deadline.remaining()) <= 0:
                raise DeadlineExceeded(task_id)
            any(note.payload == task_id for note in raw.notifies(timeout=min(POLL, left), stop_after=1))
    finally:
        raw.execute("UNLISTEN tasks")
        raw.commit()
"""
LISTENS_ELSEWHERE = """
# answer: wait
import psycopg


def wait(conn, task_id, deadline, clock):
    address = conn.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as ears:
        ears.execute("LISTEN tasks")
        while True:
            with conn.begin():
                row = conn.execute(text(READ), {"id": task_id}).one()
            if row.state not in ("pending", "running"):
                return task_of(row)
            left = deadline.remaining()
            if left <= 0:
                raise DeadlineExceeded(task_id)
            for _ in ears.notifies(timeout=min(POLL, left), stop_after=1):
                break
"""
GROWING_SLEEPS = """
# answer: wait
def wait(conn, task_id, deadline, clock):
    pause = 0.02
    while True:
        row = conn.execute(text(READ), {"id": task_id}).one()
        conn.rollback()
        if row.state == "completed" or row.state == "failed":
            return task_of(row)
        left = deadline.remaining()
        if not left > 0:
            raise DeadlineExceeded(f"{task_id}: still {row.state}")
        clock.sleep(min(pause, left))
        pause = min(pause * 2, POLL)
"""
AUTOCOMMIT = """
# answer: wait
def wait(conn, task_id, deadline, clock):
    conn = conn.execution_options(isolation_level="AUTOCOMMIT")
    looks = 0
    while (task := task_of(conn.execute(text(READ), {"id": task_id}).one())).state not in ("completed", "failed"):
        if deadline.remaining() <= 0:
            raise DeadlineExceeded(f"looked {looks} times")
        clock.sleep(min(POLL / 2, deadline.remaining()))
        looks += 1
    return task
"""
A_CONNECTION_FOR_EACH_LOOK = """
# answer: wait
def wait(conn, task_id, deadline, clock):
    def looked():
        with conn.engine.connect() as own:
            return task_of(own.execute(text(READ), {"id": task_id}).one())

    ended = {"completed", "failed"}
    end = clock.monotonic() + deadline.remaining()
    task = looked()
    while task.state not in ended and clock.monotonic() < end:
        clock.sleep(min(0.4, end - clock.monotonic()))
        task = looked()
    if task.state in ended:
        return task
    raise DeadlineExceeded(task_id)
"""

ONE_STATEMENT = """
# answer: drain
def drain(conn, held):
    statement = '''
        UPDATE tasks SET state = 'pending'
        FROM unnest(CAST(:ids AS text[]), CAST(:tokens AS int[])) AS mine (id, token)
        WHERE tasks.id = mine.id AND tasks.token = mine.token AND tasks.state = 'running' '''
    with conn.begin():
        conn.execute(text(statement), {"ids": [each.id for each in held], "tokens": [each.token for each in held]})
"""
ONE_BY_ONE = """
# answer: drain
def drain(conn, held):
    for each in sorted(held, key=lambda each: each.id):
        with conn.begin():
            statement = text(f"{GIVE_BACK} AND token = :token AND state NOT IN ('completed', 'failed')")
            conn.execute(statement, vars(each))
"""
MANY_AT_ONCE = """
# answer: drain
def drain(conn, held):
    if held:
        statement = text(GIVE_BACK + " AND (state, token) = ('running', :token) RETURNING id")
        conn.execute(text(statement.text.replace(" RETURNING id", "")), [vars(each) for each in held])
        conn.commit()
"""
LOCKS_AND_COMPARES = """
# answer: drain
def drain(conn, held):
    with conn.begin():
        for each in held:
            row = conn.execute(text(READ + " FOR UPDATE"), {"id": each.id}).one_or_none()
            if row is not None and (row.state, row.token) == ("running", each.token):
                conn.execute(text(GIVE_BACK), {"id": each.id})
"""
RAW_DRAIN = """
# answer: drain
def drain(conn, held):
    raw = conn.connection.driver_connection
    with raw.transaction(), raw.cursor() as cursor:
        cursor.executemany(
            "UPDATE tasks SET state = 'pending' WHERE id = %s AND token = %s AND state = 'running'",
            [(each.id, each.token) for each in held],
        )
"""

RIGHT = {
    "looks ten times in POLL seconds": [wait_but((SLEEPS, "clock.sleep(min(POLL / 10, left))"))],
    "INSERT or nothing": [INSERT_OR_NOTHING],
    "the table locked": [TABLE_LOCKED],
    "a lock of its own": [A_LOCK_OF_ITS_OWN],
    "committed by hand": [COMMITTED_BY_HAND],
    "Core": [CORE],
    "a raw cursor": [RAW_CURSOR],
    "a savepoint": [SAVEPOINT],
    "serializable": [SERIALIZABLE],
    "a session": [SESSION],
    "listens and looks": [LISTENS_AND_LOOKS],
    "listens on another connection": [LISTENS_ELSEWHERE],
    "growing sleeps": [GROWING_SLEEPS],
    "autocommit": [AUTOCOMMIT],
    "a connection for each look": [A_CONNECTION_FOR_EACH_LOOK],
    "one statement": [ONE_STATEMENT],
    "one by one": [ONE_BY_ONE],
    "many at once": [MANY_AT_ONCE],
    "locks and compares": [LOCKS_AND_COMPARES],
    "a raw drain": [RAW_DRAIN],
}

WRONG += [
    ("read before lock", "same_key_once", r"the same key, limit=1\. They",
     ['''\
# answer: submit
def submit(conn, user_input, key, priority=0, limit=100) -> str:
    """Store a task under its key, commit, and return the key. QueueFullError if limit tasks wait already."""
    with conn.begin():
        row = conn.execute(text(READ), {"id": key}).one_or_none()
        if row is None:
            conn.execute(text(ONE_AT_A_TIME))
            if conn.execute(text(COUNT)).scalar() >= limit:
                raise QueueFullError(f"{limit} tasks are waiting")
            wish = json.dumps({"user_input": user_input, "priority": priority})
            conn.execute(text(INSERT + " ON CONFLICT (id) DO NOTHING"), {"id": key, "wish": wish})
        elif row.wish["user_input"] != user_input:
            raise KeyReusedError(key)
    return key
''']),
]  # fmt: skip

WRONG += [
    ("same key loses the last place to itself", "same_key_once", r"two submitted with the same key, limit=1\. They .*QueueFullError",
     ['''\
# answer: submit
def submit(conn, user_input, key, priority=0, limit=100) -> str:
    """Store a task under its key, commit, and return the key. QueueFullError if limit tasks wait already."""
    with conn.begin():
        row = conn.execute(text(READ), {"id": key}).one_or_none()
        if row is None:
            # only those that insert have to queue up
            conn.execute(text(ONE_AT_A_TIME))
            if conn.execute(text(COUNT)).scalar() >= limit:
                raise QueueFullError(f"{limit} tasks wait already")
            wish = json.dumps({"user_input": user_input, "priority": priority})
            conn.execute(text(INSERT + " ON CONFLICT (id) DO NOTHING"), {"id": key, "wish": wish})
            row = conn.execute(text(READ), {"id": key}).one()
        if row.wish["user_input"] != user_input:
            raise KeyReusedError(key)
    return key
''']),
]  # fmt: skip
