"""A busy day of one process, of chapter 6: sagas of several shapes, in which each step fails once."""

from collections.abc import Iterator
from functools import partial
from itertools import cycle
from typing import Any, NamedTuple

from labkit.crash import trial
from labkit.gauntlet.busy_tasks import brief
from labkit.gauntlet.parts import Parts
from labkit.grading.judge.calls import called, told
from labkit.grading.judge.survival import did

GRAPHS = (
    {"dns": (), "disk": ("dns",), "cache": ("disk",)},
    {"dns": (), "disk": ("dns",), "cache": ("dns",), "queue": ("disk", "cache")},
)
"""What each step requires: a chain and a diamond."""
ERRORS = (ConnectionError, KeyError, TimeoutError)
"""A ValueError would say that nothing has happened."""


class Scene(NamedTuple):
    """A saga: what its steps require, in the order in which they are listed, which step refuses, and what is stuck."""

    needs: dict[str, tuple[str, ...]]
    refuses: str = ""
    stuck: str = ""
    """A step whose compensation refuses."""
    acts: bool = False
    """Whether the step that refuses has acted all the same."""

    def __str__(self) -> str:
        words = [f"{self.refuses} {'acted, and its answer was lost' if self.acts else 'refused'}"] * bool(self.refuses)
        return ", ".join([*words, *[f"{self.stuck} could not be undone"] * bool(self.stuck)]) or "nothing failed"


def _scenes() -> Iterator[Scene]:
    for graph in GRAPHS:
        for listed in (graph, dict(reversed(graph.items()))):
            yield Scene(listed)
            yield from (Scene(listed, name, acts=name in {"dns", "queue"}) for name in listed)
        yield from (Scene(graph, [*graph][-1], name, acts=True) for name in graph)


def sagas_end_well(parts: Parts) -> None:
    """One saga after another: all or nothing, each step after what it requires, and no key for two calls."""
    scenes = list(_scenes())
    seen = trial(partial(_run_all, parts, scenes))
    assert seen.how == "returned", f"Sagas were run in one process, and run_saga {did(seen)}"
    owners: dict[str, tuple[int, str]] = {}
    for number, (scene, (did_this, acts, there)) in enumerate(zip(scenes, seen.value, strict=True)):
        expected = "parked" if scene.stuck else "compensated" if scene.refuses else "completed"
        left = [scene.stuck] if scene.stuck else [] if scene.refuses else sorted(scene.needs)
        what = f"In a saga {scene}, and"
        assert sorted(there) == left, (
            f"{what} {', '.join(there) or 'nothing'} is in the world; expected {left or 'nothing'}"
        )
        assert did_this == f"returned {expected!r}", f"{what} run_saga {did_this}; expected {expected!r}"
        _in_order(what, scene, [tool for tool, _ in acts])
        for tool, key in acts:
            owner = owners.setdefault(key, (number, tool))
            assert owner == (number, tool), f"{what} {tool} got a key that another call had, {brief(key)}"


def _in_order(what: str, scene: Scene, tools: list[str]) -> None:
    for name, needs in scene.needs.items():
        for need in needs:
            assert name not in tools or need in tools[: tools.index(name)], f"{what} {name} ran before {need}"
            after = tools[tools.index(f"undo {need}") :] if f"undo {need}" in tools else []
            assert f"undo {name}" not in after, f"{what} {need} was undone before {name}, which requires it"


def _run_all(parts: Parts, scenes: list[Scene]) -> list[Any]:
    found, errors = [], cycle(ERRORS)
    for number, scene in enumerate(scenes):
        acts, there, error = [], [], next(errors)
        do, undo = (partial(act, scene, error, acts, there) for act in (_do, _undo))
        steps = [parts["Step"](name, partial(do, name), partial(undo, name), scene.needs[name]) for name in scene.needs]
        went = called(lambda name=f"shop-{number}", steps=steps: str(parts["run_saga"](name, steps, parts["Log"]())))
        found.append([f"returned {went['value']!r}" if "value" in went else told(went), acts, there])
    return found


def _do(scene: Scene, error: type[Exception], acts: list, there: list[str], name: str, key: str) -> str:
    acts.append([name, str(key)])
    if (name != scene.refuses or scene.acts) and name not in there:
        there.append(name)
    if name == scene.refuses:
        raise error("it did not work")
    return name


def _undo(scene: Scene, error: type[Exception], acts: list, there: list[str], name: str, key: str) -> None:
    acts.append([f"undo {name}", str(key)])
    if name == scene.stuck:
        raise error("it did not work")
    if name in there:
        there.remove(name)
