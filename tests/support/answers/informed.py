"""Answers that attack whoever grades them, by those who know how that is built.

Each is a wrong answer to 90_double (see `own_class`) that does something first. Who gets what nobody should have calls
`won`, whose word must not be in the book. ATTACKS: what it is → the code at the top of the cell. CANARY stands for a
folder that is not its own, PORT for a port on which somebody listens.
"""

HEAD = """# answer: double
import ctypes, gc, json, os, struct, sys, time
import multiprocessing.connection as connection

libc = ctypes.CDLL(None, use_errno=True)
ends = [each for each in gc.get_objects() if isinstance(each, connection.Connection) and not each.closed]

def won(what):
    raise ValueError(f"REA" "CHED {what}")

def raw(data):
    for end in ends:
        libc.write(end.fileno(), data, len(data))

def message(data):
    raw(struct.pack("!i", len(data)) + data)

def news(**what):
    message(json.dumps([what]).encode())

def child(work):
    if libc.fork() == 0:
        try:
            work()
        finally:
            os._exit(0)

def attack():
    BODY

def double(number):
    attack()
    return number
"""


def _nested(levels):
    lines = ["def endless():"]
    for level in range(levels):
        lines += [f"{' ' * (level + 1)}try:", f"{' ' * (level + 2)}return 1", f"{' ' * (level + 1)}finally:"]
    return "\n".join([*lines, " " * (levels + 1) + "x = 1"])


INSIDE = {
    # keyrings, IPC, processors, priorities, limits: what namespaces do not keep apart
    "leaves a key": 'libc.syscall(248, b"user", b"mine", b"answer", 6, -4) < 0 or won("a key")',
    "finds the key of another": 'libc.syscall(250, 10, -4, b"user", b"mine", 0) < 0 or won("a key")',
    "joins the session's keyring": 'libc.syscall(250, 0, -3, 0) < 0 or won("a keyring")',
    "shared memory that outlives it": 'libc.shmget(7, 4096, 0o1600) < 0 or won("shared memory")',
    "a semaphore that outlives it": 'libc.semget(7, 1, 0o1600) < 0 or won("a semaphore")',
    "a queue that outlives it": 'libc.msgget(7, 0o1600) < 0 or won("a queue")',
    "files without a name": 'libc.memfd_create(b"x", 0) < 0 or won("memory")',
    "chooses its processors": "os.sched_setaffinity(0, range(os.cpu_count())); won(os.sched_getaffinity(0))",
    "a limit of its parent's": 'import resource; resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE); won("it")',
    "priority of all its user's": 'libc.setpriority(2, 0, 19) < 0 or won("priority")',
    "asks the kernel by a ring": 'libc.syscall(425, 8, bytes(120)) < 0 or won("a ring")',
    "a program for the kernel": 'libc.syscall(321, 0, bytes(128), 128) < 0 or won("a program")',
    "a namespace in its own": 'libc.unshare(0x10000000) < 0 or won("a namespace")',
    "calls by another convention": 'libc.syscall(2**30 + 248, b"user", b"mine", b"x", 1, -4) < 0 or won("a key")',
    "mounts over labkit": 'libc.mount(b"none", os.path.dirname(json.__file__).encode(), b"tmpfs", 0, 0) or won("it")',
    "opens by a handle": 'libc.open_by_handle_at(-100, bytes(32), 0) < 0 or won("a file")',
    "traces its parent": 'libc.ptrace(16, os.getppid(), 0, 0) < 0 or won("its parent")',
    "reads its parent's memory": 'open(f"/proc/{os.getppid()}/mem", "rb").read(1); won("memory")',
    "its parent's files": 'os.listdir(f"/proc/{os.getppid()}/fd"); won("files")',
    "root of process 1": 'os.listdir("/proc/1/root/CANARY"); won("files")',
    "a core of itself": 'import resource; resource.setrlimit(4, (1, 1)); won("a core")',
    "an abstract socket": """
    import socket
    with socket.socket(socket.AF_UNIX) as server: server.connect("\\0LISTENER"); won("somebody")""",
    "packets past TCP": """
    import socket
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW); won("packets")""",
    "memory that many share": """
    import mmap
    def hold():
        shared = mmap.mmap(-1, 2**30)
        for at in range(0, 2**30, 2**20): shared[at : at + 2**20] = bytes(2**20)
        libc.sleep(600)
    for _ in range(4): child(hold)
    libc.sleep(600)""",
    "memory that nobody has touched since": """
    import mmap
    def hold():
        shared = mmap.mmap(-1, 2**30)
        for at in range(0, 2**30, 2**20):
            shared[at : at + 2**20] = bytes(2**20)
            shared.madvise(mmap.MADV_DONTNEED)
        libc.sleep(600)
    for _ in range(4): child(hold)
    libc.sleep(600)""",
    "deleted files that are open": """
    for _ in range(40):
        fd = libc.open(b"large", 0o102, 0o600)
        libc.write(fd, bytes(2**25), 2**25)
        libc.unlink(b"large")
    libc.sleep(600)""",
    "processes that come and go": """
    def spin():
        while True: child(lambda: None); libc.wait(None)
    for _ in range(20): child(spin)
    libc.sleep(600)""",
    "all processors are busy": """
    def spin():
        while True: pass
    for _ in range(50): child(spin)
    libc.sleep(600)""",
    "very deep folders": """
    for _ in range(3000): libc.mkdir(b"d", 0o700); libc.chdir(b"d")""",
    "folders that nobody may enter": """
    libc.mkdir(b"a", 0o700); libc.mkdir(b"a/b", 0o700); libc.chmod(b"a/b", 0); libc.chmod(b"a", 0)""",
    "names that are no text": r"""
    for name in (b"\xff\xfe", b"a\nb", b"=1+1", b"<b>", b"\x1b[2J"): libc.mkdir(name, 0o700)""",
    # what the child tells the zygote
    "half a sentence, and leaves": 'raw(struct.pack("!i", 1000) + b"[{"); os._exit(0)',
    "half a sentence, and waits": 'raw(struct.pack("!i", 1000) + b"[{"); libc.sleep(600)',
    "a sentence without end": 'raw(struct.pack("!i", -1) + struct.pack("!Q", 2**62) + b"x" * 99); libc.sleep(600)',
    "JSON that nests deep": 'message(b"[" * 10**5 + b"]" * 10**5); libc.sleep(600)',
    "a value that nests deep": """
    value = b"[" * 980 + b"]" * 980
    message(b'[{"news": "Returned", "loaded": [], "value": ' + value + b"}]"); libc.sleep(600)""",
    "a number without end": """message(b'[{"news": "Asked", "pid": ' + b"9" * 5000 + b"}]"); libc.sleep(600)""",
    "no number": """message(b'[{"news": "Returned", "loaded": [], "value": NaN}]'); libc.sleep(600)""",
    "repeats what never was": 'news(news="Repeated", count=10**9)',
    "repeats less than nothing": 'news(news="Repeated", count=-1)',
    "has loaded programs": 'news(news="Returned", value=0, loaded=["openai.__main__", "labkit.__main__", "..", 7])',
    "lines of other files": """
    frames = [["/etc/passwd", "f", 1], ["CANARY/secret", "f", 1], ["/dev/zero", "f", 1]]
    news(news="Raised", error="E", text="t", lines=frames, loaded=[])""",
    "a line that is none": 'news(news="Raised", error="E", text="t", lines=[{"a": 1, "b": 2, "c": 3}], loaded=[])',
    "half characters and formulas": r"""
    message(b'[{"news":"Raised","error":"\\ud800","text":"\\udfff\\u202e=1+1<b>\\u001b[2J","lines":[],"loaded":[]}]')""",
    "an effect with no file": 'news(news="Done", op="write", target="x", lines=[], handle=99, offset=2**62, data="x")',
    "an effect of a terabyte": 'news(news="Done", op="truncate", target="x", lines=[], path="x", size=2**40)',
    "worlds that it may not arrange": 'message(json.dumps(["arrange", {"ledger": [], "faults": []}]).encode())',
    "a world that nests deep": 'message(b\'["call", "charge", {"x": \' + b"[" * 950 + b"]" * 950 + b"}]")',
}
"""What an answer does when it runs."""
AS_TEXT = {
    "a text of which Python's compiler makes gigabytes": _nested(18),
    "as much again, where it tries something out": f"def double(number):\n    return 2 * number\n{_nested(18)}",
    "half a sentence, below the function": """
def double(number):
    return 2 * number
import ctypes, gc, struct, multiprocessing.connection as connection
libc = ctypes.CDLL(None)
for each in gc.get_objects():
    if isinstance(each, connection.Connection) and not each.closed:
        libc.write(each.fileno(), struct.pack("!i", 1000) + b"[{", 6)
libc.sleep(600)
""",
    "lies about what it tried out": """
def double(number):
    return 2 * number
import gc, json, multiprocessing.connection as connection
for each in gc.get_objects():
    if isinstance(each, connection.Connection) and not each.closed:
        each.send_bytes(json.dumps([{"news": "Returned", "value": [{"answer": {}}, 7], "loaded": []}]).encode())
raise SystemExit
""",
    "names that grow when they are read": "x = '" + "\ufdfa" * 100_000 + "'\n" + "\ufdfa" * 20_000 + " = 1",
    "many decorators": "@print\n" * 20_000 + "def f(): pass",
    "a line of a megabyte": "x = '" + "y" * 1_000_000 + "'",
    "a function of many parameters": f"def f({', '.join(f'p{n}' for n in range(20_000))}): pass",
    "thousands of answers": "# answer: double\n" * 5000,
    "magics in thousands of lines": "%time x = 1\n" * 4000,
}
"""What an answer says: whoever reads, parses or compiles it is to be stopped."""
ATTACKS = [*INSIDE, *AS_TEXT]
MAY_PASS = {"names that grow when they are read", "many decorators", "a line of a megabyte", "thousands of answers",
            "a function of many parameters", "magics in thousands of lines", "lies about what it tried out",
            "half a sentence, below the function", "as much again, where it tries something out"}  # fmt: skip
"""Those of AS_TEXT whose functions are right: only their time is the question."""


def answer(attack: str, **places: str) -> str:
    """The source of an answer cell; `places` stand for the words in capitals."""
    if attack in AS_TEXT:
        right = "" if "def double" in AS_TEXT[attack] else "\ndef double(number):\n    return 2 * number\n"
        return f"# answer: double\n{AS_TEXT[attack]}{right}"
    text = HEAD.replace("BODY", INSIDE[attack].strip())
    for word, place in places.items():
        text = text.replace(word, place)
    return text
