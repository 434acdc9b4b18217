"""A busy day of one process, of chapter 1: nothing is killed, and much is asked of each answer.

A sweep repeats one story hundreds of times. Here each story is told once, and there are many: tasks that shrink, texts
in several scripts, plans that are half done, steps that fail, names that look alike.
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from labkit.crash import trial
from labkit.gauntlet.parts import Parts
from labkit.grading.judge.survival import did
from labkit.task import Task, TaskState

TEXTS = (
    "done " * 300, "", " two  spaces ", 'it\'s "quoted"\nand goes on', "готово 完成 ✓", "Zu\u0308rich", "None", "e",
)  # fmt: skip
"""What users say, and what steps return: longer and shorter ones in turn."""
STAMPS = {"updated_at", "version"}
"""Fields that a save may change."""
STEPS = ("notify", "create_dns", "check_disk")
JOURNALS = ((), (), ("create_dns",), ("check_disk", "notify"), STEPS)
"""What is done already of five plans with these steps."""


def tasks_come_back(parts: Parts) -> None:
    """One task after another is saved at one path, and loaded."""
    seen = trial(partial(_save_and_load, parts))
    assert seen.how == "returned", f"Tasks with all kinds of texts were saved and loaded: that {did(seen)}"
    for text, same in seen.value:
        assert same, f"A task with the text {brief(text)} was saved, and load_task returned something else"


def _save_and_load(parts: Parts) -> list[Any]:
    told = []
    for number, text in enumerate(TEXTS):
        task = Task(id="task", user_input=text, journal={text: TEXTS[number - 1]})
        parts["save_task"](task, "task.json")
        found = parts["load_task"]("task.json")
        told.append([text, isinstance(found, Task) and _kept(found) == _kept(task)])
    return told


def _kept(task: Task) -> dict[str, Any]:
    return task.model_dump(mode="json", exclude=STAMPS)


def damage_is_reported(parts: Parts) -> None:
    """Whatever stands in the place of a task: CorruptState."""
    seen = trial(partial(_find_damage, parts))
    assert seen.how == "returned", f"A task was saved, and save_task {did(seen)}"
    assert seen.value is None, "The file of a task {}, and load_task {}; expected CorruptState".format(*seen.value)


def _find_damage(parts: Parts) -> list[str] | None:
    """The first kind that is not reported."""
    path = Path("task.json")
    parts["save_task"](Task(id="task", user_input="free the disk"), str(path))
    for what, data in _damages(path.read_bytes()):
        path.write_bytes(data)
        try:
            found = f"returned {'a task' if isinstance(parts['load_task'](str(path)), Task) else 'none'}"
        except Exception as error:  # noqa: BLE001 - its name is what counts
            found = f"raised {type(error).__name__}"
        if found != "raised CorruptState":
            return [what, found]
    return None


def _damages(data: bytes) -> Iterator[tuple[str, bytes]]:
    yield from (
        (f"held {other}", other.encode()) for other in ("{}", "[]", "null", "7", '"text"', '{"colour": 1}', " ")
    )
    cuts = range(1, len(data) - 1, max(len(data) // 12, 1))
    yield from ((f"was cut off after {cut} bytes", data[:cut]) for cut in cuts)
    yield "was full of zeros", bytes(len(data))
    if data.lstrip().startswith(b"{"):
        yield "was no UTF-8", data.replace(b"disk", b"d\xffsk")
        yield "held a list with the task in it", b"[" + data + b"]"


def plans_go_on(parts: Parts) -> None:
    """Plans that are begun, half done in any order, and done; in each, one step fails the first time."""
    seen = trial(partial(_resume_all, parts))
    assert seen.how == "returned", f"Plans that were half done were resumed, and resume {did(seen)}"
    for done, (ran, journal, state) in zip(JOURNALS, seen.value, strict=True):
        what = f"The journal of a plan held {', '.join(done) or 'no step'}, and resume"
        lacking = [step for step in STEPS if step not in done]
        expected = [*lacking[:1], *lacking]  # the first fails once
        assert ran == expected, f"{what} ran {', '.join(ran) or 'nothing'}; expected {', '.join(expected) or 'nothing'}"
        assert state == TaskState.COMPLETED, f"{what} left a {state} task"
        for step, result in zip(STEPS, TEXTS, strict=False):
            kept, right = journal.get(step), "" if step in done else result
            assert kept == right, f"{what} kept {brief(kept)} of {step}, which returned {brief(right)}"


def _resume_all(parts: Parts) -> list[Any]:
    told, store = [], parts["TaskFiles"]()
    for number, done in enumerate(JOURNALS):
        state = TaskState.RUNNING if number > 2 else TaskState.PENDING
        task = Task(id=f"plan-{number}", user_input="go on", state=state, journal=dict.fromkeys(done, ""))
        store.save(task)
        ran: list[str] = []
        for _ in range(2):
            steps = {step: partial(_step, ran, step, result) for step, result in zip(STEPS, TEXTS, strict=False)}
            try:
                parts["resume"](task.id, store, steps)
            except ConnectionError:
                continue
            break
        after = store.get(Task, task.id)
        told.append([ran, after.journal, after.state])
    return told


def _step(ran: list[str], step: str, result: str) -> str:
    ran.append(step)
    if len(ran) == 1:
        raise ConnectionError(f"{step} was out of reach")
    return result


def brief(value: Any) -> str:
    """Plain data in one line, not too long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 60 else f"{text[:40]}…"
