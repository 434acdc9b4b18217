"""What the outside world promises: it applies, records, then answers, whatever happens to who asked."""

import json
import multiprocessing
import os
import signal
import struct
import sys
from contextlib import contextmanager, suppress
from datetime import timedelta
from multiprocessing.connection import Pipe
from multiprocessing.reduction import send_handle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.clock import FakeClock
from labkit.crash import wire
from labkit.crash.wire import LONGEST, RemoteWorld, hear, serve, tell
from labkit.world import (
    TOOLS,
    Call,
    ToolError,
    World,
    ack,
    attach,
    current,
    tool,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="the crash lab needs fork")


@pytest.fixture
def here():
    """A new world in this process, on which `tool` and `ack` act."""
    before = current()
    yield attach(World())
    attach(before)


# The rules


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_is_applied_recorded_and_answered(name):
    """Every tool leaves its call in the ledger, with the virtual minute it began, and takes virtual time."""
    world = World()
    world.sleep(90)
    answer = world.call(name, {"service": "shop"}, key="k")
    assert "shop" in answer
    assert world.ledger == world.calls == [Call(name, {"service": "shop"}, "k", 1.5)]
    assert world.elapsed() == 90 + TOOLS[name].seconds


def test_an_unknown_tool_is_refused():
    """The error names what there is; nothing happened."""
    world = World()
    with pytest.raises(ToolError, match=r"no tool 'creat_dns'; it has create_dns, issue_certificate"):
        world.call("creat_dns", {"service": "shop"})
    assert (world.ledger, world.elapsed()) == ([], 0)


def test_a_request_that_lacks_an_argument_is_remembered_and_not_applied():
    """It was asked, but it has had no effect."""
    world = World()
    with pytest.raises(ToolError, match="create_dns needs the argument 'service'"):
        world.call("create_dns", {"host": "shop"})
    assert world.calls == [Call("create_dns", {"host": "shop"})]
    assert (world.ledger, world.elapsed()) == ([], 0)


def test_doing_a_thing_twice_is_two_effects():
    """The world does not notice by itself that it was asked before: that is what chapter 2 is about."""
    world = World()
    for _ in range(2):
        world.call("notify", {"service": "shop"})
    assert [call.minute for call in world.ledger] == [0, 2]


def test_what_a_caller_changes_later_does_not_change_what_it_asked():
    """The ledger holds what was asked then."""
    world, arguments = World(), {"service": "shop"}
    world.call("notify", arguments)
    arguments["service"] = "other"
    assert world.ledger[0].arguments == {"service": "shop"}


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_time_goes_on_or_stays(seconds):
    """A sleep that is no time is refused, and the world's clock goes on working."""
    world = World()
    with pytest.raises((ValueError, OverflowError)):
        world.sleep(seconds)
    world.sleep(60)
    assert (world.elapsed(), world.clock.now()) == (60, FakeClock().now() + timedelta(minutes=1))


def test_tools_and_acknowledgements_act_on_the_current_world(here):
    """`tool` and `ack` are all that a program needs to know of the world."""
    assert current() is here
    assert tool("notify", service="shop", key="k") == "team told that shop is live"
    ack("deployed")
    assert [(call.tool, call.arguments, call.key) for call in here.ledger] == [("notify", {"service": "shop"}, "k")]
    assert here.acknowledged == ["deployed"]


def test_a_call_reads_as_a_line_of_a_log():
    """What a student sees: when, what, to what; a number that comes and goes, like the key, is not shown."""
    assert str(Call("create_dns", {"service": "shop"}, "key", 8.0)) == "minute  8.0  create_dns(shop)"


@given(
    st.lists(st.tuples(st.sampled_from([*TOOLS]), st.text(), st.none() | st.text())),
    st.lists(st.text()),
    st.floats(0, 1e6),
)
def test_a_world_that_is_restored_is_the_same_world(calls, labels, seconds):
    """Through JSON and back nothing is forgotten, and the next call happens at the same time in both."""
    world = World()
    for name, service, key in calls:
        with suppress(ToolError):  # a key that was used for something else
            world.call(name, {"service": service}, key)
    for label in labels:
        world.ack(label)
    world.sleep(seconds)
    again = World().restore(json.loads(json.dumps(world.to_json())))
    for each in (world, again):
        each.call("notify", {"service": "last"})
    assert again.to_json() == world.to_json()


def test_what_a_world_told_is_a_copy():
    """Who changes what it was told about the world does not change the world."""
    world = World()
    world.call("notify", {"service": "shop"})
    world.ack("done")
    told, before = world.to_json(), json.dumps(world.to_json())
    told["ledger"][0]["arguments"]["service"] = told["calls"][0]["key"] = "other"
    told["ledger"].clear()
    told["acknowledged"].clear()
    assert json.dumps(world.to_json()) == before


# The process


class Outside:
    """A world in a real process of its own, and this test's control of it."""

    def __init__(self):
        self.control, theirs = Pipe()
        context = multiprocessing.get_context("fork")
        self.process = context.Process(target=self._serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.client = self.begin()

    def _serve(self, theirs):
        self.control.close()  # or nobody could hang up on this process
        serve(theirs)

    def begin(self, memory=None):
        """Begin a world, and return its client's end."""
        ours, theirs = Pipe()
        tell(self.control, ["begin", memory or World().to_json()])
        send_handle(self.control, theirs.fileno(), self.process.pid)
        theirs.close()
        hear(self.control)
        return ours

    def memory(self):
        """What the world remembers now; what a client said before is heard before."""
        tell(self.control, ["memory"])
        return World().restore(hear(self.control)["value"])


@contextmanager
def outside():
    """A world in a process of its own, which is ended by its id."""
    world = Outside()
    try:
        yield world
    finally:
        world.process.kill()
        world.process.join()


def killed_client(world, speak):
    """Let a real process speak to the world, and kill it as soon as it has spoken and waits."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            speak(world.client)
            os.write(writer, b"spoken")
            signal.pause()
        finally:
            os._exit(1)
    os.close(writer)
    world.client.close()
    spoken = os.read(reader, 6)
    os.kill(pid, signal.SIGKILL)
    os.close(reader)
    assert spoken == b"spoken"
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


@needs_fork
def test_a_remote_world_is_the_world():
    """Calls, acknowledgements, errors and time are the same on the other side of a socket."""
    with outside() as world:
        remote, local, times = RemoteWorld(world.client), World(), []
        remote.on_time = times.append
        for place in (remote, local):
            assert place.call("create_dns", {"service": "shop"}, "k") == "shop.example.com points to 192.0.2.7"
            place.ack("named")
            place.sleep(30)
            assert place.elapsed() == 150
            for wrong in (("no_such_tool", {}), ("notify", {})):
                with pytest.raises(ToolError):
                    place.call(*wrong)
        assert world.memory().to_json() == local.to_json()
        assert times == [120, 120, 150, 150, 150, 150]


@needs_fork
def test_an_effect_outlives_the_process_that_caused_it():
    """What a killed process did stays done, and what it acknowledged stays promised."""

    def speak(client):
        remote = RemoteWorld(client)
        remote.call("create_dns", {"service": "shop"})
        remote.ack("named")

    with outside() as world:
        killed_client(world, speak)
        memory = world.memory()
    assert ([call.tool for call in memory.ledger], memory.acknowledged) == (["create_dns"], ["named"])


@needs_fork
def test_an_effect_is_recorded_even_if_nobody_hears_the_answer():
    """The world does not take back what it did because the answer was lost: the caller cannot know."""
    with outside() as world:
        killed_client(world, lambda client: tell(client, ["call", "notify", {"service": "shop"}]))
        memory = world.memory()
    assert [call.tool for call in memory.ledger] == ["notify"]


@needs_fork
def test_an_answer_that_cannot_be_given_does_not_stop_the_world():
    """A client that is gone before the world comes to its request: it is done, and the next client is served."""
    with outside() as world:
        os.kill(world.process.pid, signal.SIGSTOP)
        tell(world.client, ["call", "notify", {"service": "shop"}])
        world.client.close()
        os.kill(world.process.pid, signal.SIGCONT)
        memory = world.memory()
        assert [call.tool for call in memory.ledger] == ["notify"]
        assert RemoteWorld(world.begin(memory.to_json())).elapsed() == 120


@needs_fork
def test_a_client_killed_in_the_middle_of_a_request_has_asked_nothing():
    """Half a request has no effect; the world goes on, and serves the process that comes next."""
    request = json.dumps(["call", "notify", {"service": "shop"}]).encode()

    def speak(client):
        RemoteWorld(client).ack("before")
        os.write(client.fileno(), struct.pack("!i", len(request)) + request[:-3])

    with outside() as world:
        killed_client(world, speak)
        memory = world.memory()
        assert (memory.ledger, memory.acknowledged) == ([], ["before"])
        assert "live" in RemoteWorld(world.begin(memory.to_json())).call("notify", {"service": "shop"})
        assert [call.tool for call in world.memory().ledger] == ["notify"]


@needs_fork
def test_the_next_process_meets_the_world_as_the_last_one_left_it():
    """A restart changes the client, not the world: its ledger, its promises and its time go on."""
    with outside() as world:
        RemoteWorld(world.client).call("create_dns", {"service": "shop"})
        world.client.close()
        after = RemoteWorld(world.begin(world.memory().to_json()))
        assert after.elapsed() == 120
        after.call("notify", {"service": "shop"})
        assert [(call.tool, call.minute) for call in world.memory().ledger] == [("create_dns", 0), ("notify", 2)]


@needs_fork
def test_the_world_before_is_not_heard_in_the_next_one():
    """A process that outlived its own run cannot write into the ledger of the next."""
    with outside() as world:
        old = world.client
        new = RemoteWorld(world.begin())
        with pytest.raises((EOFError, OSError)):
            RemoteWorld(old).call("notify", {"service": "ghost"})
        new.call("notify", {"service": "shop"})
        assert [call.arguments for call in world.memory().ledger] == [{"service": "shop"}]


@needs_fork
@pytest.mark.parametrize(
    "request_",
    [
        ["memory"],
        ["begin", {"ledger": [], "calls": [], "acknowledged": [], "elapsed": 0}],
        ["restore", {"ledger": [], "calls": [], "acknowledged": [], "elapsed": 0}],
        ["to_json"],
        ["ledger"],
        ["__init__"],
        ["__class__"],
        ["goodbye"],
    ],
    ids=lambda request_: request_[0],
)
def test_a_client_sees_and_changes_only_what_an_agent_could(request_):
    """What the world remembers is the judge's to read: the program under test can neither read nor rewrite it."""
    with outside() as world:
        tell(world.client, ["ack", "promised"])
        hear(world.client)
        tell(world.client, request_)
        answer = hear(world.client)
        assert answer == {"error": f"the world does not understand {request_[0]!r}", "elapsed": 0}
        assert world.memory().acknowledged == ["promised"]


@pytest.fixture(scope="module")
def patient():
    """One world for all the garbage of this module."""
    with outside() as world:
        yield world


@needs_fork
@given(garbage=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_gets_an_answer_and_has_no_effect(patient, garbage):
    """Whatever a client says that is no request is answered with an error, and the world goes on."""
    patient.client.send_bytes(garbage)
    assert "error" in hear(patient.client)
    assert patient.memory().ledger == []
    assert RemoteWorld(patient.client).elapsed() == 0


@needs_fork
@given(
    request_=st.sampled_from(["call", "ack", "sleep", "elapsed"]),
    arguments=st.lists(JSON | st.sampled_from([*TOOLS]) | st.just({"service": "shop"}), max_size=4),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_real_request_with_senseless_arguments_never_stops_the_world(patient, request_, arguments):
    """It is done or refused; either way the next request is answered, and what was applied was recorded."""
    client = patient.begin()
    tell(client, [request_, *arguments])
    answer = hear(client)
    ledger = patient.memory().ledger
    assert len(ledger) == (request_ == "call" and "value" in answer)
    assert "live" in RemoteWorld(client).call("notify", {"service": "shop"})
    assert patient.memory().ledger[len(ledger) :] != []


@needs_fork
@pytest.mark.parametrize(
    "said",
    [
        b"[" * 200_000,
        b'["sleep", ' + b"9" * 400 + b"]",
        b'["sleep", NaN]',
        b'["sleep", Infinity]',
        b'["sleep", 1e300]',
        b'["call", "notify", ' + b'{"service":' * 50_000,
        b"\xff" * 1000,
        b"",
    ],
    ids=["deep", "endless", "nan", "infinity", "long", "deep call", "no text", "nothing"],
)
def test_what_would_break_a_parser_or_a_clock_is_refused(said):
    """Depth, size and numbers that are no time: an error, and the world goes on at the same time as before."""
    with outside() as world:
        world.client.send_bytes(said)
        assert "error" in hear(world.client)
        assert RemoteWorld(world.client).elapsed() == 0
        assert world.memory().to_json() == World().to_json()


@needs_fork
@pytest.mark.parametrize(
    "raw",
    [struct.pack("!i", LONGEST + 1), struct.pack("!iQ", -1, 2**63), b"GET / HTTP/1.1\r\n\r\n"],
    ids=["too long", "far too long", "another language"],
)
def test_who_cannot_be_understood_is_hung_up_on_and_the_world_stays(raw):
    """A sentence that would fill the memory is not waited for; the next client is served."""
    with outside() as world:
        os.write(world.client.fileno(), raw)
        with pytest.raises((EOFError, OSError)):
            hear(world.client)
        assert RemoteWorld(world.begin()).elapsed() == 0
        assert world.memory().to_json() == World().to_json()


@needs_fork
def test_the_world_ends_when_its_control_hangs_up():
    """No world is left behind by a crash lab that is gone, even while a client is still there."""
    with outside() as world:
        world.control.close()
        world.process.join()
        assert world.process.exitcode == 0


def test_no_pickle_crosses_the_socket():
    """What the code under test says is JSON, so hearing it runs none of it."""
    assert "pickle" not in vars(wire)
    ours, theirs = Pipe()
    theirs.send({"a": "pickled object"})
    with pytest.raises(ValueError, match=r"."):
        hear(ours)


def test_a_key_makes_a_call_safe_to_repeat():
    """The first answer again, nothing applied twice and no time taken; other arguments under one key are refused."""
    world = World()
    first = world.call("notify", {"service": "shop"}, "key-1")
    assert world.call("notify", {"service": "shop"}, "key-1") == first
    with pytest.raises(ToolError, match="the key 'key-1' was used for notify with other arguments"):
        world.call("notify", {"service": "blog"}, "key-1")
    assert (len(world.ledger), len(world.calls), world.elapsed()) == (1, 3, 120.0)
