"""What a saga promises: all of its steps, or none of their effects, or a log that says exactly what is left."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.backoff import Policy
from labkit.clock import FakeClock
from labkit.files import FileStateStore
from labkit.saga import Kind, Saga, SagaLog, SagaState, SagaStep, StepState, undo_order
from labkit.store import AlreadyExistsError, NotFoundError, VersionConflictError

PLAIN = Policy(jitter=None)
RESOURCES = ("dns", "certificate", "container", "monitoring")


class RefusedError(ValueError):
    """Nothing has happened, and to ask again will not help."""


class Killed(BaseException):
    """The process ends here. The sweeps of `test_mechanisms` kill real ones; this one is for thousands of examples."""


@dataclass
class Outside:
    """Some tools, what they have done, and what goes wrong on the way."""

    clock: FakeClock = field(default_factory=FakeClock)
    faults: dict[str, list[str]] = field(default_factory=dict)
    """Tool → what happens to its next calls: "", "busy", "lost" or "refused". The last one stays."""
    ledger: list[str] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    """Key → the tool that has acted under it."""
    left: int | None = None
    """How many more effects there are before the process is killed."""

    def act(self, tool):
        """An action that uses a tool."""

        def use(key, _timeout, results):
            self.effect()
            self.calls.append((tool, key))
            coming = self.faults.get(tool) or [""]
            fault = coming[0] if len(coming) == 1 else coming.pop(0)
            if fault == "refused":
                raise RefusedError(f"{tool} refuses")
            if fault == "busy":
                raise ConnectionError(f"{tool} is busy")
            if key not in self.keys:
                self.ledger.append(tool)
            assert self.keys.setdefault(key, tool) == tool, f"one key for {tool} and {self.keys[key]}"
            if fault == "lost":
                raise TimeoutError(f"no answer from {tool}")
            return f"{tool} of {len(results)}"

        return use

    def effect(self):
        """Something that the world could notice comes next."""
        if self.left == 0:
            raise Killed
        self.left = None if self.left is None else self.left - 1

    def standing(self):
        """What is there: done, and not undone."""
        return [tool for tool in self.ledger if not tool.startswith("undo ") and f"undo {tool}" not in self.ledger]


class Memory:
    """A state store whose saves are effects. What was saved outlives whoever is killed."""

    def __init__(self, outside):
        self.outside, self.records = outside, {}

    def insert(self, record):
        """See StateStore.insert."""
        if (record.kind, record.id) in self.records:
            raise AlreadyExistsError
        return self._keep(record)

    def save(self, record):
        """See StateStore.save."""
        stored = self.records[record.kind, record.id]
        if stored.version != record.version:
            raise VersionConflictError
        record.check_follows(stored)
        return self._keep(record)

    def get(self, kind, record_id):
        """See StateStore.get."""
        return self.records.get((kind.kind, record_id))

    def _keep(self, record):
        self.outside.effect()
        stored = type(record).model_validate_json(record.model_dump_json()).model_copy()
        stored = stored.model_copy(update={"version": record.version + 1})
        self.records[record.kind, record.id] = stored
        return stored


def step(outside, name, **options):
    """A step that uses the tool of its name, and its compensation."""
    kind = options.get("kind", Kind.COMPENSABLE)
    undo = outside.act(f"undo {name}") if kind is Kind.COMPENSABLE else None
    return SagaStep(name, outside.act(name), undo, **options)


def chain(outside, *names):
    """Steps of which each requires the one before."""
    before = [(), *[(name,) for name in names[:-1]]]
    return [step(outside, name, requires=requires) for name, requires in zip(names, before, strict=True)]


@pytest.fixture
def outside():
    """A world without faults."""
    return Outside()


@pytest.fixture
def new_saga(outside, tmp_path):
    """A saga over these steps, or over the four of the deployment."""

    def make(steps=None, **options):
        options = {"policy": PLAIN, "patient": Policy(max_attempts=100, jitter=None), **options}
        steps = chain(outside, *RESOURCES) if steps is None else steps
        return Saga(steps, FileStateStore(tmp_path, outside.clock), outside.clock, **options)

    return make


def test_every_step_is_done_after_what_it_requires(outside, new_saga):
    """However the steps are listed."""
    log = new_saga(chain(outside, *RESOURCES)[::-1]).run("s")
    assert log.state is SagaState.COMPLETED
    assert outside.ledger == [*RESOURCES]


def test_a_step_is_given_what_the_steps_before_have_returned(outside, new_saga):
    """In a new process as well: the results come from the log."""
    seen = {}

    def look(_key, _timeout, results):
        seen.update(results)
        return "looked"

    outside.left = 5
    steps = [*chain(outside, *RESOURCES), SagaStep("look", look, look, requires=("monitoring",))]
    with suppress(Killed):
        new_saga(steps).run("s")
    outside.left = None
    new_saga(steps).run("s")
    assert seen == {name: f"{name} of {before}" for before, name in enumerate(RESOURCES)}


def test_a_saga_that_has_ended_does_nothing_more(outside, new_saga):
    """Completed or compensated, to run it again returns its log."""
    for saga_id in ("completed", "compensated"):
        first = new_saga().run(saga_id)
        calls = len(outside.calls)
        assert first.state == saga_id
        assert new_saga().run(saga_id) == first
        assert new_saga().try_again(saga_id) == first
        assert len(outside.calls) == calls
        outside.faults = {"container": ["refused"]}


def test_a_failure_undoes_what_was_done_dependents_first(outside, new_saga):
    """And nothing that was not begun."""
    outside.faults = {"container": ["refused"]}
    log = new_saga().run("s")
    assert log.state is SagaState.COMPENSATED
    assert log.error == "container failed with RefusedError: container refuses"
    assert outside.ledger == ["dns", "certificate", "undo certificate", "undo dns"]
    assert [tool for tool, _ in outside.calls if "monitoring" in tool or tool == "undo container"] == []


def test_the_intent_is_saved_before_each_action(new_saga):
    """While a step or a compensation acts, a new process would find that it may have."""
    found = []

    def looking(name):
        def look(_key, _timeout, _results):
            found.append((name, saga.store.get(SagaLog, "s").steps["a"].state))
            if name == "execute b":
                raise RefusedError
            return name

        return look

    saga = new_saga(
        [
            SagaStep("a", looking("execute a"), looking("undo a")),
            SagaStep("b", looking("execute b"), looking("undo b"), requires=("a",)),
        ]
    )
    saga.run("s")
    assert found == [
        ("execute a", StepState.STARTED),
        ("execute b", StepState.DONE),
        ("undo a", StepState.UNDOING),
    ]


def test_a_transient_error_is_tried_again_under_the_same_key(outside, new_saga):
    """Whether the call got through or only its answer was lost; the delays grow."""
    outside.faults = {"dns": ["busy", "lost", "busy", ""], "certificate": ["lost", ""]}
    assert new_saga().run("s").state is SagaState.COMPLETED
    assert outside.ledger == [*RESOURCES]
    assert len({key for tool, key in outside.calls if tool == "dns"}) == 1
    assert outside.clock.monotonic() == 1 + 2 + 4 + 1


@pytest.mark.parametrize(("fault", "undone"), [("refused", False), ("busy", True), ("lost", True)])
def test_a_step_that_may_have_acted_is_compensated_too(outside, new_saga, fault, undone):
    """A refusal says that nothing happened; an error of the network does not."""
    outside.faults = {"container": [fault]}
    assert new_saga().run("s").state is SagaState.COMPENSATED
    assert ("undo container" in outside.ledger) is undone
    assert outside.standing() == []


def test_a_refusal_after_a_lost_answer_does_not_settle_it(outside, new_saga):
    """The first attempt may have acted, whatever the second one hears."""
    outside.faults = {"container": ["lost", "refused"]}
    assert new_saga().run("s").state is SagaState.COMPENSATED
    assert outside.standing() == []


def test_a_refusal_after_a_crash_does_not_settle_it_either(outside):
    """The process that died may have acted: its intent is in the log."""
    memory = Memory(outside)
    steps = [step(outside, "dns")]
    saga = Saga(steps, memory, outside.clock, policy=PLAIN)
    outside.left = 3
    with pytest.raises(Killed):
        saga.run("s")
    assert outside.ledger == ["dns"]
    outside.left, outside.faults = None, {"dns": ["refused"]}
    assert Saga(steps, memory, outside.clock, policy=PLAIN).run("s").state is SagaState.COMPENSATED
    assert outside.standing() == []


def test_a_tool_without_keys_is_asked_what_came_of_a_call(outside, new_saga):
    """It acts once, although its answer was lost."""
    acted = []

    def act(key, _timeout, _results):
        acted.append(key)
        raise TimeoutError("no answer")

    steps = [SagaStep("dns", act, outside.act("undo dns"), ask=lambda: "there it is" if acted else None)]
    log = new_saga(steps).run("s")
    assert (log.state, log.steps["dns"].result) == (SagaState.COMPLETED, "there it is")
    assert len(acted) == 1


def test_the_deadline_turns_the_saga_back_and_a_restart_does_not_move_it(outside):
    """It is in the log; the time that nobody worked counts."""
    memory = Memory(outside)
    saga = Saga(chain(outside, *RESOURCES), memory, outside.clock, policy=PLAIN, max_seconds=100)
    outside.left = 6
    with pytest.raises(Killed):
        saga.run("s")
    outside.left = None
    outside.clock.sleep(101)
    log = saga.run("s")
    assert log.state is SagaState.COMPENSATED
    assert log.error.startswith("certificate failed with DeadlineExceeded")
    assert outside.standing() == []


def test_a_compensation_is_tried_again_under_a_deadline_of_its_own(outside, new_saga):
    """It does not matter that the deadline of the way forward is over."""
    outside.faults = {"container": ["refused"], "undo dns": ["busy"] * 7 + [""]}
    log = new_saga(max_seconds=0.5).run("s")
    assert log.state is SagaState.COMPENSATED
    assert outside.clock.monotonic() == 1 + 2 + 4 + 8 + 16 + 32 + 60


def test_a_compensation_that_does_not_succeed_in_time_is_parked(outside, new_saga):
    """With the deadline that was set at its first attempt."""
    outside.faults = {"container": ["refused"], "undo dns": ["busy"]}
    log = new_saga(undo_seconds=100).run("s")
    assert log.state is SagaState.PARKED
    assert outside.clock.monotonic() == 1 + 2 + 4 + 8 + 16 + 32
    assert log.steps["dns"].undo_by == FakeClock().now() + timedelta(seconds=100)


def test_a_restart_does_not_move_the_deadline_of_a_compensation(outside):
    """And allows it one more attempt."""
    memory = Memory(outside)
    saga = Saga([step(outside, "a"), step(outside, "b", requires=("a",))], memory, outside.clock, undo_seconds=100)
    outside.faults, outside.left = {"b": ["refused"]}, 8
    with pytest.raises(Killed):
        saga.run("s")
    assert saga.store.get(SagaLog, "s").steps["a"].state is StepState.UNDOING
    outside.left, outside.faults = None, {"undo a": ["busy"]}
    outside.clock.sleep(200)
    log = saga.run("s")
    assert log.state is SagaState.PARKED
    assert [tool for tool, _ in outside.calls].count("undo a") == 1
    assert log.steps["a"].undo_by == FakeClock().now() + timedelta(seconds=100)


def test_one_compensation_that_fails_does_not_stop_the_others(outside, new_saga):
    """It is parked; what it requires is undone all the same."""
    outside.faults = {"monitoring": ["refused"], "undo container": ["refused"]}
    log = new_saga().run("s")
    assert log.state is SagaState.PARKED
    assert outside.standing() == ["container"]
    assert list(log.left()) == ["container"]


def test_what_is_parked_says_all_that_a_human_needs(outside, new_saga):
    """The saga, why it turned back, what is left, under which key, what it had returned, and why it is still there."""
    outside.faults = {"monitoring": ["refused"], "undo container": ["refused"]}
    assert str(new_saga().run("s")).splitlines() == [
        "saga s is parked: monitoring failed with RefusedError: monitoring refuses",
        "  dns: undone; dns of 0",
        "  certificate: undone; certificate of 1",
        (
            '  container: parked; under the key ["s", "container"]; container of 2; '
            "its compensation failed with RefusedError: undo container refuses"
        ),
        "  monitoring: refused; RefusedError: monitoring refuses",
    ]


def test_a_parked_saga_waits_for_a_human(outside, new_saga):
    """To run it again changes nothing; `try_again` goes on, with new deadlines."""
    outside.faults = {"monitoring": ["refused"], "undo container": ["refused"]}
    parked = new_saga().run("s")
    calls = len(outside.calls)
    assert new_saga().run("s") == parked
    assert len(outside.calls) == calls
    outside.faults = {}
    outside.clock.sleep(10**6)
    log = new_saga().try_again("s")
    assert log.state is SagaState.COMPENSATED
    assert outside.standing() == []
    assert log.steps["container"].error is None


def test_past_the_pivot_the_saga_only_goes_forward(outside, new_saga):
    """What comes after it is tried patiently, then parked, and nothing is undone."""
    steps = [
        step(outside, "notify", kind=Kind.RETRYABLE),
        step(outside, "charge", kind=Kind.PIVOT),
        step(outside, "container"),
    ]
    outside.faults = {"notify": ["busy"] * 20 + [""]}
    assert new_saga(steps).run("patient").state is SagaState.COMPLETED
    assert outside.ledger == ["container", "charge", "notify"]
    outside.ledger.clear()
    outside.faults = {"notify": ["refused"]}
    log = new_saga(steps).run("parked")
    assert log.state is SagaState.PARKED
    assert outside.ledger == ["container", "charge"]
    assert list(log.left()) == ["container", "charge"]
    outside.faults = {}
    assert new_saga(steps).try_again("parked").state is SagaState.COMPLETED
    assert outside.ledger == ["container", "charge", "notify"]


@pytest.mark.parametrize(("fault", "state"), [("refused", "compensated"), ("lost", "parked")])
def test_a_pivot_that_may_have_acted_is_parked(outside, new_saga, fault, state):
    """If it has done nothing there is a way back; in doubt, there is none."""
    outside.faults = {"charge": [fault]}
    assert new_saga([step(outside, "container"), step(outside, "charge", kind=Kind.PIVOT)]).run("s").state == state


def test_two_processes_do_not_work_on_one_saga(outside, new_saga):
    """The one that was overtaken cannot save, and stops."""
    steps = chain(outside, "dns", "certificate")

    def overtaken(key, timeout, results):
        new_saga(steps).run("s")
        return outside.act("certificate")(key, timeout, results)

    slow = [steps[0], SagaStep("certificate", overtaken, steps[1].compensate, requires=("dns",))]
    with pytest.raises(VersionConflictError):
        new_saga(slow).run("s")
    assert outside.ledger == ["dns", "certificate"]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([("a", {"requires": ("b",)})], "the step a requires b, which is no step"),
        ([("a", {"requires": ("b",)}), ("b", {"requires": ("a",)})], "these steps wait for each other: "),
        ([("a", {}), ("a", {})], "two steps have the same name"),
        ([("a", {}), ("undo a", {})], "a step is called 'undo a', and the key of another's compensation has that name"),
        ([("a", {"kind": Kind.PIVOT}), ("b", {"kind": Kind.PIVOT})], "at most one pivot"),
        ([("a", {"kind": Kind.RETRYABLE})], "retryable steps only with it"),
        ([("a", {"requires": ("b",)}), ("b", {"kind": Kind.PIVOT})], "these steps wait for each other: "),
    ],
)
def test_steps_that_cannot_be_put_in_order_are_refused(outside, new_saga, steps, message):
    """When the saga is made: nothing has been begun."""
    with pytest.raises(ValueError, match=message):
        new_saga([step(outside, name, **options) for name, options in steps])


def test_a_step_that_can_be_undone_needs_a_compensation(outside, new_saga):
    """Or it is the pivot."""
    with pytest.raises(ValueError, match="the step a has no compensation: give it one, or make it the pivot"):
        new_saga([SagaStep("a", outside.act("a"))])


def test_a_saga_is_not_gone_on_with_by_code_that_lacks_a_step(outside, new_saga):
    """Nobody could undo it."""
    outside.faults = {"monitoring": ["refused"], "undo certificate": ["refused"]}
    new_saga().run("s")
    with pytest.raises(ValueError, match="the saga s has begun certificate, container, monitoring: give it these"):
        new_saga(chain(outside, "dns")).run("s")


def test_a_saga_that_is_not_there_cannot_be_tried_again(new_saga):
    """A misspelled id is said to be one."""
    with pytest.raises(NotFoundError, match="there is no saga s"):
        new_saga().try_again("s")


@st.composite
def graphs(draw):
    """Names of steps, each with the earlier ones that it requires, listed in any order."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 5)))]
    needs = {name: tuple(draw(st.sets(st.sampled_from(names[:i])))) if i else () for i, name in enumerate(names)}
    return {name: needs[name] for name in draw(st.permutations(names))}


@given(graphs(), st.data())
def test_dependents_are_undone_before_what_they_require(graph, data):
    """For any graph, and whatever was done: also where a step between two of them was not."""
    done = data.draw(st.sets(st.sampled_from(list(graph))))
    order = undo_order(done, [SagaStep(name, max, max, requires=needs) for name, needs in graph.items()])
    assert sorted(order) == sorted(done)

    def all_needs(name):
        return {other for need in graph[name] for other in {need, *all_needs(need)}}

    for place, name in enumerate(order):
        assert not all_needs(name) & {*order[:place]}


FAULTS = st.lists(st.sampled_from(["", "busy", "lost", "refused"]), max_size=4)


@given(graphs(), st.data(), st.lists(st.integers(1, 12), max_size=4), st.booleans())
def test_whatever_goes_wrong_the_world_holds_all_or_nothing_or_what_the_log_says(graph, data, kills, with_pivot):
    """Random steps, faults and kills: no effect and no compensation twice, and none out of order."""
    outside = Outside()
    tools = [tool for name in graph for tool in (name, f"undo {name}")]
    outside.faults = {tool: [*data.draw(FAULTS), ""] for tool in tools}
    for name in data.draw(st.sets(st.sampled_from(tools))):
        outside.faults[name].pop()  # its last fault stays
    steps = [step(outside, name, requires=needs) for name, needs in graph.items()]
    if with_pivot:
        steps += [step(outside, "pivot", kind=Kind.PIVOT), step(outside, "last", kind=Kind.RETRYABLE)]
        outside.faults |= {name: [*data.draw(FAULTS), ""] for name in ("pivot", "last")}
    memory = Memory(outside)
    for left in [*kills, None]:
        outside.left = left
        with suppress(Killed):
            policy = Policy(max_attempts=3, jitter=lambda delay: Random(0).uniform(0, delay))
            log = Saga(steps, memory, outside.clock, policy=policy).run("s")
    assert len(set(outside.ledger)) == len(outside.ledger)
    for name, needs in graph.items():
        for need in needs:
            assert name not in outside.ledger or need in outside.ledger[: outside.ledger.index(name)]
            undone = [outside.ledger.index(f"undo {each}") for each in (name, need) if f"undo {each}" in outside.ledger]
            assert undone == sorted(undone)
    standing = set(outside.standing())
    if log.state is SagaState.COMPLETED:
        assert standing == {each.name for each in steps}
    elif log.state is SagaState.COMPENSATED:
        assert standing == set()
    else:
        assert log.state is SagaState.PARKED
        assert standing <= set(log.left())
        unsure = {name for name, entry in log.left().items() if entry.state is not StepState.DONE}
        assert set(log.left()) - standing <= unsure
