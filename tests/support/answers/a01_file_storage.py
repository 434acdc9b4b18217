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

RESTORES_OS = """
# answer: save_task
real = getattr(os.replace, "args", [os.replace])[-1]


def save_task(task, path):
    with open(path + ".tmp", "w") as file:
        file.write(task.model_dump_json())
    real(path + ".tmp", path)
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

WRONG = [
    ("written in place", "saves_whole", r"line 3 had done open-truncate.*is empty", [IN_PLACE]),
    ("deleted, then renamed", "saves_whole", r"line 6 had done unlink task.json.*is gone", [DELETE_THEN_RENAME]),
    ("replaced before it is closed", "saves_whole", r"had done replace .*is empty", [REPLACED_BEFORE_CLOSED]),
    ("backup first, nobody reads it", "saves_whole", r"had done replace task.json .*is gone", [BACKUP_FIRST]),
    ("an empty function", "saves_whole", r"does nothing survives|is gone", [EMPTY]),
    ("an empty function", "keeps_acknowledged", r"save_task had returned.*is gone", [EMPTY]),
    ("kept in memory", "keeps_acknowledged", r"save_task had returned.*is empty", [KEPT_IN_MEMORY]),
    ("serialisation error swallowed", "keeps_acknowledged", r"save_task had returned, but task.json is gone",
     [ERROR_SWALLOWED]),
    ("disk error swallowed", "keeps_acknowledged", r"returned as if it had", [DISK_ERROR_SWALLOWED]),
    ("restores os.*", "saves_whole", r"something changed task.json.* did not see", [RESTORES_OS]),
    ("writes by a subprocess", "saves_whole", r"something changed task.json.* did not see", [BY_A_SUBPROCESS]),
    ("helper outside the answer cells", "saves_whole", r"`write_whole` is defined outside the answer cells",
     [HELPER_OUTSIDE, "def write_whole(path, text):\n    pass\n"]),
    ("corrupt taken for new", "reports_corrupt", r"empty file, load_task returned None", [CORRUPT_IS_NEW]),
    ("only JSON errors understood", "reports_corrupt", r"raised UnicodeDecodeError", [ONLY_JSON_ERRORS]),
    ("empty taken for new", "reports_corrupt", r"empty file, load_task returned None", [EMPTY_IS_NONE]),
    ("missing taken for corrupt", "reports_corrupt", r"There was no file, and load_task returned CorruptState",
     [MISSING_IS_CORRUPT]),
    ("saved only at the end", "resumes", r"had finished before the crash, and ran again", [SAVED_AT_THE_END]),
    ("journalled before the step ran", "resumes", r"has never run, though the task says completed",
     [JOURNALLED_BEFORE]),
    ("restarted from step 1", "resumes", r"was journalled as finished, and ran again", [FROM_STEP_ONE]),
    ("returns nothing", "resumes", r"resume returned None, not a task", [RETURNS_NOTHING]),
    ("kills its parent", "saves_whole", r"crash lab's own process ended", [KILLS_ITS_PARENT]),
    ("leaves by os._exit", "saves_whole", r"ended by itself, with exit status 0", [LEAVES]),
    ("does not end", "keeps_acknowledged", r"did not end in time", [ENDLESS]),
    ("an error class of its own", "reports_corrupt", r"not one of your own", [ITS_OWN_ERROR]),
    ("returns a dict", "saves_whole", r"load_task returned \{'id'", [RETURNS_A_DICT]),
    ("not Python", "saves_whole", r"save_task: line 2 is not Python: expected ':'", [NOT_PYTHON]),
    ("no fsync of the file", "survives_power_cut", r"replace .*data lost.*ext4 saves you.*is empty", [NO_FSYNC]),
    ("no fsync of the directory", "survives_power_cut", r"rename lost\).* but the old task is back",
     [NO_FSYNC_OF_THE_DIRECTORY]),
    ("fsync before flush", "survives_power_cut", r"had done replace .*data lost", [FSYNC_BEFORE_FLUSH]),
    ("fsync too late", "survives_power_cut", r"before fsync task.json \(modelled: data lost", [FSYNC_TOO_LATE]),
    ("never completes", "resumes", r"resume returned a running task", [NEVER_COMPLETES]),
    ("a completed task run again", "stays_completed", r"was completed already, and resume ran", [RUNS_AGAIN]),
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
        fresh = self.path.with_suffix(".fresh")
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
    folder = os.open(os.getcwd(), os.O_RDONLY)
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

RIGHT = {
    "helpers inside, low-level calls": HELPERS_INSIDE,
    "a class behind the functions": CLASS_BEHIND,
    "another temporary name, by tempfile": TEMPFILE,
    "pathlib throughout": PATHLIB,
    "keeps the previous generation": TWO_GENERATIONS,
    "stamps the time, journals in place, a while loop": STAMPS_AND_LOOPS,
}
