"""Answers to exercise 2 that graders must tell apart. WRONG: what it is, the case it breaks, what must be said, cells.

RIGHT: other shapes of a correct answer. What is not given is taken from the solution.
"""


def _key(made: str, before: str = "") -> list[str]:
    """A step_key that returns this expression, and what stands before it."""
    return [f"# answer: step_key\n{before}\n\ndef step_key(task_id, step):\n    return {made}\n"]


CALL = '    result = do_work(task.user_input, step_key(task_id, "work"))\n'
EXECUTE = f"""# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
{CALL}    return store.save(task.to(TaskState.COMPLETED, result=result))
"""


def _execute(old: str, new: str, before: str = "") -> list[str]:
    """The solution, with this in place of that, and what stands before it."""
    assert old in EXECUTE
    return [EXECUTE.replace(old, new).replace("\ndef ", f"\n{before}\n\ndef ", 1)]


def _caught(handler: str) -> list[str]:
    """The solution, whose call of do_work stands in a `try` with this handler."""
    return _execute(CALL, f"    try:\n    {CALL}{handler}")


NEW_KEY = """
# answer: step_key
def step_key(task_id, step):
    return str(uuid.uuid4())
"""

CLOCK_KEY = """
# answer: step_key
import time


def step_key(task_id, step):
    return json.dumps([task_id, step, time.time()])
"""

DATE_KEY = """
# answer: step_key
from datetime import datetime


def step_key(task_id, step):
    return json.dumps([task_id, step, f"{datetime.now():%Y-%m-%d %H:%M}"])
"""

PROCESS_KEY = """
# answer: step_key
import os


def step_key(task_id, step):
    return json.dumps([os.getpid(), task_id, step])
"""

HASH_KEY = """
# answer: step_key
def step_key(task_id, step):
    return str(hash((task_id, step)))
"""

COUNTED_KEY = """
# answer: step_key
from itertools import count

numbers = count(1)


def step_key(task_id, step):
    return f"request {next(numbers)}"
"""

KEY_KEPT_IN_MEMORY = """
# answer: step_key
keys = {}


def step_key(task_id, step):
    return keys.setdefault((task_id, step), uuid.uuid4().hex)
"""

NUMBERED_IN_MEMORY = """
# answer: step_key
steps = []


def step_key(task_id, step):
    if (task_id, step) not in steps:
        steps.append((task_id, step))
    return f"step {steps.index((task_id, step))}"
"""

NO_TEXT = """
# answer: step_key
def step_key(task_id, step):
    return task_id, step
"""

EMPTY_KEY = """
# answer: step_key
def step_key(task_id, step):
    return ""
"""

ADDRESS_KEY = """
# answer: step_key
class Key:
    def __init__(self, *names):
        self.names = names


def step_key(task_id, step):
    return Key(task_id, step)
"""

GLUED_BY_A_SLASH = """
# answer: step_key
def step_key(task_id, step):
    return f"{task_id}/{step}"
"""

GLUED_BY_A_WORD = """
# answer: step_key
def step_key(task_id, step):
    return f"{task_id} and its step {step}"
"""

GLUED_THE_OTHER_WAY = """
# answer: step_key
def step_key(task_id, step):
    return step + "@@" + task_id
"""

HASHED_GLUE = """
# answer: step_key
def step_key(task_id, step):
    return hashlib.sha256((task_id + step).encode()).hexdigest()
"""

HASHED_COLON = """
# answer: step_key
def step_key(task_id, step):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{task_id}:{step}"))
"""

ESCAPED_BY_HALF = r"""
# answer: step_key
def step_key(task_id, step):
    return task_id.replace("/", "\\/") + "/" + step.replace("/", "\\/")
"""

CLEANED = """
# answer: step_key
def step_key(task_id, step):
    clean = ["".join(c for c in name if c.isalnum()) for name in (task_id, step)]
    return "/".join(clean)
"""

LOWERED = """
# answer: step_key
def step_key(task_id, step):
    return json.dumps([task_id.lower(), step])
"""

STRIPPED = """
# answer: step_key
def step_key(task_id, step):
    return json.dumps([task_id.strip(), step.strip()])
"""

IN_ANY_ORDER = """
# answer: step_key
def step_key(task_id, step):
    return json.dumps(sorted([task_id, step]))
"""

CUT_OFF = """
# answer: step_key
def step_key(task_id, step):
    return json.dumps([task_id, step])[:64]
"""

SHORT_DIGEST = """
# answer: step_key
def step_key(task_id, step):
    return hashlib.sha256(json.dumps([task_id, step]).encode()).hexdigest()[:2]
"""

ONE_KEY = """
# answer: step_key
def step_key(task_id, step):
    return "idempotency-key"
"""

STEP_ONLY = """
# answer: step_key
def step_key(task_id, step):
    return step
"""

TASK_ONLY = """
# answer: step_key
def step_key(task_id, step):
    return task_id
"""

SWALLOWS = """
# answer: step_key
def step_key(task_id, step):
    try:
        return json.dumps([task_id, step], check=True)
    except Exception:
        return "key"
"""

DOES_NOTHING = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    pass
"""

ALWAYS_WORKS = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    result = do_work(task.user_input, step_key(task_id, "work"))
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

NEVER_LOOKS = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.save(store.get(Task, task_id).to(TaskState.RUNNING))
    result = do_work(task.user_input, step_key(task_id, "work"))
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

NONE_IF_DONE = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is not TaskState.COMPLETED:
        if task.state is TaskState.PENDING:
            task = store.save(task.to(TaskState.RUNNING))
        result = do_work(task.user_input, step_key(task_id, "work"))
        return store.save(task.to(TaskState.COMPLETED, result=result))
"""

DONE_IN_OTHER_WORDS = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task.model_copy(update={"result": "already done"})
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    result = do_work(task.user_input, step_key(task_id, "work"))
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

RESULT_NOT_SAVED = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    do_work(task.user_input, step_key(task_id, "work"))
    return store.save(task.to(TaskState.COMPLETED, result="done"))
"""

NOT_SAVED = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    result = do_work(task.user_input, step_key(task_id, "work"))
    return task.to(TaskState.COMPLETED, result=result)
"""

NEVER_RUNNING = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    result = do_work(task.user_input, step_key(task_id, "work"))
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

OLD_TASK_SAVED = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    running = task.to(TaskState.RUNNING)
    store.save(running)
    result = do_work(task.user_input, step_key(task_id, "work"))
    return store.save(running.to(TaskState.COMPLETED, result=result))
"""

RETURNS_THE_RESULT = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    result = do_work(task.user_input, step_key(task_id, "work"))
    store.save(task.to(TaskState.COMPLETED, result=result))
    return result
"""

WORKS_TWICE = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    key = step_key(task_id, "work")
    if do_work(task.user_input, key):
        return store.save(task.to(TaskState.COMPLETED, result=do_work(task.user_input, key)))
"""

ANOTHER_WISH = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    result = do_work(task_id, step_key(task_id, "work"))
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

NO_KEY = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    result = do_work(task.user_input, None)
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

NEW_KEY_INSIDE = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    result = do_work(task.user_input, uuid.uuid4().hex)
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

KEY_OF_THE_ATTEMPT = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    task = store.save(task.to(TaskState.RUNNING))
    result = do_work(task.user_input, step_key(task_id, f"attempt {task.version}"))
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

KEY_OF_THE_SAVE = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    task = store.save(task.to(TaskState.RUNNING))
    result = do_work(task.user_input, f"{task_id} {task.updated_at}")
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

KEY_SAVED_TOO_LATE = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    key = task.journal.get("key") or uuid.uuid4().hex
    result = do_work(task.user_input, key)
    task = store.save(task.finished("key", key).to(TaskState.RUNNING))
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

KEY_OF_THE_WISH = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    result = do_work(task.user_input, hashlib.sha256(task.user_input.encode()).hexdigest())
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

RUNNING_IS_DONE = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is not TaskState.PENDING:
        return task
    task = store.save(task.to(TaskState.RUNNING))
    result = do_work(task.user_input, step_key(task_id, "work"))
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

COMPLETED_BEFORE = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    store.save(task.to(TaskState.COMPLETED))
    result = do_work(task.user_input, step_key(task_id, "work"))
    return task.to(TaskState.COMPLETED, result=result)
"""

CHECK_THEN_ACT = """
# answer: execute_task_if_not_done
from pathlib import Path


def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    done = Path(f"{task_id}.done")
    if not done.exists():
        done.write_bytes(do_work(task.user_input, uuid.uuid4().hex).encode())
    return store.save(task.to(TaskState.COMPLETED, result=done.read_bytes().decode()))
"""
LINE_ENDS_LOST = CHECK_THEN_ACT.replace("write_bytes", "write_text").replace(".hex).encode()", ".hex)")
LINE_ENDS_LOST = LINE_ENDS_LOST.replace("read_bytes().decode()", "read_text()")

MARKED_BEFORE = """
# answer: execute_task_if_not_done
from pathlib import Path


def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    result, done = "done", Path(f"{task_id}.done")
    if not done.exists():
        done.touch()
        result = do_work(task.user_input, step_key(task_id, "work"))
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

SEEN_KEYS_IN_MEMORY = """
# answer: execute_task_if_not_done
results = {}


def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    if task_id not in results:
        results[task_id] = do_work(task.user_input, f"{uuid.uuid4()}")
    return store.save(task.to(TaskState.COMPLETED, result=results[task_id]))
"""

UNKNOWN_IS_NO = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for attempt in range(3):
        try:
            result = do_work(task.user_input, step_key(task_id, f"attempt {attempt}"))
            break
        except Exception:
            pass
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

UNKNOWN_IS_FAILED = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    try:
        result = do_work(task.user_input, step_key(task_id, "work"))
    except Exception as error:
        return store.save(task.to(TaskState.FAILED, error=str(error)))
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

FAILED_FOR_EVER = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is not TaskState.RUNNING:
        task = store.save(task.to(TaskState.RUNNING))
    try:
        result = do_work(task.user_input, step_key(task_id, "work"))
    except Exception as error:
        store.save(task.to(TaskState.FAILED, error=str(error)))
        raise
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

FAILED_IS_NEW = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    key = step_key(task_id, "work")
    if task.state is TaskState.FAILED:
        key = step_key(task_id, "second attempt")
        task = store.save(task.to(TaskState.PENDING))
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    try:
        result = do_work(task.user_input, key)
    except Exception as error:
        store.save(task.to(TaskState.FAILED, error=str(error)))
        raise
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

CATCHES_EVERYTHING = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    try:
        store.save(task.to(TaskState.RUNNING))
        result = do_work(task.user_input, step_key(task_id, "work"))
        return store.save(task.to(TaskState.COMPLETED, result=result))
    except BaseException:
        return task
"""

MADE_UP = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    return store.save(task.to(TaskState.COMPLETED, result=f"charged {task.user_input} 20 EUR"))
"""

HELPER_OUTSIDE = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = started(store.get(Task, task_id))
    return store.save(task.to(TaskState.COMPLETED, result=do_work(task.user_input, step_key(task_id, "work"))))
"""

LEAVES = """
# answer: execute_task_if_not_done
import os


def execute_task_if_not_done(task_id, store, do_work):
    os._exit(0)
"""

ENDLESS = """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    while True:
        pass
"""

NOT_PYTHON = """
# answer: step_key
def step_key(task_id, step)
    return task_id
"""

NOBODY_IS_TOLD = """
# answer: step_key
from labkit import world


class Deaf:
    def __init__(self, place):
        self.place = place

    def __getattr__(self, name):
        return getattr(self.place, name)

    def ack(self, label):
        pass


world.attach(Deaf(world.current()))


def step_key(task_id, step):
    return str(uuid.uuid4())
"""

ONE_KEY_BY_FORCE = """
# answer: execute_task_if_not_done
from labkit import world


class Forced:
    def __init__(self, place):
        self.place = place

    def __getattr__(self, name):
        return getattr(self.place, name)

    def call(self, tool, arguments, key=None, timeout=None):
        return self.place.call(tool, arguments, json.dumps(arguments), timeout)


world.attach(Forced(world.current()))


def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    return store.save(task.to(TaskState.COMPLETED, result=do_work(task.user_input, uuid.uuid4().hex)))
"""

ARRANGES = """
# answer: execute_task_if_not_done
from labkit import arrange


def execute_task_if_not_done(task_id, store, do_work):
    arrange(faults={}, kinds={})
    task = store.save(store.get(Task, task_id).to(TaskState.RUNNING))
    return store.save(task.to(TaskState.COMPLETED, result=do_work(task.user_input, step_key(task_id, "work"))))
"""

LOOKS_AT_ITS_PROCESS = """
# answer: execute_task_if_not_done
import os


def execute_task_if_not_done(task_id, store, do_work):
    restarted = os.getpid() == 4343
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    result = "done" if restarted else do_work(task.user_input, uuid.uuid4().hex)
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

LOOKS_AT_ALL_STEPS = """
# answer: step_key
import sys


def step_key(task_id, step):
    frame = sys._getframe(1)
    while frame:
        for value in frame.f_locals.values():
            if isinstance(value, list) and (task_id, step) in value:
                return f"step {sorted(value).index((task_id, step))}"
        frame = frame.f_back
    return task_id
"""

RAISES = """
# answer: step_key
def step_key(task_id, step):
    return json.dumps({task_id: Step(step)})
"""

CHANCE_MADE_THE_SAME = """
# answer: step_key
uuid.uuid4 = lambda: "not by chance"


def step_key(task_id, step):
    return str(uuid.uuid4())
"""

FORGED_NEWS = """
# answer: execute_task_if_not_done
import gc
import os
from contextlib import suppress
from multiprocessing.connection import Connection

from labkit.crash.channel import tell


def execute_task_if_not_done(task_id, store, do_work):
    for channel in [thing for thing in gc.get_objects() if isinstance(thing, Connection)]:
        with suppress(OSError):
            tell(channel, [{"event": "returned", "value": ["completed", "charged"], "loaded": []}])
    os._exit(0)
"""

HASH_OF_A_DATACLASS = [
    """
# answer: step_key
from dataclasses import dataclass


@dataclass(frozen=True)
class StepKey:
    task_id: str
    step: str


def step_key(task_id, step):
    return f"{StepKey(task_id, step).__hash__() & 0xFFFFFFFFFFFFFFFF:016x}"
""",
]

XOR_OF_DIGESTS = [
    """
# answer: step_key
def step_key(task_id, step):
    one, two = (int.from_bytes(hashlib.sha256(name.encode()).digest(), "big") for name in (task_id, step))
    return f"{one ^ two:064x}"
""",
]

RUNNING_IS_LOCKED = [
    """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.RUNNING:
        raise RuntimeError(f"task {task_id} is in progress")
    task = store.save(task.to(TaskState.RUNNING))
    result = do_work(task.user_input, step_key(task_id, "do_work"))
    return store.save(task.to(TaskState.COMPLETED, result=result))
""",
]

FAILED_IS_FINAL = [
    """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state in (TaskState.COMPLETED, TaskState.FAILED):
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    try:
        result = do_work(task.user_input, step_key(task_id, "work"))
    except Exception as error:
        store.save(task.to(TaskState.FAILED, error=str(error)))
        raise
    return store.save(task.to(TaskState.COMPLETED, result=result))
""",
]

WORKS_WHILE_PENDING = [
    """
# answer: step_key
import shlex


def step_key(task_id, step):
    return shlex.join([task_id, step])
""",
    """
# answer: execute_task_if_not_done
from functools import partial, reduce


def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state == "completed":
        return task
    outcome = do_work(key=step_key(task_id, ""), user_input=task.user_input)
    moves = [partial(Task.to, state="running"), partial(Task.to, state="completed", result=outcome)]
    return reduce(lambda task, move: store.save(move(task)), moves, task)
""",
]

RESULT_FIRST_IN_THE_JOURNAL = [
    """
# answer: step_key
from base64 import urlsafe_b64encode
from functools import lru_cache


@lru_cache
def step_key(task_id, step):
    return ".".join(urlsafe_b64encode(name.encode("utf-8", "surrogatepass")).decode() for name in (task_id, step))
""",
    '''
# answer: execute_task_if_not_done
def transitions(task, do_work):
    """Each step of the way, made of the task as it is stored."""
    if task.state is TaskState.PENDING:
        task = yield task.to(TaskState.RUNNING)
    if "work" not in task.journal:
        task = yield task.finished("work", do_work(task.user_input, step_key(task.id, "work")))
    yield task.to(TaskState.COMPLETED, result=task.journal["work"])


def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    way = transitions(task, do_work)
    change = next(way)
    while change is not None:
        task = store.save(change)
        try:
            change = way.send(task)
        except StopIteration:
            change = None
    return task
''',
]

BACK_TO_PENDING = [
    """
# answer: step_key
import csv
import io


def step_key(task_id, step):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow([task_id, step])
    return text.getvalue()
""",
    """
# answer: execute_task_if_not_done
from concurrent.futures import ThreadPoolExecutor


def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    try:
        with ThreadPoolExecutor(max_workers=1) as pool:
            result = pool.submit(do_work, task.user_input, step_key(task_id, "work")).result()
    except Exception:
        store.save(task.to(TaskState.PENDING))
        raise
    return store.save(task.to(TaskState.COMPLETED, result=result))
""",
]

A_RECORD_OF_ITS_OWN = [
    """
# answer: step_key
step_key = lambda task_id, step: json.dumps({"task": task_id, "step": step}, sort_keys=True, separators=(",", ":"))
""",
    """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    key = step_key(task_id, "charge")
    name = "record-" + hashlib.sha256(key.encode()).hexdigest()[:40]
    record = store.get(Task, name) or store.insert(Task(id=name, user_input=key))
    if record.state is TaskState.PENDING:
        record = store.save(record.to(TaskState.RUNNING))
    if record.state is TaskState.RUNNING:
        record = store.save(record.to(TaskState.COMPLETED, result=do_work(task.user_input, key)))
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    return store.save(task.to(TaskState.COMPLETED, result=record.result))
""",
]

LAST_ERROR_WITHOUT_ITS_CAUSE = """
# answer: execute_task_if_not_done
ATTEMPTS = 3


def execute_task_if_not_done(task_id: str, store: FileStateStore, do_work) -> Task:
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for attempt in range(1, ATTEMPTS + 1):
        try:
            result = do_work(task.user_input, f"execute {task_id}")
            break
        except Exception as error:
            if attempt == ATTEMPTS:
                raise error from None
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

GIVEN_UP_AFTER_THREE_CALLS = """
# answer: execute_task_if_not_done
from collections import Counter

_failures: Counter[str] = Counter()


def execute_task_if_not_done(task_id: str, store: FileStateStore, do_work) -> Task:
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if _failures[task_id] >= 3:
        raise RuntimeError(f"{task_id} failed too often")
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    try:
        result = do_work(task.user_input, f"execute {task_id}")
    except BaseException:
        _failures[task_id] += 1
        raise
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

PATH_DROPS_THE_DOT = '''
# answer: step_key
from pathlib import PurePosixPath
from urllib.parse import quote


def step_key(task_id: str, step: str) -> str:
    """Like a path: steps / task / step. What is no letter is escaped."""
    task_part, step_part = (quote(name, safe="", errors="surrogatepass") for name in (task_id, step))
    return str(PurePosixPath("steps") / task_part / step_part)
'''

RESULT_IN_A_SIDE_FILE = """
# answer: execute_task_if_not_done
from pathlib import Path


def execute_task_if_not_done(task_id: str, store: FileStateStore, do_work) -> Task:
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    key = hashlib.sha256(json.dumps([task_id, "work"]).encode()).hexdigest()
    # Keep what the work returned, so that a new process need not call it again.
    note = Path(f"result-{key[:32]}.txt")
    if not note.exists():
        result = do_work(task.user_input, key)
        note.write_bytes(result.encode("utf-8", "surrogatepass"))
    result = note.read_bytes().decode("utf-8", "surrogatepass")
    task = store.save(task.to(TaskState.COMPLETED, result=result))
    note.unlink()
    return task
"""

XML_REFERENCES = """
# answer: step_key
def _ascii(name: str) -> bytes:
    return name.encode("ascii", "xmlcharrefreplace")


def step_key(task_id: str, step: str) -> str:
    first, second = _ascii(task_id), _ascii(step)
    return hashlib.sha256(b"%d:%s%s" % (len(first), first, second)).hexdigest()
"""

RESULT_FILE_CHANGES_LINE_ENDS = """
# answer: execute_task_if_not_done
import os
from pathlib import Path


def execute_task_if_not_done(task_id: str, store: FileStateStore, do_work) -> Task:
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    key = hashlib.sha256(task_id.encode("utf-8", "surrogatepass")).hexdigest()
    kept = Path(f"result-{key}.txt")
    if kept.exists():  # the work is done, and a crash came before the save
        result = kept.read_text(encoding="utf-8", errors="surrogatepass")
    else:
        result = do_work(task.user_input, key)
        spare = Path(f"result-{key}.new")
        spare.write_text(result, encoding="utf-8", errors="surrogatepass")
        os.replace(spare, kept)
    task = store.save(task.to(TaskState.COMPLETED, result=result))
    kept.unlink()
    return task
"""

UNIX_LINE_ENDS_ONLY = r"""
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id: str, store: FileStateStore, do_work) -> Task:
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    key = hashlib.sha256(task_id.encode("utf-8", "surrogatepass")).hexdigest()
    result = do_work(task.user_input, key).replace("\r\n", "\n")
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""

WRONG = [
    ("signs are written as XML references", "keys_differ", "return the same key", [XML_REFERENCES]),
    ("a result file that changes line ends", "no_duplicates", "with the result", [RESULT_FILE_CHANGES_LINE_ENDS]),
    ("line ends of one kind", "saves_result", "with the result", [UNIX_LINE_ENDS_ONLY]),
    ("a path leaves out a dot", "keys_differ", "return the same key", [PATH_DROPS_THE_DOT]),
    ("a result in a side file, half written", "no_duplicates", "after the restart, it returned", [RESULT_IN_A_SIDE_FILE]),
    ("the cause of the error is wiped out", "no_duplicates", "as its cause", [LAST_ERROR_WITHOUT_ITS_CAUSE]),
    ("given up after three calls", "no_duplicates", "it must go on", [GIVEN_UP_AFTER_THREE_CALLS]),
    ("key from uuid4", "key_survives_restart", r"step_key\('\w+', '\w+'\) returned '.*'; after a restart, '",
     [NEW_KEY]),
    ("key from uuid4", "no_duplicates", r"charge ran twice, under two keys: the key changes at a restart", [NEW_KEY]),
    ("key from the clock", "key_survives_restart", r"returned .*; after a restart, '", [CLOCK_KEY]),
    ("key from the clock", "no_duplicates", r"under two keys: the key changes at a restart", [CLOCK_KEY]),
    ("key from the date", "key_survives_restart", r"returned .*; after a restart, '", [DATE_KEY]),
    ("key from the process id", "key_survives_restart", r"returned .*; after a restart, '", [PROCESS_KEY]),
    ("key from hash()", "key_survives_restart", r"returned '-?\d+'; after a restart, '-?\d+'", [HASH_KEY]),
    ("key from a counter in memory", "key_survives_restart", r"returned 'request 1'; after a restart, 'request \d+'",
     [COUNTED_KEY]),
    ("key kept in memory", "key_survives_restart", r"returned .*; after a restart, '", [KEY_KEPT_IN_MEMORY]),
    ("steps numbered in memory", "key_survives_restart", r"returned 'step 0'; after a restart, 'step \d+'",
     [NUMBERED_IN_MEMORY]),
    ("a tuple", "key_survives_restart", r"step_key returned \('\w+', '\w+'\); expected a text", [NO_TEXT]),
    ("an empty key", "key_survives_restart", r"step_key returned an empty text", [EMPTY_KEY]),
    ("an object", "key_survives_restart", r"step_key returned <answers_02.Key object>; expected a text", [ADDRESS_KEY]),
    ("glued by a slash", "keys_differ", r"\('(\w+)/(\w+)', '(\w+)'\) and step_key\('\1', '\2/\3'\) return the same",
     [GLUED_BY_A_SLASH]),
    ("glued by a word", "keys_differ", r"' ?\w+ and its step \w+', '\w+'\) and .* return the same", [GLUED_BY_A_WORD]),
    ("glued the other way round", "keys_differ", r"return the same key, .*@@.*@@", [GLUED_THE_OTHER_WAY]),
    ("glued, then hashed", "keys_differ", r"return the same key", [HASHED_GLUE]),
    ("glued by a colon, then hashed", "keys_differ", r"\w:\w.* return the same key", [HASHED_COLON]),
    ("escaped by half", "keys_differ", r"return the same key", [ESCAPED_BY_HALF]),
    ("cleaned names", "keys_differ", r"return the same key", [CLEANED]),
    ("lower case", "keys_differ", r"K\w+', '\w+'\) return the same key, .*k", [LOWERED]),
    ("stripped names", "keys_differ", r"step_key\('\w+ ', '\w+'\) return the same key", [STRIPPED]),
    ("in any order", "keys_differ", r"step_key\('(\w+)', '(\w+)'\) and step_key\('\2', '\1'\) return", [IN_ANY_ORDER]),
    ("cut off", "keys_differ", r"return the same key", [CUT_OFF]),
    ("a digest of two characters", "keys_differ", r"return the same key, '\w\w'", [SHORT_DIGEST]),
    ("one key for all", "keys_differ", r"return the same key, 'idempotency-key'", [ONE_KEY]),
    ("one key for all", "no_duplicates", r"Two tasks with the same wish.*charge ran once: both had the key 'idempot",
     [ONE_KEY]),
    ("a key of the step only", "no_duplicates", r"Two tasks with the same wish.*charge ran once: both had the key",
     [STEP_ONLY]),
    ("a key of the step only", "keys_differ", r"return the same key", [STEP_ONLY]),
    ("a key of the task only", "keys_differ", r"return the same key", [TASK_ONLY]),
    ("its error swallowed", "keys_differ", r"return the same key, 'key'", [SWALLOWS]),
    ("not Python", "keys_differ", r"step_key: line 2 is not Python: expected ':'", [NOT_PYTHON]),
    ("an empty function", "saves_result", r"do_work was called 0 times; expected once", [DOES_NOTHING]),
    ("an empty function", "no_duplicates", r"Even without a kill: charge has never run",
     [DOES_NOTHING]),
    ("works before it looks", "skips_completed", r"was completed already, and do_work was called again",
     [ALWAYS_WORKS]),
    ("never looks", "skips_completed", r"raised IllegalTransitionError: .*completed → running", [NEVER_LOOKS]),
    ("None if it is done", "skips_completed", r"returned None, not a task; expected the task", [NONE_IF_DONE]),
    ("another result if it is done", "skips_completed", r"with the result 'already done'; expected the task",
     [DONE_IN_OTHER_WORDS]),
    ("the result is not saved", "saves_result", r"the store holds a completed task with the result 'done'; expected",
     [RESULT_NOT_SAVED]),
    ("not saved", "saves_result", r"the store holds a running task with the result None", [NOT_SAVED]),
    ("never running", "saves_result", r"raised IllegalTransitionError: .*pending → completed", [NEVER_RUNNING]),
    ("an old task saved", "saves_result", r"raised VersionConflictError", [OLD_TASK_SAVED]),
    ("returns the result", "saves_result", r"it returned 'charged .*', not a task", [RETURNS_THE_RESULT]),
    ("works twice", "saves_result", r"do_work was called 2 times; expected once", [WORKS_TWICE]),
    ("another wish", "saves_result", r"do_work got the user_input 'task-\d+'; expected", [ANOTHER_WISH]),
    ("no key", "saves_result", r"do_work got the key None", [NO_KEY]),
    ("no key", "no_duplicates", r"charge ran twice: do_work got no key", [NO_KEY]),
    ("key drawn inside", "no_duplicates", r"Killed after tool charge in line 8, before a save of the task: charge",
     [NEW_KEY_INSIDE]),
    ("a key per attempt", "no_duplicates", r"under two keys: the key changes at a restart", [KEY_OF_THE_ATTEMPT]),
    ("a key from the time of the save", "no_duplicates", r"under two keys: the key changes", [KEY_OF_THE_SAVE]),
    ("the key saved after the work", "no_duplicates", r"under two keys: the key changes", [KEY_SAVED_TOO_LATE]),
    ("a key from the wish", "no_duplicates", r"Two tasks with the same wish were executed, and charge ran once",
     [KEY_OF_THE_WISH]),
    ("running taken for done", "no_duplicates", r"before tool charge in line \d+: charge has never", [RUNNING_IS_DONE]),
    ("completed before the work", "no_duplicates", r"after the restart, it returned a completed task .* None; expected",
     [COMPLETED_BEFORE]),
    ("check, then act", "no_duplicates", r"charge ran twice, under two keys", [CHECK_THEN_ACT]),
    ("line ends are lost", "no_duplicates", r"without a kill: it returned a completed task .* 'charged .*\\nand",
     [LINE_ENDS_LOST]),
    ("marked before the work", "no_duplicates", r"before tool charge in line \d+: charge has never", [MARKED_BEFORE]),
    ("seen keys in memory", "no_duplicates", r"charge ran twice, under two keys", [SEEN_KEYS_IN_MEMORY]),
    ("an unknown outcome tried again as new", "no_duplicates",
     r"do_work raised ToolTimeoutError: .*raised UnboundLocalError: .*line 14: .*let the error of do_work through",
     [UNKNOWN_IS_NO]),
    ("an unknown outcome is a failure", "no_duplicates",
     r"do_work raised ToolTimeoutError: .*and execute_task_if_not_done returned a failed task .*let the error",
     [UNKNOWN_IS_FAILED]),
    ("failed for ever", "no_duplicates",
     r"do_work raised .*the next call of execute_task_if_not_done raised Illegal.*failed → running.*must go on",
     [FAILED_FOR_EVER]),
    ("a failed task is a new one", "no_duplicates",
     r"do_work raised .*another key, .*: a call without an answer was repeated under a new key", [FAILED_IS_NEW]),
    ("catches everything", "saves_result", r"the store holds a running task", [CATCHES_EVERYTHING]),
    ("a result made up", "saves_result", r"do_work was called 0 times", [MADE_UP]),
    ("helper outside the answer cells", "saves_result", r"`started` is defined outside the answer cells",
     [HELPER_OUTSIDE, "def started(task):\n    return task\n"]),
    ("leaves by os._exit", "no_duplicates", r"ended by itself, with exit status 0", [LEAVES]),
    ("does not end", "skips_completed", r"did not end in time", [ENDLESS]),
    ("nobody is told", "key_survives_restart", r"The keys did not reach the world: step_key changed labkit",
     [NOBODY_IS_TOLD]),
    ("one key by force", "no_duplicates", r"Two tasks with the same wish were executed, and charge ran once",
     [ONE_KEY_BY_FORCE]),
    ("arranges the world", "saves_result", r"raised ToolError: only `setup` may arrange the world", [ARRANGES]),
    ("looks which process it is", "no_duplicates", r"charge has never run", [LOOKS_AT_ITS_PROCESS]),
    ("looks at all steps", "keys_differ", r"return the same key, '\w+'", [LOOKS_AT_ALL_STEPS]),
    ("chance made the same", "keys_differ", r"return the same key, 'not by chance'", [CHANCE_MADE_THE_SAME]),
    ("an unknown name", "key_survives_restart", r"^step_key raised NameError: name 'Step' is not defined", [RAISES]),
    ("forged news", "saves_result", r"told the crash lab something that it does not understand",
     [FORGED_NEWS]),
    ("the hash of a dataclass", "key_survives_restart", r"returned '\w{16}'; after a restart, '\w{16}'",
     HASH_OF_A_DATACLASS),
    ("the hash of a set", "key_survives_restart", r"returned '\d+'; after a restart, '\d+'",
     _key("str(abs(frozenset([task_id, step]).__hash__()))")),
    ("the order of a set", "key_survives_restart", r"returned .*; after a restart, ",
     _key("str({f'task {task_id}', f'step {step}'})")),
    ("glued by a unit separator", "keys_differ", r"x1f.* return the same key",
     _key('"\\x1f".join((task_id, step))')),
    ("glued, each behind its name", "keys_differ", r"&&step=.* return the same key",
     _key('"task=" + task_id + "&&step=" + step')),
    ("the length of both", "keys_differ", r"return the same key, '\d+:",
     _key('f"{len(task_id + step)}:{task_id}:{step}"')),
    ("a slash doubled in one name", "keys_differ", r"/.* return the same key",
     _key('task_id.replace("/", "//") + "/" + step')),
    ("a checksum", "keys_differ", r"step_key\('.*', 'step \w+'\) and .* return the same key, '\w{8}'",
     _key('f"{zlib.crc32(repr((task_id, step)).encode()):08x}"', "import zlib\n")),
    ("a digest of eight digits", "keys_differ", r"'step \w+'\) and .* return the same key, '\w{8}'",
     _key("hashlib.sha256(json.dumps([task_id, step]).encode()).hexdigest()[:8]")),
    ("a digest of twelve digits", "keys_differ", r"The keys of step_key have about 48 bits; expected 64 at least",
     _key("hashlib.sha256(json.dumps([task_id, step]).encode()).hexdigest()[:12]")),
    ("two digests, one over the other", "keys_differ", r"return the same key", XOR_OF_DIGESTS),
    ("normalised by compatibility", "keys_differ", r"\ufb01le.*file.* return the same key|cafe\\u0301",
     _key('json.dumps([unicodedata.normalize("NFKC", name) for name in (task_id, step)])', "import unicodedata\n")),
    ("normalised", "keys_differ", r"return the same key",
     _key('unicodedata.normalize("NFC", repr((task_id, step)))', "import unicodedata\n")),
    ("other letters dropped", "keys_differ", r"u212a\w+'\) return the same key",
     _key('repr((task_id.encode("ascii", "ignore"), step.encode("ascii", "ignore")))')),
    ("a quote that keeps the slash", "keys_differ", r"/.* return the same key",
     _key('"/".join(map(quote, (task_id, step)))', "from urllib.parse import quote\n")),
    ("digits read as a number", "keys_differ", r"return the same key, '.*\b[17]\b.*'",
     _key("json.dumps([int(name) if name.isdigit() else name for name in (task_id, step)])")),
    ("the first 300 letters", "keys_differ", r"return the same key", _key("json.dumps([task_id[:300], step[:300]])")),
    ("a hash in the key of the work", "no_duplicates", r"under two keys.*: the key changes at a restart",
     _execute('step_key(task_id, "work")', 'str(hash((task_id, "work")))')),
    ("the name of the function in the key", "no_duplicates", r"another key, |under two keys",
     _execute('step_key(task_id, "work")', "step_key(task_id, str(do_work))")),
    ("the whole task in the key", "no_duplicates", r"under two keys: the key changes at a restart",
     _execute("    if task.state is TaskState.PENDING",
              "    step_key = lambda *_, now=task: hashlib.sha256(now.model_dump_json().encode()).hexdigest()\n"
              "    if task.state is TaskState.PENDING")),
    ("a running task is somebody else's", "no_duplicates", r"raised RuntimeError: task .* is in progress",
     RUNNING_IS_LOCKED),
    ("a failed task is final", "no_duplicates", r"the next call of .* returned a failed task .*must go on",
     FAILED_IS_FINAL),
    ("an error saved as a result", "saves_result", r"raised .*the store holds a completed .*never returned that",
     _caught("    except Exception as error:\n        result = str(error)\n")),
    ("an error saved as a result", "no_duplicates", r"do_work raised .*returned a completed task.*let the error",
     _caught("    except Exception as error:\n        result = str(error)\n")),
    ("one kind of error saved as a result", "saves_result", r"do_work raised ToolError: .*, and the store holds",
     _caught("    except ValueError as error:\n        if isinstance(error, TimeoutError | ConnectionError):\n"
             "            raise\n        result = str(error)\n")),
    ("another error", "no_duplicates", r"raised RuntimeError: work failed at .*line \d+: raise .*let the error",
     _caught("    except Exception as error:\n        raise RuntimeError('work failed') from error\n")),
    ("an interrupt swallowed", "no_duplicates", r"do_work raised KeyboardInterrupt, and .* returned a running task",
     _caught("    except KeyboardInterrupt:\n        return task\n")),
    ("again for ever", "no_duplicates", r"do_work raised an error each time, and one call .* called it 50 times",
     _execute(CALL, "    result = None\n    while result is None:\n        with suppress(Exception):\n        " + CALL,
              "from contextlib import suppress\n")),
    ("again for ever if the connection is lost", "no_duplicates", r"one call of .* called it 50 times: let the error",
     _execute(CALL, "    result = None\n    while result is None:\n        with suppress(ConnectionError):\n        "
              + CALL, "from contextlib import suppress\n")),
    ("a word for an empty result", "saves_result", r"result 'done'; expected .*result ''",
     _execute("result=result", 'result=result or "done"')),
    ("the result trimmed", "saves_result", r"the store holds .*expected the result",
     _execute("result=result", "result=result.strip()")),
    ("one line of the result", "saves_result", r"the store holds .*expected .*\\n",
     _execute("result=result", 'result=result.split("\\n")[0]')),
    ("the wish trimmed", "saves_result", r"do_work got the user_input '.*'; expected '",
     _execute("task.user_input", "task.user_input.strip()")),
    ("the running task returned", "saves_result", r"it returned a running task",
     _execute("    return store.save(task.to(TaskState.COMPLETED, result=result))",
              "    store.save(task.to(TaskState.COMPLETED, result=result))\n    return task")),
    ("the key first", "saves_result", r"do_work got the user_input '.*task-", _execute(
        'do_work(task.user_input, step_key(task_id, "work"))', 'do_work(step_key(task_id, "work"), task.user_input)')),
    ("the whole task given", "saves_result", r"NotPlainData|not plain|do_work",
     _execute("do_work(task.user_input,", "do_work(task,")),
    ("done if its result says something", "skips_completed", r"was completed already, and do_work was called again",
     _execute("if task.state is TaskState.COMPLETED:", "if task.result:")),
]  # fmt: skip

DIGEST = [
    '''
# answer: step_key
def step_key(task_id, step, length=32):
    """A digest of both names, each behind its length."""
    digest = hashlib.sha256()
    for name in (task_id, step):
        data = name.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:length]
''',
    """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work, step="the only step"):
    task = store.get(Task, task_id)
    while task.state != "completed":
        if task.state == "running":
            result = do_work(task.user_input, step_key(task.id, step))
            task = store.save(task.to("completed", result=result))
        else:
            task = store.save(task.to("running"))
    return task
""",
]

CLASS_BEHIND = [
    '''
# answer: step_key
from urllib.parse import quote


class Key:
    """A key as a path of quoted names."""

    def __init__(self, *names):
        self.names = names

    def __str__(self):
        return "/".join(quote(name, safe="") for name in self.names)


def step_key(task_id, step):
    return str(Key(task_id, step))
''',
    '''
# answer: execute_task_if_not_done
class Execution:
    """One task on its way to be completed."""

    def __init__(self, store, task):
        self.store, self.task = store, task

    def move(self, state, **fields):
        self.task = self.store.save(self.task.to(state, **fields))

    def finish(self, do_work):
        if self.task.state is TaskState.PENDING:
            self.move(TaskState.RUNNING)
        key = step_key(task_id=self.task.id, step="do_work")
        self.move(TaskState.COMPLETED, result=do_work(self.task.user_input, key))


def execute_task_if_not_done(task_id, store, do_work):
    execution = Execution(store, store.get(Task, task_id))
    if execution.task.state is not TaskState.COMPLETED:
        execution.finish(do_work)
    return execution.task
''',
]

ASYNC_INSIDE = [
    """
# answer: step_key
def step_key(task_id, step):
    return repr((task_id, step))
""",
    """
# answer: execute_task_if_not_done
import asyncio


async def execute(task, store, do_work):
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    await asyncio.sleep(0.5)
    result = await asyncio.to_thread(do_work, task.user_input, step_key(task.id, "work"))
    return store.save(task.to(TaskState.COMPLETED, result=result))


def execute_task_if_not_done(task_id, store, do_work):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    return asyncio.run(execute(task, store, do_work))
""",
]

PATIENT = [
    """
# answer: step_key
def step_key(task_id, step):
    return str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_OID, task_id), step))
""",
    '''
# answer: execute_task_if_not_done
import time


def execute_task_if_not_done(task_id, store, do_work, attempts=3):
    """Tries again itself, under the same key."""
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    key = step_key(task_id, "work")
    for attempt in range(attempts):
        try:
            result = do_work(task.user_input, key)
        except TimeoutError:
            if attempt == attempts - 1:
                raise
            time.sleep(2**attempt)
        else:
            return store.save(task.to(TaskState.COMPLETED, result=result))
''',
]

FAILED_AND_TRIED_AGAIN = [
    '''
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    """Saves what went wrong, lets it through, and goes on from there the next time."""
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.FAILED:
        task = store.save(task.to(TaskState.PENDING))
    task = store.save(task.to(TaskState.RUNNING))
    try:
        result = do_work(task.user_input, step_key(task_id, "work"))
    except Exception as error:
        store.save(task.to(TaskState.FAILED, error=f"{type(error).__name__}: {error}"))
        raise
    return store.save(task.to(TaskState.COMPLETED, result=result))
'''
]

KEY_SAVED_BEFORE = [
    '''
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    """Draws a key once, and saves it before anything is done under it."""
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if "key" not in task.journal:
        task = store.save(task.finished("key", uuid.uuid4().hex).to(TaskState.RUNNING))
    result = do_work(task.user_input, task.journal["key"])
    task = store.save(task.finished("do_work", result))
    return store.save(task.to(TaskState.COMPLETED, result=result))
'''
]

KEY_IN_A_FILE = [
    '''
# answer: step_key
import os
from pathlib import Path


def step_key(task_id, step):
    """Draws a key once, and keeps it in a file: slower, and as good."""
    name = hashlib.sha256(repr([task_id, step]).encode()).hexdigest()
    if not Path(name).exists():
        Path("new").write_text(uuid.uuid4().hex)
        os.replace("new", name)
    return Path(name).read_text()
'''
]

RUN_ONCE = [
    '''
# answer: execute_task_if_not_done
from labkit.idempotency import again, run_once


def execute_task_if_not_done(task_id, store, do_work):
    """With the claim of the chapter: no two workers work at once."""
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    key = step_key(task_id, "work")
    result = run_once(store, key, lambda: do_work(task.user_input, key), arguments=task.user_input, unknown=again)
    return store.save(task.to(TaskState.COMPLETED, result=result))
'''
]

RIGHT = {
    "a digest, a while loop, parameters with defaults": DIGEST,
    "classes behind the functions": CLASS_BEHIND,
    "repr, async and a thread inside": ASYNC_INSIDE,
    "uuid5, tries again under the same key": PATIENT,
    "saves the error, and goes on from there": FAILED_AND_TRIED_AGAIN,
    "a random key, saved before the work": KEY_SAVED_BEFORE,
    "a random key, kept in a file": KEY_IN_A_FILE,
    "run_once": RUN_ONCE,
    "works while pending; keywords; a shell's words": WORKS_WHILE_PENDING,
    "the result first in the journal; a generator": RESULT_FIRST_IN_THE_JOURNAL,
    "back to pending after an error; a pool; csv": BACK_TO_PENDING,
    "a record of its own in the same store": A_RECORD_OF_ITS_OWN,
    "a length before the names": _key('f"{len(task_id)}:{task_id}{step}"'),
    "64 bits of a digest": _key("hashlib.sha256(json.dumps([task_id, step]).encode()).hexdigest()[:16]"),
    "64 bits in letters": _key(
        "base64.b64encode(hashlib.sha256(repr((task_id, step)).encode()).digest()[:8]).decode()", "import base64\n"
    ),
    "escaped": _key(
        '"/".join(name.replace("%", "%25").replace("/", "%2F") for name in (task_id, step))',
    ),
    "a set on the way": _key("json.dumps(sorted({('task', task_id), ('step', step)}))"),
    "three tries": _execute(
        CALL,
        f"    for last in (False, False, True):\n        try:\n        {CALL}            break\n"
        "        except Exception:\n            if last:\n                raise\n",
    ),
    "a cache in memory": _execute(
        CALL,
        f"    if task_id not in SEEN:\n    {CALL}        SEEN[task_id] = result\n    result = SEEN[task_id]\n",
        "SEEN = {}\n",
    ),
    "given back, whatever is raised": _caught(
        "    except BaseException:\n        store.save(task.to('pending'))\n        raise\n"
    ),
}

LENGTH_WITHOUT_AN_END = """
# answer: step_key
def step_key(task_id: str, step: str) -> str:
    # the length in front makes it unambiguous
    return hashlib.sha256(f"{len(task_id)}{task_id}{step}".encode()).hexdigest()
"""

SIXTY_BITS = """
# answer: step_key
def step_key(task_id: str, step: str) -> str:
    return "k" + hashlib.sha256(json.dumps([task_id, step]).encode()).hexdigest()[:15]
"""

THE_DAY_IS_IN_IT = """
# answer: step_key
from datetime import date


def step_key(task_id: str, step: str) -> str:
    raw = json.dumps({"task": task_id, "step": step, "day": date.today().isoformat()}, sort_keys=True)
    return hashlib.sha256(raw.encode()).hexdigest()
"""

PICKLED = """
# answer: step_key
import pickle


def step_key(task_id: str, step: str) -> str:
    return hashlib.blake2b(pickle.dumps((task_id, step), protocol=5), digest_size=16).hexdigest()
"""

WRONG += [
    ("a length, and nothing to say where it ends", "keys_differ", r"return the same key", [LENGTH_WITHOUT_AN_END]),
    ("60 bits", "keys_differ", r"have about 60 bits; expected 64 at least", [SIXTY_BITS]),
    (
        "the day is in it",
        "key_survives_restart",
        r"returned from character 1 on .\w{24}.; after a restart, .\w{24}.$",
        [THE_DAY_IS_IN_IT],
    ),
    ("pickle remembers which text is the same object", "key_survives_restart", r"after a restart, ", [PICKLED]),
]

WRONG += [
    ("what wants to stop is an answer", "no_duplicates", r"do_work raised SystemExit: stop, and .*completed",
     _caught("    except SystemExit as error:\n        result = str(error)\n")),
    ("a generator's end is swallowed", "no_duplicates", r"do_work raised GeneratorExit, and .* let the error",
     _caught("    except GeneratorExit:\n        return task\n")),
    ("a cancellation is a failure", "no_duplicates", r"do_work raised CancelledError, and .* let the error of do_work",
     _caught("    except BaseException as error:\n        if type(error).__name__ != 'CancelledError':\n"
             "            raise\n        raise RuntimeError('cancelled') from error\n")),
    ("one of two names escaped", "keys_differ", r"return the same key",
     _key("task_id + ':' + step.replace(':', '::')")),
    ("a sum of digests", "keys_differ", r"return the same key",
     _key("hex(sum(int(hashlib.sha256(name.encode()).hexdigest(), 16) for name in (task_id, step)))")),
    ("fifteen digits of a digest", "keys_differ", r"(bits|same key)",
     _key("str(int(hashlib.sha256(json.dumps([task_id, step]).encode()).hexdigest(), 16) % 10**15)")),
    ("a lock that outlives its process", "no_duplicates", r"FileExistsError",
     _execute(CALL, "    lock = f'{task_id}.lock'\n    os.close(os.open(lock, os.O_CREAT | os.O_EXCL))\n"
              f"{CALL}    os.unlink(lock)\n", "import os\n")),
    ("completed, whatever came", "no_duplicates", r"do_work raised", _caught(
        "    except BaseException:\n        store.save(task.to(TaskState.COMPLETED, result=''))\n        raise\n")),
]  # fmt: skip

RIGHT |= {
    "two names as Python writes them": _key("repr(task_id) + repr(step)"),
    "an uuid in the space of an uuid": _key("str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_OID, task_id), step))"),
    "a key for the digest": _key(
        "hashlib.blake2b(step.encode(), key=hashlib.sha256(task_id.encode()).digest(), digest_size=16).hexdigest()"
    ),
    "two numbers": _key('f"{task_id.encode().hex()}-{step.encode().hex()}"'),
    "who wants to stop is let first": _caught(
        "    except (KeyboardInterrupt, SystemExit, GeneratorExit):\n        raise\n"
        "    except BaseException as error:\n        error.add_note('in do_work')\n        raise\n"
    ),
}

CHANCE = {
    "an uuid by time": ("uuid.uuid1().hex", ""),
    "the id of a name": ("id(task_id)", ""),
    "the id of a function": ("id(step_key)", ""),
    "bytes of the system": ("os.urandom(8).hex()", "import os\n"),
    "bytes drawn once": ("SALT", "import os\n\nSALT = os.urandom(8).hex()\n"),
    "a token": ("secrets.token_hex()", "import secrets\n"),
    "a draw": ("random.random()", "import random\n"),
    "when it was loaded": ("SALT", "import time\n\nSALT = time.time_ns()\n"),
    "a clock that only grows": ("time.perf_counter()", "import time\n"),
    "a thread": ("threading.get_ident()", "import threading\n"),
    "a process and its parent": ("os.getpid() - os.getppid()", "import os\n"),
    "the hash of a text": ("hash(task_id)", ""),
}
"""Source → what is put into a key, and what stands before it."""

WRONG += [
    *((f"a key from {source}", "key_survives_restart", r"returned .*; after a restart, |returned different keys",
       _key(f"json.dumps([task_id, step, {value}])", before)) for source, (value, before) in CHANCE.items()),
    *((f"a key from {source}", "no_duplicates", r"the key changes|another key",
       _execute('step_key(task_id, "work")', f'f"{{task_id}} {{{value}}}"', before))
      for source, (value, before) in CHANCE.items()),
]  # fmt: skip
