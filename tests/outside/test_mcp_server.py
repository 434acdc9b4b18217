"""`labkit mcp` as it is used: a process of its own, over stdio and over HTTP, killed and started again."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager
from functools import partial

import anyio
import httpx
import psutil
import pytest
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.subscriptions import SubscriptionLost

from labkit import brokers
from labkit.mcp_state import changed, connect, go_on, outlast, read, save
from labkit.mcp_state.tokens import issue

URI = "state://agents/a/tasks/shop"
NEW = {"goal": "deploy the shop", "plan": ["create_dns", "charge"], "state": "running"}
SECONDS = 120
"""What a test may wait for."""
ORPHAN = """
import os, signal, sys
from labkit import brokers
with brokers.mcp_server("--folder", sys.argv[1], "--tokens", sys.argv[2]) as server:
    print(server.process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
"""A process that starts a server and is killed."""
COMMAND = [sys.executable, "-c", brokers.LABKIT, "mcp"]


def run(coroutine):
    """Its result, in time."""

    async def limited():
        with anyio.fail_after(SECONDS):
            return await coroutine

    return asyncio.run(limited())


def stdio(*where):
    """A client that starts the server itself."""
    started = StdioServerParameters(command=COMMAND[0], args=[*COMMAND[1:], *map(str, where), "--as", "ada"])
    started.env = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    return Client(stdio_client(started))


@pytest.fixture
def tokens(tmp_path):
    """Ada's two agents, and Bob's."""
    return {name: issue(tmp_path / "tokens", *name.split("/")) for name in ("ada/a", "ada/b", "bob/b")}


@pytest.fixture
def server(tmp_path, tokens):  # noqa: ARG001 - they are in the file when it starts
    """Over HTTP, at a free port; it ends with the test."""
    with brokers.mcp_server("--folder", str(tmp_path / "states"), "--tokens", str(tmp_path / "tokens")) as server:
        yield server


async def begin(client):
    """Save the state for the first time; its version."""
    return (await client.call_tool("save_state", {"uri": URI, "version": 0, "state": NEW})).content[0].text


def steps(ledger):
    """Tools that keep the key: each writes a line, unless it is there."""

    def use(step, key):
        ledger.setdefault(key, []).append(step)
        return "done"

    return {step: partial(use, step) for step in NEW["plan"]}


@asynccontextmanager
async def listening(client):
    """A stream of hints."""
    async with client.listen(resource_subscriptions=[URI]) as hints:
        yield hints


def test_over_stdio_one_agent_begins_and_another_goes_on(tmp_path):
    """Each starts a server of its own over one folder; the refusal comes through in words."""
    ledger = {}

    async def talk():
        async with stdio("--folder", tmp_path) as client:
            assert await begin(client) == "1"
            again = await client.call_tool("save_state", {"uri": URI, "version": 0, "state": NEW})
            assert again.is_error
            assert "Nothing was saved. Read it again" in again.content[0].text
        async with stdio("--folder", tmp_path) as client:
            assert [resource.uri for resource in (await client.list_resources()).resources] == [URI]
            return await go_on(client, URI, steps(ledger))

    assert run(talk()).state == "completed"
    assert list(ledger.values()) == [["create_dns"], ["charge"]]


def test_over_stdio_a_server_that_is_killed_is_started_again_by_whoever_goes_on(tmp_path):
    """Between the read and the save: the save is an error, and the state is as it was."""

    async def talk():
        before = {*psutil.Process().children()}
        async with stdio("--folder", tmp_path) as client:
            await begin(client)
            state = await read(client, URI)
            (process,) = {*psutil.Process().children()} - before
            process.kill()
            with pytest.raises(MCPError, match="Connection closed"):
                await save(client, URI, state)
        async with stdio("--folder", tmp_path) as client:
            return await save(client, URI, await read(client, URI))

    assert run(talk()) == 2


def test_over_stdio_states_can_be_in_a_database(database_url):
    """Of PostgreSQL, where two servers share them."""

    async def talk():
        async with stdio("--dsn", database_url) as client, stdio("--dsn", database_url) as another:
            await begin(client)
            return await save(another, URI, await read(another, URI)), (await read(client, URI)).version

    assert run(talk()) == (2, 2)


def test_over_stdio_what_is_no_message_is_passed_over(tmp_path):
    """And the next one is answered; the process ends when its input does."""
    hello = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}
    lines = ["nonsense", "[]", '{"jsonrpc": "2.0"}']
    lines += [json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})]
    ended = subprocess.run(
        [*COMMAND, "--folder", str(tmp_path), "--as", "ada"], input="\n".join(lines) + "\n",
        capture_output=True, text=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [answer["result"]["protocolVersion"] for answer in answers if answer.get("id") == 1] == ["2024-11-05"]


def test_over_http_the_token_says_whose_states(server, tokens):
    """Ada's two agents share; Bob sees nothing, in the words for what is not there."""

    async def talk():
        async with connect(server.address, tokens["ada/a"]) as client:
            await begin(client)
        async with connect(server.address, tokens["ada/b"]) as client:
            mine = (await read(client, URI)).version
        async with connect(server.address, tokens["bob/b"]) as client:
            with pytest.raises(MCPError, match="among what is yours") as foreign:
                await read(client, URI)
            with pytest.raises(MCPError, match="among what is yours") as missing:
                await read(client, URI + "2")
            listed = (await client.list_resources()).resources
        return mine, listed, str(foreign.value) == str(missing.value).replace(URI + "2", URI)

    assert run(talk()) == (1, [], True)


def test_over_http_nobody_comes_without_a_token_of_this_server(server, tokens):
    """401 before anything is looked at; the client of labkit says so in words."""
    for headers in ({}, {"Authorization": "Bearer foreign"}, {"Authorization": "Basic YTpi"}):
        assert httpx.post(server.address, json={}, headers=headers).status_code == 401
    work = partial(go_on, uri=URI, steps={})
    with pytest.raises(PermissionError, match="the server knows no such token"):
        run(outlast(partial(connect, server.address, "foreign"), work, attempts=1))
    assert run(outlast(partial(connect, server.address, tokens["ada/a"]), begin)) == "1"


@pytest.mark.parametrize("spoilt", [None, b"\xff\xfe\n"])
def test_over_http_without_its_file_of_tokens_the_server_refuses_and_goes_on(server, tokens, tmp_path, spoilt):
    """401, as for any token that it does not know; and once the file is there again, its tokens are known."""
    path, headers = tmp_path / "tokens", {"Authorization": f"Bearer {tokens['ada/a']}"}
    whole = path.read_bytes()
    path.unlink() if spoilt is None else path.write_bytes(spoilt)
    assert httpx.post(server.address, json={}, headers=headers).status_code == 401
    path.write_bytes(whole)
    assert httpx.post(server.address, json={}, headers=headers).status_code != 401


def test_over_http_bad_input_is_refused_and_the_server_goes_on(server, tokens):
    """Too large, no JSON, from a page elsewhere, by another name of this machine."""
    headers = {"Authorization": f"Bearer {tokens['ada/a']}", "Accept": "application/json, text/event-stream"}
    headers["Content-Type"] = "application/json"

    def status(content, **more):
        return httpx.post(server.address, content=content, headers=headers | more).status_code

    assert status(b"x" * 5_000_000) == 413
    assert status(b"nonsense") == 400
    assert status(b"{}", Origin="http://elsewhere.example") == 403
    assert status(b"{}", Host="elsewhere.example") == 421
    assert run(outlast(partial(connect, server.address, tokens["ada/a"]), begin)) == "1"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_over_http_a_client_goes_on_when_the_server_was_killed_between_read_and_save(server, tokens, mode):
    """The same client: nothing was in the server's memory. So does one of the older protocol."""

    async def talk():
        client = connect(server.address, tokens["ada/a"])
        client.mode = mode
        async with client:
            await begin(client)
            state = await read(client, URI)
            server.kill()
            server.start()
            return await save(client, URI, state), (await read(client, URI)).version

    assert run(talk()) == (2, 2)


def test_over_http_a_hint_is_lost_with_the_server_and_who_waits_reads_again(server, tokens):
    """The stream says that it was lost; what was saved meanwhile is in the state."""

    async def another():
        async with connect(server.address, tokens["ada/b"]) as client:
            await save(client, URI, await read(client, URI))

    async def talk():
        async with connect(server.address, tokens["ada/a"]) as client:
            await begin(client)
            async with listening(client) as hints:
                await another()
                first = (await anext(hints)).uri
                server.kill()
                server.start()
                await another()
                with pytest.raises(SubscriptionLost):
                    await anext(hints)
            return first, (await changed(client, URI, 2, poll=1)).version

    assert run(talk()) == (URI, 3)


def test_over_http_nobody_is_told_what_another_owner_saves(server, tokens):
    """Bob listens for the URI of Ada's state, and hears of his own alone."""

    async def talk():
        async with connect(server.address, tokens["bob/b"]) as bob, listening(bob) as hints:
            async with connect(server.address, tokens["ada/a"]) as ada:
                await begin(ada)
            with anyio.move_on_after(0.5) as waited:
                await anext(hints)
            assert waited.cancelled_caught
            async with connect(server.address, tokens["bob/b"]) as client:
                await begin(client)
            return (await anext(hints)).uri

    assert run(talk()) == URI


def test_over_http_a_token_that_was_taken_back_hears_no_hint(server, tokens, tmp_path):
    """Although it listened before; once its line is back in the file it hears the next one."""
    path = tmp_path / "tokens"
    whole = path.read_text()

    async def a_saves():
        async with connect(server.address, tokens["ada/a"]) as ada:
            await save(ada, URI, await read(ada, URI))

    async def talk():
        async with connect(server.address, tokens["ada/a"]) as ada:
            await begin(ada)
        async with connect(server.address, tokens["ada/b"]) as b, listening(b) as hints:
            await a_saves()
            await anext(hints)
            path.write_text("\n".join(line for line in whole.split("\n") if not line.endswith(" ada b")))
            await a_saves()
            with anyio.move_on_after(0.5) as waited:
                await anext(hints)
            assert waited.cancelled_caught
            path.write_text(whole)
            await a_saves()
            return (await anext(hints)).uri

    assert run(talk()) == URI


@pytest.mark.slow(seconds=20)
def test_over_http_the_server_is_killed_again_and_again_and_no_tool_acts_twice(server, tokens):
    """A tool that keeps the key is asked as often as it may be; each step has one effect, in order."""
    ledger, plan = {}, [f"step-{number:02}" for number in range(8)]
    ended = threading.Event()

    def use(key):
        time.sleep(0.1)
        ledger[key] = ledger.get(key, 0) + 1
        return "done"

    def kill():
        for seconds in (0.8, 1.1, 1.4):
            if not ended.wait(seconds):
                server.kill()
                server.start()

    async def talk():
        agent = partial(connect, server.address, tokens["ada/b"])
        document = NEW | {"plan": plan}
        async with agent() as client:
            await client.call_tool("save_state", {"uri": URI, "version": 0, "state": document})
        killer = threading.Thread(target=kill)
        killer.start()
        try:
            return await outlast(
                agent, partial(go_on, uri=URI, steps=dict.fromkeys(plan, use)), attempts=200, delay=0.2
            )
        finally:
            ended.set()
            killer.join()

    state = run(talk())
    assert [fact.key for fact in state.known_facts] == plan
    assert len(ledger) == len(plan)
    assert (state.state, state.version) == ("completed", len(plan) + 2)


def test_over_http_the_server_ends_when_asked_although_somebody_listens(tmp_path, tokens):
    """Within seconds, and another one takes its port."""
    command = [*COMMAND, "--folder", str(tmp_path / "states"), "--tokens", str(tmp_path / "tokens"), "--http", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    async def talk(address):
        async with connect(address, tokens["ada/a"]) as client, listening(client) as hints:
            process.send_signal(signal.SIGTERM)
            with pytest.raises((SubscriptionLost, StopAsyncIteration)):
                await anext(hints)

    try:
        address = process.stdout.readline().strip()
        run(talk(address))
        assert process.wait(SECONDS) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.communicate()


def test_a_server_ends_with_whoever_started_it(tmp_path, tokens):
    """However that dies."""
    arguments = [str(tmp_path / "states"), str(tmp_path / "tokens")]
    ended = subprocess.run(
        [sys.executable, "-c", ORPHAN, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert tokens
    assert ended.returncode == -signal.SIGKILL
    until = time.monotonic() + SECONDS
    while psutil.pid_exists(int(ended.stdout)):
        assert time.monotonic() < until, "it is still there"
        time.sleep(0.05)


def test_an_interrupt_ends_the_server_quietly(tmp_path):
    """Over stdio, as Control-C does in a terminal."""
    command = [*COMMAND, "--folder", str(tmp_path), "--as", "ada"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        process.stdin.write('{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=SECONDS)[1] == ""
        assert process.returncode == 130
    finally:
        process.kill()
        process.communicate()
