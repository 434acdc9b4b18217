"""Answers to exercise 1 that graders must tell apart. WRONG: what it is, the case it breaks, what must be said, cells.

RIGHT: other shapes of a correct answer. What is not given is taken from the solution.
"""

IN_PLACE = """
# answer: save_task
def save_task(task, path):
    with open(path, "w") as file:
        file.write(task.model_dump_json())
"""

DELETE_THEN_RENAME = """
# answer: save_task
def save_task(task, path):
    with open(path + ".tmp", "w") as file:
        file.write(task.model_dump_json())
    if os.path.exists(path):
        os.remove(path)
    os.rename(path + ".tmp", path)
"""

REPLACED_BEFORE_CLOSED = """
# answer: save_task
def save_task(task, path):
    with open(path + ".tmp", "w") as file:
        file.write(task.model_dump_json())
        os.replace(path + ".tmp", path)
"""

BACKUP_FIRST = """
# answer: save_task
def save_task(task, path):
    if os.path.exists(path):
        os.replace(path, path + ".bak")
    with open(path, "w") as file:
        file.write(task.model_dump_json())
"""

ERROR_SWALLOWED = """
# answer: save_task
def save_task(task, path):
    try:
        text = json.dumps(task.model_dump())
    except TypeError:
        return
    with open(path + ".tmp", "w") as file:
        file.write(text)
    os.replace(path + ".tmp", path)
"""

DISK_ERROR_SWALLOWED = """
# answer: save_task
def save_task(task, path):
    with open(path + ".tmp", "w") as file:
        file.write(task.model_dump_json())
    try:
        os.replace(path + ".tmp", path)
    except OSError:
        pass
"""

EMPTY = """
# answer: save_task
def save_task(task, path):
    pass
"""

PAST_PYTHON = """
# answer: save_task
import ctypes


def save_task(task, path):
    with open(path + ".tmp", "w") as file:
        file.write(task.model_dump_json())
    ctypes.CDLL(None).rename(f"{path}.tmp".encode(), path.encode())
"""

BY_A_SUBPROCESS = """
# answer: save_task
import subprocess


def save_task(task, path):
    subprocess.run(["tee", path], input=task.model_dump_json().encode(), stdout=subprocess.DEVNULL)
"""

HELPER_OUTSIDE = """
# answer: save_task
def save_task(task, path):
    write_whole(path, task.model_dump_json())
"""

KEPT_IN_MEMORY = """
# answer: save_task
saved = {}


def save_task(task, path):
    saved[path] = task
    Path(path).touch()
"""

CORRUPT_IS_NEW = """
# answer: load_task
def load_task(path):
    try:
        return Task.model_validate_json(Path(path).read_text())
    except (OSError, ValueError):
        return None
"""

ONLY_JSON_ERRORS = """
# answer: load_task
def load_task(path):
    if not os.path.exists(path):
        return None
    try:
        fields = json.loads(Path(path).read_bytes())
    except json.JSONDecodeError as error:
        raise CorruptState(path) from error
    return Task(**fields)
"""

EMPTY_IS_NONE = """
# answer: load_task
def load_task(path):
    if not os.path.exists(path) or os.path.getsize(path) == 0:
        return None
    try:
        return Task.model_validate_json(Path(path).read_bytes())
    except ValueError as error:
        raise CorruptState(path) from error
"""

MISSING_IS_CORRUPT = """
# answer: load_task
def load_task(path):
    try:
        return Task.model_validate_json(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise CorruptState(path) from error
"""

SAVED_AT_THE_END = """
# answer: resume
def resume(task_id, store, steps):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = task.to(TaskState.RUNNING)
    for name, step in steps.items():
        if name not in task.journal:
            task = task.finished(name, step())
    return store.save(task.to(TaskState.COMPLETED))
"""

JOURNALLED_BEFORE = """
# answer: resume
def resume(task_id, store, steps):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name not in task.journal:
            task = store.save(task.finished(name, "done"))
            step()
    return store.save(task.to(TaskState.COMPLETED))
"""

FROM_STEP_ONE = """
# answer: resume
def resume(task_id, store, steps):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        task = store.save(task.finished(name, step()))
    return store.save(task.to(TaskState.COMPLETED))
"""

RUNS_AGAIN = """
# answer: resume
def resume(task_id, store, steps):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        task = task.model_copy(update={"state": TaskState.RUNNING})
    elif task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name not in task.journal:
            task = store.save(task.finished(name, step()))
    return store.save(task.to(TaskState.COMPLETED))
"""

RETURNS_NOTHING = """
# answer: resume
def resume(task_id, store, steps):
    task = store.get(Task, task_id)
    for name in list(steps)[len(task.journal):]:
        if task.state is TaskState.PENDING:
            task = task.to(TaskState.RUNNING)
        task = store.save(task.finished(name, steps[name]()))
    if task.state is not TaskState.COMPLETED:
        store.save(task.to(TaskState.COMPLETED))
"""

KILLS_ITS_PARENT = """
# answer: save_task
import signal


def save_task(task, path):
    os.kill(os.getppid(), signal.SIGKILL)
"""

ENDLESS = """
# answer: save_task
def save_task(task, path):
    while True:
        pass
"""

LEAVES = """
# answer: save_task
def save_task(task, path):
    os._exit(0)
"""

ITS_OWN_ERROR = """
# answer: load_task
class CorruptState(Exception):
    pass


def load_task(path):
    try:
        return Task.model_validate_json(Path(path).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CorruptState(path) from error
"""

RETURNS_A_DICT = """
# answer: load_task
def load_task(path):
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CorruptState(path) from error
"""

NOT_PYTHON = """
# answer: save_task
def save_task(task, path)
    pass
"""

NO_FSYNC = """
# answer: save_task
def save_task(task, path):
    with open(path + ".tmp", "w") as file:
        file.write(task.model_dump_json())
    os.replace(path + ".tmp", path)
    folder = os.open(".", os.O_RDONLY)
    os.fsync(folder)
"""

NO_FSYNC_OF_THE_DIRECTORY = """
# answer: save_task
def save_task(task, path):
    with open(path + ".tmp", "w") as file:
        file.write(task.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".tmp", path)
"""

FSYNC_BEFORE_FLUSH = """
# answer: save_task
def save_task(task, path):
    with open(path + ".tmp", "w") as file:
        file.write(task.model_dump_json())
        os.fsync(file.fileno())
    os.replace(path + ".tmp", path)
    folder = os.open(".", os.O_RDONLY)
    os.fsync(folder)
"""

FSYNC_TOO_LATE = """
# answer: save_task
def save_task(task, path):
    with open(path + ".tmp", "w") as file:
        file.write(task.model_dump_json())
    os.replace(path + ".tmp", path)
    with open(path, "r+") as file:
        os.fsync(file.fileno())
    folder = os.open(".", os.O_RDONLY)
    os.fsync(folder)
"""

NEVER_COMPLETES = """
# answer: resume
def resume(task_id, store, steps):
    task = store.get(Task, task_id)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name not in task.journal:
            task = store.save(task.finished(name, step()))
    return task
"""

SAVE = """# answer: save_task
def save_task(task, path):
    text = task.model_dump_json().encode()
    with open(path + ".new", "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
"""
WRITE = "    with open("
RUN = """            task = store.save(task.finished(name, step()))
"""
RESUME = f"""# answer: resume
def resume(task_id, store, steps):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is not TaskState.RUNNING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name not in task.journal:
{RUN}    return store.save(task.to(TaskState.COMPLETED, result="done"))
"""


def _in(answer: str, old: str, new: str, before: str = "") -> list[str]:
    """A right answer, with this in place of that, and what stands before it."""
    assert old in answer
    return [answer.replace(old, new).replace("\ndef ", f"\n{before}def ", 1)]


FAILED_IS_FINAL = [
    _in(RESUME, RUN, "            try:\n                result = step()\n            except Exception as error:\n"
        "                return store.save(task.to(TaskState.FAILED, error=str(error)))\n"
        "            task = store.save(task.finished(name, result))\n")[0].replace(
        "is TaskState.COMPLETED", "in (TaskState.COMPLETED, TaskState.FAILED)")
]  # fmt: skip

NOT_TRUNCATED = [
    """
# answer: save_task
def save_task(task, path):
    if not os.path.exists(path):
        Path(path).touch()
    with open(path, "r+") as f:
        f.seek(0)
        f.write(task.model_dump_json())
        f.flush()
        f.truncate()
        os.fsync(f.fileno())
""",
]

TEMPORARY_NOT_TRUNCATED = [
    """
# answer: save_task
def save_task(task, path):
    tmp = path + ".tmp"
    fd = os.open(tmp, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.write(fd, task.model_dump_json().encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(tmp, path)
    d = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    os.fsync(d)
    os.close(d)
""",
]

TEMPORARY_OPENED_X = [
    """
# answer: save_task
def save_task(task, path):
    tmp = path + ".new"
    with open(tmp, "x") as f:
        f.write(task.model_dump_json())
        f.flush()
        os.fsync(f.fileno())
    os.replace(tmp, path)
    d = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    os.fsync(d)
    os.close(d)
""",
]

TEMPORARY_APPENDED = [
    """
# answer: save_task
def save_task(task, path):
    tmp = path + ".tmp"
    with open(tmp, "a") as f:
        f.write(task.model_dump_json())
        f.flush()
        os.fsync(f.fileno())
    os.replace(tmp, path)
    d = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    os.fsync(d)
    os.close(d)
""",
]

LOCK_LEFT = [
    """
# answer: save_task
from contextlib import contextmanager


@contextmanager
def locked(path):
    lock = path + ".lock"
    try:
        fd = os.open(lock, os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        raise RuntimeError(f"{path} is locked by another process")
    try:
        yield
    finally:
        os.close(fd)
        os.remove(lock)


def save_task(task, path):
    with locked(path):
        with open(path + ".tmp", "w") as f:
            f.write(task.model_dump_json())
            f.flush()
            os.fsync(f.fileno())
        os.replace(path + ".tmp", path)
        d = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
        os.fsync(d)
        os.close(d)
""",
]

WAITS_FOR_THE_LOCK = [
    """
# answer: save_task
import time


def save_task(task, path):
    lock = Path(path + ".lock")
    while lock.exists():
        time.sleep(0.1)
    lock.touch()
    tmp = Path(path + ".tmp")
    with tmp.open("w") as f:
        f.write(task.model_dump_json())
        f.flush()
        os.fsync(f.fileno())
    tmp.replace(path)
    d = os.open(".", os.O_RDONLY)
    os.fsync(d)
    os.close(d)
    lock.unlink()
""",
]

AT_EXIT = [
    """
# answer: save_task
import atexit

_dirty = {}


def _flush():
    for path, text in _dirty.items():
        with open(path + ".tmp", "w") as f:
            f.write(text)
        os.replace(path + ".tmp", path)


atexit.register(_flush)


def save_task(task, path):
    _dirty[path] = task.model_dump_json()
""",
]

LETTERS_DROPPED = [
    """
# answer: save_task
def save_task(task, path):
    data = task.model_dump_json().encode("ascii", "ignore")
    with open(path + ".tmp", "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    os.replace(path + ".tmp", path)
    d = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    os.fsync(d)
    os.close(d)
""",
]

DAMAGE_HIDDEN = [
    """
# answer: save_task
import shutil


def save_task(task, path):
    if os.path.exists(path):
        shutil.copyfile(path, path + ".bak")
    with open(path + ".tmp", "w") as f:
        f.write(task.model_dump_json())
        f.flush()
        os.fsync(f.fileno())
    os.replace(path + ".tmp", path)
    d = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    os.fsync(d)
    os.close(d)
""",
    """
# answer: load_task
def load_task(path):
    if not os.path.exists(path):
        return None
    for candidate in (path, path + ".bak"):
        try:
            return Task.model_validate_json(Path(candidate).read_bytes())
        except (OSError, ValueError):
            continue
    raise CorruptState(f"{path} is damaged, and so is its backup")
""",
]

CONFLICT_SWALLOWED = [
    """
# answer: resume
def resume(task_id, store, steps):
    task = store.get(Task, task_id)
    if task.state == TaskState.COMPLETED:
        return task
    if task.state == TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name in task.journal:
            continue
        task = task.finished(name, step())
        try:
            store.save(task)
        except VersionConflictError:
            pass
    task = store.get(Task, task_id)
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
""",
]

RUNNING_IS_REFUSED = [
    """
# answer: resume
def resume(task_id, store, steps):
    task = store.get(Task, task_id)
    match task.state:
        case TaskState.COMPLETED:
            return task
        case TaskState.RUNNING:
            raise RuntimeError(f"{task_id} is already running")
        case TaskState.PENDING:
            task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        task = store.save(task.finished(name, step()))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
""",
]

FIRST_OF_TWO = [
    """
# answer: load_task
def load_task(path):
    if not Path(path).exists():
        return None
    try:
        data, end = json.JSONDecoder().raw_decode(Path(path).read_text(encoding="utf-8"))
        return Task.model_validate(data)
    except ValueError as error:
        raise CorruptState(path) from error
""",
]

BYTES_IGNORED = [
    """
# answer: load_task
def load_task(path):
    try:
        with open(path, encoding="utf-8", errors="ignore") as file:
            return Task.model_validate_json(file.read())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CorruptState(path) from error
""",
]

FILLED_UP = [
    """
# answer: load_task
def load_task(path):
    try:
        data = json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CorruptState(path) from error
    try:
        data.setdefault("user_input", "")
        data.setdefault("id", Path(path).stem)
        return Task(**data)
    except Exception as error:
        raise CorruptState(path) from error
""",
]

ONLY_VALUE_ERRORS = [
    """
# answer: load_task
def load_task(path):
    try:
        return Task(**json.loads(Path(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CorruptState(path) from error
""",
]

SUFFIX_REPLACED = """
# answer: save_task
def save_task(task, path):
    target = Path(path)
    draft = target.with_suffix(".draft")
    with draft.open("w") as file:
        file.write(task.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
"""
CURRENT_FOLDER_SYNCED = """
# answer: save_task
def save_task(task, path):
    draft = f"{path}.draft"
    with open(draft, "w") as file:
        file.write(task.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    folder = os.open(".", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
"""
UNREADABLE_IS_MISSING = """
# answer: load_task
def load_task(path):
    try:
        data = Path(path).read_bytes()
    except OSError:
        return None
    try:
        return Task.model_validate_json(data)
    except ValueError as error:
        raise CorruptState(path) from error
"""

TWO_SPARE_NAMES = """
# answer: save_task
def _open_new(path):
    for number in range(2):
        temp = f"{path}.new{number}"
        try:
            return temp, os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            continue
    raise RuntimeError("no free temporary name")


def save_task(task: Task, path: str) -> None:
    temp, fd = _open_new(path)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(task.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    os.replace(temp, path)
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
"""

SKIPS_WHAT_IT_SAVED_LAST = """
# answer: save_task
_saved: dict[str, str] = {}


def save_task(task: Task, path: str) -> None:
    text = task.model_dump_json()
    if _saved.get(path) == text:
        return
    temp = f"{path}.new"
    with open(temp, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temp, path)
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    _saved[path] = text
"""

FORBIDDEN_IS_MISSING = """
# answer: load_task
def load_task(path: str) -> Task | None:
    try:
        return Task.model_validate_json(Path(path).read_bytes())
    except (FileNotFoundError, PermissionError):
        return None
    except ValueError as error:
        raise CorruptState(f"{path} does not hold a task") from error
"""

SAVES_A_COMPLETED_TASK_AGAIN = """
# answer: resume
def resume(task_id, store, steps) -> Task:
    task = store.get(Task, task_id)
    if task.state is not TaskState.COMPLETED:
        if task.state is TaskState.PENDING:
            task = store.save(task.to(TaskState.RUNNING))
        for name, step in steps.items():
            if name not in task.journal:
                task = store.save(task.finished(name, step()))
        task = task.to(TaskState.COMPLETED, result="done")
    return store.save(task)
"""

DIRECTORY_SYNC_IS_CACHED = """
# answer: save_task
import tempfile
from functools import lru_cache


@lru_cache(maxsize=None)
def sync_folder(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def save_task(task: Task, path: str) -> None:
    target = Path(path).absolute()
    fd, temporary = tempfile.mkstemp(dir=target.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(task.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(str(target.parent))
"""

MEMO_BY_FUNCTION = '''
# answer: resume
from functools import lru_cache


@lru_cache(maxsize=None)
def _outcome(step):
    """No step may run twice in a process."""
    return step()


def resume(task_id, store, steps) -> Task:
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name not in task.journal:
            task = store.save(task.finished(name, _outcome(step)))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
'''

TAKES_STEPS_OFF_THE_DICT = """
# answer: resume
def resume(task_id, store, steps) -> Task:
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    while steps:
        name = next(iter(steps))
        step = steps.pop(name)
        if name not in task.journal:
            task = store.save(task.finished(name, step()))
    return store.save(task.to(TaskState.COMPLETED, result=f"{len(task.journal)} steps"))
"""

REMEMBERS_MISSING_FILES = """
# answer: load_task
_missing = set()


def load_task(path: str) -> Task | None:
    if path in _missing:
        return None
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        _missing.add(path)
        return None
    try:
        return Task.model_validate_json(data)
    except ValueError as error:
        raise CorruptState(path) from error
"""

WRONG = [
    ("steps are taken off the caller's dict", "resumes", "raised an error, and", [TAKES_STEPS_OFF_THE_DICT]),
    ("a missing file is remembered", "reports_corrupt", "There was no file, and load_task returned None. Then the task was saved", [REMEMBERS_MISSING_FILES]),
    ("a folder is synced once in a process", "survives_power_cut", "save_task had returned", [DIRECTORY_SYNC_IS_CACHED]),
    ("what a step returned is kept by its function", "resumes", "ran no step", [MEMO_BY_FUNCTION]),
    ("two crashes leave two names in the way", "keeps_acknowledged", "in the way", [TWO_SPARE_NAMES]),
    ("what is gone is not written again", "keeps_acknowledged", "file had been removed", [SKIPS_WHAT_IT_SAVED_LAST]),
    ("forbidden taken for missing", "reports_corrupt", "PermissionError", [FORBIDDEN_IS_MISSING]),
    ("a completed task is saved again", "stays_completed", "saved it once more", [SAVES_A_COMPLETED_TASK_AGAIN]),
    ("written in place", "saves_whole", r"line 3 had done open-truncate.*is empty", [IN_PLACE]),
    ("deleted, then renamed", "saves_whole", r"line 6 had done unlink task.json.*is gone", [DELETE_THEN_RENAME]),
    ("replaced before it is closed", "saves_whole", r"had done replace .*is empty", [REPLACED_BEFORE_CLOSED]),
    ("backup first, nobody reads it", "saves_whole", r"had done replace task.json .*is gone", [BACKUP_FIRST]),
    ("a temporary name that may be the name", "saves_whole",
     r"had done open-truncate folder/task\.draft, before .*task\.draft is empty", [SUFFIX_REPLACED]),
    ("the current folder synced", "survives_power_cut",
     r"^Power cut after .*, but the old task is back at folder/task\.json",
     [CURRENT_FOLDER_SYNCED]),
    ("what cannot be opened taken for missing", "reports_corrupt", r"could not be opened .*load_task returned None, as",
     [UNREADABLE_IS_MISSING]),
    ("an empty function", "saves_whole", r"task.json is gone. load_task returned None$", [EMPTY]),
    ("an empty function", "keeps_acknowledged", r"save_task had returned.*is gone", [EMPTY]),
    ("kept in memory", "keeps_acknowledged", r"save_task had returned.*is empty", [KEPT_IN_MEMORY]),
    ("serialisation error swallowed", "keeps_acknowledged", r"save_task had returned, but task.json is gone",
     [ERROR_SWALLOWED]),
    ("disk error swallowed", "keeps_acknowledged", r"A folder stands at path.*save_task returned None: raise",
     [DISK_ERROR_SWALLOWED]),
    ("renames past Python", "saves_whole", r"was going to call C code by ctypes", [PAST_PYTHON]),
    ("writes by a subprocess", "saves_whole", r"was going to start another process \(tee\)", [BY_A_SUBPROCESS]),
    ("helper outside the answer cells", "saves_whole", r"`write_whole` is defined outside the answer cells",
     [HELPER_OUTSIDE, "def write_whole(path, text):\n    pass\n"]),
    ("corrupt taken for new", "reports_corrupt", r"empty file, load_task returned None", [CORRUPT_IS_NEW]),
    ("only JSON errors understood", "reports_corrupt", r"raised UnicodeDecodeError", [ONLY_JSON_ERRORS]),
    ("empty taken for new", "reports_corrupt", r"empty file, load_task returned None", [EMPTY_IS_NONE]),
    ("missing taken for corrupt", "reports_corrupt", r"There was no file, and load_task raised CorruptState",
     [MISSING_IS_CORRUPT]),
    ("saved only at the end", "resumes", r"had finished before, and ran again", [SAVED_AT_THE_END]),
    ("journalled before the step ran", "resumes", r"has never run, and resume returned a completed task",
     [JOURNALLED_BEFORE]),
    ("restarted from step 1", "resumes", r"was journalled as finished, and ran again", [FROM_STEP_ONE]),
    ("returns nothing", "resumes", r"resume returned None, not a task", [RETURNS_NOTHING]),
    ("kills its parent", "saves_whole", r"raised PermissionError: \[Errno 1\] Operation", [KILLS_ITS_PARENT]),
    ("leaves by os._exit", "saves_whole", r"ended by itself, with exit status 0", [LEAVES]),
    ("does not end", "keeps_acknowledged", r"did not end in time", [ENDLESS]),
    ("an error class of its own", "reports_corrupt", r"load_task raised a CorruptState that is .* your own",
     [ITS_OWN_ERROR]),
    ("returns a dict", "saves_whole", r"load_task returned no Task, but \{'id'", [RETURNS_A_DICT]),
    ("not Python", "saves_whole", r"save_task: line 2 is not Python: expected ':'", [NOT_PYTHON]),
    ("no fsync of the file", "survives_power_cut", r"replace .*data lost.*ext4 saves you.*is empty", [NO_FSYNC]),
    ("no fsync of the directory", "survives_power_cut", r"rename lost\).* but the old task is back",
     [NO_FSYNC_OF_THE_DIRECTORY]),
    ("fsync before flush", "survives_power_cut", r"had done replace .*data lost", [FSYNC_BEFORE_FLUSH]),
    ("fsync too late", "survives_power_cut", r"before fsync task.json \(modelled: data lost", [FSYNC_TOO_LATE]),
    ("never completes", "resumes", r"resume returned a running task", [NEVER_COMPLETES]),
    ("a completed task run again", "stays_completed", r"was completed already, and resume ran", [RUNS_AGAIN]),
    ("a shorter task leaves the tail of the old one", "saves_whole",
     r"before .*truncate.*no whole task", NOT_TRUNCATED),
    ("a longer temporary file is not emptied", "keeps_acknowledged",
     r"the next save_task returned, but load_task raised",
     TEMPORARY_NOT_TRUNCATED),
    ("a temporary file that must be new", "resumes", r"after the restart, resume raised FileExistsError",
     TEMPORARY_OPENED_X),
    ("a temporary file that is appended to", "resumes", r"after the restart, resume raised|CorruptState",
     TEMPORARY_APPENDED),
    ("a lock file is left", "resumes", r"after the restart, resume raised RuntimeError: .* is locked", LOCK_LEFT),
    ("waits for a lock that is left", "resumes", r"did not end in time|had not ended", WAITS_FOR_THE_LOCK),
    ("saved when the process ends", "keeps_acknowledged", r"save_task had returned", AT_EXIT),
    ("letters dropped", "keeps_acknowledged", r"returned a task with the \w+ .*; expected", LETTERS_DROPPED),
    ("letters made question marks", "keeps_acknowledged", r"returned a task with the \w+ .*\?.*; expected",
     _in(SAVE, ".encode()", '.encode("ascii", "replace")')),
    ("a task of the same length is not written", "keeps_acknowledged", r"returned a task with the (id|user_input) ",
     _in(SAVE, WRITE, "    if os.path.exists(path) and os.path.getsize(path) == len(text):\n        return\n" + WRITE)),
    ("a shorter task is not written", "keeps_acknowledged", r"but load_task returned a task with the |old task is back",
     _in(SAVE, WRITE, "    if os.path.exists(path) and os.path.getsize(path) > len(text):\n        return\n" + WRITE)),
    ("what was saved last is not written again", "keeps_acknowledged",
     r"had saved at (folder/task.json|other), but load_task returned None",
     _in(SAVE, WRITE, "    if LAST[-1:] == [text]:\n        return\n    LAST.append(text)\n" + WRITE,
         "LAST = []\n\n\n")),
    ("newlines made spaces", "keeps_acknowledged", r"returned a task with the .*two lines.*; expected .*two.nlines",
     _in(SAVE, ".encode()", '.replace("\\\\n", " ").encode()')),
    ("letters of one script only", "keeps_acknowledged",
     r"A task with the user_input '.*' and the journal .* was to be saved at task.json: .* raised UnicodeEncodeError: ",
     _in(SAVE, ".encode()", '.encode("latin-1")')),
    ("a backup hides the damage", "reports_corrupt", r"For an empty file, load_task returned a task", DAMAGE_HIDDEN),
    ("only the first of two tasks is read", "reports_corrupt",
     r"For a file that holds two tasks, load_task returned a task",
     FIRST_OF_TWO),
    ("bytes that are no text ignored", "reports_corrupt", r"For a file that is no UTF-8, load_task returned a task",
     BYTES_IGNORED),
    ("what is missing is filled up", "reports_corrupt", r"load_task returned a task; expected CorruptState", FILLED_UP),
    ("JSON of another shape", "reports_corrupt",
     r"For a file that holds .*, load_task raised TypeError: .* at load_task, ",
     ONLY_VALUE_ERRORS),
    ("conflicts swallowed", "resumes", r"ran again", CONFLICT_SWALLOWED),
    ("a running task is refused", "resumes", r"after the restart, resume raised RuntimeError: .* already running",
     RUNNING_IS_REFUSED),
    ("as many steps as are journalled are left out", "resumes", r"The journal of a running task held .*; expected",
     _in(RESUME, "steps.items():\n        if name not in task.journal:",
         "list(steps.items())[len(task.journal):]:\n        if name:")),
    ("an empty result is none", "resumes", r"The journal of a \w+ task held .*, and resume ran .*; expected",
     _in(RESUME, "name not in task.journal", "not task.journal.get(name)")),
    ("a result that looks like an error is none", "resumes", r"The journal of a \w+ task held .*, and resume ran ",
     _in(RESUME, "name not in task.journal", 'task.journal.get(name, "error").startswith("error")')),
    ("an error journalled", "resumes", r"raised an error, and the journal says that it returned .*no space left",
     _in(RESUME, RUN, "            try:\n                result = step()\n            except Exception as error:\n"
         "                result = str(error)\n            task = store.save(task.finished(name, result))\n")),
    ("a failed task is final", "resumes",
     r"raised an error, and the next call of resume left a failed task: it must go",
     FAILED_IS_FINAL),
    ("what one task has done the next one leaves out", "resumes", r"and resume ran no step; expected",
     _in(RESUME, "name not in task.journal:",
         "name not in task.journal and name not in DONE:\n            DONE.add(name)",
         "DONE = set()\n\n\n")),
    ("results trimmed", "resumes", r"returned .*, and the journal holds ", _in(RESUME, "step()))", "step().strip()))")),
    ("a pending task's journal thrown away", "resumes", r"The journal of a pending task held .*, and resume ran",
     _in(RESUME, "task.to(TaskState.RUNNING)", 'task.model_copy(update={"journal": {}}).to(TaskState.RUNNING)')),
    ("only the caller sees it completed", "resumes", r"resume stored a running task",
     _in(RESUME, 'store.save(task.to(TaskState.COMPLETED, result="done"))',
         'task.to(TaskState.COMPLETED, result="done")')),
    ("in another order", "resumes",
     r"and resume ran .*; expected", _in(RESUME, "in steps.items()", "in sorted(steps.items())")),
]  # fmt: skip

HELPERS_INSIDE = [
    '''
# answer: save_task
def sync_folder(folder):
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def save_task(task, path, mode=0o644):
    """Low-level calls, a unique name, a durable directory."""
    name = f"{path}.{os.getpid()}"
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        os.write(fd, task.model_dump_json().encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(name, path)
    sync_folder(os.path.dirname(path) or ".")
'''
]

CLASS_BEHIND = [
    '''
# answer: save_task
class Slot:
    """One task in one file."""

    def __init__(self, path):
        self.path = Path(path)

    def put(self, task):
        fresh = self.path.with_name(f"{self.path.name}.fresh")
        with fresh.open("w") as file:
            file.write(task.model_dump_json(indent=2))
            file.flush()
            os.fsync(file)
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)

    def take(self):
        if not self.path.exists():
            return None
        try:
            return Task(**json.loads(self.path.read_text()))
        except (ValueError, TypeError) as error:
            raise CorruptState(str(self.path)) from error


def save_task(task, path):
    Slot(path).put(task)
''',
    """
# answer: load_task
def load_task(path):
    return Slot(path).take()
""",
]

TEMPFILE = [
    """
# answer: save_task
import tempfile


def save_task(task, path):
    folder = os.path.dirname(os.path.abspath(path))
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix="task-", delete=False) as file:
        json.dump(task.model_dump(mode="json"), file)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.replace(file.name, path)
    except OSError:
        os.unlink(file.name)
        raise
    fd = os.open(folder, os.O_RDONLY)
    os.fdatasync(fd)
    os.close(fd)
"""
]

PATHLIB = [
    """
# answer: save_task
def save_task(task, path):
    path = Path(path)
    beside = path.parent / (path.name + "~")
    with beside.open("wb") as file:
        file.write(task.model_dump_json().encode())
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
""",
    """
# answer: load_task
def load_task(path):
    path = Path(path)
    if not path.is_file():
        return None
    try:
        return Task.model_validate_json(path.read_bytes())
    except Exception as damage:
        raise CorruptState(f"cannot read {path.name}: {damage}") from None
""",
]

TWO_GENERATIONS = [
    '''
# answer: save_task
def save_task(task, path):
    """Writes the old generation aside only when the new one is safe: never without a good copy at path."""
    import shutil

    if os.path.isfile(path):
        shutil.copyfile(path, f"{path}.previous")
    with open(f"{path}.next", "w") as file:
        print(task.model_dump_json(), file=file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.next", path)
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
'''
]

STAMPS_AND_LOOPS = [
    """
# answer: save_task
from datetime import datetime, timezone


def save_task(task, path):
    task = task.model_copy(update={"updated_at": datetime.now(timezone.utc)})
    temporary = str(path) + ".tmp"
    with open(temporary, "w", buffering=1) as file:
        file.write(task.model_dump_json(indent=1))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync(os.path.dirname(path) or os.curdir)


def sync(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
""",
    """
# answer: resume
def resume(task_id, store, steps, attempts=1):
    def lacking(task):
        return next((name for name in steps if name not in task.journal), None)

    task = store.get(Task, task_id)
    if task.state == "completed":
        return task
    while (name := lacking(task)) is not None:
        if task.state == "pending":
            task = task.to(TaskState.RUNNING)
        result = steps[name]()
        task.journal[name] = result
        task = store.save(task)
    return store.save(task.to("completed", result="ok"))
""",
]

DIRECTORY_DESCRIPTOR = [
    """
# answer: save_task
from contextlib import ExitStack
from functools import partial


def save_task(task, path):
    folder, name = os.path.split(path)
    with ExitStack() as stack:
        where = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, where)
        fresh = f".{name}.{os.getpid()}"
        out = stack.enter_context(open(fresh, "wb", opener=partial(os.open, dir_fd=where)))
        with ExitStack() as undo:
            undo.callback(os.unlink, fresh, dir_fd=where)
            out.write(task.model_dump_json(exclude_none=True).encode())
            out.flush()
            os.fsync(out)
            os.replace(fresh, name, src_dir_fd=where, dst_dir_fd=where)
            undo.pop_all()
        os.fsync(where)
""",
]

PICKLED = [
    """
# answer: save_task
import hashlib
import pickle
import zlib


def save_task(task, path):
    body = zlib.compress(pickle.dumps(task.model_dump()))
    record = hashlib.sha256(body).digest() + body
    fd = os.open(path + "~", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        view = memoryview(record)
        while view:
            view = view[os.write(fd, view):]
        os.fdatasync(fd)
    finally:
        os.close(fd)
    os.rename(path + "~", path)
    fd = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
""",
    """
# answer: load_task
def load_task(path):
    try:
        with open(path, "rb") as f:
            digest, body = f.read(32), f.read()
    except FileNotFoundError:
        return None
    if hashlib.sha256(body).digest() != digest:
        raise CorruptState(f"{path}: the checksum is wrong")
    return Task(**pickle.loads(zlib.decompress(body)))
""",
]

REDO_LOG = [
    '''
# answer: save_task
import zlib


def _sync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def _logged(path):
    """The task in the log, if its record is whole."""
    try:
        check, _, text = Path(path + ".wal").read_bytes().partition(b" ")
    except FileNotFoundError:
        return None
    return text if text and check == b"%08x" % zlib.crc32(text) else None


def save_task(task, path):
    if os.path.isdir(path):
        raise IsADirectoryError(path)
    text = _logged(path)
    if text is not None:
        _apply(text, path)  # what a killed process began
    text = task.model_dump_json().encode()
    with open(path + ".wal", "wb") as log:
        log.write(b"%08x " % zlib.crc32(text) + text)
        log.flush()
        os.fsync(log.fileno())
    _sync(os.path.dirname(path) or ".")
    _apply(text, path)


def _apply(text, path):
    with open(path, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.remove(path + ".wal")
    _sync(os.path.dirname(path) or ".")
''',
    """
# answer: load_task
def load_task(path):
    text = _logged(path)
    try:
        return Task.model_validate_json(Path(path).read_bytes() if text is None else text)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CorruptState(path) from error
""",
]

TEMPORARY_DIRECTORY = [
    """
# answer: save_task
from tempfile import TemporaryDirectory


def save_task(task, path):
    path = Path(path).absolute()
    with TemporaryDirectory(dir=path.parent, prefix=".saving-") as beside:
        new = Path(beside, path.name)
        json.dump(task.model_dump(mode="json", exclude_defaults=True), new.open("w"))
        fd = os.open(new, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        new.replace(path)
        fd = os.open(path.parent, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
""",
]

GZIPPED = [
    '''
# answer: save_task
import gzip
import io
from dataclasses import asdict, dataclass
from datetime import datetime
from operator import attrgetter


@dataclass
class Record:
    """What is in the file."""

    id: str
    user_input: str
    state: str
    result: str | None
    error: str | None
    journal: dict
    deadline: str | None
    created_at: str
    updated_at: str
    version: int


def save_task(task, path):
    fields = {name: getattr(task, name) for name in Record.__annotations__}
    for name in ("deadline", "created_at", "updated_at"):
        fields[name] = fields[name] and fields[name].isoformat()
    record = Record(**{**fields, "state": task.state.value, "journal": dict(task.journal)})
    with open(path + ".new", "wb") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed, io.TextIOWrapper(packed) as text:
            json.dump(asdict(record), text)
        raw.flush()
        os.fsync(raw.fileno())
    os.replace(path + ".new", path)
    fd = os.open(Path(path).parent, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
''',
    """
# answer: load_task
def load_task(path):
    try:
        with gzip.open(path, "rt") as text:
            record = Record(**json.load(text))
    except FileNotFoundError:
        return None
    except (OSError, EOFError, ValueError, TypeError, __import__("zlib").error) as error:
        raise CorruptState(f"{path}: {error}") from error
    fields = asdict(record)
    for name in ("deadline", "created_at", "updated_at"):
        fields[name] = fields[name] and datetime.fromisoformat(fields[name])
    try:
        return Task(**{**fields, "state": TaskState(record.state)})
    except ValueError as error:
        raise CorruptState(f"{path}: {error}") from error
""",
]

SQLITE = [
    """
# answer: save_task
import sqlite3


def _connect(path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS task (one INTEGER PRIMARY KEY CHECK (one = 1), json TEXT NOT NULL)")
    return connection


def save_task(task, path):
    connection = _connect(path)
    try:
        connection.execute("INSERT OR REPLACE INTO task VALUES (1, ?)", [task.model_dump_json()])
    finally:
        connection.close()
""",
    """
# answer: load_task
def load_task(path):
    if not os.path.exists(path):
        return None
    try:
        connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True)
        try:
            (row,) = connection.execute("SELECT json FROM task").fetchall()
        finally:
            connection.close()
        return Task.model_validate_json(row[0])
    except (sqlite3.DatabaseError, ValueError) as error:
        raise CorruptState(path) from error
""",
]

NO_NAME_AT_FIRST = [
    """
# answer: save_task
def save_task(task, path):
    folder = os.path.dirname(path) or "."
    fd = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o644)
    try:
        os.write(fd, task.model_dump_json().encode())
        os.fsync(fd)
        name = f"{path}.{os.getpid()}"
        if os.path.exists(name):
            os.unlink(name)
        os.link(f"/proc/self/fd/{fd}", name, src_dir_fd=0)  # src_dir_fd: or Python calls link, which does not follow
    finally:
        os.close(fd)
    os.replace(name, path)
    fd = os.open(folder, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
""",
]

PICKLES_ITS_OWN_CLASS = [
    """
# answer: save_task
import pickle
from dataclasses import dataclass


@dataclass
class Saved:
    form: int
    task: dict


def save_task(task, path):
    with open(path + ".new", "wb") as file:
        pickle.dump(Saved(1, task.model_dump()), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
""",
    """
# answer: load_task
def load_task(path):
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return None
    try:
        saved = pickle.loads(data)
        return Task(**saved.task)
    except Exception as error:
        raise CorruptState(f"{path}: {error}") from error
""",
]

TRIED_OUT_BELOW = [
    """
# answer: load_task
def load_task(path):
    try:
        text = Path(path).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return Task.model_validate_json(text)
    except ValueError as error:
        raise CorruptState(f"{path} does not hold a task") from error


save_task(Task(user_input="try it"), "try.json")
print(load_task("try.json"))
assert load_task("nothing.json") is None
""",
]

LOCK_FILE_STAYS = [
    """
# answer: save_task
def save_task(task: Task, path: str) -> None:
    import fcntl

    with open(path + ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(task.model_dump_json())
            f.flush()
            os.fsync(f.fileno())
        os.replace(path + ".new", path)
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
""",
]

DRAWN_BELOW = [
    TRIED_OUT_BELOW[0]
    + """
import matplotlib.pyplot as plt

plt.hist([len(load_task("try.json").user_input)])
plt.show()
""",
]

CHECKSUM = [
    """
# answer: save_task
import hashlib

def save_task(task, path):
    body = task.model_dump(mode="json")
    text = json.dumps(body, sort_keys=True)
    whole = json.dumps({"sum": hashlib.sha256(text.encode()).hexdigest(), "task": body})
    with open(path + ".new", "w") as file:
        print(whole, file=file, flush=True)
        os.fsync(file.fileno())
    os.replace(path + ".new", path)
    fd = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
""",
    """
# answer: load_task
import hashlib

def load_task(path):
    if not os.path.lexists(path):
        return None
    try:
        whole = json.loads(Path(path).read_text())
        text = json.dumps(whole["task"], sort_keys=True)
        if hashlib.sha256(text.encode()).hexdigest() != whole["sum"]:
            raise ValueError("checksum")
        return Task.model_validate(whole["task"])
    except Exception as error:
        raise CorruptState(path) from error
""",
]

RECURSIVE = [
    """
# answer: resume
def resume(task_id, store, steps):
    task = store.get(Task, task_id)
    match task.state:
        case TaskState.COMPLETED:
            return task
        case TaskState.PENDING:
            store.save(task.to(TaskState.RUNNING))
            return resume(task_id, store, steps)
    left = [name for name in steps if name not in task.journal]
    if left:
        store.save(task.finished(left[0], steps[left[0]]()))
    else:
        store.save(task.to(TaskState.COMPLETED, result=task.model_dump_json()))
    return resume(task_id, store, steps)
""",
]

FAILED_GOES_ON = [
    """
# answer: resume
def resume(task_id, store, steps):
    task = store.get(Task, task_id)
    if task.state == "completed":
        return task
    if task.state == "failed":
        task = store.save(task.to(TaskState.PENDING))
    if task.state == "pending":
        task = store.save(task.to(TaskState.RUNNING))
    for name in list(steps):
        try:
            task.journal[name]
        except KeyError:
            try:
                result = steps[name]()
            except Exception as error:
                store.save(task.to(TaskState.FAILED, error=repr(error)))
                raise
            task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result=", ".join(task.journal)))
""",
]

RIGHT = {
    "helpers inside, low-level calls": HELPERS_INSIDE,
    "a class behind the functions": CLASS_BEHIND,
    "another temporary name, by tempfile": TEMPFILE,
    "pathlib throughout": PATHLIB,
    "keeps the previous generation": TWO_GENERATIONS,
    "stamps the time, journals in place, a while loop": STAMPS_AND_LOOPS,
    "relative to a directory's descriptor": DIRECTORY_DESCRIPTOR,
    "a pickle behind a checksum": PICKLED,
    "a log that is written ahead": REDO_LOG,
    "a temporary directory": TEMPORARY_DIRECTORY,
    "a dataclass, gzip": GZIPPED,
    "SQLite": SQLITE,
    "no name until it is whole": NO_NAME_AT_FIRST,
    "pickles a class of its own": PICKLES_ITS_OWN_CLASS,
    "tried out below": TRIED_OUT_BELOW,
    "drawn below": DRAWN_BELOW,
    "a checksum in JSON": CHECKSUM,
    "a lock whose file stays": LOCK_FILE_STAYS,
    "recursive": RECURSIVE,
    "a failed task goes on": FAILED_GOES_ON,
}

STALE_BACKUP = '''
# answer: save_task
def save_task(task: Task, path: str) -> None:
    """Keep a .bak while we save, so that an operator can go back."""
    backup, new = path + ".bak", path + ".new"
    with open(new, "wb") as f:
        f.write(task.model_dump_json().encode())
        f.flush()
        os.fsync(f.fileno())
    if os.path.exists(path):
        os.link(path, backup)
    os.replace(new, path)
    fd = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    if os.path.exists(backup):
        os.unlink(backup)
'''

STALE_LOCK = """
# answer: save_task
import contextlib


@contextlib.contextmanager
def locked(path):
    lock = path + ".lock.d"
    try:
        os.mkdir(lock)
    except FileExistsError as error:
        raise BlockingIOError(f"{path} is being saved by somebody else") from error
    try:
        yield
    finally:
        os.rmdir(lock)


def save_task(task: Task, path: str) -> None:
    with locked(path):
        with open(path + ".new", "wb") as f:
            f.write(task.model_dump_json().encode())
            f.flush()
            os.fsync(f.fileno())
        os.replace(path + ".new", path)
        fd = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
"""

WRONG += [
    (
        "backup by link, a stale backup is in the way",
        "keeps_acknowledged",
        r"left beside task\.json was in the way: save_task raised FileExistsError",
        [STALE_BACKUP],
    ),
    (
        "a lock directory that outlives its process",
        "keeps_acknowledged",
        r"left beside task\.json was in the way: save_task raised BlockingIOError",
        [STALE_LOCK],
    ),
]


# What is remembered, left out and put together otherwise.

OLD_ONE = "    old = load_task(path)\n    if old is not None and {}:\n        return\n"

IN_PARTIALS = """# answer: save_task
from functools import partial


def _save(task, path, end):
    new = Path(f"{path}{end}")
    with new.open("wb", buffering=0) as file:
        file.write(task.model_dump_json().encode())
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(Path(path).parent, os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


save_task = partial(_save, end=".part")
"""

LIVES = """# answer: resume
def resume(task_id, store, steps):
    def lives():
        yield (task := store.get(Task, task_id))
        if task.state == TaskState.COMPLETED:
            return
        if task.state != TaskState.RUNNING:
            yield (task := store.save(task.to(TaskState.RUNNING)))
        while name := next((name for name in steps if name not in task.journal), None):
            yield (task := store.save(task.finished(name, steps[name]())))
        yield store.save(task.to(TaskState.COMPLETED, result=json.dumps(task.journal)))

    *_, last = lives()
    return last
"""

BY_ITS_NUMBER = """# answer: load_task
import errno


def load_task(path):
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        match error.errno:
            case errno.ENOENT:
                return None
        raise
    except UnicodeError as error:
        raise CorruptState(str(error)) from error
    try:
        return Task.model_validate(json.loads(text))
    except (TypeError, ValueError) as error:
        raise CorruptState(str(error)) from error
"""

WRONG += [
    ("what is alike in id, state and journal is not written", "keeps_acknowledged", r"a task with the \w+ ",
     _in(SAVE, "    text =", OLD_ONE.format(
         "(old.id, old.state, old.journal) == (task.id, task.state, task.journal)") + "    text =")),
    ("what has only another result is not written", "keeps_acknowledged", r"a task with the \w+ ",
     _in(SAVE, "    text =", OLD_ONE.format(
         "all(part == getattr(task, name) for name, part in old if name not in ('result', 'error'))") + "    text =")),
    ("an older version is not written", "keeps_acknowledged", r"a task with the \w+ ",
     _in(SAVE, "    text =", OLD_ONE.format("old.id == task.id and old.version > task.version") + "    text =")),
    ("every second step is saved", "resumes", r"had finished before, and ran again",
     _in(RESUME, RUN, "            task = task.finished(name, step())\n            if len(task.journal) % 2 == 0:\n"
         "                task = store.save(task)\n")),
    ("an empty result if the step raises", "resumes", r"the journal says that it returned ''",
     _in(RESUME, RUN, "            result = ''\n            try:\n                result = step()\n"
         "            finally:\n                task = store.save(task.finished(name, result))\n")),
    ("the folder is synced before the rename", "survives_power_cut", r"^Power cut after .*but the old task is back",
     [SAVE.replace('    os.replace(path + ".new", path)\n', "") + '    os.replace(path + ".new", path)\n']),
]  # fmt: skip

RIGHT |= {
    "in partials": [IN_PARTIALS],
    "a generator of lives": [LIVES],
    "a missing file by its number": [BY_ITS_NUMBER],
}

IMAGE = """# answer: save_task
import sqlite3
import uuid


def save_task(task, path):
    base = sqlite3.connect(":memory:")
    base.execute("create table task (body text not null)")
    base.execute("insert into task values (?)", [task.model_dump_json()])
    base.commit()
    image = base.serialize()
    base.close()
    target = Path(path).resolve()
    part = target.parent / f".{uuid.uuid4().hex}"
    with part.open("wb") as out:
        out.write(len(image).to_bytes(8, "big") + image)
        out.flush()
        os.fsync(out.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
"""

FROM_THE_IMAGE = """# answer: load_task
import sqlite3


def load_task(path):
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return None
    image = data[8:]
    if len(data) < 8 or int.from_bytes(data[:8], "big") != len(image):
        raise CorruptState("the length is not right")
    base = sqlite3.connect(":memory:")
    try:
        base.deserialize(image)
        (body,) = base.execute("select body from task").fetchone()
        return Task.model_validate_json(body)
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise CorruptState("no database") from error
    finally:
        base.close()
"""

LACKS = "if name not in task.journal:"

WRONG += [
    ("a name that another contains is taken as done", "resumes", r"and resume ran .*; expected",
     _in(RESUME, LACKS, 'if name not in ",".join(task.journal):')),
    ("a name that begins as another is taken as done", "resumes", r"and resume ran .*; expected",
     _in(RESUME, LACKS, "if not any(name.startswith(done) for done in task.journal):")),
    ("a name in small letters is taken as done", "resumes", r"and resume ran .*; expected",
     _in(RESUME, LACKS, "if name.lower() not in map(str.lower, task.journal):")),
]  # fmt: skip

RIGHT |= {"an image of a database": [IMAGE, FROM_THE_IMAGE]}

RIGHT |= {
    "sqlite image": ['''\
# answer: save_task
import hashlib
import sqlite3
import uuid
from contextlib import closing


def _sync(name):
    handle = os.open(name, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def save_task(task: Task, path: str) -> None:
    """Build a new database beside path, then put it in place."""
    folder = os.path.dirname(path) or "."
    draft = os.path.join(folder, f".{uuid.uuid4().hex}.sqlite")
    body = task.model_dump_json().encode("utf-8")
    with closing(sqlite3.connect(draft)) as db:
        with db:
            db.execute("CREATE TABLE saved (body BLOB NOT NULL, digest BLOB NOT NULL)")
            db.execute("INSERT INTO saved VALUES (?, ?)", (body, hashlib.sha256(body).digest()))
    _sync(draft)
    os.replace(draft, path)
    _sync(folder)
''', r'''# answer: load_task
import hashlib
import sqlite3
from contextlib import closing


def load_task(path: str) -> Task | None:
    """Read the file whole, and look at it as a database in memory."""
    try:
        image = Path(path).read_bytes()
    except FileNotFoundError:
        return None
    page = int.from_bytes(image[16:18], "big")
    page = 65536 if page == 1 else page
    pages = int.from_bytes(image[28:32], "big")
    if len(image) < 100 or not image.startswith(b"SQLite format 3\0") or len(image) != page * pages:
        raise CorruptState(f"{path} is no whole database")
    try:
        with closing(sqlite3.connect(":memory:")) as db:
            db.deserialize(image)
            ((body, digest),) = db.execute("SELECT body, digest FROM saved").fetchall()
        if hashlib.sha256(body).digest() != digest:
            raise ValueError("the digest is another one")
        return Task.model_validate_json(body)
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise CorruptState(f"{path}: {error}") from error
''', r'''# answer: resume
from itertools import filterfalse


def resume(task_id, store, steps) -> Task:
    """Run the missing steps, the first one together with the change to RUNNING."""
    task = store.get(Task, task_id)
    if task.state == TaskState.COMPLETED:
        return task
    if task.state == TaskState.PENDING:
        task = task.to(TaskState.RUNNING)       # saved with the first step
    for name in list(filterfalse(task.journal.__contains__, steps)):
        result = steps[name]()
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="\n".join(task.journal.values())))
'''],
}  # fmt: skip
