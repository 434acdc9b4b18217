"""Judges chapter 1: tasks in files, and resuming them. Inputs come from `rng`; answers run in children only."""

import json
import re
import resource
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

from labkit import CorruptState, Task, TaskState, ack, sweep, tool, trial
from labkit.crash import CrashLabError, DidNotSurviveError, Report
from labkit.grading.judge.calls import called, shown, told, until_endless
from labkit.grading.judge.differences import quoted, quoted_apart
from labkit.grading.judge.program import Program
from labkit.grading.judge.survival import assert_survives, did, in_words
from labkit.isolation.writing import forbid_reading

PATH = "task.json"
TOOLS = ["create_dns", "issue_certificate", "deploy_container", "configure_monitoring", "notify"]
TEXTS = [
    "", "error: nothing was done", "\t\x01\u2028", " two  spaces ", "None", "null", "two\nlines", "'\"", "\\n {} %s",
    "[1, 2]", "\u0441\u0447\u0451\u0442", "\u4ed8\u6b3e", "\U0001f4b3 cafe\u0301 caf\u00e9 \ufb01le", "long" * 500,
]  # fmt: skip
"""What users say, and what steps return."""
SAVING = "TaskFiles, the store made of save_task and load_task,"
DAMAGE, OWN = "damage: ", "a CorruptState that is not the given cell's, but one of your own"
OTHER_JSON = [
    "{}",
    "[]",
    "null",
    "true",
    "7",
    '"text"',
    '[["id", "task-1"]]',
    '{"colour": "blue"}',
    '{"user_input": 7}',
]


def saves_whole(program: Program, rng: Random) -> None:
    """Killed at any point, save_task leaves the old task or the new, shorter one, whatever path is called."""
    for path in PATH, *(f"folder/task{end}" for end in _ends(program)):
        assert_survives(_sweep_save(program, path, *_two(rng, shorter=True), _is_whole), 2)


def keeps_acknowledged(program: Program, rng: Random) -> None:
    """When save_task has returned, the task is there, whatever is in it and was there; what cannot be saved raises."""
    (old, new), last = _two(rng, shorter=False), _task(rng)
    assert_survives(_sweep_save(program, PATH, old, new, partial(_is_kept, later=_content(last)), last=last), 0)

    def save_over_a_folder() -> None:
        program["save_task"](new, PATH)

    seen = trial(save_over_a_folder, setup=lambda: Path(PATH).mkdir())
    assert seen.how == "raised", f"A folder stands at path, so nothing can be saved, and save_task {did(seen)}: raise"
    tasks = _many(rng)

    def save_many() -> list:
        return until_endless(called(partial(_saved, program, task, path)) for path, task in tasks)

    def save_what_is_gone() -> Any:
        """The same task at the same path, after somebody has removed the file."""
        path, task = tasks[0]
        program["save_task"](task, path)
        Path(path).unlink()
        return _saved(program, task, path)

    seen = trial(save_many, setup=lambda: Path("folder").mkdir())
    assert seen.how == "returned", f"save_task and load_task, many times: load_task or save_task {did(seen)}"
    for (path, task), went in zip(tasks, seen.value, strict=False):
        what = f"A task with the user_input {quoted(task.user_input)} and the journal {quoted(task.journal)}"
        assert "value" in went, f"{what} was to be saved at {path}: load_task or save_task {told(went)}"
        _is_equal(f"save_task had saved at {path}, but load_task", went["value"], _content(task))
    seen = trial(save_what_is_gone)
    again = "The task was saved once more, as its file had been removed"
    assert seen.how == "returned", f"{again}: load_task or save_task {did(seen)}"
    _is_equal(f"{again}, but load_task", seen.value, _content(tasks[0][1]))


def reports_corrupt(program: Program, rng: Random) -> None:
    """Only a missing file is None; any damage is CorruptState."""
    old, task = _two(rng, shorter=True)
    draw = rng.random()

    def load() -> Any:
        try:
            return _plain(program["load_task"](PATH))
        except CorruptState:
            return "CorruptState"
        except Exception as error:
            if type(error).__name__ == "CorruptState":
                return OWN
            raise

    def find_damage() -> list | None:
        """The first kind of damage that is not reported, and what was returned."""
        saved = []
        for each in (old, task):
            program["save_task"](each, PATH)
            saved.append(Path(PATH).read_bytes())
        for what, data, may_be_whole in _damages(*saved, Random(draw)):
            Path(PATH).write_bytes(data)
            print(f"{DAMAGE}{what}")
            found = load()
            if found != "CorruptState" and not (may_be_whole and found == _content(task)):
                came = "returned a task" if isinstance(found, dict) else f"returned {found}"
                return [what, f"raised {OWN}" if found == OWN else came]
        return None

    def load_twice() -> list[Any]:
        """While there is no file, and when there is one."""
        return [load(), _saved(program, task, PATH)]

    seen = trial(load)
    came = "raised CorruptState" if seen.value == "CorruptState" else did(seen)
    assert seen.value == "None", f"There was no file, and load_task {came}; expected None"
    seen = trial(find_damage)
    met = [line.removeprefix(DAMAGE) for line in seen.output.splitlines() if line.startswith(DAMAGE)]
    assert met or seen.how == "returned", f"A task was saved, and its file was read: that {did(seen)}"
    assert seen.how == "returned", f"For {met[-1]}, load_task {did(seen)}; expected CorruptState"
    assert not seen.value, "For {}, load_task {}; expected CorruptState".format(*seen.value)
    seen = trial(load_twice)
    again = "There was no file, and load_task returned None. Then the task was saved in the same process"
    assert seen.how == "returned", f"{again}: load_task or save_task {did(seen)}"
    _is_equal(f"{again}, and load_task", seen.value[1], _content(task))
    _what_cannot_be_opened_is_not_missing(program, task)


def resumes(program: Program, rng: Random) -> None:
    """A journalled step never runs again, no step is left out, and only the step in flight may run twice."""
    task, plan = _task(rng), rng.sample(TOOLS, 3)

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
            assert count, f"after the restart, {step} has never run, and resume returned {seen.state['returned']}"
            again = f"{step} ran {count} times: it was journalled as finished, and ran again"
            assert count == 1 or step not in seen.state["journalled"], again
        repeated = [step for step, count in counts.items() if count > 1]
        finished = ", ".join(repeated[:-1])
        assert len(repeated) < 2, f"{finished} had finished before, and ran again: only the step in flight may"
        assert all(count < 3 for count in counts.values()), f"{repeated[0]} ran more than twice"
        for what in ("returned", "stored"):
            assert seen.state[what] == "a completed task", f"after the restart, resume {what} {seen.state[what]}"

    assert_survives(sweep(run, recover, invariant, setup, name="resume"), len(plan), prepared=SAVING)
    _goes_on_from_any_journal(program, rng)
    _a_step_that_fails_is_not_finished(program, rng)


def stays_completed(program: Program, rng: Random) -> None:
    """A completed task is returned, and nothing runs, whatever its result and its journal hold."""
    plan = rng.sample(TOOLS, 3)
    results = ["deployed yesterday", "", *rng.sample(TEXTS, 2)]
    tasks = [_task(rng, state=TaskState.COMPLETED, result=result, journal=dict.fromkeys(plan[:n], "ok"))
             for n, result in enumerate(results)]  # fmt: skip

    def setup() -> None:
        for task in tasks:
            program["TaskFiles"]().save(task)

    def resume() -> list:
        found = []
        for task in tasks:
            version = program["TaskFiles"]().get(Task, task.id).version
            returned = _resume(program, task, plan)
            again = getattr(returned, "version", version) != version
            found.append([_plain(returned), _stored(program, task), again])
        return found

    seen = _trial(resume, setup)
    assert not seen.world.calls, f"The task was completed already, and resume ran {seen.world.calls[0].tool} again"
    assert seen.how == "returned", f"The task was completed already, and resume {did(seen)}; expected the task"
    for task, (returned, stored, again) in zip(tasks, seen.value, strict=True):
        assert not again, "The task was completed already, and resume saved it once more: return it as it is"
        for what, found in (("resume did not return it", returned), ("it is not stored", stored)):
            assert found == _content(task), f"The task was completed already, and {what} as it is"


def survives_power_cut(program: Program, rng: Random) -> None:
    """With the power cut at any point, the same two promises hold, also in another folder and of a second save."""
    for path, twice in (PATH, False), (f"folder/{PATH}", True):
        tasks = _two(rng, shorter=False)
        assert_survives(_sweep_save(program, path, *tasks, _is_whole, _is_kept, power=True, twice=twice), 2)


def _what_cannot_be_opened_is_not_missing(program: Program, task: Task) -> None:
    """There is a file, and load_task cannot know what is in it."""

    def load_what_is_forbidden() -> Any:
        """There is a task, and this process may not read it."""
        program["save_task"](task, PATH)
        if not forbid_reading():
            Path(PATH).chmod(0)
        return _plain(program["load_task"](PATH))

    def load_what_cannot_be_opened() -> Any:
        """There is a task, and this process has no descriptor left to open a file with."""
        program["save_task"](task, PATH)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, most[1]))
        try:
            return _plain(program["load_task"](PATH))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, most)

    for scene, why in (
        (load_what_cannot_be_opened, "OSError: too many open files"),
        (load_what_is_forbidden, "PermissionError"),
    ):
        assert trial(scene).value != "None", (
            f"A task was saved, and its file could not be opened ({why}): load_task returned None, as if there were no "
            "file"
        )


def _goes_on_from_any_journal(program: Program, rng: Random) -> None:
    """Journals that are empty, half full in any order, and full; names and texts of all kinds; two tasks alike."""
    name = rng.choice(TOOLS)
    plan = rng.sample([name, f"{name}_2", name.upper(), name[:-1]], 4)
    kept = iter(rng.sample(TEXTS[:8], 8))
    texts = cycle(rng.sample(TEXTS, len(TEXTS)))
    plans = [(state, plan[:n], journalled) for state, n, journalled in [
        ("pending", 4, []), ("pending", 4, []), ("running", 4, [plan[2]]), ("running", 4, [plan[3], plan[0]]),
        ("pending", 4, [plan[1]]), ("running", 3, plan[:3]), ("running", 4, plan[:1]),
    ]]  # fmt: skip
    tasks = [_task(rng, state=state, journal={name: next(kept) for name in done}) for state, _, done in plans]
    own = [{name: next(texts) for name in names} for _, names, _ in plans]

    def setup() -> None:
        for task in tasks:
            program["TaskFiles"]().save(task)

    def resume() -> list:
        told, ran, now = [], [], {}
        steps = {name: lambda name=name: ran.append(name) or now[name] for name in plan}  # the same ones for every task
        for task, results in zip(tasks, own, strict=True):
            ran.clear()
            now = results
            returned = program["resume"](task.id, program["TaskFiles"](), {name: steps[name] for name in results})
            told.append([[*ran], _plain(returned), _stored(program, task)])
        return told

    seen = _trial(resume, setup)
    assert seen.how == "returned", f"resume {did(seen)}"
    for task, results, (ran, *found) in zip(tasks, own, seen.value, strict=True):
        start = f"The journal of a {task.state} task held {', '.join(task.journal) or 'no step'}, and resume"
        lacking = [name for name in results if name not in task.journal]
        expected = {name: task.journal.get(name, result) for name, result in results.items()}
        assert ran == lacking, f"{start} ran {', '.join(ran) or 'no step'}; expected {', '.join(lacking) or 'none'}"
        for what, facts in zip(("returned", "stored"), found, strict=True):
            assert isinstance(facts, dict), f"{start} {what} no task"
            assert facts["state"] == "completed", f"{start} {what} a {facts['state']} task"
            for name, result in expected.items():
                kept = facts["journal"].get(name)
                where, given, holds = quoted_apart(result, kept)
                assert kept == result, f"{name} returned{where} {given}, and the journal holds {holds}"


def _a_step_that_fails_is_not_finished(program: Program, rng: Random) -> None:
    """The first, a middle or the last step raises: it is not journalled, and the next call runs it again."""
    plan = rng.sample(TOOLS, 3)
    tasks = [_task(rng) for _ in plan]

    def steps_of(ran: list[str], failing: str) -> dict[str, Callable[[], str]]:
        """The first time that it runs, a step fails."""

        def step(name: str) -> str:
            ran.append(name)
            if name == failing and ran.count(name) == 1:
                raise OSError(28, f"no space left for {name}")
            return "ok"

        return {name: lambda name=name: step(name) for name in plan}

    def call(task: Task, steps: dict[str, Callable[[], str]]) -> list:
        went = called(lambda: _plain(program["resume"](task.id, program["TaskFiles"](), steps)))
        return [told(went) if "failed" in went else "", _stored(program, task)]

    def resume() -> list:
        found = []
        for task, failing in zip(tasks, plan, strict=True):
            program["TaskFiles"]().save(task)
            ran: list[str] = []
            steps = steps_of(ran, failing)
            first = [*call(task, steps), len(ran)]
            found.append([first, call(task, steps), ran[first[-1] :]])
        return found

    seen = trial(resume)
    assert seen.how == "returned", f"A step raised an error, and resume {did(seen)}"
    for failing, ((_, before, _), (raised, after), ran) in zip(plan, seen.value, strict=True):
        happened = f"{failing} raised an error, and"
        for found in (before, after):
            assert isinstance(found, dict), f"{happened} in the store load_task finds {found}; expected the task"
        assert failing not in before["journal"], (
            f"{happened} the journal says that it returned {quoted(before['journal'][failing])}"
        )
        assert before["state"] != "completed", f"{happened} the task says completed"
        came = raised or f"left a {after['state']} task"
        assert after["state"] == "completed", f"{happened} the next call of resume {came}: it must go on"
        assert ran == plan[plan.index(failing) :], (
            f"{happened} the next call of resume ran {', '.join(ran) or 'no step'}; "
            f"expected {', '.join(plan[plan.index(failing) :])}"
        )


def _damages(first: bytes, data: bytes, rng: Random) -> list[tuple[str, bytes, bool]]:
    """What damage it is, the bytes, and whether the task may be whole, as without the newline at its end."""
    cuts = range(1, len(data)) if len(data) < 450 else sorted({*rng.sample(range(1, len(data)), 300), len(data) - 1})
    found = [("an empty file", b"", False), ("a file full of zeros", bytes(len(data)), False), ("a space", b" ", False)]
    found += [(f"a file that is cut off after {cut} of {len(data)} bytes", data[:cut], True) for cut in cuts]
    found += [(f"a file that holds {other}", other.encode(), False) for other in OTHER_JSON]
    try:
        fields = json.loads(data)
    except ValueError:
        return found  # of other formats nothing is known
    at = data.find(b"deploy")
    if at > 0:
        found.append(("a file that is no UTF-8", data[:at] + b"\xff" + data[at + 1 :], False))
    found.append(("a file that holds two tasks", first.rstrip() + b"\n" + data, True))
    found.append(("a file that holds a list of a task", b"[" + data + b"]", False))
    if isinstance(fields, dict) and "user_input" in fields:
        found.append(("a task without its user_input", json.dumps({**fields, "user_input": None}).encode(), False))
        del fields["user_input"]
        found.append(("a task without its user_input", json.dumps(fields).encode(), False))
    return found


def _task(rng: Random, **fields: object) -> Task:
    wish = f"deploy {rng.choice(['shop', 'blog', 'mail', 'wiki'])} number {rng.randrange(10**6)}"
    return Task(**{"id": f"task-{rng.randrange(10**6)}", "user_input": wish, **fields})


def _two(rng: Random, *, shorter: bool) -> tuple[Task, Task]:
    """An old task and a new one that is shorter, or longer."""
    long, short = _task(rng, journal=dict.fromkeys(TOOLS, "ok")), _task(rng, journal={"create_dns": "ok"})
    return (long, short) if shorter else (short, long)


def _many(rng: Random) -> list[tuple[str, Task]]:
    """Where a task is saved, in order: tasks with all texts, alike in all but a part, older ones, one at two paths."""
    texts = rng.sample(TEXTS, len(TEXTS))
    one, two = (_task(rng, id=f"task-{n}", user_input=f"deploy shop {n}") for n in rng.sample(range(100, 1000), 2))
    odd = [_task(rng, user_input=text, journal={texts[n - 1]: texts[n - 2]}) for n, text in enumerate(texts)]
    late = _task(rng, deadline=datetime(2026, 1, 1, 12, tzinfo=UTC), state="failed", error=texts[0])
    done = _task(rng, state="completed", result=texts[1], version=7)
    again = done.model_copy(update={"state": TaskState.RUNNING, "result": None, "version": 3})
    parts = {"journal": {"create_dns": texts[2]}, "error": texts[3], "result": texts[4], "deadline": None}
    changed = [late.model_copy(update={name: part}) for name, part in parts.items()]
    kept = [one, two, one, *odd, late, *changed, late, done, again]
    return [*((PATH, task) for task in kept), ("folder/task.json", one), ("other", one), (PATH, one)]


def _content(task: Task) -> dict:
    """What must survive of a task. A save may stamp `updated_at` and `version`."""
    return task.model_dump(mode="json", exclude={"updated_at", "version"})


def _plain(thing: Any) -> Any:
    """The content of a task; anything else as text."""
    return _content(thing) if isinstance(thing, Task) else repr(thing)


def _state(task: object) -> str:
    """A task's state in words."""
    return f"a {task.state} task" if isinstance(task, Task) else f"{task!r}, not a task"


def _saved(program: Program, task: Task, path: str) -> Any:
    program["save_task"](task, path)
    return _plain(program["load_task"](path))


def _stored(program: Program, task: Task) -> Any:
    return _plain(program["TaskFiles"]().get(Task, task.id))


def _sweep_save(
    program: Program,
    path: str,
    old: Task,
    new: Task,
    *parts: Callable,
    power: bool = False,
    twice: bool = False,
    last: Task | None = None,
) -> Report:
    """Save a new task over an old one at path, and recover; each part of the invariant is told both, and what was seen.

    With `twice`, the same process has saved the old one once more before. With `last`, the next process saves that
    one, over whatever the killed process has left.
    """
    contents = _content(old), _content(new)

    def run() -> None:
        if twice:
            program["save_task"](old, path)
        program["save_task"](new, path)
        ack("saved")

    def load() -> dict:
        went = called(lambda: program["load_task"](path))
        if "failed" in went:
            return {"load_task": told(went)}
        loaded = went["value"]
        but = "" if loaded is None else "no Task, but "
        return _content(loaded) if isinstance(loaded, Task) else {"load_task": f"returned {but}{shown(loaded)}"}

    def recover() -> dict:
        seen = {"found": load(), "file": _found(path), "path": path}
        if last is None or len(list(Path().iterdir())) < 2:  # nothing is left but the task
            return seen
        went = called(lambda: program["save_task"](last, path))
        return {**seen, "refused": told(went)} if "failed" in went else {**seen, "last": load()}

    def invariant(seen) -> None:
        for part in parts:
            part(seen, *contents)
        refused = seen.state.get("refused")
        assert not refused, f"after the restart, what was left beside {path} was in the way: save_task {refused}"
        if "last" in seen.state:
            _is_equal("the next save_task returned, but load_task", seen.state["last"], _content(last))

    return sweep(
        run,
        recover,
        invariant,
        partial(_begin, program, old, path),
        power=power,
        depth=1 + (last is not None),
        name="save_task",
    )


def _begin(program: Program, task: Task, path: str) -> None:
    Path(path).parent.mkdir(exist_ok=True)
    program["save_task"](task, path)


def _trial(run: Callable, setup: Callable) -> Any:
    try:
        return trial(run, setup)
    except CrashLabError as error:
        raise DidNotSurviveError(in_words(str(error), "resume", SAVING), error.where) from None


def _is_whole(seen, old: dict, new: dict) -> None:
    assert seen.state["found"] in (old, new), f"{seen.state['file']}. {_loaded(seen.state['found'])}"


def _is_kept(seen, old: dict, new: dict, later: dict | None = None) -> None:
    """With `later`: what a recovery that was killed may have saved."""
    kept = not seen.acknowledged or seen.state["found"] in [new, *([later] if later else [])]
    found = (
        f"the old task is back at {seen.state['path']}"
        if seen.state["found"] == old
        else f"{seen.state['file']}. {_loaded(seen.state['found'])}"
    )
    assert kept, f"save_task had returned, but {found}"


def _is_equal(what: str, found: Any, expected: dict) -> None:
    if isinstance(found, dict) and found.keys() == expected.keys():
        for name, value in expected.items():
            where, one, other = quoted_apart(found[name], value)
            assert found[name] == value, f"{what} returned a task with the {name}{where} {one}; expected {other}"
    came = found.get("load_task", "returned another task") if isinstance(found, dict) else f"returned {found}"
    assert found == expected, f"{what} {came}"


def _resume(program: Program, task: Task, plan: list[str]) -> Task:
    steps = {name: lambda name=name: tool(name, service="shop") for name in plan}
    return program["resume"](task.id, program["TaskFiles"](), steps)


def _found(path: str) -> str:
    """What is at the path, in words."""
    if not Path(path).exists():
        return f"{path} is gone"
    if not (data := Path(path).read_bytes()):
        return f"{path} is empty"
    try:
        Task.model_validate_json(data)
    except ValueError:
        return f"{path} holds {len(data)} bytes that are no whole task"
    return f"{path} holds a whole task"


def _ends(program: Program) -> list[str]:
    """How a path may end: as the temporary files of the answers do. Some answers then take one for the other."""
    texts = [text for source in program.sources for text in re.findall(r"""["'](\.\w+)["']""", source.text)]
    return list(dict.fromkeys([".tmp", *texts]))[:3]


def _loaded(state: dict) -> str:
    """What load_task made of it."""
    return f"load_task {state.get('load_task', 'returned another task')}"
