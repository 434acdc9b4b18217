"""The crash lab as an instrument: what `sweep` finds, and what it refuses to call safe. The same each time."""

import importlib
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from labkit.crash import KILLED, POWER_CUT, CrashLabError, DidNotSurviveError, Observation, sweep, trial, under_test
from labkit.crash.asked import Sweep, Swept
from labkit.crash.client import CLIENT, Client, _remove
from labkit.crash.jobs import Limits, Programs
from labkit.crash.pickling import pickled
from labkit.files import write_atomically
from labkit.world import ack, tool

OLD, NEW = {"state": "old"}, {"state": "new"}


def write_old() -> None:
    with open("task.json", "w") as file:
        json.dump(OLD, file)


def load() -> dict:
    with open("task.json") as file:
        return json.load(file)


def whole_and_kept(seen: Observation) -> None:
    assert seen.state in (OLD, NEW), "neither old nor new"
    assert seen.state == NEW or not seen.acknowledged, "an acknowledged save is lost"


def in_place() -> None:
    with open("task.json", "w") as file:
        json.dump(NEW, file)
    ack("saved")


def write_beside(*, sync: bool) -> None:
    with open("task.tmp", "w") as file:
        json.dump(NEW, file)
        file.flush()
        if sync:
            os.fsync(file.fileno())


def sync_folder() -> None:
    fd = os.open(".", os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def temp_and_rename() -> None:
    write_beside(sync=False)
    os.replace("task.tmp", "task.json")
    ack("saved")


def file_fsync() -> None:
    write_beside(sync=True)
    os.replace("task.tmp", "task.json")
    ack("saved")


def early_ack() -> None:
    write_beside(sync=True)
    ack("saved")
    os.replace("task.tmp", "task.json")
    sync_folder()


def correct() -> None:
    write_beside(sync=True)
    os.replace("task.tmp", "task.json")
    sync_folder()
    ack("saved")


STEPS = ["create_dns", "issue_certificate", "deploy_container", "configure_monitoring", "notify"]


def save_steps(done: list[str]) -> None:
    with open("steps.tmp", "w") as file:
        json.dump(done, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace("steps.tmp", "steps.json")
    sync_folder()


def naive_agent() -> None:
    done = json.loads(Path("steps.json").read_text()) if Path("steps.json").exists() else []
    for step in STEPS[len(done) :]:
        tool(step, service="shop")
        done.append(step)
        save_steps(done)
    ack("deployed")


def agent_with_keys() -> None:
    done = json.loads(Path("steps.json").read_text()) if Path("steps.json").exists() else []
    for step in STEPS[len(done) :]:
        tool(step, service="shop", key=f"deploy-1/{step}")
        done.append(step)
        save_steps(done)
    ack("deployed")


def agent_that_saves_at_the_end() -> None:
    done = []
    for step in STEPS:
        tool(step, service="shop")
        done.append(step)
    save_steps(done)
    ack("deployed")


def each_step_once(seen: Observation) -> None:
    assert sorted(call.tool for call in seen.ledger) == sorted(STEPS)


TABLE = [  # program, recovery, invariant; crash points that break it: by a kill, by a power cut, by either; of how many
    (in_place, load, whole_and_kept, 1, 3, 4, 5),
    (temp_and_rename, load, whole_and_kept, 0, 3, 3, 6),
    (file_fsync, load, whole_and_kept, 0, 2, 2, 7),
    (early_ack, load, whole_and_kept, 1, 2, 2, 8),
    (correct, load, whole_and_kept, 0, 0, 0, 8),
    (naive_agent, naive_agent, each_step_once, 20, 20, 25, 33),
    (agent_with_keys, agent_with_keys, each_step_once, 0, 0, 0, 33),
    (agent_that_saves_at_the_end, agent_that_saves_at_the_end, each_step_once, 12, 4, 12, 13),
]


@pytest.mark.parametrize("row", TABLE, ids=[row[0].__name__ for row in TABLE])
def test_known_programs_get_their_known_verdicts(row):
    """Each program breaks at exactly the crash points that it is known to break at, under either fault."""
    run, recover, invariant, *expected = row
    report = sweep(run, recover, invariant, write_old, power=True)
    assert report.problem is None
    counts = [sum(bool(point.broken(model)) for point in report.points) for model in (KILLED, POWER_CUT, "")]
    assert [*counts, len(report.points)] == expected
    plain = sweep(run, recover, invariant, write_old)
    assert [point.survives for point in plain.points] == [not point.broken(KILLED) for point in report.points]


def test_a_verdict_names_its_fault_model_and_what_ext4_does():
    """Each fault has its own line; what default ext4 would have saved is said to be so."""
    report = sweep(temp_and_rename, load, whole_and_kept, write_old, power=True)
    assert report.verdict.splitlines() == [
        "temp_and_rename",
        "  process killed: 0 of 6 crash points break it",
        "  power cut: 3 of 6 crash points break it",
        "  either: 3 of 6 crash points break it",
    ]
    what = report.counterexample().what
    assert what.startswith("Power cut after line")
    assert (
        "(modelled: data lost. POSIX allows it; default ext4 saves you): on restart, recovery raised JSONDecodeError"
        in what
    )
    rename = sweep(file_fsync, load, whole_and_kept, write_old, power=True).counterexample().what
    assert "(modelled: rename lost): an acknowledged save is lost" in rename


def test_a_power_cut_can_be_replayed():
    """The files that it left are shown, and the model it was asked for is kept to."""
    report = sweep(temp_and_rename, load, whole_and_kept, write_old, power=True)
    assert report.replay(3, POWER_CUT).before == {"task.json": ""}
    assert report.replay(3, KILLED).before == {"task.json": json.dumps(NEW)}
    with pytest.raises(ValueError, match="there is no outcome of 'flood' at crash point 3"):
        report.replay(3, "flood")


def drain_inbox() -> list[str]:
    """Deletes what is to be done before it is done: right, unless this dies as well."""
    if not Path("inbox").exists():
        return sorted(os.listdir("."))
    names = Path("inbox").read_text().split()
    os.remove("inbox")
    for name in names:
        Path(name).touch()
    return sorted(os.listdir("."))


def write_inbox() -> None:
    Path("inbox.new").write_text("a b")
    os.replace("inbox.new", "inbox")
    ack("queued")


def test_killing_the_recovery_finds_what_one_crash_does_not():
    """A recovery that deletes its work before it is done survives one crash, and not a second one."""

    def invariant(seen: Observation) -> None:
        assert {"a", "b"} <= set(seen.state) or not seen.acknowledged, "a queued item is lost"

    assert sweep(write_inbox, drain_inbox, invariant).broken == []
    report = sweep(write_inbox, drain_inbox, invariant, depth=2)
    assert [point.k for point in report.broken] == [4, 5]
    assert (
        "; the recovery was killed as well, after unlink inbox: a queued item is lost" in report.counterexample().what
    )


def test_the_effects_are_the_calls_that_reach_the_system():
    """A json.dump is one line and several calls; what shows is what Python's buffers hand on."""
    report = sweep(correct, load, whole_and_kept, write_old)
    names = ["open task.tmp", "write task.tmp", "fsync task.tmp", "replace task.tmp → task.json", "fsync dir ."]
    assert [str(effect) for effect in report.effects] == [*names, "ACK saved", "RETURN"]


@pytest.mark.slow
def test_a_verdict_is_the_same_every_time():
    """Five sweeps say the same to the letter."""
    assert len({str(sweep(naive_agent, naive_agent, each_step_once)) for _ in range(5)}) == 1


def test_the_counterexample_names_the_line_and_the_reason():
    """The smallest counterexample says after which line of the program the kill came, and what broke."""
    with pytest.raises(DidNotSurviveError) as caught:
        sweep(in_place, load, whole_and_kept, write_old).assert_survives()
    line = in_place.__code__.co_firstlineno + 1
    assert caught.value.what.startswith(
        f"Killed after line {line} had done open-truncate task.json, before write task.json"
    )
    assert caught.value.where == f'in_place, line {line}: with open("task.json", "w") as file:'
    assert caught.value.score == "1 of 5 crash points breaks it"


def test_a_replay_shows_what_the_killed_process_left():
    """Files before and after the restart, the ledger, what was printed."""

    def run() -> None:
        print("about to call")
        tool("notify", service="shop")
        in_place()

    replay = sweep(run, load, whole_and_kept, write_old).replay(2)
    assert replay.before == {"task.json": ""}
    assert [call.tool for call in replay.ledger] == ["notify"]
    assert replay.output == "about to call\n"
    assert "task.json  (empty)" in str(replay)
    with pytest.raises(ValueError, match="there is no crash point 99: choose 0 to 5"):
        sweep(run, load, whole_and_kept, write_old).replay(99)


def test_the_parent_of_the_code_under_test_never_loads_it():
    """Each child unpickles the program anew: nothing that one left behind is seen by the next."""

    def run() -> None:
        os.environ["SEEN"] = os.environ.get("SEEN", "") + "x"
        Path("seen").write_text(os.environ["SEEN"])

    def invariant(seen: Observation) -> None:
        assert seen.state in ("none", "x")

    sweep(
        run, lambda: Path("seen").read_text() or "none" if Path("seen").exists() else "none", invariant
    ).assert_survives()


def test_functions_come_from_anywhere():
    """The same verdict from a script, from standard input, and for a lambda."""
    program = (
        "from labkit import sweep\n"
        "def run(): open('x', 'w').write('new')\n"
        "print(sweep(run, lambda: None, lambda seen: None).verdict)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.py")
        script.write_text(program)
        for command, given in (([script], None), (["-"], program), (["-c", program], None)):
            done = subprocess.run(
                [sys.executable, *command], input=given, capture_output=True, text=True, check=True, timeout=60
            )
            assert done.stdout == "run: 0 of 4 crash points break it\n"


def test_chance_repeats_but_recovery_draws_other_numbers():
    """A key from uuid4 is the same in every run and another one after the restart, so its bug shows."""

    def draw() -> list:
        names = tempfile.mkstemp(dir=".")[1][-8:], os.urandom(2).hex(), random.Random().random(), random.random()
        return [str(uuid.uuid4()), *map(str, names), os.getpid()]

    def run() -> None:
        Path("run").write_text(json.dumps(draw()))

    def recover() -> list:
        return [json.loads(Path("run").read_text()) if Path("run").stat().st_size else [], draw()]

    def invariant(seen: Observation) -> None:
        assert not any(one == other for one, other in zip(*seen.state, strict=False)), "drew the same"

    report = sweep(run, recover, invariant, lambda: Path("run").touch())
    report.assert_survives()
    assert report == sweep(run, recover, invariant, lambda: Path("run").touch())


def test_time_is_the_worlds_and_outlives_the_process():
    """Ten minutes asleep take no time, and the next process finds the clock where the kill and a downtime left it."""

    def run() -> None:
        time.sleep(600)
        Path("at").write_text(str(time.time()))

    def recover() -> list[float]:
        return [time.time(), time.monotonic()]

    def invariant(seen: Observation) -> None:
        wall, monotonic = seen.state
        assert wall - float(Path("at").read_text() or wall - 60) == 60
        assert monotonic == 1000 + 600 + 60

    report = sweep(run, recover, invariant, lambda: Path("at").touch())
    assert [point.k for point in report.broken] == []


def test_a_program_that_does_nothing_does_not_survive():
    """Nothing to lose proves nothing."""
    with pytest.raises(DidNotSurviveError, match="did 0 things that could be lost, where at least 1"):
        sweep(lambda: None, lambda: None, lambda seen: None).assert_survives()


def leave() -> None:
    os._exit(3)


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def write_from_c() -> None:
    subprocess.run(["sh", "-c", "echo x > by-another-process"], check=True)


def write_by_chance() -> None:
    with open("/dev/urandom", "rb") as source:
        Path(source.read(8).hex()).touch()


def write_much() -> None:
    for _ in range(30):
        Path("x").write_text("a")


def never_end() -> None:
    while True:
        pass


def write_outside() -> None:
    Path("inside").touch()
    Path("../outside").write_text("x")


TODO = "keep state in the current folder; what is no part of the program's state may be named in ignore="


@pytest.mark.parametrize("role", ["setup", "run", "recover", "invariant"])
def test_what_is_written_outside_is_told_whoever_does_it(role):
    """Nobody puts it back between the crash points, so that nothing is proved."""
    roles = dict.fromkeys(("run", "recover", "invariant", "setup"), lambda *_: Path("inside").touch())
    report = sweep(**{**roles, role: lambda *_: Path("../outside").write_text("x")})
    assert report.problem == f"{role} was going to write to ../outside, outside its folder: {TODO}"
    assert "write_text" in str(report.problem_line)


@pytest.mark.parametrize("role", ["setup", "run", "recover", "invariant"])
def test_a_database_of_sqlite_outside_is_told_whoever_opens_it(role, tmp_path):
    """Its file is written by C code, which no shim sees."""
    roles = dict.fromkeys(("run", "recover", "invariant", "setup"), lambda *_: Path("inside").touch())
    path = str(tmp_path / "data.db")
    report = sweep(**{**roles, role: lambda *_: __import__("sqlite3").connect(path).close()})
    assert report.problem == f"{role} was going to write to {path}, outside its folder: {TODO}"
    assert not Path(path).exists()


def write_by_mmap() -> None:
    import mmap

    with open("mapped", "w+b") as file:
        file.write(bytes(4096))
        file.flush()
        with mmap.mmap(file.fileno(), 0) as memory:
            memory[:5] = b"hello"


def make_fifo() -> None:
    os.mkfifo("pipe")


def fork() -> None:
    os.fork()


REFUSED = [
    (write_outside, "run was going to write to ../outside, outside its folder: keep state in the current folder"),
    (fork, "run was going to start another process: the crash lab explores one"),
    (lambda: 1 / 0, "run raised ZeroDivisionError: division by zero"),
    (leave, "run ended by itself, with exit status 3"),
    (kill_itself, "run ended by itself, with exit status -9"),
    (never_end, "run did not end in time"),
    (write_from_c, "run was going to start another process (sh): the crash lab explores one process"),
    (write_by_mmap, "run was going to map mapped into its memory and write there: write to the file, and call fsync"),
    (make_fifo, "run was going to call os.mkfifo: the crash lab explores files and folders"),
    (write_by_chance, "NONDETERMINISTIC: the run, repeated with the same seed, did"),
    (write_much, "run had more effects than the limit of 20 allows"),
]


@pytest.mark.parametrize(("run", "problem"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_was_not_explored_is_never_called_survived(run, problem, monkeypatch):
    """Each obstacle has its own message, and the report refuses to say that the program survives."""
    if run is never_end:
        monkeypatch.setattr(CLIENT, "seconds", 1.0)
    report = sweep(run, lambda: None, lambda seen: None, limit=20)
    assert report.verdict.endswith("not explored")
    with pytest.raises(DidNotSurviveError) as caught:
        report.assert_survives()
    assert caught.value.what.startswith(problem)
    assert len(Path(f"/proc/{CLIENT.pid}/task/{CLIENT.pid}/children").read_text().split()) <= 4, (
        "only its world is left, and three zygotes with other hash seeds"
    )


def test_more_than_the_limit_is_said_and_never_sampled():
    """A run with too many effects gets no points at all."""
    assert sweep(write_much, lambda: None, lambda seen: None, limit=20).points == []


def test_a_trial_has_the_limit_that_it_is_given():
    """A file that is written thirty times needs more than twenty effects, and fewer than a hundred."""
    few, enough = (trial(write_much, limit=most) for most in (20, 100))
    assert enough.how == "returned"
    assert few.how != "returned"
    assert "more effects than the limit of 20 allows" in f"{few.failure}"


def test_what_cannot_travel_is_one_line():
    """A lock in the program's globals is refused with its name, not with a traceback of ours."""
    lock = __import__("threading").Lock()
    with pytest.raises(CrashLabError, match="uses something that cannot travel to another process"):
        sweep(lambda: lock, lambda: None, lambda seen: None)


MAPPED = """
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


def engine():
    return create_engine("sqlite:///shop.db")


def setup():
    Base.metadata.create_all(engine())


def run():
    for number in (1, 2):
        with Session(engine()) as session:
            session.add(Order(id=number))
            session.commit()


def recover():
    with Session(engine()) as session:
        return list(session.scalars(select(Order.id)))


def invariant(seen):
    assert seen.state != [1], "half of it"
"""


def test_what_cannot_be_copied_is_imported_from_its_file(tmp_path, monkeypatch):
    """Classes of an ORM, in a module of the program's own: cloudpickle refuses what they hold."""
    (tmp_path / "shop_of_a_stranger.py").write_text(MAPPED)
    monkeypatch.syspath_prepend(tmp_path)
    shop = importlib.import_module("shop_of_a_stranger")
    report = sweep(shop.run, shop.recover, shop.invariant, shop.setup)
    assert report.problem is None
    assert [report.effects[point.k - 1].op for point in report.broken][:1] == ["COMMIT"]
    monkeypatch.delitem(sys.modules, "shop_of_a_stranger")
    (tmp_path / "shop_of_a_stranger.py").unlink()
    importlib.invalidate_caches()
    monkeypatch.setitem(sys.modules, "shop_of_a_stranger", shop)
    with pytest.raises(CrashLabError, match="import it from a file"):
        sweep(shop.run, shop.recover, shop.invariant, shop.setup)


def test_the_invariant_is_asked_once_of_the_same():
    """Five leftovers become one at the restart, and are judged in one process; each point has the verdict."""

    def run() -> None:
        for name in "abcd":
            Path(name).touch()

    def recover() -> str:
        for path in Path().iterdir():
            path.unlink()
        return "empty"

    def never(seen: Observation) -> None:
        assert seen.state == "full", "it is empty"

    report = sweep(run, recover, never)
    points, recording, leftovers, verdicts = len(report.points), 1, 5, 1
    assert all(each.reason.startswith("it is empty") for point in report.broken for each in point.broken())
    assert (len(report.broken), report.processes) == (points, recording + points + leftovers + verdicts)


def test_recovery_must_return_plain_data():
    """Models and dataclasses travel as their dict; anything else is the verdict."""
    report = sweep(in_place, object, lambda seen: None, write_old)
    assert report.broken[0].outcomes[0].reason == "recover must return plain data, not object"


def test_what_a_program_leaves_running_is_ended():
    """A background process in a session of its own does not outlive its crash point, and cannot hold up the lab."""

    def leave_running() -> None:
        subprocess.Popen(["setsid", "sh", "-c", "echo $$ > pid; exec sleep 1000"], close_fds=False)
        while not Path("pid").exists() or not Path("pid").read_text():
            pass

    seen = trial(leave_running)
    assert seen.how == "returned", seen.failure
    assert not Path(f"/proc/{int(seen.files['pid'])}/cwd").exists()


@pytest.mark.long
def test_a_zygote_that_does_not_run_yet_is_ended_without_ado():
    """Whoever watches the crash lab may be sooner than its first request, which then works as ever."""
    client = Client()
    client.end_for("too large")
    assert client.pid is None
    try:
        assert client.ask(Sweep(Programs(*[pickled(list)] * 3)), Swept, Limits()).problem is None
    finally:
        client.close()


def test_a_tool_takes_plain_data_only():
    """An object of a class of one's own is refused as an argument, and nothing has happened."""
    seen = trial(lambda: tool("notify", service=SimpleNamespace(name="shop")))
    assert (seen.error, seen.world.calls) == ("TypeError", [])


def test_a_trial_runs_once_and_tells_everything():
    """What it returned, printed, wrote, and did to the world."""

    def run() -> dict:
        print("hello")
        Path("note").write_text("x")
        return {"answer": tool("notify", service="shop")}

    seen = trial(run)
    assert (seen.how, seen.value) == ("returned", {"answer": "team told that shop is live"})
    assert (seen.output, seen.files) == ("hello\n", {"note": "x"})
    assert [call.tool for call in seen.world.ledger] == ["notify"]
    assert seen.effects == ["open note", "write note", "tool notify", "RETURN"]


@pytest.mark.long
def test_fresh_interpreters_come_to_the_same_verdict():
    """Where fork is not safe, each process is spawned; the report says so, and says the same."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_crash as t\n"
        "print(t.sweep(t.early_ack, t.load, t.whole_and_kept, t.write_old, power=True))"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent)]
    forked, spawned = (
        subprocess.check_output(command, text=True, timeout=100, env={**os.environ, "LABKIT_CHILDREN": how})
        for how in ("fork", "spawn")
    )
    note = "Each process was a fresh interpreter: fork is not known to be safe here.\n"
    assert "process killed: 1 of 8 crash points breaks it" in forked
    assert spawned == forked + note


@pytest.mark.parametrize("then", ["import time; time.sleep(1000)", "sweep(often, list, lambda seen: None)"])
def test_nothing_is_left_when_the_process_is_killed(then):
    """After SIGKILL of a process that swept or is sweeping, its helper processes and its folder go by themselves."""
    program = (
        "from labkit.crash.client import CLIENT\nfrom labkit import sweep\n"
        "def often():\n    for k in range(150):\n        open(f'{k}', 'w').close()\n"
        "sweep(lambda: None, lambda: None, lambda seen: None)\n"
        f"print(CLIENT.folder, CLIENT.pid, flush=True)\n{then}\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    folder, zygote = process.stdout.readline().split()
    assert Path(folder).exists()
    if "often" in then:
        while not any(Path(folder).rglob("149")):
            time.sleep(0.01)
    process.kill()
    process.wait(60)
    process.stdout.close()
    for _ in range(200):
        if not Path(folder).exists() and not Path(f"/proc/{zygote}/cwd").exists():
            break
        time.sleep(0.05)
    assert not Path(folder).exists()
    assert not Path(f"/proc/{zygote}/cwd").exists()


def save_as(name: str) -> None:
    Path(name).write_text("saved")


def test_a_partial_is_named_for_its_function():
    """`functools.partial` has no name of its own; the report and the errors use that of what it is made of."""
    assert sweep(partial(save_as, "a"), list, lambda seen: None).name == "save_as"
    with pytest.raises(CrashLabError, match="save_as uses something that cannot travel"):
        sweep(partial(save_as, threading.Lock()), list, lambda seen: None)


def test_a_counterexample_names_the_learners_line_and_not_labkits():
    """An effect deep in a mechanism of labkit belongs to the line that used the mechanism."""

    def run():
        write_atomically("state", b"charged")
        tool("charge", customer="Ada", amount=20)

    def invariant(seen):
        assert len(seen.ledger) == 1

    report = sweep(run, run, invariant)
    where = {effect.line.text for effect in report.effects if effect.line}
    assert where == {'write_atomically("state", b"charged")', 'tool("charge", customer="Ada", amount=20)'}
    assert report.counterexample().where.startswith("run, line")


@pytest.mark.parametrize(
    ("module", "file", "ours"),
    [
        ("answers", "<given: adapters>", False), ("answers", "<answer save_task>", True),
        ("__main__", "<string>", True), ("sqlalchemy.orm.session", "<string>", False), ("", "<attrs init>", False),
        ("importlib._bootstrap", "<frozen importlib._bootstrap>", False), ("answers", "answers.py", True),
    ],
)  # fmt: skip
def test_the_code_under_test_is_what_the_learner_wrote(module, file, ours):
    """What the instructor has given, and what a library makes from text, is none of it."""
    importlib.import_module("sqlalchemy.orm")
    assert under_test._is_under_test(module, file) is ours


def test_children_do_not_carry_what_only_a_library_of_the_lab_would_like():
    """time_machine loads pytest where there is one: every fork would copy its memory. Who wants it can import it."""
    program = """
import sys, labkit.crash.zygote.__main__
print([name for name in ("pytest", "dateutil", "pygments") if name in sys.modules])
import pytest, dateutil
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.long
def test_a_folder_that_somebody_has_tidied_away_is_made_again():
    """A cleaner of shared memory costs no sweep after it."""
    client = Client()
    try:
        for _ in range(2):
            assert client.ask(Sweep(Programs(*[pickled(list)] * 3)), Swept, Limits()).problem is None
            folder = client.folder
            shutil.rmtree(folder)
        assert client.folder != folder
    finally:
        client.close()


def test_no_name_in_its_folder_leads_the_client_to_another_file(tmp_path):
    """Children may own that folder: what they put there as its log is neither shown nor written to."""
    secret, client = tmp_path / "secret", Client()
    secret.write_text("SECRET")
    try:
        client.start()
        (client.folder / "log").unlink(missing_ok=True)
        (client.folder / "log").symlink_to(secret)
        os.kill(client.pid, signal.SIGSTOP)
        timer = threading.Timer(0.5, os.kill, [client.pid, signal.SIGKILL])
        timer.start()
        with pytest.raises(CrashLabError, match="own process ended: killed"):
            client.ask(Sweep(Programs(*[pickled(list)] * 3)), Swept, Limits())
        timer.join()
        assert client.folder.exists()
        client.start()
    finally:
        client.close()
    assert secret.read_text() == "SECRET"


@pytest.mark.long
def test_a_fork_of_the_kernel_ends_and_removes_nothing():
    """It has the client, and neither its zygote nor its folder."""
    client = Client()
    try:
        assert client.ask(Sweep(Programs(*[pickled(list)] * 3)), Swept, Limits()).problem is None
        folder, pid = client.folder, os.fork()
        if not pid:
            client.close()
            _remove(folder, client._owner)
            os._exit(0)
        os.waitpid(pid, 0)
        assert folder.exists()
        assert client.ask(Sweep(Programs(*[pickled(list)] * 3)), Swept, Limits()).problem is None
    finally:
        client.close()


def test_numbers_of_objects_and_threads_are_the_same_in_a_life_and_others_in_the_next():
    """`id` and the native id of a thread make no run another, whatever a library has asked before."""

    def run() -> str:
        thread = threading.current_thread()
        name = f"{id(f'{run}')}-{id('x' * random.randrange(9))}-{threading.get_native_id()}-{thread.native_id}"
        assert threading.get_native_id() == os.getpid()
        Path(name).touch()
        thread = threading.Thread(target=lambda: Path(f"{threading.get_native_id()} of a thread").touch())
        thread.start()
        thread.join()
        return name

    report = sweep(run, lambda: [run(), run()], lambda seen: None)
    assert report.problem is None
    assert len(report.replay(len(report.points) - 1).after) == 6


def test_names_by_chance_are_the_same_in_a_life_and_others_in_the_next():
    """uuid1, the network card, the functions of the module random and of the system make no run another."""

    def run() -> str:
        name = f"{uuid.uuid1()}-{uuid.getnode():x}-{random.getrandbits(30)}-{random.choice('abcdef')}"
        name += f"-{os.urandom(3).hex()}-{getattr(os, 'getrandom', os.urandom)(3).hex()}-{secrets.token_hex(3)}"
        Path(name).touch()
        return name

    report = sweep(run, lambda: [run(), run()], lambda seen: None)
    assert report.problem is None
    assert len({name for name in report.replay(len(report.points) - 1).after if name}) == 3
