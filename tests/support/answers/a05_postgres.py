"""Answers to exercise 5 that graders must tell apart. WRONG: what it is, the case it breaks, what must be said, cells.

RIGHT: other shapes of a correct answer. What is not given is taken from the solution.
"""

from answers.changes import changed

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

TWO_SHARE_A_LOCK = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    read = text("SELECT version, state FROM tasks WHERE id = :id FOR SHARE")
    row = conn.execute(read, {"id": task_id}).one()
    if row.version != version or row.state != "running":
        return False
    write = text("UPDATE tasks SET state = 'completed', version = version + 1, result = :result WHERE id = :id")
    conn.execute(write, {"id": task_id, "result": result})
    return True
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

FINISHES = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND version = :version AND state = 'running'"
    values = {"id": task_id, "version": version, "result": result}
    return conn.execute(text(statement), values).rowcount == 1
"""
EXECUTES = """
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


def finish_but(*changes):
    """The right `finish_step` with these changes, each an old text and a new one."""
    return changed(FINISHES, changes)


def execute_but(*changes):
    """The right `execute_step` with these changes, each an old text and a new one."""
    return changed(EXECUTES, changes)


STATEMENT = """FINISH + " AND version = :version AND state = 'running'\""""
UPDATE = (
    "UPDATE tasks SET state = 'completed', result = :result, version = {} "
    "WHERE {} AND version = :version AND state = 'running'"
)
VERSION_AS_READ = finish_but((STATEMENT, repr(UPDATE.format(":version", "id = :id"))))
COUNTED_TWICE = finish_but((STATEMENT, repr(UPDATE.format("version + 2", "id = :id"))))
ID_LIKE = finish_but((STATEMENT, repr(UPDATE.format("version + 1", "id LIKE :id"))))
ID_IN_ANY_CASE = finish_but((STATEMENT, repr(UPDATE.format("version + 1", "lower(id) = lower(:id)"))))
ID_TRIMMED = finish_but((STATEMENT, repr(UPDATE.format("version + 1", "trim(id) = trim(:id)"))))
RESULT_STRIPPED = finish_but(('"result": result', '"result": result.strip()'))
RESULT_CUT = finish_but(('"result": result', '"result": result[:60]'))
RESULT_QUOTED_BY_HAND = finish_but(("text(statement)", "text(statement.replace(':result', repr(result)))"))
RESULT_IN_ASCII = finish_but(('"result": result', '"result": result.encode("ascii", "replace").decode()'))
RESULT_OR_DONE = finish_but(('"result": result', '"result": result or "done"'))
COMMITS_A_CONFLICT = finish_but(
    (
        "    return conn.execute(text(statement), values).rowcount == 1",
        (
            "    if conn.execute(text(statement), values).rowcount:\n        return True\n"
            "    conn.commit()\n    return False"
        ),
    )
)
RAW_ROLLBACK = finish_but(
    (
        "    return conn.execute(text(statement), values).rowcount == 1",
        (
            "    if conn.execute(text(statement), values).rowcount:\n        return True\n"
            '    conn.exec_driver_sql("ROLLBACK")\n    return False'
        ),
    )
)
REMEMBERS_WHAT_IT_FINISHED = "\n# answer: finish_step\nFINISHED = set()\n" + finish_but(
    ("    statement =", "    if task_id in FINISHED:\n        return False\n    FINISHED.add(task_id)\n    statement =")
).removeprefix("\n# answer: finish_step\n")
LOOKS_AT_THE_RESULT = finish_but(
    (
        "    return conn.execute(text(statement), values).rowcount == 1",
        (
            "    conn.execute(text(statement), values)\n"
            '    row = conn.execute(text(READ), {"id": task_id}).one()\n'
            '    return row.state == "completed" and row.result == result'
        ),
    )
)
TRIES_AGAIN = execute_but(
    (
        "    result = step()\n",
        (
            "    for attempt in range(3):\n        try:\n            result = step()\n            break\n"
            "        except Exception:\n            if attempt == 2:\n                raise\n"
        ),
    )
)
SWALLOWS_TIMEOUTS = execute_but(
    ("    result = step()\n", "    try:\n        result = step()\n    except TimeoutError:\n        return False\n")
)
SWALLOWS_INTERRUPTS = execute_but(
    (
        "    result = step()\n",
        "    try:\n        result = step()\n    except KeyboardInterrupt:\n        return False\n",
    )
)
RETURNS_IN_FINALLY = execute_but(
    (
        (
            "    result = step()\n    with engine.begin() as conn:\n"
            "        return finish_step(conn, task_id, row.version, result)\n"
        ),
        (
            "    done = False\n    try:\n        result = step()\n        with engine.begin() as conn:\n"
            "            done = finish_step(conn, task_id, row.version, result)\n    finally:\n        return done\n"
        ),
    )
)
EMPTY_IS_NO_RESULT = execute_but(
    ("    result = step()\n", "    result = step()\n    if not result:\n        return False\n")
)
ANY_ROW = execute_but(("text(READ)", 'text("SELECT state, version, result FROM tasks LIMIT 1")'))
A_RESULT_MEANS_COMPLETED = execute_but(('row.state == "completed"', "row.result"))
VERSIONS_REMEMBERED = "\n# answer: execute_step\nVERSIONS = {}\n" + execute_but(
    ("row.version, result", "VERSIONS.setdefault(task_id, row.version), result"),
    ("    result = step()\n", "    VERSIONS.setdefault(task_id, row.version)\n    result = step()\n"),
).removeprefix("\n# answer: execute_step\n")
TRIES_UNTIL_IT_IS_FINISHED = execute_but(
    (
        "    with engine.begin() as conn:\n        return finish_step(conn, task_id, row.version, result)\n",
        (
            "    while True:\n        with engine.begin() as conn:\n"
            "            if finish_step(conn, task_id, row.version, result):\n                return True\n"
            '            row = conn.execute(text(READ), {"id": task_id}).one()\n'
            '            if row.state == "completed":\n                return False\n'
        ),
    )
)
WAITS_FOR_ITSELF = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.connect() as guard:
        row = guard.execute(text(READ), {"id": task_id}).one()
        guard.commit()
        if row.state == "completed":
            return False
        result = step()
        guard.execute(text(READ + " FOR UPDATE"), {"id": task_id})
        with engine.begin() as conn:
            return finish_step(conn, task_id, row.version, result)
"""
MARKED_AS_CLAIMED = """
# answer: execute_step
def execute_step(engine, task_id, step):
    claim = "UPDATE tasks SET result = 'claimed', version = version + 1 WHERE id = :id AND result <> 'claimed'"
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
        if row.state == "completed" or not conn.execute(text(claim), {"id": task_id}).rowcount:
            return False
    result = step()
    with engine.begin() as conn:
        return finish_step(conn, task_id, row.version + 1, result)
"""
FORGOTTEN_TEXT = finish_but(("text(statement)", "statement"))
ASYNC = finish_but(("def finish_step", "async def finish_step"))

PROGRESS_BETWEEN_READ_AND_WRITE = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    row = conn.execute(text(READ), {"id": task_id}).one()
    if row.version != version:
        return False
    done = conn.execute(text(FINISH + " AND state = 'running'"), {"id": task_id, "result": result})
    return done.rowcount == 1
"""

VERSION_NOT_COUNTED_UP = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    done = conn.execute(
        text("UPDATE tasks SET state = 'completed', result = :result "
             "WHERE id = :id AND version = :version AND state = 'running'"),
        {"id": task_id, "result": result, "version": version},
    )
    return done.rowcount == 1
"""

ADVISORY_LOCK = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    # serialize all workers on this task
    conn.execute(text("SELECT pg_advisory_xact_lock(hashtext(:id))"), {"id": task_id})
    row = conn.execute(text(READ), {"id": task_id}).one()
    if row.version != version or row.state == "completed":
        return False
    conn.execute(text(FINISH), {"id": task_id, "result": result})
    return True
"""

LOCKS_AFTER_THE_COMPARE = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    current = conn.execute(text(READ), {"id": task_id}).one()
    if current.version != version or current.state == "completed":
        return False
    conn.execute(text("SELECT 1 FROM tasks WHERE id = :id FOR UPDATE"), {"id": task_id})
    return conn.execute(text(FINISH), {"id": task_id, "result": result}).rowcount == 1
"""

SERIALIZABLE_WITHOUT_RETRY = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    conn.execute(text("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"))
    row = conn.execute(text(READ), {"id": task_id}).one()
    if row.version != version or row.state != "running":
        return False
    conn.execute(text(FINISH), {"id": task_id, "result": result})
    return True
"""

BEGINS_ITS_OWN_TRANSACTION = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    with conn.begin():
        done = conn.execute(
            text(FINISH + " AND version = :version AND state = 'running'"),
            {"id": task_id, "result": result, "version": version},
        )
        return done.rowcount == 1
"""

ROLLS_THE_CALLER_BACK = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    done = conn.execute(
        text(FINISH + " AND version = :version AND state = 'running'"),
        {"id": task_id, "result": result, "version": version},
    )
    if done.rowcount == 0:
        conn.rollback()
        return False
    return True
"""

F_STRING = '''
# answer: finish_step
def finish_step(conn, task_id, version, result):
    query = f"""
        UPDATE tasks SET state = 'completed', result = '{result}', version = version + 1
        WHERE id = '{task_id}' AND version = {version} AND state = 'running'
    """
    return conn.execute(text(query)).rowcount == 1
'''

COMPARES_AGAIN_THEN_WRITES = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        before = conn.execute(text(READ), {"id": task_id}).one()
    if before.state == "completed":
        return False
    result = step()
    with engine.begin() as conn:
        now = conn.execute(text(READ), {"id": task_id}).one()
        if now.version != before.version or now.state == "completed":
            return False
        conn.execute(text(FINISH), {"id": task_id, "result": result})
    return True
"""

WRAPS_THE_ERROR = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
    if row.state == "completed":
        return False
    try:
        result = step()
    except Exception as error:
        raise RuntimeError(f"step of {task_id} failed: {error}") from error
    with engine.begin() as conn:
        return finish_step(conn, task_id, row.version, result)
"""

ERROR_NOTED_IN_THE_ROW = """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
    if row.state == "completed":
        return False
    try:
        result = step()
    except Exception as error:
        with engine.begin() as conn:
            conn.execute(
                text("UPDATE tasks SET result = :error, version = version + 1 WHERE id = :id AND version = :version"),
                {"id": task_id, "error": f"error: {error}", "version": row.version},
            )
        raise
    with engine.begin() as conn:
        return finish_step(conn, task_id, row.version, result)
"""

# in one statement, yet what it compares is as it was before it waited for the row
COMPARED_IN_A_SUBQUERY = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    seen = "(SELECT id FROM tasks WHERE id = :id AND version = :version AND state = 'running')"
    statement = f"UPDATE tasks SET state = 'completed', result = :result, version = version + 1 WHERE id = {seen}"
    return conn.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount == 1
"""

COMPARED_IN_A_CTE = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = '''WITH seen AS (SELECT id FROM tasks WHERE id = :id AND version = :version AND state = 'running')
                   UPDATE tasks SET state = 'completed', result = :result, version = version + 1
                   FROM seen WHERE tasks.id = seen.id'''
    return conn.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount == 1
"""

NEVER_WAITS = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    row = conn.execute(text(READ + " FOR UPDATE NOWAIT"), {"id": task_id}).one()
    if (row.state, row.version) != ("running", version):
        return False
    conn.execute(text(FINISH), {"id": task_id, "result": result})
    return True
"""

BROKEN_TRANSACTION = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    new = "CASE WHEN state = 'running' AND version = :version THEN version + 1 ELSE 1 / (version - version) END"
    statement = FINISH.replace("version + 1", new)
    try:
        return conn.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount == 1
    except Exception:
        return False
"""

RAW_COMMIT = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND version = :version AND state = 'running'"
    changed = conn.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount
    conn.connection.commit()
    return changed == 1
"""

RAW_READ_MODIFY_WRITE = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    with conn.connection.cursor() as cursor:
        cursor.execute("SELECT state, version FROM tasks WHERE id = %s", (task_id,))
        if cursor.fetchone() != ("running", version):
            return False
        finish = "UPDATE tasks SET state = 'completed', result = %s, version = version + 1 WHERE id = %s"
        cursor.execute(finish, (result, task_id))
    return True
"""

NO_VERSION_NOUGHT = finish_but(('"version": version', '"version": version or 1'))

READ_ON_AN_ENGINE_OF_ITS_OWN = """
# answer: execute_step
from sqlalchemy import create_engine


def execute_step(engine, task_id, step):
    with create_engine(engine.url).connect() as reading:
        row = reading.execute(text(READ), {"id": task_id}).one()
        if row.state == "completed":
            return False
        result = step()
    with engine.begin() as conn:
        return finish_step(conn, task_id, row.version, result)
"""

DATABASE_ERRORS_ARE_LOST = execute_but(
    ("    result = step()\n", "    try:\n        result = step()\n    except SQLAlchemyError:\n        return False\n"),
    ("# answer: execute_step\n", "# answer: execute_step\nfrom sqlalchemy.exc import SQLAlchemyError\n\n\n"),
)

ANOTHER_OF_THE_SAME_TYPE = execute_but(
    (
        "    result = step()\n",
        (
            "    try:\n        result = step()\n    except Exception as error:\n"
            "        raise type(error)(*error.args) from None\n"
        ),
    )
)

LEAVES_IT_OPEN = execute_but(
    (
        "    with engine.begin() as conn:\n        row =",
        "    GUARDS.append(engine.connect())\n    with engine.begin() as conn:\n        row =",
    ),
    (
        "        return finish_step",
        '        GUARDS[-1].execute(text(READ), {"id": task_id})\n        return finish_step',
    ),
    ("# answer: execute_step\n", "# answer: execute_step\nGUARDS = []\n\n\n"),
)

ONE_CONNECTION = """
# answer: execute_step
from functools import cache


@cache
def connection(engine):
    return engine.connect()


def execute_step(engine, task_id, step):
    conn = connection(engine)
    row = conn.execute(text(READ), {"id": task_id}).one()
    if row.state == "completed":
        COMPLETED
    conn.commit()
    result = step()
    if finish_step(conn, task_id, row.version, result):
        conn.commit()
        return True
    LATE
"""
ENDED = "return conn.rollback() or False"
OPEN_WHEN_LATE = ONE_CONNECTION.replace("COMPLETED", ENDED).replace("LATE", "return False")
OPEN_WHEN_COMPLETED = ONE_CONNECTION.replace("COMPLETED", "return False").replace("LATE", ENDED)

AGAIN_WHEN_LATE = """
# answer: execute_step
def execute_step(engine, task_id, step):
    while True:
        with engine.begin() as conn:
            row = conn.execute(text(READ), {"id": task_id}).one()
        if row.state == "completed":
            return False
        result = step()
        with engine.begin() as conn:
            if finish_step(conn, task_id, row.version, result):
                return True
"""

OLD_IF_EMPTY = execute_but(("result = step()", "result = step() or row.result"))

ERROR_NOTED = execute_but(
    (
        "    result = step()\n",
        """    try:
        result = step()
    except Exception as error:
        with engine.begin() as conn:
            note = text("UPDATE tasks SET result = :result, version = version + 1 WHERE id = :id")
            conn.execute(note, {"result": f"error: {error}", "id": task_id})
        raise
""",
    )
)

NEVER_AGAIN = execute_but(
    ("    result = step()\n", "    BEGUN.add(task_id)\n    result = step()\n    BEGUN.remove(task_id)\n"),
    (
        "    with engine.begin() as conn:\n        row =",
        "    if task_id in BEGUN:\n        return False\n    with engine.begin() as conn:\n        row =",
    ),
    ("# answer: execute_step\n", "# answer: execute_step\nBEGUN = set()\n\n\n"),
)

CLOSES = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND version = :version AND state = 'running'"
    with conn:
        return conn.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount == 1
"""

ENDLESS = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    while True:
        pass
"""

WAITS_FOR_OTHERS = """
# answer: execute_step
import time


def execute_step(engine, task_id, step):
    while True:
        with engine.begin() as conn:
            if conn.execute(text(READ), {"id": task_id}).one().state == "completed":
                return False
        time.sleep(5)
"""

LOST, FINAL, OPEN = "no_lost_update", "completed_is_final", "no_open_transaction"
ID_IN_NORMAL_FORM = """
# answer: finish_step
import unicodedata


def finish_step(conn, task_id, version, result) -> bool:
    task_id = unicodedata.normalize("NFC", task_id)  # é may come in two forms
    values = {"id": task_id, "version": version, "result": result}
    sql = FINISH + " AND version = :version AND state = 'running'"
    return conn.execute(text(sql), values).rowcount == 1
"""

SHARE_LOCK = """
# answer: finish_step
def finish_step(conn, task_id, version, result) -> bool:
    # nobody may change the row between the comparison and the UPDATE: lock it
    row = conn.execute(text(READ + " FOR SHARE"), {"id": task_id}).one()
    if row.version != version or row.state != "running":
        return False
    conn.execute(text(FINISH), {"id": task_id, "result": result})
    return True
"""

REMEMBERS_WHAT_IS_OVER = """
# answer: execute_step
_over = set()   # completed is for ever, so this can be cached


def execute_step(engine, task_id, step) -> bool:
    key = (str(engine.url), task_id)
    if key in _over:
        return False
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
    if row.state == "completed":
        _over.add(key)
        return False
    result = step()
    with engine.begin() as conn:
        done = finish_step(conn, task_id, row.version, result)
    _over.add(key)   # finished by us, or by the one who was first
    return done
"""

WRONG = [
    ("a share lock, finished by two", "no_lost_update", "deadlock", [SHARE_LOCK]),
    (
        "what was refused is remembered as over",
        "no_lost_update",
        "Called again, execute_step",
        [REMEMBERS_WHAT_IS_OVER],
    ),
    ("an id in normal form", "no_lost_update", "changed another task, too", [ID_IN_NORMAL_FORM]),
    ("as it is given", LOST, r"had read an older version, \d+: finish_step completed it all the same", [AS_GIVEN]),
    (
        "read-modify-write",
        LOST,
        r"statement 2 of finish_step, another worker finished the task: finish_step wrote over it",
        [READ_MODIFY_WRITE],
    ),
    (
        "compares, then checks the state",
        LOST,
        r"statement 2 of .* finished the task: finish_step returned True; expected False",
        [READ_MODIFY_WRITE_WITH_STATE],
    ),
    ("writes, then compares", LOST, r"completed it all the same", [WRITE_THEN_COMPARE]),
    ("upsert", LOST, r"completed it all the same", [UPSERT]),
    (
        "upsert over a terminal state",
        FINAL,
        r"completed already, in version \d+: finish_step wrote over it",
        [UPSERT_WITH_VERSION],
    ),
    ("version alone", FINAL, r"completed already, in version \d+: finish_step wrote over it", [VERSION_ALONE]),
    (
        "as it is given",
        FINAL,
        r"finish_step wrote over it. Stored is now completed, .*; expected completed",
        [AS_GIVEN],
    ),
    ("state alone", LOST, r"had read an older version, \d+: finish_step completed it", [STATE_ALONE]),
    (
        "at most this version",
        LOST,
        r"had read a version that was never stored, \d+: finish_step completed it",
        [AT_MOST_THIS_VERSION],
    ),
    (
        "at least this version",
        LOST,
        r"had read an older version, \d+: finish_step completed it",
        [AT_LEAST_THIS_VERSION],
    ),
    ("off by one", LOST, r"Nobody else was there: finish_step returned False; expected True", [OFF_BY_ONE]),
    ("or for and", LOST, r"completed it all the same", [OR_FOR_AND]),
    ("or for and", FINAL, r"finish_step wrote over it", [OR_FOR_AND]),
    ("without id", LOST, r"finish_step changed another task, too: '.*' in place of '.*' alone", [WITHOUT_ID]),
    ("always True", LOST, r"an older version, \d+: finish_step returned True; expected False", [ALWAYS_TRUE]),
    (
        "always True",
        FINAL,
        r"completed already, in version \d+: finish_step returned True; expected False",
        [ALWAYS_TRUE],
    ),
    ("nothing returned", LOST, r"finish_step returned None; expected True", [NOTHING_RETURNED]),
    (
        "raises on a conflict",
        LOST,
        r"older version, \d+: finish_step raised AssertionError at finish_step, line 5",
        [RAISES_ON_CONFLICT],
    ),
    ("commits", LOST, r"must leave COMMIT to its caller", [COMMITS]),
    ("a connection of its own", LOST, r"must leave COMMIT to its caller", [CONNECTION_OF_ITS_OWN]),
    ("the result is lost", LOST, r"was to store the result '.*', and the task holds ''", [RESULT_LOST]),
    (
        "retries with the new version",
        LOST,
        r"an older version, \d+: finish_step completed it",
        [RETRIES_WITH_THE_NEW_VERSION],
    ),
    ("nothing done", LOST, r"returned True, and the task is running", [TRUE_AND_NOTHING_DONE]),
    (
        "version read after the work",
        LOST,
        r"saved its progress: execute_step wrote over it",
        [VERSION_READ_AFTER_THE_WORK],
    ),
    ("always told True", LOST, r"saved its progress: execute_step returned True; expected False", [ALWAYS_TOLD_TRUE]),
    ("forged rows", LOST, r"finish_step returned True, and the task is running", [FORGED]),
    ("driver changed", OPEN, r"changed the database driver", [DRIVER_CHANGED]),
    ("a name from another cell", LOST, r"finish_step raised NameError|outside the answer cells", [UNREACHABLE_NAME]),
    ("not Python", LOST, r"is not Python", [NOT_PYTHON]),
    (
        "lock held",
        OPEN,
        r"Another UPDATE waited while the step ran: line 4 of execute_step's transaction was open",
        [LOCK_HELD],
    ),
    ("lock held", FINAL, r"could not finish the task: its row was locked", [LOCK_HELD]),
    (
        "read left open",
        OPEN,
        r"While the step ran, line 4 of execute_step's transaction was open: it locks no row",
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
        r"Another UPDATE waited while the step ran: line 5",
        [LOCKED_ON_ANOTHER_CONNECTION],
    ),
    (
        "marked before the work",
        OPEN,
        r"the task was completed already: a crash at that moment",
        [MARKED_BEFORE_THE_WORK],
    ),
    (
        "marked before the work",
        FINAL,
        r"While the step ran, another worker finished the task: execute_step wrote over it",
        [MARKED_BEFORE_THE_WORK],
    ),
    ("state not looked at", FINAL, r"execute_step ran the step again", [STATE_NOT_LOOKED_AT]),
    (
        "always told True",
        FINAL,
        r"another worker finished the task: execute_step returned True; expected False",
        [ALWAYS_TOLD_TRUE],
    ),
    (
        "True for completed",
        FINAL,
        r"completed already, in version \d+: execute_step returned True; expected False",
        [TRUE_FOR_COMPLETED],
    ),
    (
        "error swallowed",
        OPEN,
        r"raised StepError, and execute_step returned False: let the error through",
        [ERROR_SWALLOWED],
    ),
    ("error as result", OPEN, r"raised StepError, and execute_step left a task that is completed", [ERROR_AS_RESULT]),
    ("step run twice", OPEN, r"ran the step 2 times in one call; expected once", [STEP_RUN_TWICE]),
    ("never finished", OPEN, r"returned True, and the task is running; expected completed", [NEVER_FINISHED]),
    ("never finished", FINAL, r"another worker finished the task: execute_step returned True", [NEVER_FINISHED]),
    (
        "finish never committed",
        OPEN,
        r"returned True, and the task is running; expected completed",
        [FINISH_NEVER_COMMITTED],
    ),
    (
        "version as it was read",
        LOST,
        r"changed a row of version (\d+), and its version is \1; expected",
        [VERSION_AS_READ],
    ),
    ("counted twice", LOST, r"changed a row of version \d+, and its version is \d+; expected \d+", [COUNTED_TWICE]),
    ("id by LIKE", LOST, r"changed another task, too: '\w+x", [ID_LIKE]),
    ("id in any case", LOST, r"changed another task, too: '[a-z]", [ID_IN_ANY_CASE]),
    ("id trimmed", LOST, r"changed another task, too: '.* ' in place of", [ID_TRIMMED]),
    ("result stripped", LOST, r"was to store the result ' done ', and the task holds 'done'", [RESULT_STRIPPED]),
    ("result cut", LOST, r"was to store the result '.*'… \(2500 characters\), and the task holds", [RESULT_CUT]),
    (
        "result quoted by hand",
        LOST,
        r"raised ProgrammingError: .*syntax error at or near \"s\" at finish_step, line 5: return",
        [RESULT_QUOTED_BY_HAND],
    ),
    ("result in ASCII", LOST, r"was to store the result '.*', and the task holds '.*\?", [RESULT_IN_ASCII]),
    ("no empty result", LOST, r"was to store the result '', and the task holds 'done'", [RESULT_OR_DONE]),
    (
        "commits a conflict",
        LOST,
        r"returned False, and others could see .* must leave COMMIT to its caller",
        [COMMITS_A_CONFLICT],
    ),
    ("raw COMMIT", LOST, r"must leave COMMIT to its caller", [RAW_COMMIT]),
    (
        "raw ROLLBACK",
        LOST,
        r"returned False, and what the caller had written before, .* is gone: leave ROLLBACK",
        [RAW_ROLLBACK],
    ),
    (
        "rolls the caller back",
        LOST,
        r"what the caller had written before, .* is gone: leave ROLLBACK",
        [ROLLS_THE_CALLER_BACK],
    ),
    (
        "broken transaction",
        LOST,
        r"Then the caller's own statement in that transaction raised InternalError: .*InFailedSqlTransaction",
        [BROKEN_TRANSACTION],
    ),
    (
        "remembers what it finished",
        LOST,
        r"The caller undid its transaction, and called again: finish_step returned False",
        [REMEMBERS_WHAT_IT_FINISHED],
    ),
    (
        "looks at the result",
        LOST,
        r"finished the task, with the same result: finish_step returned True; expected False",
        [LOOKS_AT_THE_RESULT],
    ),
    (
        "closes the caller's connection",
        LOST,
        r"returned True. Then the caller's own statement .* raised ResourceClosedError",
        [CLOSES],
    ),
    ("endless", LOST, r"finish_step did not end after a second of work at finish_step, line 3: while True", [ENDLESS]),
    ("waits for others", OPEN, r"execute_step (had more effects than|did not end after)", [WAITS_FOR_OTHERS]),
    ("no version 0", LOST, r"finish_step returned False; expected True", [NO_VERSION_NOUGHT]),
    (
        "compared in a subquery",
        LOST,
        r"finished the task, and ended its transaction later: finish_step wrote over it",
        [COMPARED_IN_A_SUBQUERY],
    ),
    (
        "compared in a CTE",
        LOST,
        r"finished the task, and ended its transaction later: finish_step wrote over it",
        [COMPARED_IN_A_CTE],
    ),
    (
        "never waits",
        LOST,
        r"ended its transaction later: finish_step raised OperationalError: .*LockNotAvailable",
        [NEVER_WAITS],
    ),
    (
        "raw read-modify-write",
        LOST,
        r"statement 2 of finish_step, another worker finished the task: finish_step wrote over it",
        [RAW_READ_MODIFY_WRITE],
    ),
    (
        "forgotten text()",
        LOST,
        r"raised ObjectNotExecutableError: Not an executable object: .* at finish_step, line 5: return",
        [FORGOTTEN_TEXT],
    ),
    ("async", LOST, r"returned a coroutine, of which nothing has run", [ASYNC]),
    (
        "progress between read and write",
        LOST,
        r"statement 2 of .* saved its progress: finish_step completed it all the same",
        [PROGRESS_BETWEEN_READ_AND_WRITE],
    ),
    (
        "version not counted up",
        LOST,
        r"changed a row of version (\d+), and its version is \1; expected",
        [VERSION_NOT_COUNTED_UP],
    ),
    (
        "advisory lock",
        LOST,
        r"statement 3 of finish_step, another worker finished the task: finish_step wrote over it",
        [ADVISORY_LOCK],
    ),
    (
        "locks after the compare",
        LOST,
        r"statement 2 of finish_step, another worker finished the task: finish_step wrote over it",
        [LOCKS_AFTER_THE_COMPARE],
    ),
    (
        "serializable without retry",
        LOST,
        r"finish_step raised InternalError: .*ISOLATION LEVEL must be called before any query",
        [SERIALIZABLE_WITHOUT_RETRY],
    ),
    (
        "begins its own transaction",
        LOST,
        r"finish_step raised InvalidRequestError: .* at finish_step, line 3: with conn.begin",
        [BEGINS_ITS_OWN_TRANSACTION],
    ),
    ("f-string", LOST, r"raised ProgrammingError: .*syntax error", [F_STRING]),
    ("f-string", OPEN, r"execute_step raised ProgrammingError: .*syntax error", [F_STRING]),
    (
        "compares again, then writes",
        LOST,
        r"statement 3 of execute_step, another worker saved its progress: execute_step wrote over it",
        [COMPARES_AGAIN_THEN_WRITES],
    ),
    (
        "compares again, then writes",
        FINAL,
        r"statement 3 of execute_step, another worker finished the task: execute_step wrote over it",
        [COMPARES_AGAIN_THEN_WRITES],
    ),
    (
        "tries until it is finished",
        LOST,
        r"saved its progress: execute_step wrote over it",
        [TRIES_UNTIL_IT_IS_FINISHED],
    ),
    (
        "marked as claimed",
        FINAL,
        r"statement 2 of execute_step, another worker finished the task: .* wrote over it. Stored is now .* 'claimed'",
        [MARKED_AS_CLAIMED],
    ),
    (
        "wraps the error",
        OPEN,
        r"execute_step raised RuntimeError: step of .*: let the error through, as it is",
        [WRAPS_THE_ERROR],
    ),
    (
        "another error of the same type",
        OPEN,
        r"execute_step raised StepError: the tool has failed at .*: let the error through, as it is",
        [ANOTHER_OF_THE_SAME_TYPE],
    ),
    (
        "error noted in the row",
        OPEN,
        r"wrote 'error: the tool has failed' as the task's result, which was",
        [ERROR_NOTED_IN_THE_ROW],
    ),
    ("tries again", OPEN, r"ran the step 2 times in one call; expected once", [TRIES_AGAIN]),
    ("swallows timeouts", OPEN, r"The step raised TimeoutError, and execute_step returned False", [SWALLOWS_TIMEOUTS]),
    (
        "swallows interrupts",
        OPEN,
        r"The step raised KeyboardInterrupt, and execute_step returned False",
        [SWALLOWS_INTERRUPTS],
    ),
    (
        "swallows errors of a database",
        OPEN,
        r"The step raised SQLAlchemyError, and execute_step returned False",
        [DATABASE_ERRORS_ARE_LOST],
    ),
    ("returns in finally", OPEN, r"The step raised StepError, and execute_step returned False", [RETURNS_IN_FINALLY]),
    ("empty is no result", OPEN, r"execute_step returned False; expected True", [EMPTY_IS_NO_RESULT]),
    ("any row", OPEN, r"execute_step returned False, and did not run the step", [ANY_ROW]),
    (
        "a result means completed",
        OPEN,
        r"execute_step returned False, and did not run the step",
        [A_RESULT_MEANS_COMPLETED],
    ),
    (
        "versions remembered",
        OPEN,
        r"raised \w+ the first time. Called again, execute_step returned False; expected True",
        [VERSIONS_REMEMBERED],
    ),
    (
        "waits for itself",
        OPEN,
        r"lock timeout at finish_step, line 8: .*: the lock that it waited for is its own",
        [WAITS_FOR_ITSELF],
    ),
    (
        "reads on an engine of its own",
        OPEN,
        r"line 7 of execute_step's transaction was open: it locks no row",
        [READ_ON_AN_ENGINE_OF_ITS_OWN],
    ),
    ("leaves a transaction open", OPEN, r"execute_step returned True, and left a transaction open", [LEAVES_IT_OPEN]),
    (
        "open when late",
        OPEN,
        r"While the step ran, another worker .*: execute_step returned False, and left a transaction open",
        [OPEN_WHEN_LATE],
    ),
    (
        "open when completed",
        OPEN,
        r"completed already, in version \d+: execute_step returned False, and left a transaction open",
        [OPEN_WHEN_COMPLETED],
    ),
    (
        "open when completed",
        FINAL,
        r"completed already, in version \d+: execute_step returned False, and left a transaction open",
        [OPEN_WHEN_COMPLETED],
    ),
    ("again when late", LOST, r"ran the step 2 times in one call; expected once", [AGAIN_WHEN_LATE]),
    (
        "the old result for an empty one",
        OPEN,
        r"to store the result '', and the task holds 'half of it'",
        [OLD_IF_EMPTY],
    ),
    ("written to the running task", OPEN, r"execute_step wrote 'error: .*' as the task's result", [ERROR_NOTED]),
    ("never tried again", OPEN, r"Called again, execute_step returned False, and did not run", [NEVER_AGAIN]),
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

RAW_CURSOR = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = '''UPDATE tasks SET state = 'completed', result = %s, version = version + 1
                   WHERE id = %s AND version = %s AND state = 'running' '''
    with conn.connection.cursor() as cursor:
        cursor.execute(statement, (result, task_id, version))
        return cursor.rowcount == 1
"""
SESSION_IN_A_SAVEPOINT = """
# answer: finish_step
from sqlalchemy.orm import Session


def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND version = :version AND state = 'running'"
    with Session(bind=conn, join_transaction_mode="create_savepoint") as session:
        changed = session.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount
        session.commit()
    return changed == 1
"""
NESTED = finish_but(
    (
        "    return conn.execute(text(statement), values).rowcount == 1",
        "    with conn.begin_nested():\n        return conn.execute(text(statement), values).rowcount == 1",
    )
)
DRIVER_SQL = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = '''UPDATE tasks SET state = 'completed', result = %(result)s, version = version + 1
                   WHERE id = %(id)s AND version = %(version)s AND state = 'running' '''
    done = conn.exec_driver_sql(statement, {"id": task_id, "version": version, "result": result})
    return bool(done.rowcount)
"""
REFLECTED = """
# answer: finish_step
import sqlalchemy as sa


def finish_step(conn, task_id, version, result):
    tasks = sa.Table("tasks", sa.MetaData(), autoload_with=conn)
    ours = (tasks.c.id == task_id) & (tasks.c.version == version) & (tasks.c.state == "running")
    change = tasks.update().where(ours).values(state="completed", result=result, version=tasks.c.version + 1)
    return conn.execute(change.returning(tasks.c.id)).first() is not None
"""
MERGED = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    merge = '''MERGE INTO tasks USING (SELECT CAST(:id AS text) AS id) AS ours ON tasks.id = ours.id
               WHEN MATCHED AND version = :version AND state = 'running'
               THEN UPDATE SET state = 'completed', result = :result, version = version + 1'''
    return conn.execute(text(merge), {"id": task_id, "version": version, "result": result}).rowcount == 1
"""
IN_A_THREAD = execute_but(
    ("    result = step()\n", "    with ThreadPoolExecutor(1) as pool:\n        result = pool.submit(step).result()\n"),
    ("# answer: execute_step\n", "# answer: execute_step\nfrom concurrent.futures import ThreadPoolExecutor\n\n\n"),
)
RAW_CONNECTIONS = """
# answer: execute_step
from contextlib import closing


def execute_step(engine, task_id, step):
    with closing(engine.raw_connection()) as raw, raw.cursor() as cursor:
        cursor.execute("SELECT state, version FROM tasks WHERE id = %s", (task_id,))
        state, version = cursor.fetchone()
        raw.commit()
    if state == "completed":
        return False
    result = step()
    with engine.begin() as conn:
        return finish_step(conn, task_id, version, result)
"""
SNAPSHOT = execute_but(
    (
        "    with engine.begin() as conn:\n        row =",
        '    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as conn:\n        row =',
    )
)
CLOSED_BY_HAND = """
# answer: execute_step
from dataclasses import dataclass


@dataclass
class Worker:
    engine: object

    def read(self, task_id):
        conn = self.engine.connect()
        try:
            return conn.execute(text(READ), {"id": task_id}).mappings().one()
        finally:
            conn.rollback()
            conn.close()

    def work(self, task_id, step):
        match self.read(task_id):
            case {"state": "running", "version": version}:
                result = step()
            case _:
                return False
        with self.engine.connect() as conn, conn.begin():
            done = finish_step(conn, task_id, version, result)
        if not done:
            print("somebody else was first:", self.read(task_id)["state"])
        return done


def execute_step(engine, task_id, step):
    return Worker(engine).work(task_id, step)
"""
WITH_FOR_UPDATE_IN_CORE = """
# answer: finish_step
import sqlalchemy as sa

TASKS = sa.table("tasks", *map(sa.column, ("id", "state", "version", "result")))


def finish_step(conn, task_id, version, result):
    seen = conn.execute(sa.select(TASKS).where(TASKS.c.id == task_id).with_for_update()).mappings().one()
    if (seen["state"], seen["version"]) != ("running", version):
        return False
    new = {"state": "completed", "version": seen["version"] + 1, "result": result}
    conn.execute(TASKS.update().where(TASKS.c.id == task_id).values(**new))
    return True
"""

ASKS_FOR_THE_TRANSACTION = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    if not conn.in_transaction():
        raise RuntimeError("finish_step must be called in a transaction")
    done = conn.execute(
        text(FINISH + " AND version = :version AND state = 'running'"),
        {"id": task_id, "version": version, "result": result},
    )
    return done.rowcount == 1
"""

CTE_RETURNING = '''
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = f"""
        WITH done AS ({FINISH} AND version = :version AND state = 'running' RETURNING id)
        SELECT count(*) FROM done
    """
    return conn.scalar(text(statement), {"id": task_id, "version": version, "result": result}) == 1
'''

SAVEPOINT_TAKEN_BACK = '''
# answer: finish_step
def finish_step(conn, task_id, version, result):
    swap = """
        UPDATE tasks SET state = 'completed', result = :result, version = tasks.version + 1
        FROM (SELECT id, state, version FROM tasks WHERE id = :id FOR UPDATE) AS before
        WHERE tasks.id = before.id RETURNING before.state, before.version
    """
    with conn.begin_nested() as savepoint:
        before = conn.execute(text(swap), {"id": task_id, "result": result}).one()
        if tuple(before) == ("running", version):
            return True
        savepoint.rollback()
    return False
'''

NO_KEY_UPDATE_LOCK = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    match conn.execute(text(READ + " FOR NO KEY UPDATE"), {"id": task_id}).one():
        case ("running", seen, _) if seen == version:
            conn.execute(text(FINISH), {"id": task_id, "result": result})
            return True
        case _:
            return False
"""

SESSIONS_AND_MATCH = """
# answer: execute_step
from sqlalchemy.orm import sessionmaker


def execute_step(engine, task_id, step):
    open_session = sessionmaker(engine)
    with open_session.begin() as session:
        seen = session.execute(text(READ), {"id": task_id}).one()._mapping
    match dict(seen):
        case {"state": "completed"}:
            return False
        case {"version": version}:
            result = step()
            with open_session.begin() as session:
                return finish_step(session.connection(), task_id, version, result)
"""

SKIPS_WHAT_IS_LOCKED = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    seen = conn.execute(text(READ + " FOR UPDATE SKIP LOCKED"), {"id": task_id}).one_or_none()
    if seen is None or (seen.state, seen.version) != ("running", version):
        return False
    return conn.execute(text(FINISH), {"id": task_id, "result": result}).rowcount == 1
"""

TABLE_LOCKED = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    conn.execute(text("LOCK TABLE tasks"))
    row = conn.execute(text(READ), {"id": task_id}).one()
    if row.version != version or row.state != "running":
        return False
    conn.execute(text(FINISH), {"id": task_id, "result": result})
    return True
"""

COMPARED_IN_A_SUBQUERY_THAT_LOCKS = COMPARED_IN_A_SUBQUERY.replace("'running')", "'running' FOR UPDATE)")

DRIVER_CONNECTION = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = '''UPDATE tasks SET state = 'completed', result = %s, version = version + 1
                   WHERE id = %s AND version = %s AND state = 'running' RETURNING true'''
    return conn.connection.driver_connection.execute(statement, [result, task_id, version]).fetchone() == (True,)
"""

A_FUNCTION_OF_THE_SERVER = """
# answer: finish_step
CREATE = '''
    CREATE FUNCTION pg_temp.finish(this text, seen int, new text) RETURNS bool LANGUAGE sql BEGIN ATOMIC
        WITH done AS (UPDATE tasks SET state = 'completed', result = new, version = version + 1
                      WHERE id = this AND version = seen AND state = 'running' RETURNING id)
        SELECT EXISTS (SELECT FROM done);
    END
'''


def finish_step(conn, task_id, version, result):
    conn.execute(text(CREATE))
    done = conn.execute(text("SELECT pg_temp.finish(:id, :version, :result)"), [
        {"id": task_id, "version": version, "result": result}
    ]).scalar()
    conn.execute(text("DROP FUNCTION pg_temp.finish"))
    return done
"""

ERROR_TOLD_AND_RAISED = execute_but(
    (
        "    result = step()\n",
        "    try:\n        result = step()\n    except BaseException as error:\n        print(error)\n        raise\n",
    )
)

A_SAVEPOINT_BY_HAND = """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = text(FINISH + " AND version = :version AND state = 'running'")
    conn.exec_driver_sql("SAVEPOINT mine")
    done = conn.execute(statement, {"id": task_id, "version": version, "result": result}).rowcount
    conn.exec_driver_sql("RELEASE SAVEPOINT mine" if done else "ROLLBACK TO SAVEPOINT mine")
    return done == 1
"""

ONE_CONNECTION_ENDED = ONE_CONNECTION.replace("COMPLETED", ENDED).replace("LATE", ENDED)

RIGHT = {
    "one connection": [ONE_CONNECTION_ENDED],
    "a savepoint by hand": [A_SAVEPOINT_BY_HAND],
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
    "a raw cursor": [RAW_CURSOR],
    "a session that joins by a savepoint": [SESSION_IN_A_SAVEPOINT],
    "a savepoint": [NESTED],
    "the driver's own SQL": [DRIVER_SQL],
    "a table that is reflected": [REFLECTED],
    "merged": [MERGED],
    "the step in a thread": [IN_A_THREAD],
    "raw connections": [RAW_CONNECTIONS],
    "a snapshot": [SNAPSHOT],
    "closed by hand": [CLOSED_BY_HAND],
    "locked by Core": [WITH_FOR_UPDATE_IN_CORE],
    "asks for the transaction": [ASKS_FOR_THE_TRANSACTION],
    "a CTE that returns": [CTE_RETURNING],
    "a savepoint that is taken back": [SAVEPOINT_TAKEN_BACK],
    "the lock of an UPDATE": [NO_KEY_UPDATE_LOCK],
    "sessions and match": [SESSIONS_AND_MATCH],
    "skips what is locked": [SKIPS_WHAT_IS_LOCKED],
    "the table locked": [TABLE_LOCKED],
    "compared in a subquery that locks": [COMPARED_IN_A_SUBQUERY_THAT_LOCKS],
    "the driver's connection": [DRIVER_CONNECTION],
    "a function of the server": [A_FUNCTION_OF_THE_SERVER],
    "the error told and raised": [ERROR_TOLD_AND_RAISED],
}

A_GENERATOR_CLOSED = """
# answer: execute_step
from contextlib import closing


def rows(engine, task_id):
    with engine.begin() as conn:
        yield conn.execute(text(READ), {"id": task_id}).mappings().one()


def execute_step(engine, task_id, step):
    with closing(rows(engine, task_id)) as reading:
        row = dict(next(reading))
    if row["state"] == "completed":
        return False
    result = step()
    with engine.begin() as conn:
        return finish_step(conn, task_id, row["version"], result)
"""

OF_THE_VERSION = "AND version = :version"

WRONG += [
    ("the end of the version", LOST, r"had read an older version, \d: finish_step completed it all the same",
     [finish_but((OF_THE_VERSION, "AND version::text LIKE '%' || :version"))]),
    ("the beginning of the version", LOST, r"had read an older version, \d: finish_step completed it all the same",
     [finish_but((OF_THE_VERSION, "AND version::text LIKE :version || '%'"))]),
    ("the version in three digits", LOST, r"had read an older version, \d: finish_step completed it all the same",
     [finish_but((OF_THE_VERSION, "AND version % 1000 = :version % 1000"))]),
    ("a normal form of the result", LOST, r"was to store the result",
     [finish_but(("result}", "unicodedata.normalize('NFC', result)}"),
                 ("def finish_step", "import unicodedata\n\n\ndef finish_step"))]),
    ("the old result for an empty one", LOST, r"was to store the result '', and the task holds 'half of it'",
     [execute_but(("result = step()", "result = step() or row.result"))]),
    ("an error is a state", OPEN, r"left a task that is failed; expected running",
     [execute_but(("    result = step()", """\
    try:
        result = step()
    except Exception:
        with engine.begin() as conn:
            failed = "UPDATE tasks SET state = 'failed', version = version + 1 WHERE id = :id"
            conn.execute(text(failed), {"id": task_id})
        raise"""))]),
    ("a generator keeps the transaction", OPEN, r"While the step ran, .*'s transaction was open",
     [execute_but(("def execute_step", """\
def rows(engine, task_id):
    with engine.begin() as conn:
        yield conn.execute(text(READ), {"id": task_id}).one()


def execute_step"""), ("""\
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
""", """\
    reading = rows(engine, task_id)
    row = next(reading)
"""))]),
    ("two hold a shared lock, and both want to write", FINAL,
     r"A and B: deadlock: A waits for B \(UPDATE tasks\), B waits for A \(UPDATE tasks\)", [TWO_SHARE_A_LOCK]),
]  # fmt: skip

RIGHT |= {
    "a lock of its own, and then it writes": [TWO_SHARE_A_LOCK.replace("FOR SHARE", "FOR UPDATE")],
    "compared with nothing, too": [
        finish_but(("version = :version", "version IS NOT DISTINCT FROM :version")),
    ],
    "a generator that is closed": [A_GENERATOR_CLOSED],
}
