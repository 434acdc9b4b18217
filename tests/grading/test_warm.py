"""The servers of a grading: what fails in one of them costs no more than it must, and is said."""

import os
import signal
import sys
import threading
from contextlib import closing

import pytest
from answers.informed import AS_TEXT
from own_class import RIGHT, WRONG, hand_in, make_criteria

from labkit.grading.gradebook.book import Book
from labkit.grading.judge.judge import Result
from labkit.grading.judge.request import Request
from labkit.grading.notebook.submission import Submission
from labkit.grading.sandbox.room import Room
from labkit.grading.sandbox.warm import MEMORY, SECONDS, Servers
from labkit.repository import UsageError

SAYS_HALF = """
import ctypes, gc, multiprocessing.connection as connection
for each in gc.get_objects():
    if isinstance(each, connection.Connection) and not each.closed:
        ctypes.CDLL(None).write(each.fileno(), b"\\0\\0\\x10\\0[{", 6)
ctypes.CDLL(None).sleep(600)
"""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a class is graded in a sandbox on Linux only")


@pytest.fixture
def criteria(tmp_path):
    """An instructor's folder."""
    return make_criteria(tmp_path / "criteria")


@pytest.fixture
def judge(criteria):
    """Judges an answer; its servers are at hand."""
    with closing(Servers(criteria)) as servers:

        def judge(answer):
            request = Request(name="90_double", submission=Submission(answers={"double": answer}), criteria=criteria)
            status, said = servers.judge(request, Room(0))
            return status, Result.model_validate_json(said).met if said else None

        judge.servers = servers
        yield judge


def test_each_submission_is_judged_by_a_judge_that_has_judged_no_other(judge):
    """What one answer does to a module, the next one does not see."""
    spoiling = RIGHT.replace("\n", "\nimport math, random\nmath.pi = 3\nrandom.seed = None\n", 1)
    asking = RIGHT.replace("\n", "\nimport math, random\nassert math.pi > 3 and random.seed\n", 1)
    assert [judge(answer) for answer in (spoiling, asking, WRONG)] == [(0, 2), (0, 2), (0, 0)]


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("below", ["", RIGHT], ids=["alone", "below a function"])
def test_a_text_of_which_the_compiler_makes_gigabytes_costs_its_answer(judge, below):
    """Python compiles what stands in a `finally` twice: the judge that does so has a limit, and the next is judged."""
    text = AS_TEXT["a text of which Python's compiler makes gigabytes"]
    assert judge(f"{below or '# answer: double'}\n{text}") == (0, 0)
    assert judge(RIGHT) == (0, 2)


def test_a_judge_has_limits_of_its_own(judge, criteria):
    """Of memory and processor time, which its crash lab does not inherit."""
    path = criteria / "criteria" / "90_double.py"
    here = (
        "import resource; limits = [resource.getrlimit(what)[1] for what in (resource.RLIMIT_AS, resource.RLIMIT_CPU)]"
    )
    path.write_text(
        f"{path.read_text()}\n\ndef doubles(program, rng):\n    {here}\n    assert limits == {[MEMORY, SECONDS]}\n"
    )
    assert judge(RIGHT) == (0, 2)


@pytest.mark.long
def test_what_is_half_said_where_it_is_tried_out_makes_nobody_wait(judge):
    """The lines below a function are run for a note alone; that too is a child's, which may say anything."""
    assert judge(f"{RIGHT}{SAYS_HALF}") == (0, 0)
    assert judge(RIGHT) == (0, 2)


@pytest.mark.parametrize("which", [0, 1], ids=["judge", "crash lab"])
def test_a_server_that_has_ended_is_started_again(judge, which):
    """As when a machine that runs out of memory has chosen it."""
    assert judge(RIGHT) == (0, 2)
    server = judge.servers._judges["90_double"][which]
    os.kill(server._server.pid, signal.SIGKILL)
    server._server.wait(10)
    assert judge(RIGHT) == (0, 2)


def test_a_judge_whose_server_ends_costs_one_submission_its_verdict(judge):
    """It is told that the judge failed; the next one is judged."""
    endless = RIGHT.replace("\n", "\nwhile True: pass\n", 1)
    judge(RIGHT)
    server = judge.servers._judges["90_double"][0]
    timer = threading.Timer(1, os.kill, (server._server.pid, signal.SIGKILL))
    timer.start()
    assert judge(endless) == (-signal.SIGKILL, None)
    timer.join(10)
    assert judge(RIGHT) == (0, 2)


def test_criteria_that_do_not_load_are_named_before_anybody_is_judged(tmp_path, criteria):
    """The instructor's mistake, in one line."""
    (criteria / "criteria" / "90_double.py").write_text("import nothing_that_there_is\n")
    hand_in(tmp_path / "class", "Ada", RIGHT)
    book = Book(tmp_path / "out", criteria)
    with pytest.raises(UsageError, match="the judge of 90_double does not load: ModuleNotFoundError: No module named"):
        book.grade(book.students(tmp_path / "class"))


TAKERS = {
    "labkit's own answers, by import": "from labkit.course import own",
    "labkit's own answers, by their file": "open(__import__('labkit').__path__[0] + '/course/own.py').read()",
    "the judge": "import labkit.grading.judge.judge",
    "the agent made of answers": "import labkit.gauntlet.course",
    "what judges, left in memory": (
        "import gc\n"
        "assert any(getattr(each, '__name__', '') not in ('', 'double') and each.__globals__.get('__name__') "
        "== 'labkit.grading.judge.judge' for each in gc.get_objects() if hasattr(each, '__globals__'))"
    ),
}


@pytest.mark.parametrize("what", TAKERS)
def test_an_answer_finds_neither_the_judge_nor_what_could_stand_in_for_it(judge, what):
    """Not on the file system of its process, nor in its memory: whoever tries has an answer that raises."""
    assert judge(RIGHT.replace("\n", f"\n{TAKERS[what]}\n", 1)) == (0, 0)


def test_an_answer_finds_every_mechanism(judge):
    """What is hidden beside them hides none of them, though it is imported late."""
    modules = "backoff", "checkpoints", "claims", "context", "deadlines", "files", "idempotency", "plan", "postgres"
    lines = "\n".join(f"import labkit.{name}" for name in (*modules, "saga", "sqlite", "world", "agent", "database"))
    assert judge(RIGHT.replace("\n", f"\n{lines}\n", 1)) == (0, 2)
