"""Real brokers: what they have synced survives SIGKILL, and nothing of them outlives whoever started them."""

import asyncio
import importlib.util
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import nats
import psutil
import pytest
import redis

from labkit import brokers

ORPHAN = """
import os, signal
from labkit import brokers
with brokers.{name}() as broker:
    print(broker.process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
"""A process that starts a broker and is killed."""
FORKED = """
import os, signal, time
from labkit import brokers
with brokers.{name}() as broker:
    print(broker.process.pid, flush=True)
    if not (child := os.fork()):
        time.sleep(600)
with brokers.{name}() as broker:
    print(broker.process.pid, flush=True)
    if not (second := os.fork()):
        time.sleep(600)
    os.kill(child, signal.SIGKILL)
    print(second, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
"""A process that forks while it has a broker, leaves the block, and is killed in the next one."""


def client(broker):
    """A client of a Valkey."""
    return redis.Redis(unix_socket_path=broker.address, decode_responses=True)


def stored_in_stream(broker, *messages):
    """Publish messages to a JetStream, wait for each acknowledgement, and say how many it has then."""

    async def talk():
        connection = await nats.connect(broker.address, connect_timeout=10)
        stream = connection.jetstream()
        await stream.add_stream(name="tasks", subjects=["tasks"])
        for message in messages:
            await stream.publish("tasks", message)
        info = await stream.stream_info("tasks")
        await connection.close()
        return info.state.messages

    return asyncio.run(talk())


def gone(pid):
    """Whether a process ends within ten seconds."""
    for _ in range(1000):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(("durable", "left"), [(True, "shop"), (False, None)])
def test_a_killed_valkey_has_what_it_has_synced(durable, left):
    """If it is not durable, it has nothing."""
    with brokers.valkey(durable=durable) as broker:
        client(broker).set("task", "shop")
        broker.kill()
        broker.start()
        assert client(broker).get("task") == left


def test_a_killed_nats_server_has_what_it_has_acknowledged():
    """JetStream, synced always."""
    with brokers.nats() as broker:
        assert stored_in_stream(broker, b"blog", b"shop") == 2
        broker.kill()
        broker.start()
        assert stored_in_stream(broker) == 2


@pytest.mark.parametrize("kind", [brokers.valkey, brokers.nats])
def test_a_broker_and_its_folder_end_with_the_block(kind):
    """Also if the block ends in an error."""
    with suppress(ZeroDivisionError), kind() as broker:
        pid, folder = broker.process.pid, Path(broker.process.cwd())
        raise ZeroDivisionError
    assert gone(pid)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["valkey", "nats"])
def test_a_broker_ends_with_the_process_that_started_it(name):
    """Also if that is killed."""
    killed = subprocess.run([sys.executable, "-c", ORPHAN.format(name=name)], capture_output=True, check=False)
    assert killed.returncode == -9
    assert gone(int(killed.stdout))


def test_a_start_that_is_not_needed_and_a_second_kill_change_nothing():
    """The process is the same; what is gone stays gone."""
    with brokers.valkey() as broker:
        process = broker.process
        broker.start()
        assert broker.process == process
        broker.kill()
        broker.kill()
        assert broker.process is None


@pytest.mark.parametrize("kind", [brokers.valkey, brokers.nats])
def test_a_broker_that_was_killed_from_outside_is_started_again(kind):
    """By its process, which is there for whoever wants to be cruel."""
    with kind() as broker:
        pid = broker.process.pid
        broker.process.kill()
        assert gone(pid)
        broker.start()
        assert broker.process.pid != pid
        assert broker.process.is_running()


def test_a_broker_ends_with_the_block_though_its_guard_is_dead():
    """What is to kill it can be killed itself."""
    with brokers.valkey() as broker:
        pid = broker.process.pid
        (guard,) = (each for each in psutil.Process().children() if broker.process in each.children())
        guard.kill()
    assert gone(pid)


@pytest.mark.parametrize("name", ["valkey", "nats"])
def test_a_forked_child_keeps_no_broker_from_its_end(name):
    """It has all that its parent had open: neither the block, nor the parent's death, waits for it."""
    code = FORKED.format(name=name)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        left, killed, child = (int(owner.stdout.readline()) for _ in range(3))
        try:
            assert owner.wait(30) == -9
            assert gone(left)
            assert gone(killed)
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_port_that_somebody_else_has_is_told_and_not_taken_for_the_broker(monkeypatch):
    """A token and messages would go to a stranger."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        monkeypatch.setattr(brokers, "NATS", brokers.NATS.replace("{port}", str(port)))
        started = brokers.Broker.__init__

        def there(self, command, folder, _, address):
            started(self, command, folder, port, address)

        monkeypatch.setattr(brokers.Broker, "__init__", there)
        with pytest.raises(brokers.BrokerError, match=r"does not start: .*in use"), brokers.nats():
            pass


def test_many_threads_that_start_a_broker_start_one():
    """Two in one folder would write to the same files."""
    with brokers.valkey() as broker:
        broker.kill()
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda _: broker.start(), range(6)))
        ours = psutil.Process().children(recursive=True)
        assert [each for each in ours if each.name() == "valkey-server"] == [broker.process]


def test_nobody_else_gets_in():
    """A Valkey's socket is for its user alone; NATS asks for a token."""
    with brokers.valkey() as broker:
        assert stat.S_IMODE(os.stat(broker.address).st_mode) == 0o700
        assert stat.S_IMODE(Path(broker.address).parent.stat().st_mode) == 0o700
    with brokers.nats() as broker:
        connecting = nats.connect(f"nats://127.0.0.1:{broker.address.rpartition(':')[2]}", allow_reconnect=False)
        with pytest.raises(nats.errors.Error, match="Authorization"):
            asyncio.run(connecting)


def test_a_broker_that_is_not_installed_is_named_with_what_to_do(monkeypatch):
    """One line."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with (
        pytest.raises(brokers.BrokerError, match=r"^this broker is not installed: run `make lab`; .*$"),
        brokers.valkey(),
    ):
        pass


def test_a_broker_that_does_not_start_says_why(monkeypatch):
    """With the last line of its log; nothing is left running."""
    monkeypatch.setattr(brokers, "VALKEY", "no such setting\n# {appendonly}")
    with pytest.raises(brokers.BrokerError, match=r"^valkey-server does not start: .*Bad directive"), brokers.valkey():
        pass
