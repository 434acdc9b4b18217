"""Which orders are explored: on random small programs, the reduced exploration finds what the full one finds, once."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labkit.crash.race.footprints import Step, conflict
from labkit.crash.race.node import Standing
from labkit.crash.race.order import NotTheSameError, Orders
from labkit.crash.race.walk import Took, Walked, walk

MOST = 100
VARIABLES, LOCKS = ("x", "y"), ("m", "n")


def step(op: str, name: str) -> Step:
    """A step of an abstract program. A look sees all variables when it begins, and has to wait for a lock to end."""
    if op == "look":
        return Step(op, name, frozenset({(("lock", name), True), (("variable",), False)}))
    thing = ("lock", name) if op in {"lock", "unlock"} else ("variable", name)
    return Step(op, name, frozenset({(thing, op != "read")}))


class Abstract:
    """A machine without processes. A worker that waits for a lock is in the middle of its step, as a real one is."""

    def __init__(self, programs: dict[str, list[Step]], *, crash: bool = False) -> None:
        self.programs, self.at = programs, dict.fromkeys(programs, 0)
        self.crash, self.killed = crash, ""
        self.held: dict[str, str] = {}
        self.queue: list[str] = []
        self.values: dict[str, tuple] = {}
        self.seen: dict[str, list] = {name: [] for name in programs}
        self.events: list[tuple[str, Step]] = []

    def pending(self) -> dict[str, Step]:
        """By worker."""
        alive = [w for w, steps in self.programs.items() if self.at[w] < len(steps) and w != self.killed]
        steps = {w: self.alive(w, self.programs[w][self.at[w]]) for w in alive}
        return steps if self.killed or not self.crash else {**steps, **{f"!{w}": self.kill(w) for w in alive}}

    def alive(self, worker: str, done: Step) -> Step:
        """A step that only a living worker takes."""
        return Step(done.op, done.target, done.touches | {(("life", worker), False)})

    def kill(self, worker: str) -> Step:
        """Its death, which frees what it holds."""
        held = {(("lock", m), True) for m, holder in self.held.items() if holder == worker}
        return Step("kill", worker, frozenset({(("kill",), True), (("life", worker), True)} | held))

    def standing(self) -> Standing:
        """Nobody polls; whoever waits is not killed meanwhile."""
        pending = self.pending()
        waiting = [*self.queue, *(f"!{worker}" for worker in self.queue)]
        return Standing(pending, waiting, [w for w in waiting if w in pending and self.begins(pending[w.strip("!")])])

    def begins(self, done: Step) -> bool:
        """Whether a wait is a step of its own: a look has seen what there is."""
        return done.op == "look"

    def ahead_of(self, done: Step) -> list[str]:
        """Who waits for the lock that this step is to take."""
        return [
            each for each in self.queue if done.op in {"lock", "look"} and self.pending()[each].target == done.target
        ]

    def take(self, worker: str) -> Took:
        """Take a step, or begin to wait: one for each lock, as with more it is not ours to say who is first."""
        done = self.pending()[worker]
        if done.op == "kill":
            self.killed = done.target
            self.held = {m: holder for m, holder in self.held.items() if holder != self.killed}
            self.events.append((worker, done))
            return Took.DONE
        if ahead := self.ahead_of(done):
            return Took.BEHIND if all(self.begins(self.pending()[each]) for each in ahead) else Took.PRECEDED
        if done.op == "look":
            self.seen[worker].append(tuple(sorted(self.values.items())))
        if done.op in {"lock", "look"} and done.target in self.held:
            self.queue.append(worker)
            if self.begins(done):
                self.events.append((worker, done))
            return Took.BEGUN if self.begins(done) else Took.BLOCKED
        self.do(worker, done)
        return Took.DONE

    def in_vain(self) -> bool:
        """Nobody polls."""
        return False

    def do(self, worker: str, done: Step) -> None:
        """Take a step."""
        before = self.values.get(done.target, ())
        if done.op in {"lock", "look"}:
            self.held[done.target] = worker
        elif done.op == "unlock" and self.held.get(done.target) == worker:
            del self.held[done.target]
        elif done.op == "write":
            self.values[done.target] = (*before, worker, self.at[worker])
        elif done.op == "read":
            self.seen[worker].append(before)
        self.at[worker] += 1
        self.events.append((worker, done))

    def let_through(self) -> list[str]:
        """Whoever finds its lock free, first come first."""
        through = []
        for worker in [*self.queue]:
            done = self.pending()[worker]
            if done.target not in self.held:
                self.queue.remove(worker)
                self.do(worker, done)
                through.append(worker)
        return through

    def outcome(self) -> tuple:
        """All that anybody could tell apart at the end."""
        return (
            tuple(sorted(self.values.items())),
            tuple(map(tuple, self.seen.values())),
            tuple(self.at.values()),
            self.killed,
        )

    def trace(self) -> tuple:
        """The order, up to equivalence: which step came before which, of those that conflict."""
        counts: dict[str, int] = {}
        named = []
        for worker, done in self.events:
            counts[worker] = counts.get(worker, 0) + 1
            named.append((worker, counts[worker], done))
        return (
            tuple(
                sorted(
                    (one[:2], other[:2])
                    for i, one in enumerate(named)
                    for other in named[i + 1 :]
                    if one[0] != other[0] and conflict(one[2].touches, other[2].touches)
                )
            ),
            tuple(self.at.values()),
            self.killed,
        )


def reduced(programs: dict[str, list[Step]], *, crash: bool = False) -> list[tuple[Walked, Abstract]]:
    """Each order that is executed to its end."""
    orders, found = Orders([f"!{name}" for name in programs]), []
    while orders.more():
        machine = Abstract(programs, crash=crash)
        how = walk(orders, machine, MOST)
        if how in {Walked.COMPLETE, Walked.DEADLOCK}:
            found.append((how, machine))
    return found


def full(programs: dict[str, list[Step]], *, crash: bool = False) -> Iterator[Abstract]:
    """Every order."""

    def follow(chosen: list[str]) -> Iterator[Abstract]:
        machine = Abstract(programs, crash=crash)
        for worker in chosen:
            machine.take(worker)
            machine.let_through()
        pending, waiting = machine.pending(), machine.standing().waiting
        able = [w for w, each in pending.items() if each.op != "lock" or each.target not in machine.held]
        able = [w for w in able if not machine.ahead_of(pending[w])]
        able = [w for w in able if w not in waiting]
        if not [w for w in able if w in programs]:
            yield machine
        for worker in able:
            yield from follow([*chosen, worker])

    yield from follow([])


names = st.sampled_from(VARIABLES)
plain = st.builds(lambda op, name: [step(op, name)], st.sampled_from(["read", "write"]), names)
nested = st.builds(
    lambda turned, name: [
        *(step("lock", m) for m in (LOCKS[::-1] if turned else LOCKS)),
        step("write", name),
        *(step("unlock", m) for m in LOCKS),
    ],
    st.booleans(),
    names,
)


def holding(op: str) -> st.SearchStrategy[list[Step]]:
    """Something done under a lock."""
    return st.builds(
        lambda m, inside: [step(op, m), *inside, step("unlock", m)],
        st.sampled_from(LOCKS),
        st.lists(st.builds(step, st.sampled_from(["read", "write"]), names), max_size=2),
    )


def programs_of(*parts: st.SearchStrategy[list[Step]]) -> st.SearchStrategy[list[list[Step]]]:
    """Two or three programs, each of such parts."""
    program = st.lists(st.one_of(parts), max_size=3).map(lambda drawn: [each for part in drawn for each in part][:5])
    return st.lists(program, min_size=2, max_size=3)


def written(text: str) -> list[list[Step]]:
    """Programs as a line of text: steps by commas, workers by semicolons."""
    return [[step(*word.split()) for word in program.split(",")] for program in text.split(";")]


def explores_each_order_once(parts: list[list[Step]], most: int, *, crash: bool) -> None:
    """Compare the reduced exploration with the full one."""
    while sum(map(len, parts)) > most:
        parts = [part[: max(map(len, parts)) - 1] for part in parts]
    programs = dict(zip("abc", parts, strict=False))
    few = [machine for _, machine in reduced(programs, crash=crash)]
    every = [*full(programs, crash=crash)]
    assert {machine.outcome() for machine in few} == {machine.outcome() for machine in every}
    traces = [machine.trace() for machine in few]
    assert len(traces) == len(set(traces))
    assert set(traces) == {machine.trace() for machine in every}


@given(programs_of(plain, holding("lock"), nested))
@example(written("write x, read y; lock n, unlock n, lock n; lock m, lock n, write y"))
@example(written("write x; lock n, lock m, write x; lock n, unlock n, lock n"))
def test_the_reduced_exploration_finds_every_outcome_and_no_order_twice(parts):
    """Nothing that a full exploration sees is missed, and of equivalent orders one is executed to its end."""
    explores_each_order_once(parts, 8, crash=False)


@given(programs_of(plain, holding("look")))
@example(written("look n, unlock n; write x; look n, unlock n"))
def test_so_it_does_where_it_matters_when_a_wait_began(parts):
    """As with a statement of SQL, which goes on after a wait with what it saw before."""
    explores_each_order_once(parts, 8, crash=False)


@given(programs_of(plain, holding("look"), holding("lock"), nested))
@example(written("lock m, lock n, write x; lock m, unlock m; read y, look m, write x"))
def test_so_it_does_where_some_waits_matter_and_some_do_not(parts):
    """Where a wait is no step, whoever waits does not stand before one that is."""
    explores_each_order_once(parts, 8, crash=False)


@given(programs_of(plain, holding("lock"), nested))
@example(written("lock m, unlock m; lock m, unlock m; lock m, unlock m"))
@example(written("write x; lock m, lock n; lock m, read x"))
@example(written("lock n, write y, unlock n; write y, lock m, lock n"))
def test_so_it_does_where_one_worker_is_killed(parts):
    """At each of its steps, in each order; what it held is free again."""
    explores_each_order_once(parts, 6, crash=True)


@given(programs_of(plain, holding("look"), holding("lock"), nested))
@example(written("lock n, lock m; write y, lock n; look m, write x"))
@example(written("write y, look m; look m, unlock m"))
@example(written("look m, look n, write x; look m; look n"))
def test_so_it_does_where_one_is_killed_and_waits_matter(parts):
    """Whoever waits is not killed meanwhile; two may go on at once when one is."""
    explores_each_order_once(parts, 6, crash=True)


@pytest.mark.parametrize(
    ("programs", "orders"),
    [
        (["r x, w x", "r x, w x"], 4),
        (["w x, w x, w x, w x", "w x, w x, w x, w x"], 70),
        (["r x, r x", "r x"], 1),
        (["w x, w y", "w y, w x"], 3),
        (["w x", "w y"], 1),
        (["w x", "w x", "w x"], 6),
        (["l m, r x, w x, u m", "l m, r x, w x, u m"], 2),
        (["s m, w x, u m", "s m, w x, u m"], 6),
        (["s m, u m", "s m, u m, w x"], 5),
    ],
)
def test_the_number_of_orders_is_the_number_of_classes(programs, orders):
    """As counted by hand."""
    words = {"r": "read", "w": "write", "l": "lock", "u": "unlock", "s": "look"}
    parts = {
        name: [step(words[op], what) for op, what in map(str.split, text.split(", "))]
        for name, text in zip("abc", programs, strict=False)
    }
    assert len(reduced(parts)) == orders


def test_two_locks_in_two_orders_are_a_deadlock():
    """Of the four orders, the one in which each has one."""
    parts = {"a": [step("lock", m) for m in "mn"], "b": [step("lock", m) for m in "nm"]}
    parts = {name: [*steps, step("unlock", "m"), step("unlock", "n")] for name, steps in parts.items()}
    assert [how for how, _ in reduced(parts)].count(Walked.DEADLOCK) == 1


def test_a_program_that_does_something_else_the_second_time_is_not_explored():
    """An order that cannot be repeated says nothing of the orders beside it."""
    orders = Orders()
    assert orders.more()
    walk(orders, Abstract({"a": [step("write", "x")], "b": [step("write", "x")]}), MOST)
    assert orders.more()
    with pytest.raises(NotTheSameError, match="b did write y, and before write x"):
        walk(orders, Abstract({"a": [step("write", "x")], "b": [step("write", "y")]}), MOST)
