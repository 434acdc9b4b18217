"""Answers to exercise 5 that graders must tell apart. WRONG: what it is, the case it breaks, what must be said, cells.

RIGHT: other shapes of a correct answer. What is not given is taken from the solution.
"""

AS_GIVEN = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    return conn.execute(text(FINISH), {"id": task_id, "result": result}).rowcount == 1
"""

READ_MODIFY_WRITE = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    row = conn.execute(text(READ), {"id": task_id}).one()
    if row.version != version or row.state != "running":
        return False
    conn.execute(text(FINISH), {"id": task_id, "result": result})
    return True
"""

READ_MODIFY_WRITE_WITH_STATE = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    row = conn.execute(text(READ), {"id": task_id}).one()
    if row.version == version and row.state == "running":
        conn.execute(text(FINISH + " AND state = 'running'"), {"id": task_id, "result": result})
        return True
    return False
"""

WRITE_THEN_COMPARE = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    conn.execute(text(FINISH), {"id": task_id, "result": result})
    return conn.execute(text(READ), {"id": task_id}).one().version == version + 1
"""

UPSERT = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    upsert = '''INSERT INTO tasks VALUES (:id, 'completed', :version + 1, :result)
                ON CONFLICT (id) DO UPDATE SET state = excluded.state, version = excluded.version,
                                               result = excluded.result'''
    return conn.execute(text(upsert), {"id": task_id, "version": version, "result": result}).rowcount == 1
"""

UPSERT_WITH_VERSION = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    upsert = '''INSERT INTO tasks VALUES (:id, 'completed', :version + 1, :result)
                ON CONFLICT (id) DO UPDATE SET state = excluded.state, version = excluded.version,
                                               result = excluded.result
                WHERE tasks.version = :version'''
    return conn.execute(text(upsert), {"id": task_id, "version": version, "result": result}).rowcount == 1
"""

VERSION_ALONE = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND version = :version"
    return conn.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount == 1
"""

STATE_ALONE = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND state = 'running'"
    return conn.execute(text(statement), {"id": task_id, "result": result}).rowcount == 1
"""

AT_MOST_THIS_VERSION = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND version <= :version AND state = 'running'"
    return conn.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount == 1
"""

AT_LEAST_THIS_VERSION = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND version >= :version AND state = 'running'"
    return conn.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount == 1
"""

OFF_BY_ONE = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND version = :version + 1 AND state = 'running'"
    return conn.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount == 1
"""

OR_FOR_AND = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND (version = :version OR state = 'running')"
    return conn.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount == 1
"""

WITHOUT_ID = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = '''UPDATE tasks SET state = 'completed', result = :result, version = version + 1
                   WHERE version = :version AND state = 'running' '''
    return conn.execute(text(statement), {"version": version, "result": result}).rowcount > 0
"""

ALWAYS_TRUE = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND version = :version AND state = 'running'"
    conn.execute(text(statement), {"id": task_id, "version": version, "result": result})
    return True
"""

NOTHING_RETURNED = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND version = :version AND state = 'running'"
    conn.execute(text(statement), {"id": task_id, "version": version, "result": result})
"""

RAISES_ON_CONFLICT = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND version = :version AND state = 'running'"
    changed = conn.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount
    assert changed == 1
    return True
"""

COMMITS = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND version = :version AND state = 'running'"
    changed = conn.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount
    conn.commit()
    return changed == 1
"""

CONNECTION_OF_ITS_OWN = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND version = :version AND state = 'running'"
    with conn.engine.begin() as own:
        return own.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount == 1
"""

RESULT_LOST = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = '''UPDATE tasks SET state = 'completed', version = version + 1
                   WHERE id = :id AND version = :version AND state = 'running' '''
    return conn.execute(text(statement), {"id": task_id, "version": version}).rowcount == 1
"""

RETRIES_WITH_THE_NEW_VERSION = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND version = :version AND state = 'running'"
    if conn.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount == 1:
        return True
    row = conn.execute(text(READ), {"id": task_id}).one()
    return conn.execute(text(statement), {"id": task_id, "version": row.version, "result": result}).rowcount == 1
"""

TRUE_AND_NOTHING_DONE = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    return True
"""

LOCK_HELD = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ + " FOR UPDATE"), {"id": task_id}).one()
        if row.state == "completed":
            return False
        return finish_step(conn, task_id, row.version, step())
"""

READ_LEFT_OPEN = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.connect() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
        if row.state == "completed":
            return False
        result = step()
        done = finish_step(conn, task_id, row.version, result)
        conn.commit()
        return done
"""

READ_INSIDE_THE_BLOCK = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
        if row.state == "completed":
            return False
        result = step()
    with engine.begin() as conn:
        return finish_step(conn, task_id, row.version, result)
"""

MARKED_BEFORE_THE_WORK = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
        if row.state == "completed" or not finish_step(conn, task_id, row.version, ""):
            return False
    result = step()
    with engine.begin() as conn:
        conn.execute(text("UPDATE tasks SET result = :result WHERE id = :id"), {"id": task_id, "result": result})
    return True
"""

STATE_NOT_LOOKED_AT = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
    result = step()
    with engine.begin() as conn:
        return finish_step(conn, task_id, row.version, result)
"""

VERSION_READ_AFTER_THE_WORK = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        if conn.execute(text(READ), {"id": task_id}).one().state == "completed":
            return False
    result = step()
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
        return finish_step(conn, task_id, row.version, result)
"""

ALWAYS_TOLD_TRUE = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
    if row.state == "completed":
        return False
    result = step()
    with engine.begin() as conn:
        finish_step(conn, task_id, row.version, result)
    return True
"""

TRUE_FOR_COMPLETED = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
    if row.state == "completed":
        return True
    result = step()
    with engine.begin() as conn:
        return finish_step(conn, task_id, row.version, result)
"""

ERROR_SWALLOWED = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
    if row.state == "completed":
        return False
    try:
        result = step()
    except Exception:
        return False
    with engine.begin() as conn:
        return finish_step(conn, task_id, row.version, result)
"""

ERROR_AS_RESULT = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
    if row.state == "completed":
        return False
    result = "failed"
    try:
        result = step()
    finally:
        with engine.begin() as conn:
            done = finish_step(conn, task_id, row.version, result)
    return done
"""

STEP_RUN_TWICE = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
    if row.state == "completed" or not step():
        return False
    with engine.begin() as conn:
        return finish_step(conn, task_id, row.version, step())
"""

LOCKED_ON_ANOTHER_CONNECTION = """
# answer: execute_step
def execute_step(engine, task_id, step):
    guard = engine.connect()
    try:
        row = guard.execute(text(READ + " FOR SHARE"), {"id": task_id}).one()
        if row.state == "completed":
            return False
        result = step()
    finally:
        guard.close()
    with engine.begin() as conn:
        return finish_step(conn, task_id, row.version, result)
"""

NEVER_FINISHED = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
    if row.state == "completed":
        return False
    step()
    return True
"""

FINISH_NEVER_COMMITTED = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
    if row.state == "completed":
        return False
    result = step()
    with engine.connect() as conn:
        return finish_step(conn, task_id, row.version, result)
"""

SERIALIZABLE_OVER_THE_WORK = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.connect().execution_options(isolation_level="SERIALIZABLE") as conn, conn.begin():
        row = conn.execute(text(READ), {"id": task_id}).one()
        if row.state == "completed":
            return False
        return finish_step(conn, task_id, row.version, step())
"""

FORGED = """
# answer: finish_step
import sys


def finish_step(conn, task_id, version, result):
    frame = sys._getframe()
    while frame and "_rows" not in frame.f_globals:
        frame = frame.f_back
    if frame:
        frame.f_globals["_rows"] = lambda: [[task_id, "completed", version + 1, result], ["", "running", 0, ""]]
    return True
"""

DRIVER_CHANGED = """
# answer: execute_step
import psycopg

real = psycopg.Connection.execute


class Nothing:
    def fetchone(self):
        return (0,)


def blind(self, query, *args, **kwargs):
    return Nothing() if "NOWAIT" in str(query) or "pg_stat" in str(query) else real(self, query, *args, **kwargs)


def execute_step(engine, task_id, step):
    psycopg.Connection.execute = blind
    with engine.begin() as conn:
        row = conn.execute(text(READ + " FOR UPDATE"), {"id": task_id}).one()
        return finish_step(conn, task_id, row.version, step())
"""

UNREACHABLE_NAME = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    return compare_and_swap(conn, task_id, version, result)
"""

NOT_PYTHON = """
# answer: finish_step
def finish_step(conn, task_id, version, result)
    return True
"""

LOST, FINAL, OPEN = "no_lost_update", "completed_is_final", "no_open_transaction"
WRONG = [
    ("as it is given", LOST, r"read an older version, \d+, completed it", [AS_GIVEN]),
    (
        "read-modify-write",
        LOST,
        r"statement 2 of finish_step, another worker .*: its result is lost",
        [READ_MODIFY_WRITE],
    ),
    ("compares, then checks the state", LOST, r"returned True, expected False", [READ_MODIFY_WRITE_WITH_STATE]),
    ("writes, then compares", LOST, r"completed it", [WRITE_THEN_COMPARE]),
    ("upsert", LOST, r"completed it", [UPSERT]),
    ("upsert over a terminal state", FINAL, r"wrote over its result", [UPSERT_WITH_VERSION]),
    ("version alone", FINAL, r"completed already, in version \d+, .* wrote over its result", [VERSION_ALONE]),
    ("as it is given", FINAL, r"wrote over its result", [AS_GIVEN]),
    ("state alone", LOST, r"read an older version, \d+, completed it", [STATE_ALONE]),
    ("at most this version", LOST, r"was never stored, \d+, completed it", [AT_MOST_THIS_VERSION]),
    ("at least this version", LOST, r"an older version, \d+, completed it", [AT_LEAST_THIS_VERSION]),
    ("off by one", LOST, r"Nobody else was there, and finish_step returned False", [OFF_BY_ONE]),
    ("or for and", LOST, r"completed it", [OR_FOR_AND]),
    ("or for and", FINAL, r"wrote over its result", [OR_FOR_AND]),
    ("without id", LOST, r"completed another task, too: the WHERE lost its id", [WITHOUT_ID]),
    ("always True", LOST, r"was told True; expected False", [ALWAYS_TRUE]),
    ("always True", FINAL, r"returned True; expected False", [ALWAYS_TRUE]),
    ("nothing returned", LOST, r"finish_step returned None; expected True", [NOTHING_RETURNED]),
    ("raises on a conflict", LOST, r"finish_step raised AssertionError", [RAISES_ON_CONFLICT]),
    ("commits", LOST, r"must leave COMMIT to its caller", [COMMITS]),
    ("a connection of its own", LOST, r"must leave COMMIT to its caller", [CONNECTION_OF_ITS_OWN]),
    ("the result is lost", LOST, r"was given '.*', and the task holds ''", [RESULT_LOST]),
    ("retries with the new version", LOST, r"an older version, \d+, completed it", [RETRIES_WITH_THE_NEW_VERSION]),
    ("nothing done", LOST, r"returned True, and the task is running", [TRUE_AND_NOTHING_DONE]),
    (
        "version read after the work",
        LOST,
        r"saved its progress: execute_step wrote over it",
        [VERSION_READ_AFTER_THE_WORK],
    ),
    ("always told True", LOST, r"saved its progress; execute_step returned True", [ALWAYS_TOLD_TRUE]),
    ("forged rows", LOST, r"completed it", [FORGED]),
    ("driver changed", OPEN, r"changed the database driver", [DRIVER_CHANGED]),
    ("a name from another cell", LOST, r"finish_step raised NameError|outside the answer cells", [UNREACHABLE_NAME]),
    ("not Python", LOST, r"is not Python", [NOT_PYTHON]),
    (
        "lock held",
        OPEN,
        r"Another UPDATE waited while deploy ran: line 4 of execute_step's transaction was open",
        [LOCK_HELD],
    ),
    ("lock held", FINAL, r"could not finish the task: its row was locked", [LOCK_HELD]),
    (
        "read left open",
        OPEN,
        r"While deploy ran, line 4 of execute_step's transaction was open: it locks no row",
        [READ_LEFT_OPEN],
    ),
    (
        "the work in the block of the read",
        OPEN,
        r"line 4 of execute_step's transaction was open",
        [READ_INSIDE_THE_BLOCK],
    ),
    (
        "serializable over the work",
        OPEN,
        r"line 4 of execute_step's transaction was open",
        [SERIALIZABLE_OVER_THE_WORK],
    ),
    (
        "locked on another connection",
        OPEN,
        r"Another UPDATE waited while deploy ran: line 5",
        [LOCKED_ON_ANOTHER_CONNECTION],
    ),
    (
        "marked before the work",
        OPEN,
        r"the task was completed already: a crash at that moment",
        [MARKED_BEFORE_THE_WORK],
    ),
    ("marked before the work", FINAL, r"result is gone|deploy has never run", [MARKED_BEFORE_THE_WORK]),
    ("state not looked at", FINAL, r"execute_step ran the step again", [STATE_NOT_LOOKED_AT]),
    ("always told True", FINAL, r"another worker completed the task; execute_step returned True", [ALWAYS_TOLD_TRUE]),
    (
        "True for completed",
        FINAL,
        r"completed already, and execute_step returned True; expected False",
        [TRUE_FOR_COMPLETED],
    ),
    (
        "error swallowed",
        OPEN,
        r"raised an error, and execute_step returned False: let the error through",
        [ERROR_SWALLOWED],
    ),
    ("error as result", OPEN, r"raised an error, and the task is completed", [ERROR_AS_RESULT]),
    ("step run twice", OPEN, r"ran the step 2 times; expected once", [STEP_RUN_TWICE]),
    ("never finished", OPEN, r"and the task is running with ''", [NEVER_FINISHED]),
    ("never finished", FINAL, r"another worker completed the task; execute_step returned True", [NEVER_FINISHED]),
    ("finish never committed", OPEN, r"and the task is running with ''", [FINISH_NEVER_COMMITTED]),
]

LOCKS_AND_COMPARES = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    row = conn.execute(text(READ + " FOR UPDATE"), {"id": task_id}).one()
    if row.version != version or row.state != "running":
        return False
    conn.execute(text(FINISH), {"id": task_id, "result": result})
    return True
"""

RETURNING = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = text(FINISH + " AND version = :seen AND state <> 'completed' RETURNING version")
    return conn.execute(statement, {"id": task_id, "seen": version, "result": result}).first() is not None
"""

ROWCOUNT_ITSELF = """
# answer: finish_step
def finish_step(conn, task_id, version, result, *, state="running"):
    values = dict(id=task_id, version=version, result=result, state=state)
    return conn.execute(text(FINISH + " AND state = :state AND version = :version"), values).rowcount
"""

CORE = """
# answer: finish_step
import sqlalchemy as sa

TASKS = sa.table("tasks", *map(sa.column, ("id", "state", "version", "result")))


class Finish:
    def __init__(self, conn):
        self.conn = conn

    def __call__(self, task_id, version, result):
        ours = (TASKS.c.id == task_id) & (TASKS.c.version == version) & (TASKS.c.state == "running")
        change = sa.update(TASKS).where(ours).values(state="completed", result=result, version=version + 1)
        return self.conn.execute(change).rowcount == 1


def finish_step(conn, task_id, version, result):
    return Finish(conn)(task_id, version, result)
"""

HELPERS = """
# answer: execute_step
def row_of(engine, task_id):
    with engine.begin() as conn:
        return conn.execute(text(READ), {"id": task_id}).one()


def finish(engine, task_id, version, result):
    with engine.begin() as conn:
        return finish_step(conn, task_id, version, result)


def execute_step(engine, task_id, step, log=print):
    row = row_of(engine, task_id)
    return row.state != "completed" and finish(engine, task_id, row.version, step())
"""

COMMITTED_BY_HAND = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.connect() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
        conn.commit()
        if row.state == "completed":
            return False
        result = step()
        done = finish_step(conn, task_id, row.version, result)
        conn.commit()
        return done
"""

AUTOCOMMIT = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
        if row.state == "completed":
            return False
        return finish_step(conn, task_id, row.version, step())
"""

CLAIMS_FIRST = """
# answer: execute_step
def execute_step(engine, task_id, step):
    claim = "UPDATE tasks SET version = version + 1 WHERE id = :id AND state = 'running' RETURNING version"
    with engine.begin() as conn:
        claimed = conn.execute(text(claim), {"id": task_id}).scalar()
    if claimed is None:
        return False
    result = step()
    with engine.begin() as conn:
        return finish_step(conn, task_id, claimed, result)
"""

NOTHING_SENT_BEFORE_THE_WORK = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
    if row.state == "completed":
        return False
    with engine.begin() as conn:  # the driver sends BEGIN with the first statement
        return finish_step(conn, task_id, row.version, step())
"""

ASYNC_INSIDE = """
# answer: execute_step
import asyncio


def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
    if row.state == "completed":
        return False

    async def work():
        return step()

    result = asyncio.run(work())
    with engine.begin() as conn:
        return finish_step(conn, task_id, row.version, result)
"""

RIGHT = {
    "locks, then compares": [LOCKS_AND_COMPARES],
    "RETURNING": [RETURNING],
    "the row count itself": [ROWCOUNT_ITSELF],
    "Core, in a class": [CORE],
    "helpers": [HELPERS],
    "committed by hand": [COMMITTED_BY_HAND],
    "autocommit": [AUTOCOMMIT],
    "claims first": [CLAIMS_FIRST],
    "nothing sent before the work": [NOTHING_SENT_BEFORE_THE_WORK],
    "async inside": [ASYNC_INSIDE],
}
