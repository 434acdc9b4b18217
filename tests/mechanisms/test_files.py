"""State in files: the promises of every store, and what only a disk can do to it."""

import builtins
import errno
import json
import os
import pickle
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_conformance import ODD_IDS, SharedStoreConformance
from store_kinds import Door, Place

from labkit import files
from labkit.crash import DidNotSurviveError, sweep, trial
from labkit.files import FileStateStore, make_directory, sync_directory, write_atomically
from labkit.store import AlreadyExistsError, CorruptState, UnsupportedSchemaError
from labkit.task import Task, TaskState
from labkit.world import ack

OLD, NEW = b"old" * 5_000, b"new!" * 6_000


class TestFileStateStore(SharedStoreConformance):
    """FileStateStore does what every store must."""

    @pytest.fixture
    def new_place(self, tmp_path):
        """Make an empty folder."""
        numbers = count()

        def make():
            root = tmp_path / f"store {next(numbers)}"
            return Place(
                lambda clock=None: FileStateStore(root, clock),
                f"from labkit.files import FileStateStore; store = FileStateStore({str(root)!r})",
            )

        return make


@pytest.fixture
def root(tmp_path):
    """The folder of a store."""
    return tmp_path / "state"


@pytest.fixture
def store(root):
    """A store in an empty folder."""
    return FileStateStore(root)


def names(folder):
    """Everything in a folder."""
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    """Every file below a folder, with its bytes."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# write_atomically


def test_a_save_replaces_the_whole_file_or_nothing():
    """Killed at any point of writing, the file is the old one or the new one; the new one once it was acknowledged."""

    def run():
        write_atomically("file", NEW)
        ack("written")

    def setup():
        Path("file").write_bytes(OLD)

    def invariant(o):
        assert o.state in (["old", "new"] if not o.acknowledged else ["new"]), f"the file is {o.state}"

    report = sweep(run, read_file, invariant, setup)
    report.assert_survives(effects=5)
    assert any(effect.op == "ACK" for effect in report.effects)


def read_file():
    """Which of the two the file is."""
    return {OLD: "old", NEW: "new"}.get(Path("file").read_bytes(), "neither")


def test_a_sweep_sees_the_difference():
    """The same sweep breaks what writes in place: it would have told."""

    def invariant(o):
        assert o.state in {"old", "new"}

    def setup():
        Path("file").write_bytes(OLD)

    with pytest.raises(DidNotSurviveError):
        sweep(lambda: Path("file").write_bytes(NEW), read_file, invariant, setup).assert_survives()


def test_the_bytes_are_durable_before_the_name_is_and_the_name_before_it_returns():
    """Written, fsynced, renamed, directory fsynced: in this order, whatever the file system does in between."""
    seen = trial(lambda: write_atomically("file", b"x")).effects
    assert [label.split()[0] for label in seen] == ["open", "write", "fsync", "replace", "fsync", "RETURN"]
    assert seen[3].endswith("→ file")
    assert seen[4] == "fsync dir ."


def test_a_delete_is_durable_before_it_returns():
    """A record that was deleted does not come back after a power cut."""
    seen = trial(lambda: FileStateStore("state").delete(Task, "a"), insert_one_quietly).effects
    assert seen == ["unlink state/task/a.json", "fsync dir state/task", "RETURN"]


def test_the_temporary_file_is_closed_before_it_is_renamed(tmp_path, monkeypatch):
    """Windows renames no open file, and a write error that only close reports must come before the old file is gone."""
    opened, closed = [], []
    real_open, real_replace = builtins.open, os.replace
    monkeypatch.setattr(files, "open", lambda *args: opened.append(real_open(*args)) or opened[-1], raising=False)
    monkeypatch.setattr(os, "replace", lambda *args: closed.append(opened[-1].closed) or real_replace(*args))
    write_atomically(tmp_path / "file", b"x")
    assert closed == [True]


def test_two_writers_never_share_a_temporary_file(tmp_path, monkeypatch):
    """Every write has a temporary name of its own, hidden, and in the same directory as the file."""
    used = []
    real = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: used.append(Path(old)) or real(old, new))
    for _ in range(20):
        write_atomically(tmp_path / "file", b"x")
    assert len(set(used)) == 20
    assert all(path.parent == tmp_path and path.name.startswith(".file.") for path in used)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.EIO, "disk error"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing, error):
    """Whatever fails or interrupts: the old bytes are untouched, the temporary file is gone, and the caller is told."""
    (tmp_path / "file").write_bytes(OLD)

    def fail(*_):
        raise error

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(type(error)):
        write_atomically(tmp_path / "file", NEW)
    assert contents(tmp_path) == {tmp_path / "file": OLD}


def test_a_name_that_may_not_last_is_an_error_though_the_file_is_whole(tmp_path, monkeypatch):
    """If only the last step fails, the new bytes are there, but nobody is told that they will stay."""
    (tmp_path / "file").write_bytes(OLD)

    def fail(_):
        raise OSError(errno.EIO, "disk error")

    monkeypatch.setattr(files, "sync_directory", fail)
    with pytest.raises(OSError, match="disk error"):
        write_atomically(tmp_path / "file", NEW)
    assert contents(tmp_path) == {tmp_path / "file": NEW}


def test_nothing_is_written_where_there_is_no_folder(tmp_path):
    """A missing folder is an error and is not made."""
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "file", b"x")
    assert names(tmp_path) == []


def test_a_directory_is_never_replaced(tmp_path):
    """Where a directory has the name, it stays, and no temporary file stays beside it."""
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="file"):
        write_atomically(str(tmp_path / "file"), b"x")
    assert names(tmp_path) == ["file"]


FULL_DISK = """
import json, os, resource, sys
from labkit.files import FileStateStore, write_atomically
from labkit.task import Task
old, new, limit = b"old", b"new!" * 100_000, int(sys.argv[1])
write_atomically("file", old)
store = FileStateStore("state")
task = store.insert(Task(id="a", user_input="x"))
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
errors = []
big = task.model_copy(update={"user_input": "y" * 400_000}).to("running")
other = Task(user_input="y" * 400_000)
for save in (lambda: write_atomically("file", new), lambda: store.save(big), lambda: store.insert(other)):
    try:
        save()
    except OSError as error:
        errors.append(error.errno)
left = {name: sorted(os.listdir(name)) for name in (".", "state/task")}
small = store.save(store.get(Task, "a").to("running"))
print(json.dumps([errors, open("file", "rb").read() == old, left, small.version]))
"""


def full_disk(folder, limit=0):
    """What came of saving more than fits, in a process of its own: errors, if the old file is whole, what is left."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(limit)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_full_disk_costs_nothing_but_the_save(tmp_path):
    """On a file system of 128 kB that is really full, every save says so, and all that was stored is still there."""
    small = ["mount", "-t", "tmpfs", "-o", "size=128k", "labkit-test", str(tmp_path)]
    if sys.platform != "linux" or subprocess.run(small, capture_output=True, check=False).returncode:
        pytest.skip("only root on Linux can make a small disk; the next test has the same promise")
    try:
        errors, whole, left, version = full_disk(tmp_path)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert errors == [errno.ENOSPC] * 3
    assert (whole, left, version) == (True, {".": ["file", "state"], "state/task": ["a.json"]}, 2)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
def test_a_file_that_may_not_grow_costs_nothing_but_the_save(tmp_path):
    """The same where the system refuses the bytes in the middle of a file: a part was written, and is gone again."""
    errors, whole, left, version = full_disk(tmp_path, limit=20_000)
    assert errors == [errno.EFBIG] * 3
    assert (whole, left, version) == (True, {".": ["file", "state"], "state/task": ["a.json"]}, 2)


# The store's folder and files


def test_every_folder_is_durable_before_anything_is_acknowledged():
    """Each folder that the store makes is fsynced into its parent: a record cannot outlive the way to it."""

    def run():
        FileStateStore("a/b").insert(Task(id="t", user_input="x"))

    seen = trial(run).effects
    parents = {"mkdir a": "fsync dir .", "mkdir a/b": "fsync dir a", "mkdir a/b/task": "fsync dir a/b"}
    assert [label for label in seen if label.startswith("mkdir")] == list(parents)
    for made, synced in parents.items():
        assert seen[seen.index(made) + 1] == synced


def test_making_a_folder_that_is_there_does_nothing(tmp_path, monkeypatch):
    """It costs no fsync to open a store again."""
    monkeypatch.setattr(files, "sync_directory", lambda path: pytest.fail(f"fsync of {path}"))
    make_directory(tmp_path)


def test_a_store_cannot_be_where_a_file_is(tmp_path):
    """The file is not touched, and the error names it."""
    (tmp_path / "state").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="state"):
        FileStateStore(tmp_path / "state")
    assert contents(tmp_path) == {tmp_path / "state": b"mine"}


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=16))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_id_is_a_plain_visible_name_that_every_file_system_tells_apart(tmp_path, name):
    """File names are lower-case ASCII: nothing hidden, nothing outside the folder, no two alike but for case."""
    store = FileStateStore(tmp_path)
    store.insert(Door(id=name))
    (file,) = names(tmp_path / "door")
    assert file.isascii()
    assert file == file.lower()
    assert not set(file) & set('/\\:*?"<>| \0')
    assert not file.startswith(".")
    assert file.count(".") == 1
    store.delete(Door, name)
    assert names(tmp_path) == [".lock", "door"]


@pytest.mark.parametrize("more", [1, 100, 100_000])
@pytest.mark.parametrize(("letter", "most"), [("x", 200), ("X", 66), ("é", 33), ("🙂", 16)])
def test_an_id_too_long_for_a_file_name_is_refused(store, root, letter, most, more):
    """One clear ValueError before anything is written, whatever was to be done: not a name that two ids might share."""
    longest = store.insert(Task(id=letter * most, user_input="x"))
    before = contents(root)
    long = longest.model_copy(update={"id": letter * (most + more)})
    for use in (
        lambda: store.insert(long),
        lambda: store.save(long),
        lambda: store.get(Task, long.id),
        lambda: store.delete(Task, long.id),
        lambda: FileStateStore(root / "another").insert(long),
    ):
        with pytest.raises(ValueError, match=rf"^the id {letter}+… is too long: as a file name it has \d+ characters$"):
            use()
    assert contents(root) == before
    assert names(root / "another") == []
    assert store.save(longest.to("running")).version == 2


def test_a_save_touches_no_other_record(store, root):
    """One file per record: the others keep their bytes, and their file."""
    for name in ("a", "b", "c"):
        store.insert(Task(id=name, user_input="x"))
    before = {path: (path.stat().st_ino, data) for path, data in contents(root / "task").items()}
    store.save(store.get(Task, "b").to("running"))
    after = {path: (path.stat().st_ino, data) for path, data in contents(root / "task").items()}
    assert {path.name for path in after if after[path] != before[path]} == {"b.json"}
    assert after.keys() == before.keys()


COST = """
import json, os, sys
from labkit.files import FileStateStore
from labkit.task import Task
store = FileStateStore("state")
real, os.fsync = os.fsync, lambda fd: None
for number in range(int(sys.argv[1])):
    store.insert(Task(id=f"{number:05}", user_input="x"))
os.fsync = real
listening, seen = False, []

def listen(event, arguments):
    if listening and event.split(".")[0] in {"open", "os", "glob", "pathlib", "shutil", "fcntl"}:
        path = arguments[0] if arguments else None
        size = os.path.getsize(path) if isinstance(path, (str, bytes, os.PathLike)) and os.path.isfile(path) else 0
        seen.append([event, size])

sys.addaudithook(listen)

def cost(work):
    global listening, seen
    seen, listening = [], True
    work()
    listening = False
    return seen

task = store.get(Task, "00000")
print(json.dumps({
    "save": cost(lambda: store.save(task.to("running"))),
    "get": cost(lambda: store.get(Task, "00000")),
    "list": cost(lambda: store.list_by_state(Task, "running")),
}))
"""


def test_a_save_costs_the_same_however_many_records_there_are(tmp_path):
    """Counted, not timed: with 3 records and with 300, the same system calls on files of the same size.

    Listing is linear, and says so: that it shows is the proof that the count would have seen it.
    """
    costs = {}
    for records in (3, 300):
        folder = tmp_path / str(records)
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", COST, str(records)], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        costs[records] = json.loads(done.stdout)
    assert costs[3]["save"] == costs[300]["save"]
    assert costs[3]["get"] == costs[300]["get"]
    assert "os.rename" in [event for event, _ in costs[3]["save"]]
    assert len(costs[300]["list"]) - len(costs[3]["list"]) == 297


# What cannot be read


def damaged(data):
    """Every way to flip one bit of a file, and every length to cut it off at."""
    for position in range(len(data)):
        for bit in range(8):
            flipped = bytes([data[position] ^ 1 << bit])
            yield f"bit {bit} of byte {position}", data[:position] + flipped + data[position + 1 :]
        yield f"cut off at {position}", data[:position]


@pytest.mark.long
def test_damage_to_any_byte_is_reported_by_name_and_nothing_is_overwritten(store, root):
    """Not one bit flips and not one byte is cut off without CorruptState; the damaged file stays for whoever looks."""
    task = store.save(store.insert(Task(id="a", user_input="deploy")).to("running").finished("dns", "192.0.2.7"))
    file = root / "task" / "a.json"
    for damage, data in damaged(file.read_bytes()):
        file.write_bytes(data)
        for use in (
            lambda: store.get(Task, "a"),
            lambda: store.save(task.to("completed")),
            lambda: store.list_by_state(Task, "running"),
        ):
            with pytest.raises(CorruptState, match=r"a\.json cannot be read"):
                pytest.fail(f"{damage} went unseen: {use()}")
        with pytest.raises(AlreadyExistsError):
            store.insert(task)
        assert contents(root / "task") == {file: data}, damage


def test_the_order_of_the_journal_is_covered_by_the_checksum(store, root):
    """A file in which two finished steps changed places is not what was stored."""
    store.insert(Task(id="a", user_input="x", journal={"dns": "1", "web": "2"}))
    file = root / "task" / "a.json"
    data = file.read_bytes()
    assert b'"dns": "1"' in data
    assert b'"web": "2"' in data
    file.write_bytes(
        data.replace(b'"dns": "1"', b"?").replace(b'"web": "2"', b'"dns": "1"').replace(b"?", b'"web": "2"')
    )
    with pytest.raises(CorruptState, match="checksum"):
        store.get(Task, "a")


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_that_is_not_what_was_stored_is_never_taken_for_another_record(tmp_path, data):
    """Bytes replaced, put in or taken out, in a record with any text: it is reported, or what is read is as stored."""
    store = FileStateStore(tmp_path)
    store.delete(Task, "a")
    stored = store.insert(Task(id="a", user_input=data.draw(st.sampled_from(["x", "é\x1f", "ключ", "🙂"]))))
    file = tmp_path / "task" / "a.json"
    text = file.read_bytes()
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, min(len(text), begin + 3)))
    file.write_bytes(text[:begin] + data.draw(st.binary(max_size=3)) + text[end:])
    try:
        assert store.get(Task, "a") == stored
    except CorruptState as error:
        assert str(error).startswith("a.json ")  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 512,
        b"null",
        b"[]",
        b"{}",
        b'"record"',
        b"17",
        b"[" * 100_000,
        b'{"schema": 1, "sha256": "", "record": {}}',
        b'{"schema": 1, "sha256": ' + b"[" * 900 + b"]" * 900 + b', "record": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"schema": 1, "sha256": 1e999, "record": NaN}',
        b"\xff\xfe{\0}\0",
        b"9" * 10_000,
    ],
    ids=range(13),
)
def test_what_is_no_record_at_all_is_corrupt_too(store, root, data):
    """Zeros after a power cut, another program's JSON, nonsense: CorruptState, never None and never another error."""
    store.insert(Task(id="a", user_input="x"))
    (root / "task" / "a.json").write_bytes(data)
    with pytest.raises(CorruptState, match=r"^a\.json cannot be read"):
        store.get(Task, "a")


def test_a_record_of_another_kind_or_name_is_corrupt(store, root):
    """A file that was copied to another name, or over another, is not taken for what its name says."""
    store.insert(Task(id="a", user_input="x"))
    store.insert(Door(id="a"))
    (root / "task" / "b.json").write_bytes((root / "task" / "a.json").read_bytes())
    for use in (lambda: store.get(Task, "b"), lambda: store.list_by_state(Task, "pending")):
        with pytest.raises(CorruptState, match=r"b\.json cannot be read: it holds the task a$"):
            use()
    (root / "door" / "a.json").write_bytes((root / "task" / "a.json").read_bytes())
    with pytest.raises(CorruptState, match=r"a\.json cannot be read: it does not hold a door$"):
        store.get(Door, "a")


def test_one_damaged_record_does_not_hide_the_others(store, root):
    """Every other record can be read and saved, one by one."""
    for name in ("a", "b"):
        store.insert(Task(id=name, user_input="x"))
    (root / "task" / "a.json").write_bytes(b"{")
    assert store.save(store.get(Task, "b").to("running")).version == 2


def test_a_record_of_a_later_schema_is_refused_and_kept(store, root, monkeypatch):
    """An older labkit says which schema it met, and does not touch what it cannot understand."""
    monkeypatch.setattr(files, "SCHEMA", 2)
    task = store.insert(Task(id="a", user_input="x"))
    monkeypatch.undo()
    before = contents(root / "task")
    for use in (
        lambda: store.get(Task, "a"),
        lambda: store.save(task.to("running")),
        lambda: store.list_by_state(Task, "pending"),
    ):
        with pytest.raises(UnsupportedSchemaError, match=r"a\.json has schema 2; this labkit knows schema 1"):
            use()
    with pytest.raises(AlreadyExistsError):
        store.insert(task)
    assert contents(root / "task") == before


def test_a_number_that_json_does_not_know_is_refused(store):
    """What is stored is JSON that any program can read: NaN is a ValueError, and the old record stays."""
    door = store.insert(Door(id="a"))
    worn = door.model_copy(update={"lock": door.lock.model_copy(update={"wear": float("nan")})})
    with pytest.raises(ValueError, match="JSON"):
        store.save(worn)
    assert store.get(Door, "a") == door


def test_files_of_others_are_no_records(store, root):
    """What JupyterLab, a file manager or a killed save leaves in the folder is neither listed nor in the way."""
    stored = store.insert(Task(id="a", user_input="x"))
    for name in (".a.json.0000.tmp", "README.txt", "a.json~", "b.c.json", "%zz.json", "%ff.json"):
        (root / "task" / name).write_text("not a record")
    for copy in ("a-Copy1.json", "a (copy).json", "Copy of a.json"):
        (root / "task" / copy).write_bytes((root / "task" / "a.json").read_bytes())
    (root / "task" / ".ipynb_checkpoints").mkdir()
    before = contents(root / "task")
    assert store.list_by_state(Task, "pending") == [stored]
    assert contents(root / "task") == before


# Locks and permissions


@pytest.mark.skipif(os.name == "nt", reason="permissions work in another way on Windows")
def test_a_folder_that_may_only_be_read_can_be_read(tmp_path):
    """Reading takes no lock; every write is a PermissionError at once, and waits for nobody."""
    code = """
import os
from labkit.files import FileStateStore
from labkit.task import Task
FileStateStore("state").insert(Task(id="a", user_input="x"))
for name, mode in (("state/.lock", 0o444), ("state/task/a.json", 0o444), ("state/task", 0o555), ("state", 0o555)):
    os.chmod(name, mode)
if os.getuid() == 0:
    os.setuid(65534)  # root may write anywhere
store = FileStateStore("state")
task = store.get(Task, "a")
assert store.list_by_state(Task, "pending") == [task]
for write in (lambda: store.save(task.to("running")), lambda: store.delete(Task, "a"), lambda: store.insert(task)):
    try:
        write()
    except PermissionError:
        print("refused")
"""
    tmp_path.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    (tmp_path / "state").chmod(0o755)
    (tmp_path / "state" / "task").chmod(0o755)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["refused"] * 3


def test_a_lock_that_cannot_be_taken_is_an_error_and_nothing_is_written(store, root):
    """Something else in the place of the lock file is reported, not waited for."""
    (root / ".lock").mkdir()
    with pytest.raises(IsADirectoryError):
        store.insert(Task(id="a", user_input="x"))
    assert names(root) == [".lock"]


def test_an_error_gives_the_lock_back(store, root):
    """Whatever a write raises, the next one does not wait for it."""
    task = store.insert(Task(id="a", user_input="x"))
    for use in (
        lambda: store.insert(task),
        lambda: store.save(task.to("running").model_copy(update={"version": 9})),
        lambda: store.save(task.model_copy(update={"state": TaskState.COMPLETED})),
        lambda: store.insert(Task(id="y" * 300, user_input="x")),
    ):
        with pytest.raises(Exception, match=r"."):
            use()
        with FileLock(root / ".lock", timeout=0):
            pass


def test_directories_can_be_synced_without_leaking_a_descriptor(tmp_path, monkeypatch):
    """A descriptor is closed even where fsync fails."""
    opened, closed = [], []
    real_open, real_close = os.open, os.close
    monkeypatch.setattr(os, "open", lambda *args: opened.append(real_open(*args)) or opened[-1])
    monkeypatch.setattr(os, "close", lambda fd: closed.append(fd) or real_close(fd))
    monkeypatch.setattr(os, "fsync", lambda fd: int("x"))
    with pytest.raises(ValueError, match="x"):
        sync_directory(tmp_path)
    assert opened == closed != []


def test_a_store_can_be_taken_along_into_another_process(store):
    """A store is a place and a clock, nothing that is open: it can be pickled, and used by two at once."""
    other = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own
    task = other.insert(Task(id="a", user_input="x"))
    assert store.save(task.to("running")) == other.get(Task, "a")


# Crash points

POWER = pytest.mark.parametrize("power", [False, True], ids=["process killed", "or power cut"])


def restart():
    """What a new process finds, and whether it can go on working: the lock of a dead process must be free."""
    store = FileStateStore("state")
    found = store.get(Task, "a")
    listed = [task.id for state in TaskState for task in store.list_by_state(Task, state)]
    store.delete(Task, "other")
    other = store.insert(Task(id="other", user_input="x"))
    return {"found": found, "listed": listed, "other": store.save(other.to("running")).version}


def whole(state):
    """Fail unless the store of `restart` is in order; returns the version of its task, 0 if there is none."""
    found = state["found"]
    assert state["listed"] == ([found["id"]] if found else [])
    assert state["other"] == 2
    if found is None:
        return 0
    assert found["user_input"] == "deploy"
    return found["version"]


def insert_one():
    """Insert the task and tell the user."""
    FileStateStore("state").insert(Task(id="a", user_input="deploy"))
    ack("inserted")


def save_one():
    """Save the task with a step in its journal, and tell the user."""
    store = FileStateStore("state")
    store.save(store.get(Task, "a").to("running").finished("dns", "done"))
    ack("saved")


@POWER
def test_no_crash_point_breaks_an_insert(power):
    """Killed anywhere in an insert, the record is there whole or not at all; it is there once it was acknowledged."""

    def invariant(o):
        assert whole(o.state) in ({1} if o.acknowledged else {0, 1})

    sweep(insert_one, restart, invariant, power=power).assert_survives(effects=8)


@POWER
def test_no_crash_point_breaks_an_insert_beside_others(power):
    """The same in a store that is in use; what was there before stays."""

    def setup():
        FileStateStore("state").insert(Task(id="b", user_input="mine"))

    def recover():
        beside = FileStateStore("state").get(Task, "b")
        FileStateStore("state").delete(Task, "b")
        return {**restart(), "beside": beside}

    def invariant(o):
        assert whole(o.state) in ({1} if o.acknowledged else {0, 1})
        assert o.state["beside"]["user_input"] == "mine"

    sweep(insert_one, recover, invariant, setup, power=power).assert_survives(effects=5)


@POWER
def test_no_crash_point_breaks_a_save(power):
    """Killed anywhere in a save, the old record is there or the new one, whole; an acknowledged save is kept."""

    def invariant(o):
        version = whole(o.state)
        assert version in ({2} if o.acknowledged else {1, 2})
        assert o.state["found"]["state"] == {1: "pending", 2: "running"}[version]
        assert o.state["found"]["journal"] == {1: {}, 2: {"dns": "done"}}[version]

    sweep(save_one, restart, invariant, insert_one_quietly, power=power).assert_survives(effects=5)


def insert_one_quietly():
    """A store with one task."""
    FileStateStore("state").insert(Task(id="a", user_input="deploy"))


@POWER
def test_no_crash_point_breaks_a_delete(power):
    """Killed anywhere in a delete, the record is there whole or gone; it is gone once that was acknowledged."""

    def run():
        FileStateStore("state").delete(Task, "a")
        ack("deleted")

    def invariant(o):
        assert whole(o.state) in ({0} if o.acknowledged else {0, 1})

    sweep(run, restart, invariant, insert_one_quietly, power=power).assert_survives(effects=2)


@pytest.mark.parametrize("name", ["a/b", "..", ".lock", "ключ"])
def test_no_crash_point_breaks_a_save_under_an_odd_name(name):
    """The same for an id that is no file name."""
    assert name in ODD_IDS

    def setup():
        FileStateStore("state").insert(Task(id=name, user_input="deploy"))

    def run():
        store = FileStateStore("state")
        store.save(store.get(Task, name).to("running"))
        ack("saved")

    def recover():
        return FileStateStore("state").get(Task, name)

    def invariant(o):
        assert (o.state["id"], o.state["version"]) in ([(name, 2)] if o.acknowledged else [(name, 1), (name, 2)])

    sweep(run, recover, invariant, setup).assert_survives(effects=4)


def test_a_sweep_of_a_store_that_writes_in_place_fails():
    """The proof that the sweeps above look: one line changed in the store, and a crash point breaks it."""

    def run():
        files.write_atomically = lambda path, data: Path(path).write_bytes(data)
        save_one()

    def invariant(o):
        assert whole(o.state) in {1, 2}

    with pytest.raises(DidNotSurviveError, match=r"CorruptState: a\.json cannot be read"):
        sweep(run, restart, invariant, insert_one_quietly).assert_survives()
