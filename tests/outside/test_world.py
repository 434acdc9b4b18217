"""What the outside world promises: it applies, records, then answers, whatever happens to who asked."""

import json
import multiprocessing
import os
import signal
import struct
import sys
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Pipe
from multiprocessing.reduction import send_handle
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.backoff import is_retryable
from labkit.clock import FakeClock
from labkit.crash import sweep, trial
from labkit.crash.channel import hear, tell
from labkit.crash.child.remote_world import ERRORS as KEEP_TYPE
from labkit.crash.child.remote_world import RemoteWorld
from labkit.crash.jobs import Memory, ServiceError
from labkit.crash.world_process.serve import LONGEST, serve
from labkit.world import (
    TOOLS,
    Call,
    Fault,
    Kind,
    ToolConflictError,
    ToolError,
    ToolTimeoutError,
    ToolUnavailableError,
    World,
    WorldClock,
    ack,
    arrange,
    ask,
    attach,
    current,
    standing,
    tool,
)

SHOP = {"service": "shop"}
BILL = {"customer": "Ada", "amount": 20}
PAID = "charged Ada 20 EUR"
ARGUMENTS = SHOP | BILL
"""Enough for every tool."""
ERRORS = {
    "transient": (ToolUnavailableError, "charge is unavailable: nothing has happened"),
    "permanent": (ToolError, "charge refuses: nothing has happened, and to ask again will not help"),
    "ambiguous": (ToolTimeoutError, "no answer from charge after 2 s: it may have acted, or not"),
}
"""Fault → the error of a call that meets it."""

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
    """Every tool that acts leaves its call in the ledger, with the virtual minute it began, and takes virtual time."""
    world = World()
    world.sleep(90)
    answer = world.call(name, ARGUMENTS, key="k")
    assert "{" not in answer
    assert all(str(ARGUMENTS[argument]) in answer for argument in needed(name))
    assert world.calls == [Call(name, ARGUMENTS, "k", 1.5)]
    assert world.ledger == ([] if name == "check_disk" else world.calls)
    assert world.elapsed() == 90 + TOOLS[name].seconds


def needed(name):
    """The arguments without which a tool cannot do anything."""
    return [field for _, field, _, _ in Formatter().parse(TOOLS[name].answer) if field]


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_needs_its_arguments(name):
    """Each that its answer speaks of; without it the call is remembered and not applied."""
    for argument in needed(name):
        world, given_ = World(), {other: value for other, value in ARGUMENTS.items() if other != argument}
        with pytest.raises(ToolError, match=f"{name} needs the argument '{argument}'"):
            world.call(name, given_)
        assert (world.calls, world.ledger, world.elapsed()) == ([Call(name, given_)], [], 0)


def test_a_payment_needs_a_customer_and_an_amount():
    """It says both, and takes two seconds; the deployment's steps need the service, and take two minutes."""
    world = World()
    assert needed("charge") == ["customer", "amount"]
    assert (world.call("charge", BILL), world.elapsed()) == (PAID, 2)
    assert needed("deploy_container") == ["service"]
    assert (world.call("deploy_container", SHOP), world.elapsed()) == ("container shop is up", 122)


def test_looking_changes_nothing_and_sees_what_others_changed():
    """check_disk is a request and no effect, whether it is asked once or twice; it sees what clean_logs did."""
    world = World()
    looks = [world.call("check_disk", {}, key) for key in (None, "k", "k")]
    world.call("clean_logs", {})
    looks += [world.call("check_disk", {}), World().call("check_disk", {})]
    full, better = "the disk is 95% full", "the disk is 41% full"
    assert looks == [full, full, full, better, full]
    assert [call.tool for call in world.calls] == [*["check_disk"] * 3, "clean_logs", "check_disk"]
    assert [call.tool for call in world.ledger] == ["clean_logs"]


@pytest.mark.parametrize(
    ("name", "inverse"),
    [
        ("create_dns", "delete_dns"),
        ("issue_certificate", "revoke_certificate"),
        ("deploy_container", "remove_container"),
        ("configure_monitoring", "remove_monitoring"),
    ],
)
def test_what_a_deployment_does_can_be_undone(name, inverse):
    """By another tool that needs no more than the first one did: a compensation is an effect like any other."""
    assert needed(inverse) == needed(name)
    world = World()
    assert world.call(name, SHOP) != world.call(inverse, SHOP)
    assert [call.tool for call in world.ledger] == [name, inverse]
    assert standing(world.ledger) == []


def test_what_is_standing_was_done_and_not_undone():
    """One call takes back the latest effect on the same thing; what cannot be undone is not listed."""
    world, blog = World(), {"service": "blog"}
    world.call("delete_dns", SHOP)
    for name, thing in (("create_dns", SHOP), ("create_dns", blog), ("create_dns", SHOP), ("notify", SHOP)):
        world.call(name, thing)
    world.call("delete_dns", SHOP)
    assert [call.arguments for call in standing(world.ledger)] == [SHOP, blog]
    assert [call.minute for call in standing(world.ledger)] == [2, 4]


def test_an_unknown_tool_is_refused():
    """The error names what there is; nothing happened."""
    world = World()
    with pytest.raises(ToolError, match=r"no tool 'creat_dns'; it has create_dns, issue_certificate"):
        world.call("creat_dns", {"service": "shop"})
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


FAULTS = st.dictionaries(st.sampled_from([*TOOLS]), st.lists(st.sampled_from([*Fault]), max_size=3))


@given(
    st.dictionaries(st.sampled_from([*TOOLS]), st.sampled_from([*Kind])),
    FAULTS,
    st.dictionaries(st.text(), st.integers() | st.lists(st.text())),
    st.lists(st.tuples(st.sampled_from([*TOOLS]), st.text(max_size=1), st.none() | st.text(max_size=1))),
    st.lists(st.text()),
    st.floats(0, 1e6),
)
def test_a_world_that_is_restored_is_the_same_world(kinds, faults, model, calls, labels, seconds):
    """Through JSON and back nothing is forgotten, and what happens next is the same in both."""
    world = World()
    world.arrange(kinds=kinds, faults=faults, model=model)
    for name, customer, key in calls:
        with suppress(ToolError):  # a fault, or a key that was used for something else
            world.call(name, {**ARGUMENTS, "customer": customer}, key, timeout=60)
    for label in labels:
        world.ack(label)
    world.sleep(seconds)
    again = World().restore(json.loads(json.dumps(world.to_json())))
    for name in TOOLS:
        one, other = (outcome(partial(each.call, name, ARGUMENTS, "last")) for each in (world, again))
        assert one == other
    assert again.to_json() == world.to_json()


def outcome(call):
    """What a call came to: its answer, or its error."""
    try:
        return call()
    except ToolError as error:
        return repr(error)


def test_a_new_world_has_no_surprises():
    """Nothing is wrong with any tool, and each takes a key, until somebody arranges it."""
    assert World().to_json() == {
        **{name: [] for name in ("ledger", "calls", "acknowledged")},
        **{name: {} for name in ("kinds", "faults", "tools", "model")},
        "elapsed": 0,
    }


def test_what_a_world_told_is_a_copy():
    """Who changes what it was told about the world does not change the world."""
    world = World()
    world.arrange(kinds={"charge": "asked"}, faults={"charge": ["transient"]}, model={"turns": [1]})
    world.call("notify", {"service": "shop"})
    world.ack("done")
    told, before = world.to_json(), json.dumps(world.to_json())
    told["ledger"][0]["arguments"]["service"] = told["calls"][0]["key"] = "other"
    told["faults"]["charge"].append("permanent")
    told["model"]["turns"].append(2)
    for part in ("ledger", "acknowledged", "kinds", "faults", "model"):
        told[part].clear()
    assert json.dumps(world.to_json()) == before


# Setting the scene


def test_a_tool_of_ones_own_is_a_tool_like_the_others():
    """It answers with its arguments, takes a key, may fail, and is there after a restart of the world's process."""
    world = World()
    world.arrange(tools={"mail": "sent to {to}"}, faults={"mail": ["transient"]})
    world = World().restore(json.loads(json.dumps(world.to_json())))
    with pytest.raises(ToolUnavailableError):
        world.call("mail", {"to": "Ada"}, "k")
    assert [world.call("mail", {"to": "Ada"}, "k") for _ in range(2)] == ["sent to Ada"] * 2
    assert [call.tool for call in world.ledger] == ["mail"]
    with pytest.raises(ToolError, match="mail needs the argument 'to'"):
        world.call("mail", {})
    with pytest.raises(ToolError, match=r"no tool .post.; it has .*, mail$"):
        world.call("post", {})


def test_a_tool_of_ones_own_stands_in_for_one_of_the_course():
    """Who sweeps a program of theirs does not know the course's names: `charge` is one that many would take."""
    world = World()
    world.arrange(tools={"charge": "charged for {item}"})
    assert world.call("charge", {"item": "a lamp"}, "k") == "charged for a lamp"
    assert [call.arguments for call in world.ledger] == [{"item": "a lamp"}]


def test_what_is_arranged_is_a_copy():
    """Who goes on changing what it gave does not change the world, nor does the world use up what it was given."""
    faults, model = {"charge": ["transient", "transient"]}, {"turns": [1]}
    world = World()
    world.arrange(faults=faults, model=model)
    with pytest.raises(ToolUnavailableError):
        world.call("charge", BILL)
    assert faults == {"charge": ["transient", "transient"]}
    faults["charge"].clear()
    model["turns"].append(2)
    with pytest.raises(ToolUnavailableError):
        world.call("charge", BILL)
    assert world.model == {"turns": [1]}


def test_what_is_not_arranged_stays_as_it_was():
    """One thing is set at a time, and set anew as a whole."""
    world = World()
    world.arrange(kinds={"charge": "asked"}, model={"turns": []})
    world.arrange(faults={"charge": ["permanent"]})
    world.arrange(kinds={"notify": "neither"})
    assert (world.kinds, world.faults, world.model) == (
        {"notify": "neither"},
        {"charge": ["permanent"]},
        {"turns": []},
    )


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"ledger": []}, "one can arrange kinds, faults, tools, model, not ledger"),
        ({"clock": 0}, "one can arrange kinds, faults, tools, model, not clock"),
        ({"kinds": {"charge": "askd"}}, "charge can be keyed, asked, neither, not ['askd']"),
        ({"kinds": {"chrge": "asked"}}, "the world has no tool 'chrge'"),
        ({"faults": {"charge": ["ambigous"]}}, "charge can be none, transient, permanent, ambiguous, not ['ambigous']"),
        ({"faults": {"charge": "transient"}}, "charge can be none, transient, permanent, ambiguous, not 'transient'"),
        ({"faults": {"chrge": ["transient"]}}, "the world has no tool 'chrge'"),
    ],
    ids=str,
)
def test_what_is_misspelt_is_refused_and_nothing_is_arranged(what, message):
    """A fault that no call can meet would let a test pass that proves nothing."""
    world = World()
    with pytest.raises(ToolError) as raised:
        world.arrange(model={"turns": []}, **what)
    assert str(raised.value) == message
    assert world.to_json() == World().to_json()


# What a tool offers to a caller in doubt


def test_a_tool_that_can_be_asked_says_what_it_has_done(here):
    """Nothing before, its answer after; to ask is no call, no effect, and takes no time."""
    arrange(kinds={"charge": "asked"})
    assert ask("charge", **BILL) is None
    assert tool("charge", **BILL) == PAID
    assert ask("charge", **BILL) == PAID
    assert ask("charge", **BILL | {"amount": 21}) is None
    assert ask("charge", **BILL | {"customer": "Bob"}) is None
    assert (len(here.ledger), len(here.calls), here.elapsed()) == (1, 1, 2)


def test_what_another_tool_has_done_is_no_answer():
    """Two tools with the same arguments are not taken for each other."""
    world = World()
    world.arrange(kinds={"create_dns": "asked", "delete_dns": "asked"})
    world.call("create_dns", SHOP)
    assert world.ask("delete_dns", SHOP) is None


@pytest.mark.parametrize("kind", [None, "keyed", "neither"])
def test_a_tool_that_is_not_of_that_kind_cannot_be_asked(kind):
    """It does not know, or does not tell."""
    world = World()
    world.arrange(kinds={"charge": kind} if kind else {})
    world.call("charge", BILL)
    with pytest.raises(ToolError, match="charge cannot be asked whether it has acted"):
        world.ask("charge", BILL)


def test_a_senseless_question_is_an_error_as_a_senseless_call_is():
    """An answer of None would be taken for "it has not acted"."""
    world = World()
    world.arrange(kinds={"charge": "asked"})
    with pytest.raises(ToolError, match="charge needs the argument 'amount'"):
        world.ask("charge", {"customer": "Ada"})
    with pytest.raises(ToolError, match="no tool 'chrge'"):
        world.ask("chrge", BILL)


@pytest.mark.parametrize("kind", ["asked", "neither"])
def test_a_key_is_refused_by_a_tool_that_takes_none(kind):
    """Whoever relies on a key must not find out in the next failure that nobody looked at it."""
    world = World()
    world.arrange(kinds={"charge": kind})
    with pytest.raises(ToolError, match="charge takes no idempotency key here"):
        world.call("charge", BILL, "k")
    assert world.ledger == []
    assert world.call("charge", BILL) == PAID
    assert world.call("notify", SHOP, "k") == "team told that shop is live"


def test_a_key_makes_a_call_safe_to_repeat():
    """The first answer again, nothing applied twice and no time taken; other arguments under one key are refused."""
    world = World()
    first = world.call("notify", {"service": "shop"}, "key-1")
    assert world.call("notify", {"service": "shop"}, "key-1") == first
    for other in (("notify", {"service": "blog"}), ("create_dns", {"service": "shop"})):
        with pytest.raises(ToolError, match="the key 'key-1' was used for notify with other arguments"):
            world.call(*other, "key-1")
    assert (len(world.ledger), len(world.calls), world.elapsed()) == (1, 4, 120.0)


# Faults


@pytest.mark.parametrize("fault", ["transient", "permanent"])
def test_a_call_that_is_refused_has_done_nothing(fault):
    """Its caller is told so at once; the request is remembered."""
    world, (kind, message) = World(), ERRORS[fault]
    world.arrange(faults={"charge": [fault]})
    with pytest.raises(ToolError) as raised:
        world.call("charge", BILL, "k")
    assert (type(raised.value), str(raised.value)) == (kind, message)
    assert (len(world.calls), world.ledger, world.elapsed()) == (1, [], 0)


def test_a_fault_can_be_let_wait():
    """`none` is a call that goes well: the fault after it meets the next one."""
    world = World()
    world.arrange(faults={"charge": ["none", "permanent"]})
    assert world.call("charge", BILL, "k") == PAID
    with pytest.raises(ToolError, match="charge refuses"):
        world.call("charge", BILL, "k")


def test_a_call_whose_answer_is_lost_has_acted():
    """Its caller has waited as long as the work takes, and cannot know."""
    world, (kind, message) = World(), ERRORS["ambiguous"]
    world.arrange(faults={"charge": ["ambiguous"]})
    with pytest.raises(ToolError) as raised:
        world.call("charge", BILL, "k")
    assert (type(raised.value), str(raised.value)) == (kind, message)
    assert (len(world.calls), world.elapsed()) == (1, 2)
    assert world.ledger == world.calls
    assert world.call("charge", BILL, "k") == PAID
    assert len(world.ledger) == 1


@pytest.mark.usefixtures("here")
def test_only_what_may_help_later_is_retryable():
    """Faults that pass and answers that are lost are errors of the network; a refusal is not."""
    for fault, retryable in (("transient", True), ("ambiguous", True), ("permanent", False)):
        arrange(faults={"charge": [fault]})
        with pytest.raises(ToolError) as raised:
            tool("charge", **BILL)
        assert is_retryable(raised.value) is retryable


def test_faults_are_met_in_order_each_by_one_call():
    """Two that pass, a lost answer, and then all is well; other tools meet none of them."""
    world = World()
    world.arrange(faults={"charge": ["transient", "ambiguous", "transient"]})
    outcomes = []
    for _ in range(5):
        outcomes.append(outcome(lambda: world.call("charge", BILL)).partition("(")[0])
        world.call("notify", SHOP)
    assert outcomes == ["ToolUnavailableError", "ToolTimeoutError", "ToolUnavailableError", PAID, PAID]
    assert [call.tool for call in world.ledger].count("charge") == 3


def test_a_permanent_fault_stays():
    """It hides whatever was planned behind it, and passes when another scene is set."""
    world = World()
    world.arrange(faults={"charge": ["transient", "permanent", "ambiguous"]})
    outcomes = [outcome(lambda: world.call("charge", BILL)).partition("(")[0] for _ in range(5)]
    assert outcomes == ["ToolUnavailableError", *["ToolError"] * 4]
    assert world.ledger == []
    world.arrange(faults={})
    assert world.call("charge", BILL) == PAID


def test_the_answer_to_a_repeated_call_can_be_lost_too():
    """Nothing is applied a second time, and the caller still does not know."""
    world = World()
    world.arrange(faults={"charge": ["ambiguous", "ambiguous"]})
    for _ in range(2):
        with pytest.raises(ToolTimeoutError):
            world.call("charge", BILL, "k")
    assert world.call("charge", BILL, "k") == PAID
    assert (len(world.ledger), world.elapsed()) == (1, 2)


@given(FAULTS, st.lists(st.sampled_from(["charge", "notify"]), max_size=8))
def test_an_answer_means_one_effect_and_a_refusal_none(faults, names):
    """Whatever faults are met: only after a lost answer does the caller not know how many there were."""
    world = World()
    world.arrange(faults=faults)
    for name in names:
        before = len(world.ledger)
        result = outcome(lambda name=name: world.call(name, ARGUMENTS))
        refused = result.startswith(("ToolUnavailableError", "ToolError"))
        assert len(world.ledger) - before == (not refused)


# Timeouts


@given(start=st.floats(0, 1e5), timeout=st.floats(0, 119))
def test_a_caller_waits_no_longer_than_its_timeout_and_the_tool_acts_all_the_same(start, timeout):
    """The call is in the ledger; under its key it is in conflict until its end, and then answers as the first would."""
    world = World()
    world.sleep(start)
    with pytest.raises(ToolTimeoutError, match="no answer from notify after"):
        world.call("notify", SHOP, "k", timeout)
    assert world.elapsed() == start + timeout
    assert world.ledger == world.calls
    with pytest.raises(ToolConflictError, match="notify under the key 'k' has not ended yet"):
        world.call("notify", SHOP, "k")
    assert world.elapsed() == start + timeout
    world.sleep(120 - timeout)
    assert world.call("notify", SHOP, "k", timeout) == "team told that shop is live"
    assert (len(world.ledger), len(world.calls)) == (1, 3)


@given(start=st.floats(0, 1e5))
def test_a_call_that_has_answered_is_never_in_conflict_with_itself(start):
    """At whatever fraction of a second it began."""
    world = World()
    world.sleep(start)
    answers = [world.call("charge", BILL, "k") for _ in range(2)]
    assert answers == [PAID, PAID]


@pytest.mark.parametrize("timeout", [120, 120.5, float("inf")])
def test_a_timeout_that_is_not_reached_costs_nothing(timeout):
    """The answer comes when the tool has ended, not when the timeout has."""
    world = World()
    assert world.call("notify", SHOP, timeout=timeout) == "team told that shop is live"
    assert world.elapsed() == 120


def test_a_lost_answer_is_not_waited_for_beyond_the_timeout():
    """Whichever comes first: the caller has given up by then."""
    world = World()
    world.arrange(faults={"notify": ["ambiguous"]})
    with pytest.raises(ToolTimeoutError, match="no answer from notify after 30 s"):
        world.call("notify", SHOP, timeout=30)
    assert world.elapsed() == 30


def test_a_conflict_may_pass(here):
    """To call again later may help, so it is retryable; `tool` hands the timeout on."""
    with pytest.raises(ToolTimeoutError):
        tool("notify", key="k", timeout=1, **SHOP)
    with pytest.raises(ToolConflictError) as raised:
        tool("notify", key="k", **SHOP)
    assert is_retryable(raised.value)
    assert here.elapsed() == 1


@pytest.mark.parametrize("timeout", [-1, -0.001, float("nan"), "soon", [], {}], ids=repr)
def test_a_timeout_that_is_no_time_is_refused_before_anything_happens(timeout):
    """A caller who gets this error can rely on it: nothing was applied."""
    world = World()
    with pytest.raises((ToolError, TypeError)):
        world.call("notify", SHOP, timeout=timeout)
    assert (world.ledger, world.elapsed()) == ([], 0)


# Time


def test_the_clock_of_the_world_follows_the_current_one(here):
    """One clock serves a notebook and every child of the crash lab: it asks whichever world is current."""
    clock, start = WorldClock(), FakeClock().now()
    assert (clock.now(), clock.monotonic()) == (start, 0)
    clock.sleep(90)
    assert (clock.now(), clock.monotonic(), here.elapsed()) == (start + timedelta(seconds=90), 90, 90)
    here.call("charge", BILL)
    assert clock.monotonic() == 92
    attach(World()).sleep(5)
    assert (clock.now(), clock.monotonic()) == (start + timedelta(seconds=5), 5)


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

    def begin(self, memory=None, *, may_arrange=False):
        """Begin a world, and return its client's end."""
        ours, theirs = Pipe()
        tell(self.control, ["begin", Memory(memory or World().to_json()), may_arrange], vars)
        send_handle(self.control, theirs.fileno(), self.process.pid)
        theirs.close()
        hear(self.control)
        return ours

    def memory(self):
        """What the world remembers now; what a client said before is heard before."""
        tell(self.control, ["memory"])
        return World().restore(hear(self.control)["value"]["world"])


@contextmanager
def outside():
    """A world in a process of its own, which is ended by its id."""
    world = Outside()
    try:
        yield world
    finally:
        world.process.kill()
        world.process.join(10)


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
        ["_answer", "notify"],
        ["exchange", "op", "target", None],
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
        error = f"the world does not understand {request_[0]!r}"
        assert answer == {"error": error, "type": "ToolError", "elapsed": 0}
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
    request_=st.sampled_from(["call", "ask", "ack", "sleep", "elapsed", "port", "arrange"]),
    arguments=st.lists(JSON | st.sampled_from([*TOOLS]) | st.just(ARGUMENTS), max_size=5),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_real_request_with_senseless_arguments_never_stops_the_world(patient, request_, arguments):
    """It is done or refused; either way the next request is answered, and what was applied was recorded."""
    client = patient.begin()
    tell(client, [request_, *arguments])
    answer = hear(client)
    ledger = patient.memory().ledger
    assert len(ledger) == (request_ == "call" and acted(answer) and not TOOLS[arguments[0]].reads)
    assert "live" in RemoteWorld(client).call("notify", {"service": "shop"})
    assert patient.memory().ledger[len(ledger) :] != []


@needs_fork
@given(
    name=st.sampled_from([*TOOLS]),
    key=JSON,
    timeout=st.none() | st.floats() | JSON,
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_call_is_applied_if_it_answers_or_its_answer_is_late_and_never_else(patient, name, key, timeout):
    """Whatever is said for a key and a timeout: an error other than the timeout's means that nothing was applied."""
    client = patient.begin()
    tell(client, ["call", name, ARGUMENTS, key, timeout])
    answer = hear(client)
    assert len(patient.memory().ledger) == (acted(answer) and not TOOLS[name].reads)


def acted(answer):
    """Whether a tool has acted, by what the world says."""
    return "value" in answer or answer["type"] == "ToolTimeoutError"


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
@pytest.mark.parametrize("fault", ERRORS)
def test_an_error_keeps_its_type_on_the_way_and_nobody_hangs_up(fault):
    """Some are errors of the network by type, yet the wire is whole: the next call is answered."""
    kind, message = ERRORS[fault]
    with outside() as world:
        remote = RemoteWorld(world.begin(may_arrange=True))
        remote.arrange(faults={"charge": [fault], "notify": ["transient"]})
        with pytest.raises(ToolError) as raised:
            remote.call("charge", BILL)
        assert (type(raised.value), str(raised.value)) == (kind, message)
        assert isinstance(raised.value, OSError) is (fault != Fault.PERMANENT)
        with pytest.raises(ToolUnavailableError):
            remote.call("notify", SHOP)
        assert remote.call("notify", SHOP) == "team told that shop is live"


@needs_fork
def test_every_error_of_the_world_keeps_its_type():
    """A conflict and a timeout as well; whatever else a world may raise arrives as a ToolError."""
    with outside() as world:
        remote = RemoteWorld(world.client)
        with pytest.raises(ToolTimeoutError):
            remote.call("charge", BILL, "k", timeout=1)
        with pytest.raises(ToolConflictError):
            remote.call("charge", BILL, "k")
        remote.sleep(1)
        assert remote.call("charge", BILL, "k", timeout=1) == PAID
        for wrong in (lambda: remote.sleep(-1), lambda: remote.sleep(1e300), lambda: remote.call("notify", [1])):
            with pytest.raises(ToolError) as raised:
                wrong()
            assert type(raised.value) is ToolError
    assert set(KEEP_TYPE.values()) == {ServiceError, *ToolError.__subclasses__()}


@needs_fork
def test_a_remote_world_can_be_asked_and_arranged_and_tells_the_time():
    """What is arranged over the wire holds there; its clock is the world's."""
    with outside() as world:
        before = current()
        here = attach(RemoteWorld(world.begin(may_arrange=True)))
        try:
            arrange(kinds={"charge": "asked"}, model={"turns": [1]})
            assert (ask("charge", **BILL), tool("charge", **BILL), ask("charge", **BILL)) == (None, PAID, PAID)
            WorldClock().sleep(58)
            assert WorldClock().now() == FakeClock().now() + timedelta(minutes=1)
            assert here.elapsed() == WorldClock().monotonic() == 60
        finally:
            attach(before)
        memory = world.memory()
        assert (memory.kinds, memory.model, len(memory.ledger)) == ({"charge": "asked"}, {"turns": [1]}, 1)


@needs_fork
def test_only_a_setup_may_arrange_the_world():
    """Each begin says whether its client may: the one before it having been allowed to is no permission."""
    with outside() as world:
        setup = RemoteWorld(world.begin(may_arrange=True))
        setup.arrange(faults={"charge": ["permanent"]})
        agent = RemoteWorld(world.begin(world.memory().to_json()))
        for what in ({"faults": {}}, {"kinds": {"charge": "asked"}}, {}, {"ledger": []}):
            with pytest.raises(ToolError, match="only `setup` may arrange the world"):
                agent.arrange(**what)
        assert world.memory().faults == {"charge": ["permanent"]}


@needs_fork
def test_the_world_ends_when_its_control_hangs_up():
    """No world is left behind by a crash lab that is gone, even while a client is still there."""
    with outside() as world:
        world.control.close()
        world.process.join(10)
        assert world.process.exitcode == 0


def test_no_pickle_crosses_the_socket():
    """What the code under test says is JSON, so hearing it runs none of it."""
    assert "pickle" not in vars(sys.modules[RemoteWorld.__module__])
    ours, theirs = Pipe()
    theirs.send({"a": "pickled object"})
    with pytest.raises(ValueError, match=r"."):
        hear(ours)


# In the crash lab


def denied():
    """Try to set the scene from inside; what came of it."""
    try:
        arrange(faults={})
    except ToolError as error:
        return str(error)


def unpaid():
    """A setup in which the charge fails for good."""
    arrange(faults={"charge": ["permanent"]}, kinds={"notify": "asked"})


def test_code_under_test_cannot_arrange_the_world():
    """`setup` sets the scene; neither the run nor the recovery can wish a fault away."""

    def run():
        Path("said").write_text(denied())

    def recover():
        return [denied(), Path("said").read_text() or denied(), outcome(lambda: tool("charge", **BILL))]

    def invariant(o):
        only = "only `setup` may arrange the world"
        assert o.state == [only, only, repr(ToolError(ERRORS["permanent"][1]))]

    def setup():
        unpaid()
        Path("said").touch()

    sweep(run, recover, invariant, setup).assert_survives()
    assert trial(denied, setup).value == "only `setup` may arrange the world"
    assert trial(denied, setup).world.faults == {"charge": ["permanent"]}


def test_what_setup_arranged_holds_in_the_run():
    """Kinds and faults are the world's, not the process's."""
    told = trial(lambda: [ask("notify", **SHOP), outcome(lambda: tool("charge", **BILL))], unpaid)
    assert told.value == [None, repr(ToolError(ERRORS["permanent"][1]))]
    assert told.effects == ["tool charge", "RETURN"]


def test_a_timeout_is_the_same_in_the_lab():
    """The caller of a tool there waits no longer than it said, in the world's time."""
    told = trial(lambda: [outcome(lambda: tool("charge", timeout=0.5, **BILL)), current().elapsed()])
    assert told.value == [repr(ToolTimeoutError("no answer from charge after 0.5 s: it may have acted, or not")), 0.5]
    assert told.effects == ["tool charge", "RETURN"]


def pay():
    """Charge, and again under the same key if the answer was lost; then tell the user."""
    try:
        tool("charge", key="k", **BILL)
    except ToolTimeoutError:
        tool("charge", key="k", **BILL)
    ack("paid")


def nothing():
    """A recovery that only looks."""


def test_a_call_that_raises_is_an_effect():
    """The world may have acted: there is a crash point before the call and one behind it; their ledgers differ."""

    def setup():
        arrange(faults={"charge": ["ambiguous"]})

    def paid_once_if_told(o):
        assert len(o.ledger) <= 1
        assert len(o.ledger) == 1 or not o.acknowledged

    report = sweep(pay, nothing, paid_once_if_told, setup)
    report.assert_survives(effects=2)
    assert [str(effect) for effect in report.effects] == ["tool charge", "tool charge", "ACK paid", "RETURN"]
    assert [point.k for point in report.points] == [0, 1, 2, 3, 4]
    assert [len(report.replay(k).ledger) for k in range(5)] == [0, 1, 1, 1, 1]
    assert {effect.line.text.strip() for effect in report.effects[:2]} == {'tool("charge", key="k", **BILL)'}


def test_a_crash_behind_a_lost_answer_is_found():
    """The proof that the sweep above looks: without a key, the restart charges once more."""

    def setup():
        arrange(faults={"charge": ["ambiguous"]})

    def run():
        with suppress(ToolTimeoutError):
            tool("charge", **BILL)

    def paid_once(o):
        assert len(o.ledger) == 1

    assert [point.k for point in sweep(run, run, paid_once, setup).broken] == [1, 2]


def test_what_reaches_the_world_by_another_road_is_an_effect_too():
    """As a tool call is, whether it returns or raises; its result and its error reach the caller as they are."""

    def run():
        world, value = current(), object()
        assert world.exchange("POST", "/a", lambda: value) is value
        with pytest.raises(ConnectionError, match="lost"):
            world.exchange("POST", "/b", lost)

    assert trial(run).effects == ["POST /a", "POST /b", "RETURN"]
    assert World().exchange("POST", "/a", lambda: 7) == 7


def lost():
    """What raises on the way."""
    raise ConnectionError("lost")
