"""Judges chapter 1: tasks in files, and resuming them. Inputs come from `rng`; answers run in children only."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

from labkit import CorruptState, Task, TaskState, ack, sweep, tool, trial
from labkit.crash import Report
from labkit.grading.judge.program import Program

PATH = "task.json"
TOOLS = ["create_dns", "issue_certificate", "deploy_container", "configure_monitoring", "notify"]


def saves_whole(program: Program, rng: Random) -> None:
    """Killed at any point, save_task leaves the old task or the new one."""
    _sweep_save(program, rng, _is_whole).assert_survives(effects=2)


def keeps_acknowledged(program: Program, rng: Random) -> None:
    """When save_task has returned, the task is there; what cannot be saved raises."""
    _sweep_save(program, rng, _is_kept).assert_survives(effects=0)
    new = _task(rng)

    def save_over_a_folder() -> None:
        program["save_task"](new, PATH)

    seen = trial(save_over_a_folder, setup=lambda: Path(PATH).mkdir())
    assert seen.how == "raised", (
        "save_task could not save (a folder stands at path), and returned as if it had: it must raise"
    )


def reports_corrupt(program: Program, rng: Random) -> None:
    """Only a missing file is None; any damage is CorruptState."""
    task = _task(rng)
    damages = {
        "an empty file": lambda data: b"",
        "a file that is cut off": lambda data: data[: len(data) // 2],
        "a file full of zeros": lambda data: bytes(len(data)),
        "a file that holds something else": lambda data: b'{"colour": "blue"}',
    }

    def load() -> str:
        try:
            return repr(program["load_task"](PATH))
        except CorruptState:
            return "CorruptState"
        except Exception as error:
            assert type(error).__name__ != "CorruptState", "use the CorruptState of the given cell, not one of your own"
            raise

    seen = trial(load)
    assert seen.value == "None", f"There was no file, and load_task {_did(seen)}; expected None"
    for what, damage in damages.items():

        def save_and_damage(damage=damage) -> None:
            program["save_task"](task, PATH)
            assert Path(PATH).is_file(), "save_task left no file at path"
            Path(PATH).write_bytes(damage(Path(PATH).read_bytes()))

        seen = trial(load, setup=save_and_damage)
        assert seen.value == "CorruptState", f"For {what}, load_task {_did(seen)}; expected CorruptState"


def resumes(program: Program, rng: Random) -> None:
    """A journalled step never runs again, no step is left out, and only the step in flight may run twice."""
    task, plan = _task(rng), rng.sample(TOOLS, rng.randint(3, 4))

    def setup() -> None:
        program["TaskFiles"]().save(task)

    def run() -> None:
        _resume(program, task, plan)
        ack("completed")

    def recover() -> dict:
        before = program["TaskFiles"]().get(Task, task.id)
        after = _resume(program, task, plan)
        stored = program["TaskFiles"]().get(Task, task.id)
        return {"journalled": list(before.journal), "returned": _state(after), "stored": _state(stored)}

    def invariant(seen) -> None:
        counts = {step: sum(call.tool == step for call in seen.ledger) for step in plan}
        for step, count in counts.items():
            assert count, f"after the restart, {step} has never run, though the task says completed"
            again = f"{step} ran {count} times: it was journalled as finished, and ran again"
            assert count == 1 or step not in seen.state["journalled"], again
        repeated = [step for step, count in counts.items() if count > 1]
        finished = ", ".join(repeated[:-1])
        assert len(repeated) < 2, (
            f"{finished} had finished before the crash, and ran again: only the step in flight may"
        )
        assert all(count < 3 for count in counts.values()), f"{repeated[0]} ran more than twice"
        for what in ("returned", "stored"):
            assert seen.state[what] == "a completed task", f"after the restart, resume {what} {seen.state[what]}"

    sweep(run, recover, invariant, setup, name="resume").assert_survives(effects=len(plan))


def stays_completed(program: Program, rng: Random) -> None:
    """A completed task is returned, and nothing runs."""
    plan = rng.sample(TOOLS, 3)
    task = _task(rng, state=TaskState.COMPLETED, result="deployed yesterday")

    def setup() -> None:
        program["TaskFiles"]().save(task)

    seen = trial(lambda: _resume(program, task, plan), setup)
    assert not seen.world.calls, f"The task was completed already, and resume ran {seen.world.calls[0].tool} again"
    assert seen.how == "returned", f"The task was completed already, and resume {_did(seen)}; expected the task"
    assert isinstance(seen.value, dict) and seen.value["result"] == task.result, (
        "The task was completed already, and resume did not return it as it is"
    )


def survives_power_cut(program: Program, rng: Random) -> None:
    """With the power cut at any point, the same two promises hold."""
    _sweep_save(program, rng, _is_whole, _is_kept, power=True).assert_survives(effects=2)


def _task(rng: Random, **fields: object) -> Task:
    wish = f"deploy {rng.choice(['shop', 'blog', 'mail', 'wiki'])} number {rng.randrange(10**6)}"
    return Task(id=f"task-{rng.randrange(10**6)}", user_input=wish, **fields)


def _content(task: Task) -> dict:
    """What must survive of a task. A save may stamp `updated_at` and `version`."""
    return task.model_dump(mode="json", exclude={"updated_at", "version"})


def _state(task: object) -> str:
    """A task's state in words."""
    return f"a {task.state} task" if isinstance(task, Task) else f"{task!r}, not a task"


def _sweep_save(program: Program, rng: Random, *parts: Callable, power: bool = False) -> Report:
    """Save a new task over an old one, and recover; each part of the invariant is told both, and what was seen."""
    old, new = _task(rng, journal={"create_dns": "ok"}), _task(rng, journal={"create_dns": "ok", "notify": "ok"})
    contents = _content(old), _content(new)

    def run() -> None:
        program["save_task"](new, PATH)
        ack("saved")

    def recover() -> dict:
        try:
            loaded = program["load_task"](PATH)
        except Exception as error:  # noqa: BLE001 - what it means is for the invariant to say
            return {"load_task": f"raised {type(error).__name__}"}
        return _content(loaded) if isinstance(loaded, Task) else {"load_task": f"returned {loaded!r}"}

    def invariant(seen) -> None:
        for part in parts:
            part(seen, *contents)

    return sweep(run, recover, invariant, lambda: program["save_task"](old, PATH), power=power, name="save_task")


def _is_whole(seen, old: dict, new: dict) -> None:
    assert seen.state in (old, new), f"{_found()}. {_loaded(seen.state)}"


def _is_kept(seen, old: dict, new: dict) -> None:
    kept = seen.state == new or not seen.acknowledged
    found = "the old task is back" if seen.state == old else f"{_found()}. {_loaded(seen.state)}"
    assert kept, f"save_task had returned, but {found}"


def _resume(program: Program, task: Task, plan: list[str]) -> Task:
    steps = {name: lambda name=name: tool(name, service="shop") for name in plan}
    return program["resume"](task.id, program["TaskFiles"](), steps)


def _found() -> str:
    """What an invariant finds at the path, in words."""
    path = Path(PATH)
    if not path.exists():
        return f"{PATH} is gone"
    data = path.read_bytes()
    if not data:
        return f"{PATH} is empty"
    try:
        json.loads(data)
    except ValueError:
        return f"{PATH} holds {len(data)} bytes that are no whole task"
    return f"{PATH} holds a whole task"


def _loaded(state: dict) -> str:
    """What load_task made of it."""
    return f"load_task {state.get('load_task', 'returned another task')}"


def _did(seen) -> str:
    """How a trial went, as the predicate of a sentence."""
    return (
        f"returned {seen.value}"
        if seen.how == "returned"
        else f"{seen.failure}{f' at {seen.line}' if seen.line else ''}"
    )
