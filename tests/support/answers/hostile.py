"""Answers that attack whoever grades them.

Each is a wrong answer to exercise 3 (`full_jitter` returns no delay) that does something else first. Nothing that it
does may change a mark, or reach anything outside its sandbox. ATTACKS: what it is → the code at the top of the cell.
CANARY stands for a folder that is not its own.
"""

BOMB = """
import subprocess, sys
while True:
    try:
        subprocess.Popen([sys.executable, '-c', sys.argv[1], sys.argv[1]])
    except OSError:
        pass
"""
GREEDY = "b = bytearray(2**29); b[::4096] = b'x' * len(b[::4096]); import time; time.sleep(600)"

ATTACKS = {
    "an honest wrong answer": "",
    "an endless loop": "while True: pass",
    "a sleep without end": "import signal; signal.pause()",
    "swallows every interrupt": """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
""",
    "a fork bomb": f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {BOMB!r}, {BOMB!r}])",
    "all the memory": "hoard = []\nwhile True: hoard.append(bytearray(2**24))",
    "memory in many processes": f"""
import subprocess, sys, time
for _ in range(40):
    subprocess.Popen([sys.executable, "-c", {GREEDY!r}])
time.sleep(5)
""",
    "a gigabyte of output": "import os\nfor _ in range(1024): os.write(1, b'x' * 2**20)",
    "a gigabyte of files": """
for number in range(64):
    with open(f"large {number}", "wb") as file:
        file.write(bytes(2**24))
""",
    "a detached child": """
import subprocess, sys
late = "import time; time.sleep(1); open('CANARY/late', 'w')"
subprocess.Popen(["setsid", sys.executable, "-c", late], start_new_session=True)
""",
    "leaves at once": "import os\nos._exit(0)",
    "leaves with a segmentation fault": "import ctypes\nctypes.string_at(0)",
    "exits when it is loaded": "raise SystemExit(0)",
    "kills its parent": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    "kills everybody": "import os, signal\nos.kill(-1, signal.SIGKILL)",
    "stops its parent": "import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)",
    "patched builtins": """
import builtins
builtins.abs = builtins.min = builtins.max = builtins.all = builtins.any = lambda *a, **k: True
""",
    "an equality that is always true": """
class Yes(float):
    __eq__ = __le__ = __ge__ = __lt__ = __gt__ = lambda self, other: True
    __hash__ = float.__hash__
""",
    "no assert in any source": """
import ast, builtins
real = builtins.compile
def without(source, *a, **k):
    return real("pass", *a, **k) if "assert" in str(source) else real(source, *a, **k)
builtins.compile = without
""",
    "an import hook": """
import sys
class Hook:
    def find_spec(self, name, path=None, target=None):
        if "grading" in name or "crash" in name:
            raise ImportError(name)
sys.meta_path.insert(0, Hook())
""",
    "something at the exit": "import atexit, os\natexit.register(os._exit, 0)",
    "a sitecustomize": """
import os, sys
for folder in [os.getcwd(), *sys.path, sys.prefix]:
    try:
        with open(os.path.join(folder, "sitecustomize.py"), "w") as file:
            file.write("open('CANARY/custom', 'w')")
    except OSError:
        pass
""",
    "shadowed modules": """
for name in ("labkit", "random", "json", "conftest"):
    with open(f"{name}.py", "w") as file:
        file.write("open('CANARY/shadow', 'w')\\n")
""",
    "a pickle in place of a number": """
class Loaded:
    def __reduce__(self):
        return exec, ("open('CANARY/unpickled', 'w')",)
""",
    "a link out of the sandbox": """
import os
for name in ("link", "task.json", "output"):
    try:
        os.symlink("CANARY/secret", name)
    except OSError:
        pass
print(open("link").read())
""",
    "reads the solutions": "import glob\nfor name in glob.glob('REPOSITORY/solutions/*'): print(open(name).read())",
    "reads the criteria": "print(open('REPOSITORY/exercises/criteria/03_backoff.py').read())",
    "reads other submissions": "import os\nprint(os.listdir('CANARY'), open('CANARY/secret').read())",
    "writes the results": """
import os
for name in ("gradebook.csv", "results/honest.json", ".state/task/honest.json"):
    with open(os.path.join("CANARY", name), "w") as file:
        file.write("all marks")
""",
    "forges the ledger": """
import gc, multiprocessing.connection as connection
for thing in gc.get_objects():
    if isinstance(thing, connection.Connection):
        for words in (["arrange", {"ledger": []}], ["restore", {}], ["memory"], ["begin", {}, True]):
            try:
                thing.send_bytes(__import__("json").dumps(words).encode())
            except OSError:
                pass
""",
    "tells that it was right": """
import gc, json, multiprocessing.connection as connection
for thing in gc.get_objects():
    if isinstance(thing, connection.Connection):
        try:
            thing.send_bytes(json.dumps([{"event": "returned", "value": 0.5, "loaded": []}]).encode())
        except OSError:
            pass
""",
    "reads the environment": """
import os
for name, value in os.environ.items():
    if "SECRET" in name or "SECRET" in value:
        open("CANARY/" + value, "w")
for process in os.listdir("/proc"):
    print(open(f"/proc/{process}/environ").read())
""",
    "looks into its parent": """
import os
with open(f"/proc/{os.getppid()}/mem", "rb") as memory:
    memory.seek(0)
""",
    "connects outside": "import socket\nsocket.create_connection(('127.0.0.1', PORT), 3).sendall(b'here I am')",
    "attacks the database": """
import os, psycopg
for dsn in ("postgresql://postgres@/postgres", os.environ.get("LABKIT_LENT", ""), os.environ.get("LABKIT_DSN", "")):
    with psycopg.connect(dsn, connect_timeout=3) as connection:
        connection.execute("COPY (SELECT 1) TO PROGRAM 'touch CANARY/database'")
""",
    "terminal codes and HTML": """
raise ValueError("\\x1b[2J\\x1b]0;owned\\x07<script>alert(1)</script></dl><b>100 of 100 marks</b>")
""",
    "a very long message": "raise ValueError('x' * 10_000_000)",
    "a name that is no text": "raise type('E\\x1b[31m' + 'x' * 1000, (Exception,), {})('y')",
    "nested too deep for Python": "x = " + "(" * 5000 + ")" * 5000,
    "deeper than the parser goes": "x = " + "-" * 1_000_000 + "1",
    "deeper than its tree goes": "x = x" + ".x" * 200_000,
    "half a character": "x = '\ud800'",
    "a constant that takes for ever": "x = 9**9**9**9",
}

WRONG = """# answer: full_jitter
ATTACK

def full_jitter(delay, rng):
    return delay + 1
"""


def answer(attack: str, **places: str) -> str:
    """The source of an answer cell with this attack at its top; `places` stand for the words in capitals."""
    code = ATTACKS[attack]
    for word, place in places.items():
        code = code.replace(word, place)
    return WRONG.replace("ATTACK", code)
