"""The web application on a real server: who may see what, that nothing is lost, and what is refused."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from labkit import World, attach, llm
from labkit.agent import Agent
from labkit.agent.run import AgentRun
from labkit.agent.tools import Risk
from labkit.cli import main
from labkit.cli.serving import _secret
from labkit.clock import EPOCH
from labkit.course import stories
from labkit.postgres import PostgresStateStore, in_transaction
from labkit.progress import ProgressUpdate, command, create_tables, followed, publish, updates_after
from labkit.store import StoreError
from labkit.web import Right, may, serving, token_for
from labkit.web.application import ALIVE, Streams
from labkit.web.working import work
from labkit.world import WorldClock, current

SECRET = "a secret of the tests"  # noqa: S105
QUICK = {"heartbeat": 0.5, "poll": 0.05}


@pytest.fixture
def engine(engine):
    """An engine on a database with the tables."""
    create_tables(engine)
    return engine


@pytest.fixture
def server(engine, database_url):  # noqa: ARG001 - the tables must be there
    """A running server that has little patience."""
    with serving(database_url, SECRET, **QUICK) as server:
        yield server


def tell(engine, run="a", count=1, *, end=False, message=""):
    """Publish so many updates, and perhaps the end."""
    for number in range(count):
        status = "completed" if end and number == count - 1 else "thinking"
        update = ProgressUpdate(task=run, step=number + 1, status=status, time=EPOCH, message=message)
        in_transaction(engine, lambda conn, it=update: publish(conn, run, it))


def updates_url(server, run="a", token=None, **asked):
    """Where the stream is."""
    query = httpx.QueryParams({"token": server.token(run, Right.LOOK) if token is None else token, **asked})
    return f"{server.url}/runs/{run}/updates?{query}"


def read(server, run="a", last=None, **asked):
    """The ids of a whole stream, until the server ends it."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    answer = httpx.get(updates_url(server, run, **asked), headers=headers, timeout=20)
    answer.raise_for_status()
    return [int(line[4:]) for line in answer.text.splitlines() if line.startswith("id: ")]


@contextmanager
def commanding(server, run="a", token=None, **options):
    """A WebSocket for commands, and a function that sends one and returns the answer."""
    token = server.token(run) if token is None else token
    address = f"{server.url.replace('http', 'ws')}/runs/{run}/commands?token={token}"
    with connect(address, open_timeout=10, close_timeout=1, **options) as line:

        def send(wanted):
            line.send(wanted if isinstance(wanted, (str, bytes)) else json.dumps(wanted))
            return json.loads(line.recv(timeout=10))

        yield send


CANCEL = {"id": "c1", "do": "cancel"}


def commands(engine, run="a"):
    """What is saved."""
    with engine.connect() as conn:
        rows = conn.exec_driver_sql("SELECT id, what FROM labkit_commands WHERE run = %s ORDER BY number", (run,))
        return [(command_id, json.loads(what)) for command_id, what in rows]


# streams


def test_a_stream_is_whole_from_any_number_on(server, engine):
    """By the header that a browser sends, or by `after`; the header knows better."""
    tell(engine, count=5, end=True)
    assert read(server) == [1, 2, 3, 4, 5]
    assert read(server, last=2) == read(server, after=2) == read(server, last=2, after=0) == [3, 4, 5]
    assert httpx.get(updates_url(server), headers={"Last-Event-ID": "5"}).status_code == 204


def test_what_comes_while_one_watches_is_told(server, engine):
    """And while nothing comes, the line is kept alive."""
    with httpx.stream("GET", updates_url(server), timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.iter_lines()
        assert next(line for line in lines if line.startswith("event")) == "event: alive"
        tell(engine, count=2, end=True)
        assert [line for line in lines if line.startswith("id")] == ["id: 1", "id: 2"]


@pytest.mark.timeout(120)
def test_a_server_that_is_killed_costs_no_update(server, engine):
    """Three times; the client says what it has seen."""
    seen, kills = [], [15, 30, 45]
    telling = threading.Thread(target=tell, args=(engine,), kwargs={"count": 60, "end": True})
    telling.start()
    until = time.monotonic() + 90
    while len(seen) < 60:
        assert time.monotonic() < until
        with (
            suppress(httpx.TransportError),
            httpx.stream("GET", updates_url(server), headers={"Last-Event-ID": f"{len(seen)}"}, timeout=10) as answer,
        ):
            for line in answer.iter_lines():
                if line.startswith("id: "):
                    seen.append(int(line[4:]))
                if kills and len(seen) >= kills[0]:
                    kills.pop(0)
                    server.kill()
                    break
        server.start()
    telling.join(30)
    assert seen == [*range(1, 61)]
    assert kills == []


@pytest.mark.parametrize("last", ["", "x", "-1", "1.5", "٣", "1" * 30, "7", "0x1", "1\t2"])
def test_a_last_event_id_that_makes_no_sense_is_refused(server, engine, last):
    """Text, negative, of the future: by one line, and the server goes on."""
    tell(engine, count=2, end=True)
    answer = httpx.get(updates_url(server, after=last))
    assert (answer.status_code, answer.text.count("\n")) == (400, 1)
    assert read(server) == [1, 2]


@pytest.mark.timeout(120)
def test_a_client_that_does_not_read_costs_little(server, engine):
    """Forty of them: the server keeps for each what the system's buffers hold, and those who read are told all."""
    process = psutil.Process(server.pid)
    lazy = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
    try:
        path = updates_url(server).removeprefix(server.url)
        for each in lazy:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            each.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        before = process.memory_info().rss
        tell(engine, count=2000, end=True, message="x" * 4000)
        assert read(server) == [*range(1, 2001)]
        grown = process.memory_info().rss - before
        assert grown < 120_000_000, f"{grown / 1e6:.0f} MB more, and all that was told was {40 * 8} MB"
    finally:
        for each in lazy:
            each.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="a matter of Linux")
def test_who_does_not_read_is_cut_off(server, engine):
    """Its connection is gone from the server, with all that waits in it, while it still stands there."""
    tell(engine, count=1200, end=True, message="x" * 4000)
    process = psutil.Process(server.pid)
    with socket.create_connection(("127.0.0.1", server.port)) as lazy:
        path = updates_url(server).removeprefix(server.url)
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        port = lazy.getsockname()[1]
        seen, until = False, time.monotonic() + 30
        while (there := any(each.raddr and each.raddr.port == port for each in process.net_connections())) or not seen:
            seen = seen or there
            assert time.monotonic() < until
            time.sleep(0.05)


def test_more_streams_than_the_limit_are_refused(engine, database_url):
    """With a time after which to come back; one that ends makes room."""
    tell(engine)
    with serving(database_url, SECRET, limit=1, **QUICK) as server:
        with httpx.stream("GET", updates_url(server), timeout=20) as first:
            lines = first.iter_lines()  # whoever forgets it closes the line
            assert next(lines) == "retry: 1000"
            answer = httpx.get(updates_url(server))
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        tell(engine, "b", end=True)
        until = time.monotonic() + 20
        while (answer := httpx.get(updates_url(server, "b"))).status_code == 503:
            assert time.monotonic() < until
        assert "id: 1\n" in answer.text


def test_many_at_once_are_no_more_than_the_limit(engine, database_url):
    """A place is taken before anything is waited for; HEAD takes none."""
    tell(engine)
    with serving(database_url, SECRET, limit=3, **QUICK) as server:
        for _ in range(5):
            assert httpx.head(updates_url(server)).status_code == 200
        found = []

        def watch():
            with httpx.stream("GET", updates_url(server), timeout=20) as answer:
                found.append(answer.status_code)
                lines = answer.iter_lines()  # whoever forgets it closes the line
                next(lines)
                while len(found) < 12:
                    time.sleep(0.02)

        threads = [threading.Thread(target=watch) for _ in range(12)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(30)
    assert sorted(found) == [200] * 3 + [503] * 9


def test_news_that_cannot_be_read_costs_few_looks(engine):
    """A number is noted whose row is not there: the stream waits between two looks, and says that it lives."""
    looks = []

    async def few():
        streams = Streams(engine, SECRET, (), 10, 5.0, 0.05)
        streams.watch._lasts = {"a": 1}
        frames = streams._frames("a", 0, ([], False))
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            looks.append(await anext(frames))
        await frames.aclose()

    asyncio.run(few())
    assert set(looks) == {"retry: 1000\n\n", ALIVE}
    assert len(looks) < 15


# access


def test_a_token_is_for_one_run_and_one_right():
    """Who may command may look; whatever else is false."""
    look, order = (token_for(SECRET, "a", right) for right in Right)
    assert may(SECRET, "a", Right.LOOK, look)
    assert may(SECRET, "a", Right.LOOK, order)
    assert may(SECRET, "a", Right.COMMAND, order)
    for token in (look, "", "command.", "é\ud800", token_for(SECRET, "b"), token_for(SECRET[::-1], "a"), f"{order}0"):
        assert not may(SECRET, "a", Right.COMMAND, token)
    with pytest.raises(ValueError, match="16 characters"):
        token_for("guess", "a")


@pytest.mark.parametrize("token", ["", "x", "look.00", None])
def test_without_its_token_nobody_sees_a_run(server, engine, token):
    """Another run's is none; a run that is not there looks the same."""
    tell(engine, end=True)
    answers = [
        httpx.get(updates_url(server, run, server.token("b") if token is None else token)) for run in ("a", "none")
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {
        (403, "this token is for another run, or for none\n")
    }
    bearer = {"Authorization": f"Bearer {server.token('a')}"}
    assert httpx.get(updates_url(server, token=""), headers=bearer).status_code == 200


@pytest.mark.parametrize(
    ("token", "origin", "welcome"),
    [
        (Right.COMMAND, None, True),
        (Right.COMMAND, "here", True),
        (Right.COMMAND, "https://evil.example", False),
        (Right.COMMAND, "null", False),
        (Right.LOOK, "here", False),
        (None, "here", False),
    ],
)
def test_commands_are_taken_from_our_page_and_with_the_token_to_command(server, engine, token, origin, welcome):
    """A browser says from which page it comes, and a stranger's is refused, whatever token it has."""
    given = server.token("a", token) if token else server.token("b")
    origin = server.url if origin == "here" else origin
    if welcome:
        with commanding(server, token=given, origin=origin) as send:
            assert send(CANCEL) == {"id": "c1", "saved": True}
    else:
        with pytest.raises(InvalidStatus) as refused, commanding(server, token=given, origin=origin):
            pass
        assert refused.value.response.status_code == 403
    assert len(commands(engine)) == welcome


# commands


def test_a_command_is_saved_before_it_is_acknowledged_and_once(server, engine):
    """The same again is acknowledged again; another under its id is refused."""
    with commanding(server) as send:
        assert [send(CANCEL), send(CANCEL)] == [{"id": "c1", "saved": True}] * 2
        assert commands(engine) == [("c1", {"do": "cancel"})]
        assert "another id" in send({"id": "c1", "do": "priority", "priority": 3})["refused"]
        assert send({"id": "c2", "do": "confirm", "step": 4, "approved": False})["saved"]
    server.kill()
    server.start()
    with commanding(server) as send:
        assert send(CANCEL) == {"id": "c1", "saved": True}
    assert [command_id for command_id, _ in commands(engine)] == ["c1", "c2"]


@pytest.mark.parametrize(
    "wanted",
    [
        "", "{", "[]", "7", {}, {"id": "c1"}, {"id": "c1", "do": "reboot"}, {"id": "", "do": "cancel"},
        {"id": "c1", "do": "confirm"}, {"id": "c1", "do": "confirm", "step": 1, "approved": "yes"},
        {"id": "c1", "do": "cancel", "odd": 1}, {"id": "x" * 200, "do": "cancel"}, {"id": 7, "do": "cancel"},
        {"id": "c1", "do": "priority", "priority": 10**9}, {"id": "c\0", "do": "cancel"},
    ],
)  # fmt: skip
def test_what_is_no_command_is_refused_and_the_line_stays(server, engine, wanted):
    """One line says why, and the next command is taken."""
    with commanding(server) as send:
        assert "\n" not in send(wanted)["refused"]
        assert send(CANCEL)["saved"]
    assert len(commands(engine)) == 1


@pytest.mark.parametrize(("wanted", "code"), [(b"\0\1", 1003), ("x" * 5000, 1009), ("x" * 1_000_000, 1009)])
def test_what_no_page_sends_closes_the_line(server, engine, wanted, code):
    """Bytes, a command of 5 KB or of 1 MB; others are not concerned."""
    with commanding(server) as other:
        with pytest.raises(ConnectionClosed) as closed, commanding(server) as send:
            send(wanted)
        assert closed.value.rcvd.code == code
        assert other(CANCEL)["saved"]
    assert len(commands(engine)) == 1


def test_more_lines_for_commands_than_the_limit_are_closed(engine, database_url):  # noqa: ARG001 - the tables
    """With the code that says to come back; one that ends makes room."""
    with serving(database_url, SECRET, limit=1, **QUICK) as server:
        with commanding(server) as first:
            assert first(CANCEL)["saved"]
            with pytest.raises(ConnectionClosed) as closed, commanding(server) as send:
                send(CANCEL)
            assert closed.value.rcvd.code == 1013
        until = time.monotonic() + 20
        while True:
            with suppress(ConnectionClosed), commanding(server) as send:
                assert send(CANCEL)["saved"]
                return
            assert time.monotonic() < until


def test_commands_without_end_are_refused_but_a_cancel_is_not(server, engine):
    """A hundred that wait are more than anybody means; those that were saved are still acknowledged."""
    with commanding(server) as send:
        sent = [{"id": f"p{number}", "do": "priority", "priority": number} for number in range(101)]
        answers = [send(each) for each in sent]
        assert all(each.get("saved") for each in answers[:100])
        assert answers[100] == {"id": "p100", "refused": "100 commands to priority wait already"}
        assert send(sent[0])["saved"]
        assert send(CANCEL)["saved"]
    assert len(commands(engine)) == 101


# the page, and the process


def test_the_page_is_no_secret_and_lets_nothing_else_in(server):
    """Whoever has no token sees an empty page; no script but its own runs in it."""
    answer = httpx.get(f"{server.url}/runs/a")
    assert (answer.status_code, "default-src 'none'" in answer.headers["content-security-policy"]) == (200, True)
    assert SECRET not in answer.text
    assert httpx.get(f"{server.url}/").status_code == 404


@pytest.mark.parametrize("run", ["a b", "a/b", "a?b#c", "развёртывание", "100%"])
def test_a_run_of_any_name_has_a_page_and_a_stream(server, engine, run):
    """What a name has in it is no part of the address's own grammar."""
    tell(engine, run, 2, end=True)
    page = server.page(run).partition("#")[0]
    assert httpx.get(page).status_code == 200
    assert "id: 2\n" in httpx.get(f"{page}/updates?token={server.token(run)}", timeout=20).text


def test_another_page_may_be_welcome(engine, database_url):  # noqa: ARG001 - the tables
    """Behind a proxy the page has another address; the server's own stays welcome."""
    with serving(database_url, SECRET, origins=["https://lab.example"], **QUICK) as server:
        for origin in ("https://lab.example", server.url):
            with commanding(server, origin=origin) as send:
                assert send(CANCEL)["saved"]


OWNER = """
import sys, time
from labkit.web import Server
server = Server(sys.argv[1], "a secret of the tests")
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(os.name == "nt", reason="kills")
def test_a_server_ends_with_its_owner(database_url):
    """However that dies."""
    with subprocess.Popen([sys.executable, "-c", OWNER, database_url], stdout=subprocess.PIPE) as owner:
        server = psutil.Process(int(owner.stdout.readline()))
        owner.send_signal(signal.SIGKILL)
        server.wait(timeout=20)
    assert not server.is_running()


# a worker beside it


def test_a_worker_goes_on_with_what_can_go_on(engine):
    """The highest priority first; a run that asks waits until a human has said something."""
    before = current()
    attach(World())
    llm.use(stories.DISK.turns)
    clock, order = WorldClock(), []
    store, client = PostgresStateStore(engine, clock), llm.client(WorldClock(), scripted=True)
    agent = followed(Agent(client, stories.DISK.tools, store, clock, approve=frozenset({Risk.WRITE_LOCAL})), engine)
    telling = replace(agent, progress=lambda each: (order.append(each.task), agent.progress(each)))

    def say(run, **what):
        in_transaction(engine, lambda conn: command(conn, run, json.dumps(what), what))

    for run in ("a", "b"):
        agent.start(stories.DISK.goal, run)
    say("b", do="priority", priority=5)
    assert work(telling, engine) == 2
    assert order[0] == "b"
    assert [run for run in ("a", "b") if store.get(AgentRun, run).question] == ["a", "b"]
    say("a", do="confirm", step=4, approved=True)
    say("b", do="cancel")
    work(telling, engine)
    assert [store.get(AgentRun, run).state for run in ("a", "b")] == ["completed", "failed"]
    assert work(telling, engine) == 0
    attach(before)


@pytest.fixture
def workers(engine):
    """Makes an agent over the database, of which no step needs a human."""
    before = current()
    attach(World())

    def make(**options):
        llm.use(stories.DISK.turns)
        clock = WorldClock()
        store = PostgresStateStore(engine, clock)
        agent = Agent(llm.client(clock, scripted=True), stories.DISK.tools, store, clock)
        return followed(replace(agent, **options), engine)

    yield make
    attach(before)


def test_two_workers_do_not_work_on_one_run(workers, engine):
    """While one is at it, the other leaves it alone."""
    others = []

    def slow(*_):
        others.append(work(agent, engine))
        return "the disk is 95% full"

    agent = workers()
    agent = replace(agent, tools=[replace(tool, use=slow) for tool in agent.tools])
    agent.start(stories.DISK.goal, "a")
    work(agent, engine)
    assert others[0] == 1  # it was there to be worked on
    assert agent.store.get(AgentRun, "a").state == "completed"
    assert len(agent.store.get(AgentRun, "a").replies()) == len(stories.DISK.turns)


def test_a_worker_takes_no_run_but_those_that_it_is_given(workers, engine):
    """Others may belong to other agents."""
    agent = workers()
    for run in ("mine", "theirs"):
        agent.start(stories.DISK.goal, run)
    assert work(agent, engine, {"mine"}) == 1
    assert [agent.store.get(AgentRun, run).state for run in ("mine", "theirs")] == ["completed", "pending"]


@pytest.mark.parametrize("error", [StoreError("its own store"), MemoryError()])
def test_a_run_that_cannot_go_on_stops_no_other(workers, engine, error):
    """Whatever comes out of it, and whatever priority its command has."""

    def broken(each):
        if each.task == "a":
            raise error

    agent = workers(progress=broken)
    for run in ("a", "b"):
        agent.start(stories.DISK.goal, run)
        what = {"do": "priority", "priority": "high"}
        in_transaction(engine, lambda conn, it=run, what=what: command(conn, it, "p", what))
    work(agent, engine)
    assert agent.store.get(AgentRun, "b").state == "completed"


def test_a_run_that_cannot_be_read_stops_no_other(workers, engine):
    """What another version has left, or a mistake."""
    agent = workers()
    for run in ("a", "b"):
        agent.start(stories.DISK.goal, run)
    with engine.begin() as conn:
        conn.exec_driver_sql("UPDATE labkit_records SET body = '{}' WHERE id = 'a'")
    assert work(agent, engine) == 1
    assert agent.store.get(AgentRun, "b").state == "completed"


def test_a_failure_that_was_not_told_is_told_by_the_worker(workers, engine):
    """Then it is left alone."""
    told = workers()
    agent = replace(told, progress=None)
    agent.start(stories.DISK.goal, "a")
    tell(engine, "a")
    agent.store.save(agent.store.get(AgentRun, "a").to("failed", error="it broke"))
    assert [work(told, engine) for _ in range(2)] == [1, 0]
    assert updates_after(engine, "a")[1]


def test_the_secret_of_serve_is_one_for_all_that_start_at_once(tmp_path):
    """And it is there whole, or not at all."""
    for home in (tmp_path / f"{n}" for n in range(10)):
        at_once = threading.Barrier(8)
        with ThreadPoolExecutor(8) as threads:
            found = [*threads.map(lambda _, home=home, at=at_once: (at.wait(10), _secret(home))[1], range(8))]
        assert {*found} == {(home / "web-secret").read_text()}
        assert (home / "web-secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("raise SystemExit", "cannot be loaded: SystemExit"), ("agent = 7", "has no function agent(store, clock)"),
        ("def agent(store): pass", "TypeError"), ("def agent(store, clock): pass", "NoneType; expected an Agent"),
        ("def agent(store, clock): raise KeyError(1)", "KeyError: 1"),
    ],
)  # fmt: skip
def test_an_agent_of_ones_own_that_is_none_is_told_in_one_line(text, complaint, tmp_path, capsys):
    """Status 2, no traceback."""
    path = tmp_path / "own.py"
    path.write_text(f"{text}\n")
    assert main(["serve", str(path)]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1


@pytest.mark.timeout(120)
def test_labkit_serve_shows_a_run_whose_cancel_ends_it(tmp_path):
    """The command of a terminal: it says where the page is, works on the run, and stops when it is told to."""
    own = tmp_path / "own.py"
    own.write_text("from labkit.cli.serving import _story as agent\n")
    command_line = [sys.executable, "-c", "from labkit.cli import main; main()", "serve", str(own), "--run"]
    run = f"run-{os.getpid()}"
    with subprocess.Popen([*command_line, run], stdout=subprocess.PIPE, text=True, start_new_session=True) as serve:
        try:
            address = serve.stdout.readline().split()[1]
            page, _, token = address.partition("#")
            with connect(f"{page.replace('http', 'ws')}/commands?token={token}", open_timeout=20) as line:
                line.send(json.dumps(CANCEL))
                assert json.loads(line.recv(timeout=20)) == {"id": "c1", "saved": True}
            answer = httpx.get(f"{page}/updates", params={"token": token}, timeout=60)
            assert "CancelledError: the user has cancelled it" in answer.text
        finally:
            serve.send_signal(signal.SIGINT)
        assert serve.wait(30) in {0, 130}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nothing.py"], "there is no file nothing.py"),
        ([os.devnull], f"there is no file {os.devnull}"),
        (["--run", "a/b"], "argument --run"),
        (["--port", "0"], "argument --port"),
    ],
)
def test_labkit_serve_refuses_in_one_line(arguments, complaint, capsys):
    """Status 2, no traceback."""
    assert main(["serve", *arguments]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
