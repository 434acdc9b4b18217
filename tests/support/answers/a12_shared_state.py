"""Answers to exercise 12 that graders must tell apart. WRONG: what it is, the case it breaks, what must be said, cells.

RIGHT: other shapes of a correct answer. What is not given is taken from the solution.
"""

from answers.changes import changed

READ = """
# answer: read_state
def read_state(conn, who, agent_id, task_id):
    names = {"who": who, "agent": agent_id, "task": task_id}
    row = conn.execute(text(READ + " AND owner = :who"), names).first()
    if row is None:
        raise NotFoundError(f"there is no task {task_id}")
    return row.version, row.state
"""
SAVE = """
# answer: save_state
def save_state(conn, who, agent_id, task_id, version, state) -> int:
    names = {"who": who, "agent": agent_id, "task": task_id}
    values = {**names, "version": version, "state": json.dumps(state)}
    if version == 0:
        done = conn.execute(text(INSERT + " ON CONFLICT DO NOTHING"), values)
    else:
        done = conn.execute(text(SAVE + " AND owner = :who AND version = :version"), values)
    if done.rowcount == 1:
        return version + 1
    row = conn.execute(text(READ + " AND owner = :who"), names).first()
    if row is None:
        raise NotFoundError(f"there is no task {task_id}")
    raise VersionConflictError(f"the newest is {row.version}")
"""
GO_ON = """
# answer: go_on
def go_on(client, uri, steps):
    while True:
        try:
            version, state = client.read(uri)
        except ConnectionError:
            continue
        left = [step for step in state["plan"] if step not in state["done"]]
        if not left:
            return state
        name = left[0]
        result = steps[name](state["key"] + " " + name)
        done = dict(state["done"])
        done[name] = result
        try:
            client.save(uri, version, {**state, "done": done})
        except VersionConflictError:
            continue
        except ConnectionError:
            continue
"""


def read_but(*changes):
    """The right `read_state` with these changes, each an old text and a new one."""
    return changed(READ, changes)


def save_but(*changes):
    """The right `save_state` with these changes, each an old text and a new one."""
    return changed(SAVE, changes)


def go_on_but(*changes):
    """The right `go_on` with these changes, each an old text and a new one."""
    return changed(GO_ON, changes)


READ_FORBIDDEN = """
# answer: read_state
def read_state(conn, who, agent_id, task_id):
    query = "SELECT owner, version, state FROM states WHERE agent = :agent AND task = :task"
    rows = conn.execute(text(query), {"agent": agent_id, "task": task_id}).all()
    for row in rows:
        if row.owner == who:
            return row.version, row.state
    raise NotFoundError("not yours" if rows else "not found")
"""
READ_PERMISSION = """
# answer: read_state
def read_state(conn, who, agent_id, task_id):
    query = "SELECT owner, version, state FROM states WHERE agent = :agent AND task = :task"
    rows = conn.execute(text(query), {"agent": agent_id, "task": task_id}).all()
    for row in rows:
        if row.owner == who:
            return row.version, row.state
    if rows:
        raise PermissionError("not yours")
    raise NotFoundError("not found")
"""
READ_SUBCLASS = """
# answer: read_state
class ForbiddenError(NotFoundError):
    pass


def read_state(conn, who, agent_id, task_id):
    query = "SELECT owner, version, state FROM states WHERE agent = :agent AND task = :task"
    rows = conn.execute(text(query), {"agent": agent_id, "task": task_id}).all()
    for row in rows:
        if row.owner == who:
            return row.version, row.state
    raise (ForbiddenError if rows else NotFoundError)("there is no such state")
"""
READ_BELIEVES_THE_STATE = """
# answer: read_state
def read_state(conn, who, agent_id, task_id):
    for row in conn.execute(text(READ), {"agent": agent_id, "task": task_id}):
        if row.state.get("owner", who) == who:
            return row.version, row.state
    raise NotFoundError("there is no such state")
"""
READ_GLUED = """
# answer: read_state
def read_state(conn, who, agent_id, task_id):
    query = "SELECT version, state FROM states WHERE owner || '/' || agent || '/' || task = :id"
    row = conn.execute(text(query), {"id": f"{who}/{agent_id}/{task_id}"}).first()
    if row is None:
        raise NotFoundError("there is no such state")
    return row.version, row.state
"""
READ_REMEMBERS = """
# answer: read_state
_known = {}


def read_state(conn, who, agent_id, task_id):
    names = {"who": who, "agent": agent_id, "task": task_id}
    if (who, agent_id, task_id) not in _known:
        row = conn.execute(text(READ + " AND owner = :who"), names).first()
        if row is None:
            raise NotFoundError("there is no such state")
        _known[who, agent_id, task_id] = row.version, row.state
    return _known[who, agent_id, task_id]
"""
READ_F_STRING = """
# answer: read_state
def read_state(conn, who, agent_id, task_id):
    names = {"who": who, "agent": agent_id}
    row = conn.execute(text(f"SELECT version, state FROM states WHERE agent = :agent AND owner = :who AND task = '{task_id}'"), names).first()
    if row is None:
        raise NotFoundError("there is no such state")
    return row.version, row.state
"""
READ_OWN_CONNECTION = """
# answer: read_state
def read_state(conn, who, agent_id, task_id):
    names = {"who": who, "agent": agent_id, "task": task_id}
    with conn.engine.connect() as own:
        row = own.execute(text(READ + " AND owner = :who"), names).first()
    if row is None:
        raise NotFoundError("there is no such state")
    return row.version, row.state
"""
SAVE_LOOKS_THEN_SAVES = """
# answer: save_state
def save_state(conn, who, agent_id, task_id, version, state) -> int:
    names = {"who": who, "agent": agent_id, "task": task_id}
    row = conn.execute(text(READ + " AND owner = :who"), names).first()
    if row is None and version:
        raise NotFoundError("there is no such state")
    if row is not None and row.version != version:
        raise VersionConflictError("read again")
    values = {**names, "state": json.dumps(state)}
    conn.execute(text(SAVE + " AND owner = :who" if version else INSERT), values)
    return version + 1
"""
SAVE_UPSERT = """
# answer: save_state
def save_state(conn, who, agent_id, task_id, version, state) -> int:
    values = {"who": who, "agent": agent_id, "task": task_id, "version": version, "state": json.dumps(state)}
    upsert = " ON CONFLICT (owner, agent, task) DO UPDATE SET state = excluded.state, version = states.version + 1"
    saved = conn.execute(text(INSERT + upsert + " WHERE states.version = :version RETURNING version"), values).scalar()
    if saved is None:
        raise VersionConflictError("read again")
    return saved
"""
SAVE_CATCHES_WITHOUT_SAVEPOINT = """
# answer: save_state
from sqlalchemy.exc import IntegrityError


def save_state(conn, who, agent_id, task_id, version, state) -> int:
    values = {"who": who, "agent": agent_id, "task": task_id, "version": version, "state": json.dumps(state)}
    if version == 0:
        try:
            conn.execute(text(INSERT), values)
        except IntegrityError:
            raise VersionConflictError("it is there already")
        return 1
    if conn.execute(text(SAVE + " AND owner = :who AND version = :version"), values).rowcount:
        return version + 1
    read_state(conn, who, agent_id, task_id)
    raise VersionConflictError("read again")
"""
SAVE_CATCHES_AND_ROLLS_BACK = """
# answer: save_state
from sqlalchemy.exc import IntegrityError


def save_state(conn, who, agent_id, task_id, version, state) -> int:
    values = {"who": who, "agent": agent_id, "task": task_id, "version": version, "state": json.dumps(state)}
    if version == 0:
        try:
            conn.execute(text(INSERT), values)
        except IntegrityError:
            conn.rollback()
            raise VersionConflictError("it is there already")
        return 1
    if conn.execute(text(SAVE + " AND owner = :who AND version = :version"), values).rowcount:
        return version + 1
    read_state(conn, who, agent_id, task_id)
    raise VersionConflictError("read again")
"""
SAVE_ON_OWN_CONNECTION = """
# answer: save_state
def save_state(conn, who, agent_id, task_id, version, state) -> int:
    values = {"who": who, "agent": agent_id, "task": task_id, "version": version, "state": json.dumps(state)}
    statement = SAVE + " AND owner = :who AND version = :version" if version else INSERT + " ON CONFLICT DO NOTHING"
    with conn.engine.begin() as own:
        if own.execute(text(statement), values).rowcount:
            return version + 1
    read_state(conn, who, agent_id, task_id)
    raise VersionConflictError("read again")
"""
SAVE_LOCKS_ALL_OWNERS = """
# answer: save_state
def save_state(conn, who, agent_id, task_id, version, state) -> int:
    values = {"who": who, "agent": agent_id, "task": task_id, "version": version, "state": json.dumps(state)}
    rows = conn.execute(text("SELECT owner, version FROM states WHERE agent = :agent AND task = :task FOR UPDATE"), values).all()
    versions = {row.owner: row.version for row in rows}
    if who not in versions and version:
        raise NotFoundError("there is no such state")
    if who in versions and versions[who] != version:
        raise VersionConflictError("read again")
    statement = SAVE + " AND owner = :who AND version = :version" if version else INSERT + " ON CONFLICT DO NOTHING"
    if not conn.execute(text(statement), values).rowcount:
        raise VersionConflictError("read again")
    return version + 1
"""
SAVE_LOCKS_THE_TABLE = """
# answer: save_state
def save_state(conn, who, agent_id, task_id, version, state) -> int:
    conn.execute(text("LOCK TABLE states IN SHARE ROW EXCLUSIVE MODE"))
    values = {"who": who, "agent": agent_id, "task": task_id, "version": version, "state": json.dumps(state)}
    row = conn.execute(text(READ + " AND owner = :who"), values).first()
    if row is None and version:
        raise NotFoundError("there is no such state")
    if row is not None and row.version != version:
        raise VersionConflictError("read again")
    conn.execute(text(SAVE + " AND owner = :who" if version else INSERT), values)
    return version + 1
"""
SAVE_DOES_NOT_WAIT = """
# answer: save_state
from sqlalchemy.exc import OperationalError


def save_state(conn, who, agent_id, task_id, version, state) -> int:
    values = {"who": who, "agent": agent_id, "task": task_id, "version": version, "state": json.dumps(state)}
    try:
        with conn.begin_nested():
            row = conn.execute(text(READ + " AND owner = :who FOR UPDATE NOWAIT"), values).first()
            conn.execute(text("SET LOCAL lock_timeout = '10ms'"))
            if row is None and version:
                raise NotFoundError("there is no such state")
            if row is not None and row.version != version:
                raise VersionConflictError("read again")
            statement = SAVE + " AND owner = :who" if version else INSERT + " ON CONFLICT DO NOTHING"
            if not conn.execute(text(statement), values).rowcount:
                raise VersionConflictError("read again")
    except OperationalError:
        raise VersionConflictError("somebody else saves just now")
    return version + 1
"""
SAVE_SAME_IS_SAVED = """
# answer: save_state
def save_state(conn, who, agent_id, task_id, version, state) -> int:
    values = {"who": who, "agent": agent_id, "task": task_id, "version": version, "state": json.dumps(state)}
    statement = SAVE + " AND owner = :who AND version = :version" if version else INSERT + " ON CONFLICT DO NOTHING"
    if conn.execute(text(statement), values).rowcount:
        return version + 1
    newest, stored = read_state(conn, who, agent_id, task_id)
    if stored == state:  # it is there already
        return newest
    raise VersionConflictError("read again")
"""
SAVE_TELLS_ABOUT_OTHERS = """
# answer: save_state
def save_state(conn, who, agent_id, task_id, version, state) -> int:
    values = {"who": who, "agent": agent_id, "task": task_id, "version": version, "state": json.dumps(state)}
    statement = SAVE + " AND owner = :who AND version = :version" if version else INSERT + " ON CONFLICT DO NOTHING"
    if conn.execute(text(statement), values).rowcount:
        return version + 1
    owners = conn.execute(text("SELECT owner FROM states WHERE agent = :agent AND task = :task"), values).scalars().all()
    if who not in owners:
        raise NotFoundError(f"not among {len(owners)} states")
    raise VersionConflictError("read again")
"""
GO_ON_STEP_IN_TRY = """
# answer: go_on
def go_on(client, uri, steps):
    while True:
        try:
            version, state = client.read(uri)
            left = [step for step in state["plan"] if step not in state["done"]]
            if not left:
                return state
            done = {**state["done"], left[0]: steps[left[0]](state["key"] + " " + left[0])}
            client.save(uri, version, {**state, "done": done})
        except (VersionConflictError, ConnectionError):
            pass
"""
GO_ON_SAVES_FIRST = """
# answer: go_on
def go_on(client, uri, steps):
    while True:
        try:
            version, state = client.read(uri)
        except ConnectionError:
            continue
        left = [step for step in state["plan"] if step not in state["done"]]
        if not left:
            return state
        try:
            version = client.save(uri, version, {**state, "done": {**state["done"], left[0]: ""}})
        except (VersionConflictError, ConnectionError):
            continue
        result = steps[left[0]](state["key"] + " " + left[0])
        try:
            client.save(uri, version, {**state, "done": {**state["done"], left[0]: result}})
        except (VersionConflictError, ConnectionError):
            pass
"""
GO_ON_SAVES_AT_THE_END = """
# answer: go_on
def go_on(client, uri, steps):
    while True:
        try:
            version, state = client.read(uri)
        except ConnectionError:
            continue
        left = [step for step in state["plan"] if step not in state["done"]]
        if not left:
            return state
        done = dict(state["done"])
        for step in left:
            done[step] = steps[step](state["key"] + " " + step)
        try:
            client.save(uri, version, {**state, "done": done})
        except (VersionConflictError, ConnectionError):
            pass
"""
GO_ON_OVER_THE_NEWEST = """
# answer: go_on
def go_on(client, uri, steps):
    version, state = read(client, uri)
    for step in state["plan"]:
        if step in state["done"]:
            continue
        state["done"][step] = steps[step](state["key"] + " " + step)
        saved = False
        while not saved:
            try:
                version = client.save(uri, version, state)
                saved = True
            except (VersionConflictError, ConnectionError):
                version, _ = read(client, uri)
    return state


def read(client, uri):
    while True:
        try:
            return client.read(uri)
        except ConnectionError:
            pass
"""
GO_ON_MERGES_OWN_RESULT = """
# answer: go_on
def go_on(client, uri, steps):
    while True:
        version, state = read(client, uri)
        left = [step for step in state["plan"] if step not in state["done"]]
        if not left:
            return state
        result = steps[left[0]](state["key"] + " " + left[0])
        while True:
            state["done"][left[0]] = result
            try:
                client.save(uri, version, state)
                break
            except (VersionConflictError, ConnectionError):
                version, state = read(client, uri)


def read(client, uri):
    while True:
        try:
            return client.read(uri)
        except ConnectionError:
            pass
"""
GO_ON_FIRST_PLAN = """
# answer: go_on
def go_on(client, uri, steps):
    _, state = read(client, uri)
    for step in state["plan"]:
        while True:
            version, state = read(client, uri)
            if step in state["done"]:
                break
            done = {**state["done"], step: steps[step](state["key"] + " " + step)}
            try:
                client.save(uri, version, {**state, "done": done})
            except (VersionConflictError, ConnectionError):
                pass
    return read(client, uri)[1]


def read(client, uri):
    while True:
        try:
            return client.read(uri)
        except ConnectionError:
            pass
"""
GO_ON_BELIEVES_IT_WAS_SAVED = """
# answer: go_on
def go_on(client, uri, steps):
    while True:
        try:
            version, state = client.read(uri)
            break
        except ConnectionError:
            pass
    while True:
        left = [step for step in state["plan"] if step not in state["done"]]
        if not left:
            return state
        done = {**state["done"], left[0]: steps[left[0]](state["key"] + " " + left[0])}
        new = {**state, "done": done}
        try:
            version, state = client.save(uri, version, new), new
        except ConnectionError:
            version, state = version + 1, new
        except VersionConflictError:
            version, state = again(client, uri)


def again(client, uri):
    while True:
        try:
            return client.read(uri)
        except ConnectionError:
            pass
"""
GO_ON_TAKES_STALE_FOR_SAVED = """
# answer: go_on
def go_on(client, uri, steps):
    def asked(what, *args):
        while True:
            try:
                return what(*args)
            except ConnectionError:
                pass

    version, state = asked(client.read, uri)
    while left := [step for step in state["plan"] if step not in state["done"]]:
        new = {**state, "done": {**state["done"], left[0]: steps[left[0]](state["key"] + left[0])}}
        try:
            version, state = client.save(uri, version, new), new
        except VersionConflictError:
            version, state = asked(client.read, uri)
        except ConnectionError:
            try:
                version, state = asked(client.save, uri, version, new), new
            except VersionConflictError:  # so the first attempt was saved
                version, state = version + 1, new
    return state
"""
GO_ON_CHATTERS = """
# answer: go_on
def go_on(client, uri, steps):
    def read():
        while True:
            try:
                return client.read(uri=uri)
            except ConnectionError:
                pass

    read()
    while True:
        version, state = read()
        left = [step for step in state["plan"] if step not in state["done"]]
        if not left:
            return read()[1]
        result = steps[left[0]](state["key"] + "/" + left[0])
        version, state = read()
        if left[0] in state["done"]:
            continue
        state["done"][left[0]] = result
        try:
            client.save(uri=uri, version=version, state=state)
        except (VersionConflictError, ConnectionError):
            read()
        read()
"""
GO_ON_REMEMBERS = """
# answer: go_on
_states = {}


def go_on(client, uri, steps):
    while True:
        try:
            if uri not in _states:
                _states[uri] = client.read(uri)
        except ConnectionError:
            continue
        version, state = _states[uri]
        left = [step for step in state["plan"] if step not in state["done"]]
        if not left:
            return state
        state = {**state, "done": {**state["done"], left[0]: steps[left[0]](state["key"] + " " + left[0])}}
        try:
            _states[uri] = client.save(uri, version, state), state
        except (VersionConflictError, ConnectionError):
            del _states[uri]
"""
GO_ON_GIVES_UP = """
# answer: go_on
def go_on(client, uri, steps):
    for attempt in range(3):
        try:
            version, state = client.read(uri)
        except ConnectionError:
            continue
        left = [step for step in state["plan"] if step not in state["done"]]
        if not left:
            return state
        result = steps[left[0]](state["key"] + " " + left[0])
        try:
            client.save(uri, version, {**state, "done": {**state["done"], left[0]: result}})
        except (VersionConflictError, ConnectionError):
            continue
        return go_on(client, uri, steps)
    raise ConnectionError("given up")
"""
GO_ON_WRITES_ERRORS_DOWN = """
# answer: go_on
def go_on(client, uri, steps):
    while True:
        try:
            version, state = client.read(uri)
        except ConnectionError:
            continue
        left = [step for step in state["plan"] if step not in state["done"]]
        if not left:
            return state
        try:
            result = steps[left[0]](state["key"] + " " + left[0])
        except Exception as error:
            client.save(uri, version, {**state, "error": str(error)})
            raise
        try:
            client.save(uri, version, {**state, "done": {**state["done"], left[0]: result}})
        except (VersionConflictError, ConnectionError):
            pass
"""
GO_ON_RETURNS_WHAT_IT_SAVED = """
# answer: go_on
def go_on(client, uri, steps):
    while True:
        try:
            version, state = client.read(uri)
        except ConnectionError:
            continue
        left = [step for step in state["plan"] if step not in state["done"]]
        if not left:
            return state
        result = steps[left[0]](state["key"] + " " + left[0])
        new = {**state, "done": {**state["done"], left[0]: result}}
        try:
            client.save(uri, version, new)
        except VersionConflictError:
            continue
        except ConnectionError:
            pass
        if len(left) == 1:
            return new
"""


def key_of(expression, *first):
    """The right `go_on` with another key; KEY is the right one."""
    before = [("def go_on", "\n".join([*first, "", "", "def go_on"]))] if first else []
    names = '        mine, plan, done = state["key"], state["plan"], state["done"]\n        result = steps[name]('
    key = expression.replace("{KEY}", "{mine} {name}").replace("KEY", 'f"{mine} {name}"')
    return go_on_but(*before, ('        result = steps[name](state["key"] + " " + name)', f"{names}{key})"))


READ_EMPTY_IS_MISSING = """
# answer: read_state
def read_state(conn, who, agent_id, task_id):
    row = conn.execute(text(READ + " AND owner = :who"), {"who": who, "agent": agent_id, "task": task_id}).one_or_none()
    if not row or not row.state:
        raise NotFoundError("no such state")
    return row.version, row.state
"""

GO_ON_EMPTY_RESULT_OF_ANOTHER = """
# answer: go_on
def read(client, uri):
    while True:
        try:
            return client.read(uri)
        except ConnectionError:
            pass


def go_on(client, uri, steps):
    version, state = read(client, uri)
    while True:
        name = next((step for step in state["plan"] if step not in state["done"]), None)
        if name is None:
            return state
        result = steps[name](state["key"] + name)
        while True:
            new = {**state, "done": {**state["done"], name: result}}
            try:
                version, state = client.save(uri, version, new), new
                break
            except (ConnectionError, VersionConflictError):
                version, state = read(client, uri)
                if state["done"].get(name):
                    break
"""

WRONG = [
    ("an empty state taken for none", "who_may_read", "NotFoundError", [READ_EMPTY_IS_MISSING]),
    ("an empty result of another taken for none", "rereads_after_loss", "another agent did", [GO_ON_EMPTY_RESULT_OF_ANOTHER]),
    ("read any owner", "who_may_read", r"returned the state of owner|expected NotFoundError", [read_but((' + " AND owner = :who"', ""))]),
    (
        "read owner in other letters",
        "who_may_read",
        r"returned the state of owner|expected NotFoundError",
        [read_but(("owner = :who", "lower(owner) = lower(:who)"))],
    ),
    ("read owner like", "who_may_read", r"returned the state of owner|expected NotFoundError", [read_but(("owner = :who", "owner LIKE :who"))]),
    ("read owner trimmed", "who_may_read", r"returned the state of owner|expected NotFoundError", [read_but(("owner = :who", "trim(owner) = trim(:who)"))]),
    ("read agent is the owner", "who_may_read", r"returned the state of owner|expected NotFoundError", [read_but(("owner = :who", "owner IN (:who, :agent)"))]),
    ("read believes the state", "who_may_read", r"returned the state of owner|expected NotFoundError", [READ_BELIEVES_THE_STATE]),
    ("read glues names", "who_may_read", r"returned the state of owner|expected NotFoundError", [READ_GLUED]),
    ("read remembers", "who_may_read", r"read_state\(.*expected", [READ_REMEMBERS]),
    ("read names in the statement", "who_may_read", r"read_state\(.*raised|expected", [READ_F_STRING]),
    ("read on its own connection", "who_may_read", r"Later in this transaction, read_state.* returned \d+ as the version; expected \d+", [READ_OWN_CONNECTION]),
    ("read None for what is missing", "who_may_read", r"returned None; expected NotFoundError", [read_but(('raise NotFoundError(f"there is no task {task_id}")', "return None"))]),
    ("read empty for what is missing", "who_may_read", r"returned version 0 and a state; expected NotFoundError", [read_but(('raise NotFoundError(f"there is no task {task_id}")', "return 0, {}"))]),
    ("read KeyError for what is missing", "who_may_read", r"raised KeyError.*; expected NotFoundError", [read_but(("raise NotFoundError", "raise KeyError"))]),
    ("read one row without a look", "who_may_read", r"raised AttributeError.*; expected NotFoundError", [read_but(("    if row is None:\n        raise NotFoundError(f\"there is no task {task_id}\")\n", ""))]),
    ("read the state first", "who_may_read", r"as the version; expected \d", [read_but(("row.version, row.state", "row.state, row.version"))]),
    ("read a text", "who_may_read", r"as the state; expected a dict", [read_but(("row.version, row.state", "row.version, json.dumps(row.state)"))]),
    ("read the state alone", "who_may_read", r"; expected version and state", [read_but(("row.version, row.state", "row.state"))]),
    ("read commits", "who_may_read", r"leave COMMIT to it|is there all the same", [read_but(("    return row", "    conn.commit()\n    return row"))]),
    ("read rolls back what is missing", "who_may_read", r"leave ROLLBACK to it", [read_but(("        raise", "        conn.rollback()\n        raise"))]),
    ("read begins a transaction", "who_may_read", r"raised InvalidRequestError", [read_but(("    row = ", "    conn.begin()\n    row = "))]),
    ("read makes what is missing", "who_may_read", r"expected NotFoundError|nothing was to be stored", [read_but(("        raise", "        conn.execute(text(INSERT), {**names, \"state\": \"{}\"})\n        raise"))]),
    ("save any owner", "who_may_read", r"was changed|expected", [save_but((" AND owner = :who AND version", " AND version"))]),
    ("save for the owner that the state names", "who_may_read", r"save_state\(", [save_but(('"who": who', '"who": state.get("owner", who)'))]),
    ("save for the owner that a client names", "who_may_read", r"save_state\(", [save_but(('"who": who', '"who": state.get("who") or who'))]),
    ("save any agent", "who_may_read", r"was changed|expected", [save_but(('text(SAVE + " AND owner', 'text(SAVE.replace("agent = :agent AND ", "") + " AND owner'))]),
    ("save takes what others have", "who_may_read", r"was changed|expected", [save_but(("if version == 0:", "if version == 0 and not conn.execute(text(READ), names).first():"), ("AND owner = :who AND version = :version", "AND version = :version"))]),
    ("forbidden in words", "missing_looks_like_forbidden", r"whoever asks must not learn that", [READ_FORBIDDEN]),
    ("forbidden by type", "missing_looks_like_forbidden", r"must not learn|expected NotFoundError", [READ_PERMISSION]),
    ("forbidden by a kind of type", "missing_looks_like_forbidden", r"must not learn", [READ_SUBCLASS]),
    ("save counts others", "missing_looks_like_forbidden", r"must not learn", [SAVE_TELLS_ABOUT_OTHERS]),
    ("save says stale of what others have", "missing_looks_like_forbidden", r"must not learn|expected NotFoundError", [save_but(('READ + " AND owner = :who"', "READ"))]),
    ("save locks all owners", "missing_looks_like_forbidden", r"waited for it", [SAVE_LOCKS_ALL_OWNERS]),
    ("save locks the table", "missing_looks_like_forbidden", r"waited for it", [SAVE_LOCKS_THE_TABLE]),
    ("read locks all owners", "missing_looks_like_forbidden", r"waited for it", [read_but(("    row = ", "    conn.execute(text(READ + \" FOR SHARE\"), names).all()\n    row = "))]),
    ("permission for all", "missing_looks_like_forbidden", r"expected NotFoundError", [read_but(("raise NotFoundError", "raise PermissionError"))]),
    ("save looks, then saves", "stale_refused", r"two saved", [SAVE_LOOKS_THEN_SAVES]),
    ("save over any version", "stale_refused", r"expected VersionConflictError", [save_but((" AND version = :version", ""))]),
    ("save over what is older", "stale_refused", r"expected VersionConflictError", [save_but(("AND version = :version", "AND version <= :version"))]),
    ("save over what is newer", "stale_refused", r"expected VersionConflictError", [save_but(("AND version = :version", "AND version >= :version"))]),
    ("save upserts", "stale_refused", r"expected (VersionConflictError|NotFoundError)", [SAVE_UPSERT]),
    ("save new over what is there", "stale_refused", r"expected VersionConflictError", [save_but(("ON CONFLICT DO NOTHING", "ON CONFLICT (owner, agent, task) DO UPDATE SET state = excluded.state"))]),
    ("save an error of the database", "stale_refused", r"raised IntegrityError.*; expected VersionConflictError", [save_but((' + " ON CONFLICT DO NOTHING"', ""))]),
    ("save catches without a savepoint", "stale_refused", r"the caller's own statement in that transaction", [SAVE_CATCHES_WITHOUT_SAVEPOINT]),
    ("save catches and rolls back", "stale_refused", r"leave ROLLBACK to it|is there all the same|InvalidRequestError", [SAVE_CATCHES_AND_ROLLS_BACK]),
    ("save on its own connection", "stale_refused", r"leave COMMIT to it|is there all the same|save_state", [SAVE_ON_OWN_CONNECTION]),
    ("save commits", "stale_refused", r"leave COMMIT to it|is there all the same", [save_but(("        return version + 1", "        conn.commit()\n        return version + 1"))]),
    ("save rolls back what is stale", "stale_refused", r"leave ROLLBACK to it", [save_but(('    raise VersionConflictError', '    conn.rollback()\n    raise VersionConflictError'))]),
    ("save returns nothing", "stale_refused", r"returned None; expected \d", [save_but(("return version + 1", "return None"))]),
    ("save returns the old version", "stale_refused", r"returned \d+; expected \d", [save_but(("return version + 1", "return version"))]),
    ("save returns True", "stale_refused", r"returned True; expected \d", [save_but(("return version + 1", "return True"))]),
    ("save keeps the version", "stale_refused", r"stored is version \d+; expected \d+", [save_but(("text(SAVE + ", 'text(SAVE.replace("version = version + 1", "version = version") + '))]),
    ("save merges", "stale_refused", r"in what is stored, .* is", [save_but(("text(SAVE + ", 'text(SAVE.replace("state = CAST", "state = state || CAST") + '))]),
    ("save without what it does not know", "stale_refused", r"in what is stored, .* is", [save_but(("json.dumps(state)", 'json.dumps({"plan": state.get("plan", []), "done": state.get("done", {})})'))]),
    ("save with its version in it", "stale_refused", r"in what is stored, .* is", [save_but(("json.dumps(state)", 'json.dumps({**state, "version": version + 1})'))]),
    ("save only what is something", "stale_refused", r"expected|stored", [save_but(("    names =", "    if not state:\n        return version\n    names ="))]),
    ("save never missing", "stale_refused", r"raised VersionConflictError.*; expected NotFoundError", [save_but(("    if row is None:\n        raise NotFoundError(f\"there is no task {task_id}\")\n    raise VersionConflictError(f\"the newest is {row.version}\")", '    raise VersionConflictError("read again")'))]),
    ("save never stale", "stale_refused", r"raised NotFoundError.*; expected VersionConflictError", [save_but(('raise VersionConflictError(f"the newest is {row.version}")', 'raise NotFoundError("no such version")'))]),
    ("save new at any version", "stale_refused", r"expected NotFoundError", [save_but(("    if row is None:\n        raise NotFoundError(f\"there is no task {task_id}\")\n", '    if row is None:\n        conn.execute(text(INSERT), values)\n        return 1\n'))]),
    ("save returns a refusal", "stale_refused", r"returned 0; expected VersionConflictError", [save_but(('raise VersionConflictError(f"the newest is {row.version}")', "return 0"))]),
    ("save does not wait", "stale_refused", r"Another transaction had saved just this, and was undone then.*raised VersionConflictError", [SAVE_DOES_NOT_WAIT]),
    ("save the same is saved", "stale_refused", r"expected VersionConflictError", [SAVE_SAME_IS_SAVED]),
    ("go on with a key of one's own", "b_goes_on", r"under 2 keys|had the key", [key_of("str(uuid.uuid4())", "import uuid")]),
    ("go on with a key of the process", "b_goes_on", r"under 2 keys|had the key", [key_of('f"{os.getpid()} {KEY}"', "import os")]),
    ("go on with a key of the time", "b_goes_on", r"under 2 keys|had the key", [key_of('f"{KEY} {time.time()}"', "import time")]),
    ("go on with a key of the version", "b_goes_on", r"under 2 keys|had the key", [key_of('f"{KEY} {version}"')]),
    ("go on with a key of what is done", "b_goes_on", r"under 2 keys|had the key", [key_of('f"{KEY} {len(done)}"')]),
    ("go on with a key of the place", "b_goes_on", r"have the same key|had the key", [key_of('f"{mine} {plan.index(name)}"')]),
    ("go on with a hash", "b_goes_on", r"under 2 keys|had the key", [key_of("str(hash(KEY))")]),
    ("go on with a key of the step", "b_goes_on", r"have the same key|Two owners", [key_of("name")]),
    ("go on with a key of the state", "b_goes_on", r"have the same key", [key_of("mine")]),
    ("go on with a key of the URI", "b_goes_on", r"Two owners have a state of the same URI", [key_of('f"{uri} {name}"')]),
    ("go on with a key of all that is there", "b_goes_on", r"under 2 keys|had the key", [key_of("json.dumps(state, sort_keys=True) + name")]),
    ("go on with half of the key", "b_goes_on", r"Two owners have a state of the same URI", [key_of("mine[:8] + name")]),
    ("go on with a small key", "b_goes_on", r"have the same key", [key_of("KEY.lower()")]),
    ("go on with a trimmed key", "b_goes_on", r"have the same key", [key_of("KEY.strip()")]),
    ("go on with a short key", "b_goes_on", r"have the same key", [key_of("KEY[:64]")]),
    ("go on with a clean key", "b_goes_on", r"have the same key", [key_of('re.sub(r"\\W", "-", KEY)', "import re")]),
    ("go on with a normal key", "b_goes_on", r"have the same key", [key_of('unicodedata.normalize("NFC", KEY)', "import unicodedata")]),
    ("go on with a key of ASCII", "b_goes_on", r"have the same key", [key_of('KEY.encode("ascii", "replace").decode()')]),
    ("go on with a sum", "b_goes_on", r"have the same key", [key_of("str(sum(KEY.encode()))")]),
    ("go on with a key of two", "b_goes_on", r"expected a text", [key_of("(mine, name)")]),
    ("go on with a key of bytes", "b_goes_on", r"expected a text", [key_of("KEY.encode()")]),
    ("go on without a key", "b_goes_on", r"raised TypeError", [go_on_but(('steps[name](state["key"] + " " + name)', "steps[name]()"))]),
    ("go on saves first", "b_goes_on", r"had not done it", [GO_ON_SAVES_FIRST]),
    ("go on saves at the end", "b_goes_on", r"before the result of .* was saved", [GO_ON_SAVES_AT_THE_END]),
    ("go on in the order of steps", "b_goes_on", r"go_on called .* before|not in the plan", [go_on_but(('for step in state["plan"]', "for step in steps"))]),
    ("go on sorts", "b_goes_on", r"go_on called .* before", [go_on_but(("name = left[0]", "name = sorted(left)[0]"))]),
    ("go on from the end", "b_goes_on", r"go_on called .* before", [go_on_but(("name = left[0]", "name = left[-1]"))]),
    ("go on counts what is done", "b_goes_on", r"go_on", [go_on_but(('[step for step in state["plan"] if step not in state["done"]]', 'state["plan"][len(state["done"]):]'))]),
    ("go on does again what returned nothing", "b_goes_on", r"said that it was done|came to no end", [go_on_but(('step not in state["done"]]', 'not state["done"].get(step)]'))]),
    ("go on without empty results", "b_goes_on", r"it had returned|go_on saved", [go_on_but(("done[name] = result", 'done[name] = result or "done"'))]),
    ("go on trims results", "b_goes_on", r"it had returned", [go_on_but(("done[name] = result", "done[name] = result.strip()"))]),
    ("go on does all again", "b_goes_on", r"said that it was done", [go_on_but(('if step not in state["done"]]', ']'), ("if not left:", 'if set(left) <= set(state["done"]):'))]),
    ("go on drops what is not in the plan", "b_goes_on", r"which was stored, is gone", [go_on_but(('done = dict(state["done"])', 'done = {step: state["done"][step] for step in state["plan"] if step in state["done"]}'))]),
    ("go on saves the plan and the results", "b_goes_on", r"is gone", [go_on_but(('{**state, "done": done}', '{"plan": state["plan"], "done": done}'))]),
    ("go on shortens the plan", "b_goes_on", r"plan.* is now", [go_on_but(('{**state, "done": done}', '{**state, "plan": left[1:], "done": done}'))]),
    ("go on notes who it is", "b_goes_on", r"change nothing but done", [go_on_but(('{**state, "done": done}', '{**state, "done": done, "agent": "b"}'))]),
    ("go on returns nothing", "b_goes_on", r"returned None; expected the state", [go_on_but(("return state", "return"))]),
    ("go on returns the results", "b_goes_on", r"returned a state whose", [go_on_but(("return state", 'return state["done"]'))]),
    ("go on with a step in try", "b_goes_on", r"raised \w+, and go_on went on", [GO_ON_STEP_IN_TRY]),
    ("go on passes over what fails", "b_goes_on", r"went on|let it through", [go_on_but(('        result = steps[name](state["key"] + " " + name)\n', '        try:\n            result = steps[name](state["key"] + " " + name)\n        except Exception:\n            result = "failed"\n'))]),
    ("go on wraps what a step raises", "b_goes_on", r"let it through, as it is", [go_on_but(('        result = steps[name](state["key"] + " " + name)\n', '        try:\n            result = steps[name](state["key"] + " " + name)\n        except Exception as error:\n            raise RuntimeError(f"{name} failed") from error\n'))]),
    ("go on writes errors down", "b_goes_on", r"went on", [GO_ON_WRITES_ERRORS_DOWN]),
    ("go on does one step", "b_goes_on", r"is not stored as done", [go_on_but(('            client.save(uri, version, {**state, "done": done})\n', '            client.save(uri, version, {**state, "done": done})\n            return {**state, "done": done}\n'))]),
    ("go on never saves", "b_goes_on", r"before the result of|is not stored as done|came to no end", [go_on_but(('            client.save(uri, version, {**state, "done": done})\n', "            pass\n"))]),
    ("go on over the newest", "rereads_after_loss", r"is gone|is now|which was done", [GO_ON_OVER_THE_NEWEST]),
    ("go on merges its own result", "rereads_after_loss", r"which was done: its result was", [GO_ON_MERGES_OWN_RESULT]),
    ("go on with the first plan", "rereads_after_loss", r"is not stored as done|before", [GO_ON_FIRST_PLAN]),
    ("go on believes that it was saved", "rereads_after_loss", r"is not stored|before the result of|go_on", [GO_ON_BELIEVES_IT_WAS_SAVED]),
    ("go on takes stale for saved", "rereads_after_loss", r"go_on", [GO_ON_TAKES_STALE_FOR_SAVED]),
    ("go on remembers", "rereads_after_loss", r"is not stored as done|returned a state whose", [GO_ON_REMEMBERS]),
    ("go on gives up", "rereads_after_loss", r"raised ConnectionError: given up", [GO_ON_GIVES_UP]),
    ("go on returns what it has saved", "rereads_after_loss", r"go_on returned|is not stored", [GO_ON_RETURNS_WHAT_IT_SAVED]),
    ("go on lets VersionConflictError through", "rereads_after_loss", r"raised VersionConflictError", [go_on_but(("        except VersionConflictError:\n            continue\n", ""))]),
    ("go on lets a lost save through", "rereads_after_loss", r"raised Connection|raised BrokenPipe", [go_on_but(('client.save(uri, version, {**state, "done": done})\n        except VersionConflictError:\n            continue\n        except ConnectionError:\n            continue\n', 'client.save(uri, version, {**state, "done": done})\n        except VersionConflictError:\n            continue\n'))]),
    ("go on lets a lost read through", "rereads_after_loss", r"raised Connection|raised BrokenPipe", [go_on_but(("        try:\n            version, state = client.read(uri)\n        except ConnectionError:\n            continue\n", "        version, state = client.read(uri)\n"))]),
    ("go on swallows all of a save", "rereads_after_loss", r"let it through", [go_on_but(("        except VersionConflictError:\n            continue\n", "        except Exception:\n            continue\n"))]),
    ("go on swallows all of a read", "rereads_after_loss", r"let it through", [go_on_but(("client.read(uri)\n        except ConnectionError:", "client.read(uri)\n        except Exception:"))]),
    ("go on swallows what is of the system", "rereads_after_loss", r"let it through", [go_on_but(("client.read(uri)\n        except ConnectionError:", "client.read(uri)\n        except OSError:"))]),
    ("go on makes what is missing", "rereads_after_loss", r"let it through", [go_on_but(("            version, state = client.read(uri)\n        except ConnectionError:", '            version, state = client.read(uri)\n        except NotFoundError:\n            client.save(uri, 0, {"plan": [*steps], "done": {}})\n            continue\n        except ConnectionError:'))]),
    ("go on ends when it is refused", "rereads_after_loss", r"is not stored as done|returned a state whose", [go_on_but(("        except VersionConflictError:\n            continue\n", "        except VersionConflictError:\n            return state\n"))]),
    ("go on takes refused as done", "rereads_after_loss", r"before the result of|is not stored|expected the state|go_on", [go_on_but(("    while True:\n        try:\n            version", "    lost = set()\n    while True:\n        try:\n            version"), ('step not in state["done"]]', 'step not in state["done"] and step not in lost]'), ("        except VersionConflictError:\n            continue\n", "        except VersionConflictError:\n            lost.add(name)\n            continue\n"))]),
]  # fmt: skip

READ_CORE = """
# answer: read_state
import sqlalchemy as sa

_states = sa.table("states", *map(sa.column, ("owner", "agent", "task", "version", "state")))


def read_state(conn, who, agent_id, task_id):
    this = (_states.c.owner == who) & (_states.c.agent == agent_id) & (_states.c.task == task_id)
    found = conn.execute(sa.select(_states.c.version, _states.c.state).where(this)).all()
    if not found:
        raise NotFoundError
    return found[0]
"""
READ_RAW_CURSOR = """
# answer: read_state
def read_state(conn, who, agent_id, task_id):
    cursor = conn.connection.cursor()
    cursor.execute(
        "SELECT version, state FROM states WHERE (owner, agent, task) = (%s, %s, %s)", (who, agent_id, task_id)
    )
    row = cursor.fetchone()
    cursor.close()
    if row:
        return list(row)
    raise NotFoundError(who, agent_id, task_id)
"""
READ_IN_PYTHON = """
# answer: read_state
def read_state(conn, who, agent_id, task_id):
    query = "SELECT owner, version, state FROM states WHERE agent = :agent AND task = :task"
    mine = {
        row.owner: (row.version, row.state)
        for row in conn.execute(text(query), {"agent": agent_id, "task": task_id})
    }
    try:
        return mine[who]
    except KeyError:
        raise NotFoundError(f"nothing for {who!r} at {agent_id!r}, {task_id!r}") from None
"""
READ_ONE = """
# answer: read_state
from sqlalchemy.exc import NoResultFound


class Nothing(NotFoundError):
    def __str__(self):
        return "nothing there"


def read_state(conn, who, agent_id, task_id):
    with conn.begin_nested():
        try:
            row = conn.execute(
                text(f"{READ} AND owner = :owner FOR UPDATE"), dict(owner=who, agent=agent_id, task=task_id)
            ).mappings().one()
        except NoResultFound as error:
            raise Nothing() from error
    yielded = row["version"], row["state"]
    return yielded
"""
SAVE_READS_FOR_UPDATE = """
# answer: save_state
from sqlalchemy.exc import IntegrityError


def save_state(conn, who, agent_id, task_id, version, state) -> int:
    values = {"who": who, "agent": agent_id, "task": task_id, "state": json.dumps(state)}
    row = conn.execute(text(READ + " AND owner = :who FOR UPDATE"), values).one_or_none()
    if row is not None:
        if row.version != version:
            raise VersionConflictError(f"{row.version} is stored, not {version}")
        conn.execute(text(SAVE + " AND owner = :who"), values)
        return row.version + 1
    if version != 0:
        raise NotFoundError("no such state")
    try:
        with conn.begin_nested():
            conn.execute(text(INSERT), values)
    except IntegrityError:
        raise VersionConflictError("somebody was first") from None
    return 1
"""
SAVE_CORE_RETURNING = """
# answer: save_state
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

table = sa.table(
    "states", sa.column("owner"), sa.column("agent"), sa.column("task"), sa.column("version"), sa.column("state", JSONB)
)


def save_state(conn, who, agent_id, task_id, version, state) -> int:
    key = {"owner": who, "agent": agent_id, "task": task_id}
    if version:
        query = sa.update(table).where(*(table.c[name] == value for name, value in key.items()))
        query = query.where(table.c.version == version).values(state=state, version=table.c.version + 1)
    else:
        query = insert(table).values(**key, version=1, state=state).on_conflict_do_nothing()
    saved = conn.scalar(query.returning(table.c.version))
    if saved:
        return saved
    if conn.scalar(sa.select(sa.func.count()).select_from(table).filter_by(**key)):
        raise VersionConflictError
    raise NotFoundError
"""
SAVE_ADVISORY_LOCK = """
# answer: save_state
def save_state(conn, who, agent_id, task_id, version, state) -> int:
    values = {"who": who, "agent": agent_id, "task": task_id, "state": json.dumps(state)}
    name = json.dumps([who, agent_id, task_id])
    conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 12))"), {"name": name})
    try:
        newest = read_state(conn, who, agent_id, task_id)[0]
    except NotFoundError:
        newest = 0
    if newest == 0 and version > 0:
        raise NotFoundError("save it as version 0")
    if version != newest:
        raise VersionConflictError("read again")
    conn.execute(text(SAVE + " AND owner = :who") if newest else text(INSERT), values)
    return newest + 1
"""
SAVE_ONE_STATEMENT = """
# answer: save_state
ONE = '''
    WITH old AS (SELECT version FROM states WHERE owner = :who AND agent = :agent AND task = :task),
    new AS (
        INSERT INTO states (owner, agent, task, version, state)
        SELECT :who, :agent, :task, 1, CAST(:state AS jsonb) WHERE :version = 0
        ON CONFLICT DO NOTHING RETURNING version),
    over AS (
        UPDATE states SET state = CAST(:state AS jsonb), version = version + 1
        WHERE owner = :who AND agent = :agent AND task = :task AND version = :version AND :version > 0
        RETURNING version)
    SELECT (SELECT version FROM new UNION ALL SELECT version FROM over), (SELECT version FROM old)
'''


def save_state(conn, who, agent_id, task_id, version, state) -> int:
    values = dict(who=who, agent=agent_id, task=task_id, version=version, state=json.dumps(state))
    saved, old = conn.execute(text(ONE), values).one()
    if saved is not None:
        return saved
    if version and old is None:
        raise NotFoundError()
    raise VersionConflictError(version)
"""
SAVE_RAW_PSYCOPG = """
# answer: save_state
from psycopg.types.json import Jsonb


def save_state(conn, who, agent_id, task_id, version, state) -> int:
    with conn.connection.cursor() as cursor:
        if version == 0:
            cursor.execute(
                "INSERT INTO states VALUES (%s, %s, %s, 1, %s) ON CONFLICT DO NOTHING RETURNING version",
                (who, agent_id, task_id, Jsonb(state)),
            )
        else:
            cursor.execute(
                "UPDATE states SET state = %s, version = %s WHERE owner = %s AND agent = %s AND task = %s"
                " AND version = %s RETURNING version",
                (Jsonb(state), version + 1, who, agent_id, task_id, version),
            )
        row = cursor.fetchone()
        if row is not None:
            return row[0]
        cursor.execute("SELECT 1 FROM states WHERE owner = %s AND agent = %s AND task = %s", (who, agent_id, task_id))
        missing = cursor.fetchone() is None
    if missing:
        raise NotFoundError(f"{agent_id}/{task_id}")
    raise VersionConflictError(f"{agent_id}/{task_id} {version}")
"""
SAVE_LOOKS_FIRST = """
# answer: save_state
def save_state(conn, who, agent_id, task_id, version, state) -> int:
    key = {"who": who, "agent": agent_id, "task": task_id}
    if version:
        stored, _ = read_state(conn, who, agent_id, task_id)
        if stored != version:
            raise VersionConflictError(stored)
        sql = SAVE + " AND version = :version AND owner = :who"
    else:
        sql = INSERT.replace("INSERT", "INSERT", 1) + " ON CONFLICT (owner, agent, task) DO NOTHING"
    result = conn.execute(text(sql), {**key, "version": version, "state": json.dumps(state, ensure_ascii=False)})
    match result.rowcount:
        case 1:
            return version + 1
        case _:
            raise VersionConflictError("another was faster")
"""
GO_ON_KEEPS_ITS_STATE = """
# answer: go_on
import hashlib


class Agent:
    def __init__(self, client, uri, steps):
        self.client, self.uri, self.steps = client, uri, steps

    def read(self):
        while True:
            try:
                self.version, self.state = self.client.read(self.uri)
                return
            except ConnectionError:
                pass

    def key(self, step):
        return hashlib.sha256(json.dumps([self.state["key"], step]).encode()).hexdigest()

    def save(self, done):
        new = self.state | {"done": self.state["done"] | done}
        try:
            self.version = self.client.save(self.uri, self.version, new)
        except (ConnectionError, VersionConflictError):
            self.read()
        else:
            self.state = new

    def run(self):
        self.read()
        while left := [step for step in self.state["plan"] if step not in self.state["done"]]:
            self.save({left[0]: self.steps[left[0]](self.key(left[0]))})
        return self.state


def go_on(client, uri, steps):
    return Agent(client, uri, steps).run()
"""
GO_ON_KEEPS_ITS_RESULT = """
# answer: go_on
def go_on(client, uri, steps):
    version, state = _read(client, uri)
    results = {}
    while True:
        step = next((s for s in state["plan"] if s not in state["done"]), None)
        if step is None:
            return state
        if step not in results:
            results[step] = steps[step](json.dumps({"state": state["key"], "step": step}))
        state["done"][step] = results[step]
        try:
            version = client.save(uri, version, state)
        except (VersionConflictError, ConnectionError):
            version, state = _read(client, uri)


def _read(client, uri):
    try:
        return client.read(uri)
    except ConnectionError:
        return _read(client, uri)
"""
GO_ON_RECURSIVE = """
# answer: go_on
def go_on(client, uri, steps):
    try:
        version, state = client.read(uri)
    except ConnectionError:
        return go_on(client, uri, steps)
    for step in state["plan"]:
        if step in state["done"]:
            continue
        result = steps[step](repr((state["key"], step)))
        try:
            client.save(uri, version, dict(state, done=dict(state["done"], **{step: result})))
        except VersionConflictError:
            pass
        except ConnectionError:
            pass
        return go_on(client, uri, steps)
    return state
"""
GO_ON_WITH_BACKOFF = """
# answer: go_on
import time
import uuid


def patiently(call, *arguments):
    for attempt in range(4):
        try:
            return call(*arguments)
        except ConnectionError:
            if attempt == 3:
                raise
            time.sleep(2**attempt)


def go_on(client, uri, steps):
    failed = 0
    while True:
        version, state = patiently(client.read, uri)
        todo = list(filter(lambda step: step not in state["done"].keys(), state["plan"]))
        if todo == []:
            return state
        step, *_ = todo
        result = steps[step](str(uuid.uuid5(uuid.NAMESPACE_URL, state["key"] + step)))
        state["done"][step] = result
        try:
            client.save(uri, version, state)
        except (VersionConflictError, ConnectionError):
            failed += 1
            if failed > 3:
                raise
        else:
            failed = 0
"""
GO_ON_SAVES_AGAIN_AS_IT_WAS = """
# answer: go_on
def go_on(client, uri, steps):
    def asked(what, *args):
        while True:
            try:
                return what(*args)
            except ConnectionError as lost:
                print("no answer", lost)

    version, state = asked(client.read, uri)
    while set(state["plan"]) - set(state["done"]):
        step = [each for each in state["plan"] if each not in state["done"]][0]
        new = json.loads(json.dumps(state))
        new["done"][step] = steps[step](step + " of " + state["key"])
        try:
            # if it was saved, the next attempt is stale
            version, state = asked(client.save, uri, version, new), new
        except VersionConflictError:
            version, state = asked(client.read, uri)
    return state
"""
GO_ON_GENERATOR = """
# answer: go_on
from contextlib import suppress

from labkit import step_key


def states(client, uri):
    while True:
        with suppress(ConnectionError):
            yield client.read(uri)


def go_on(client, uri, steps):
    for version, state in states(client, uri):
        if state["plan"] == [] or all(step in state["done"] for step in state["plan"]):
            return state
        step = min(set(state["plan"]) - set(state["done"]), key=state["plan"].index)
        result = steps[step](step_key(state["key"], step))
        with suppress(VersionConflictError, ConnectionError):
            client.save(uri, version, {**state, "done": {**state["done"], step: result}})
"""
GO_ON_ASKS_WHETHER_IT_WAS_SAVED = """
# answer: go_on
def go_on(client, uri, steps):
    def reread():
        while True:
            try:
                return client.read(uri)
            except ConnectionError:
                continue

    version, state = reread()
    index = 0
    while index < len(state["plan"]):
        step = state["plan"][index]
        if step in state["done"]:
            index += 1
            continue
        result = steps[step](step + " @ " + state["key"])
        mine = {**state, "done": {**state["done"], step: result}}
        try:
            version = client.save(uri, version, mine)
            state = mine
        except ConnectionError:
            version, state = reread()
            index = 0
        except VersionConflictError:
            version, state = reread()
            while step not in state["done"]:
                state["done"][step] = result
                try:
                    version = client.save(uri, version, state)
                except (VersionConflictError, ConnectionError):
                    version, state = reread()
            index = 0
    return state
"""
GO_ON_TELLS_ERRORS_APART = """
# answer: go_on
class StepFailed(Exception):
    pass


def go_on(client, uri, steps):
    def do(key, step):
        try:
            return steps[step](f"{key}?{step}")
        except BaseException as error:
            raise StepFailed from error

    while True:
        try:
            version, state = client.read(uri)
            undone = [step for step in state["plan"] if step not in state["done"]]
            if not undone:
                break
            state["done"] |= {undone[0]: do(state["key"], undone[0])}
            client.save(uri, version, state)
        except StepFailed as failed:
            raise failed.__cause__
        except (ConnectionError, VersionConflictError):
            continue
    return state
"""

RIGHT = {
    "read core": [READ_CORE],
    "read raw cursor": [READ_RAW_CURSOR],
    "read in python": [READ_IN_PYTHON],
    "read one, in a savepoint": [READ_ONE],
    "save reads for update": [SAVE_READS_FOR_UPDATE],
    "save core returning": [SAVE_CORE_RETURNING],
    "save advisory lock": [SAVE_ADVISORY_LOCK],
    "save one statement": [SAVE_ONE_STATEMENT],
    "save raw psycopg": [SAVE_RAW_PSYCOPG],
    "save looks first": [SAVE_LOOKS_FIRST],
    "go on keeps its state": [GO_ON_KEEPS_ITS_STATE],
    "go on keeps its result": [GO_ON_KEEPS_ITS_RESULT],
    "go on recursive": [GO_ON_RECURSIVE],
    "go on with backoff": [GO_ON_WITH_BACKOFF],
    "go on saves again as it was": [GO_ON_SAVES_AGAIN_AS_IT_WAS],
    "go on generator": [GO_ON_GENERATOR],
    "go on asks whether it was saved": [GO_ON_ASKS_WHETHER_IT_WAS_SAVED],
    "go on chatters": [GO_ON_CHATTERS],
    "go on tells errors apart": [GO_ON_TELLS_ERRORS_APART],
    "as the first attempt of a good student": [READ, SAVE, GO_ON],
}

WRONG += [
    ("save advisory lock", "missing_looks_like_forbidden", r"another owner had saved .* and save_state waited for it",
     ['''\
# answer: save_state
def save_state(conn, who, agent_id, task_id, version, state) -> int:
    key = {"who": who, "agent": agent_id, "task": task_id}
    data = json.dumps(state)
    # one at a time; the lock goes with the transaction
    conn.execute(
        text("SELECT pg_advisory_xact_lock(hashtext(:agent), hashtext(:task))"),
        {"agent": agent_id, "task": task_id},
    )
    row = conn.execute(text(READ + " AND owner = :who"), key).one_or_none()
    if row is None:
        if version != 0:
            raise NotFoundError("no such state")
        if conn.execute(text(INSERT + " ON CONFLICT DO NOTHING"), {**key, "state": data}).rowcount == 0:
            raise VersionConflictError("stale")
        return 1
    saved = conn.execute(
        text(SAVE + " AND owner = :who AND version = :version"),
        {**key, "state": data, "version": version},
    )
    if saved.rowcount == 0:
        raise VersionConflictError("stale")
    return version + 1
''']),
    ("go path join key", "b_goes_on", r"In both, the step '/.*' had the key '/",
     ['''\
# answer: go_on
from posixpath import join


def go_on(client, uri, steps):
    def read():
        while True:
            try:
                return client.read(uri)
            except ConnectionError:
                pass

    version, state = read()
    while True:
        todo = [n for n in state["plan"] if n not in state["done"]]
        if not todo:
            return state
        name = todo[0]
        result = steps[name](join(state["key"], name))
        while name not in state["done"]:
            mine = {**state, "done": {**state["done"], name: result}}
            try:
                version, state = client.save(uri, version, mine), mine
            except (VersionConflictError, ConnectionError):
                version, state = read()
''']),
]  # fmt: skip

WRONG += [
    ("removes nul from the json", "stale_refused", r"raised DataError: .* invalid input syntax for type json",
     [r'''# answer: save_state
def as_jsonb(state):
    """The JSON of a state; jsonb refuses NUL."""
    return json.dumps(state).replace("\\u0000", "")


def save_state(conn, who, agent_id, task_id, version, state) -> int:
    """Save over the version that was read, 0 if there was none; the new version."""
    values = {"who": who, "agent": agent_id, "task": task_id, "version": version, "state": as_jsonb(state)}
    if version == 0:
        if conn.execute(text(INSERT + " ON CONFLICT DO NOTHING"), values).rowcount == 1:
            return 1
        raise VersionConflictError("another version is stored")
    if conn.execute(text(SAVE + " AND owner = :who AND version = :version"), values).rowcount == 1:
        return version + 1
    if conn.execute(text(READ + " AND owner = :who"), values).one_or_none() is None:
        raise NotFoundError("no such state")
    raise VersionConflictError("another version is stored")
''']),
    ("one budget for all steps", "rereads_after_loss", r"go_on raised \w+: no answer came at _try",
     ['''\
# answer: go_on
class Patient:
    """A client that bears three broken connections."""

    def __init__(self, client, uri, patience=3):
        self.client, self.uri, self.patience = client, uri, patience

    def _try(self, call, *args):
        while True:
            try:
                return call(self.uri, *args)
            except ConnectionError:
                if self.patience == 0:
                    raise
                self.patience -= 1

    def read(self):
        return self._try(self.client.read)

    def save(self, version, state):
        return self._try(self.client.save, version, state)


def go_on(client, uri, steps):
    """Do what the plan has and nobody has done; the state in the end."""
    server = Patient(client, uri)
    version, state = server.read()
    while todo := [name for name in state["plan"] if name not in state["done"]]:
        name = todo[0]
        result = steps[name](f"{state['key']}/{name}")
        wanted = {**state, "done": {**state["done"], name: result}}
        try:
            version, state = server.save(version, wanted), wanted
        except VersionConflictError:
            version, state = server.read()
    return state
''']),
]  # fmt: skip
