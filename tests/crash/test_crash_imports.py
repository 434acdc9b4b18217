"""What the program imports is loaded once, in the zygote: only what is installed, and leaves nothing else behind."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import sweep
from labkit.crash.jobs import Memory
from labkit.crash.news import Returned, Waiting
from labkit.crash.zygote import explore
from labkit.crash.zygote.endings import Ending, How, NotExploredError
from labkit.crash.zygote.explore import Explorer
from labkit.crash.zygote.patience import Over


def touch() -> None:
    """A program of one effect."""
    Path("inside").touch()


def wants_true(o) -> None:
    """The invariant."""
    assert o.state is True


def test_what_a_recovery_imports_is_there_before_the_next_one_begins():
    """The first imports it, and is repeated once the zygote has it: so no verdict hangs on who was the first."""

    def recover() -> bool:
        there = "wave" in sys.modules
        __import__("wave")
        return there

    assert not sweep(touch, recover, wants_true).broken


def test_what_an_import_prints_is_printed_in_each_child():
    """`this` prints when it is imported: the zygote leaves it to its children."""

    def recover() -> bool:
        there = "this" in sys.modules
        __import__("this")
        return not there

    report = sweep(touch, recover, wants_true)
    assert (report.problem, report.broken) == (None, [])


DRAWS = """
from pathlib import Path
from labkit import sweep, trial

def run():
    import matplotlib.pyplot as plt
    plt.hist([1, 2, 3])
    plt.show()
    Path("inside").touch()

if __name__ == "__main__":
    print(sweep(run, run, lambda seen: None).verdict)
    print(trial(lambda: "returned", run).value)
"""


@pytest.mark.timeout(300)
def test_a_program_that_draws_is_explored_also_where_nobody_has_drawn_before(tmp_path):
    """Matplotlib keeps fonts and settings in its user's folders: the lab refuses neither a run nor a setup for that."""
    environment = os.environ | {"MPLCONFIGDIR": str(tmp_path / "new"), "MPLBACKEND": "agg"}
    command = [sys.executable, "-c", DRAWS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.stdout.splitlines() == ["run: 0 of 3 crash points break it", "returned"], done.stderr
    assert [*(tmp_path / "new").iterdir()]


def test_a_module_of_the_programs_own_is_never_loaded_in_the_zygote(tmp_path, monkeypatch):
    """What was changed since is seen by the next sweep."""
    monkeypatch.syspath_prepend(tmp_path)

    def recover() -> bool:
        from sndhdr_of_mine import MINE

        return MINE

    (tmp_path / "sndhdr_of_mine.py").write_text("MINE = False")
    assert sweep(touch, recover, wants_true).broken
    (tmp_path / "sndhdr_of_mine.py").write_text("MINE = True ")
    assert not sweep(touch, recover, wants_true).broken


@pytest.mark.parametrize("own", ["colorsys", "hmac"])
def test_a_module_of_the_programs_own_goes_before_an_installed_one_that_was_loaded(own, tmp_path, monkeypatch):
    """The zygote has Python's by then, as another child has, or along with what the kernel has; the program has one."""
    importlib.import_module("requests")  # which has loaded hmac
    sweep(touch, lambda: bool(__import__("colorsys")), wants_true).assert_survives()
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"{own}.py").write_text("MINE = True")
    sweep(touch, lambda: __import__(own).MINE, wants_true).assert_survives()


REHEARSE = """
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from labkit.crash import preload
from labkit.crash.child import rehearsal, stand_ins
folder = Path(sys.argv[2])
preload.LIBRARY += (str(folder / "installed"),)
sys.path[:0] = [str(folder / "installed"), str(folder / "beside")]
stand_ins.install()
rehearsal.main(Connection(int(sys.argv[1])), ["it"], folder / "work", None)
"""
IMPORTS = {
    "nothing": (True, "import json; NUMBER = 1"),
    "a neighbour": (True, "import other"),
    "a strange neighbour": (False, "import strange"),
    "prints": (False, "print(1)"),
    "a thread": (False, "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"),
    "a file": (False, "open('here', 'w').close()"),
    "a file elsewhere": (False, "open('/var/tmp/labkit-outside', 'w').close()"),
    "a refusal that is swallowed": (False, "try:\n open('/var/tmp/labkit-outside', 'w')\nexcept RuntimeError: pass"),
    "a descriptor": (False, "import os; fd = os.open('/', os.O_RDONLY)"),
    "a process": (False, "import os; os.system('true')"),
    "a variable": (False, "import os; os.environ['SET'] = '1'"),
    "a folder": (False, "import os; os.chdir('/')"),
    "a path": (False, "import sys; sys.path.append('/elsewhere')"),
    "a handler": (False, "import signal; signal.signal(signal.SIGUSR1, print)"),
    "a lot": (False, "import random; ID = random.random()"),
    "entropy": (False, "import uuid; ID = uuid.uuid4()"),
    "the time": (False, "import time; BEGAN = time.time()"),
    "the process id": (False, "import os; PID = os.getpid()"),
    "a patch": (False, "import os; os.replace = os.rename"),
    "an error": (False, "1 / 0"),
    "an exit": (False, "raise SystemExit"),
    "an endless wait": (False, "import threading; threading.Event().wait()"),
}


@pytest.mark.parametrize(("harmless", "code"), IMPORTS.values(), ids=IMPORTS)
def test_a_rehearsal_finds_what_an_import_leaves_behind(harmless, code, tmp_path):
    """Whatever forks of the zygote would have of it, though their program has not imported that."""
    for folder, name, text in (("installed", "it", code), ("installed", "other", ""), ("beside", "strange", "")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{name}.py").write_text(text)
    read, write = os.pipe()
    command = [sys.executable, "-B", "-c", REHEARSE, str(write), str(tmp_path)]
    with os.fdopen(read, "rb") as told:
        with open(tmp_path / "output", "wb") as output:
            subprocess.run(command, pass_fds=[write], check=True, timeout=60, stdout=output)
        os.close(write)
        assert told.read().endswith(b"true" if harmless else b"false")


@pytest.fixture
def attempts(monkeypatch):
    """An Explorer whose children end as the test has it; how many have begun."""
    explorer, begun = Explorer.__new__(Explorer), []
    explorer.zygote = type("Zygote", (), {"hurry": lambda self: begun.append("hurry")})()
    monkeypatch.setattr(explore, "meet", lambda zygote, names: bool(names))

    def perform(*endings) -> Ending:
        begun.clear()
        left = iter(endings)
        monkeypatch.setattr(explorer, "_attempt", lambda *_: begun.append("child") or next(left))
        return explorer._perform(type("Job", (), {"role": "recover"}), {}, Memory())

    return perform, begun


def hung(over: Over, *loaded: str) -> Ending:
    """An ending by the limit."""
    return Ending(How.HUNG, Memory(), [Waiting(lines=[], loaded=[*loaded])], over)


RETURNED = Ending(How.RETURNED, Memory(), [Returned(loaded=[])])


@pytest.mark.parametrize("over", [Over.WAITED, Over.KEPT])
def test_who_hangs_on_a_busy_machine_is_tried_again_once(over, attempts):
    """The second time it returns: there was nothing wrong with it."""
    perform, begun = attempts
    assert perform(hung(over), RETURNED) is RETURNED
    assert begun == ["child", "child"]


def test_who_was_kept_from_its_processor_twice_gets_no_verdict(attempts):
    """It is told as a problem, never as a broken point."""
    perform, _ = attempts
    with pytest.raises(NotExploredError, match="recover took too long here, which is no verdict: the machine is busy"):
        perform(hung(Over.KEPT), hung(Over.KEPT))


def test_who_works_for_ever_is_not_tried_again(attempts):
    """Its limit is one of processor time, whatever others do."""
    perform, begun = attempts
    assert perform(hung(Over.WORKED)).how is How.HUNG
    assert begun == ["child", "hurry"]


def test_time_for_imports_does_not_count(attempts):
    """Who was too slow, and had imported something, is tried again when that is loaded."""
    perform, begun = attempts
    assert perform(hung(Over.WORKED, "pandas"), RETURNED) is RETURNED
    assert begun == ["child", "child"]


def test_no_zygote_writes_bytecode(tmp_path):
    """However it is served: else a child that imports what nobody has compiled would write there, and be refused."""
    serve = f"""
import pickle, sys
from multiprocessing import Pipe
from pathlib import Path
from labkit.crash.zygote.__main__ import serve

ours, theirs = Pipe()
theirs.send_bytes(pickle.dumps(None))
theirs.close()
serve(ours, Path({str(tmp_path / "work")!r}))
print(sys.dont_write_bytecode)
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    said = subprocess.check_output([sys.executable, "-c", serve], env=environment, text=True, timeout=60)
    assert said == "True\n"
