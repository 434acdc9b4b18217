"""The row of chapter 11: the customer sees what is going on, all of it and once, and can end it."""

from collections.abc import Iterator
from functools import partial

from labkit import world
from labkit.crash import Observation, Report, sweep
from labkit.crash.race.api import race
from labkit.crash.race.report import RaceReport
from labkit.gauntlet.parts import Parts
from labkit.gauntlet.service import page
from labkit.gauntlet.service.schemas import at, column, create

ORDERS = 16
RUN, STEPS = "order-1", ("create_dns", "issue_certificate", "deploy_container")
RESULT = "disk 1: full\r\n\ndata: all is lost\n\n"
"""What a tool says, that is no end of an event."""
MOST = 5
"""Updates that there may be; one step fewer, if the worker dies right behind the cancel."""
SAID = ["hurry", "cancel"]


def shows_progress(parts: Parts) -> Iterator[Report | RaceReport]:
    """A page is open, and a worker tells of each step; in the second, the customer cancels.

    Before that a stranger's page has tried. Then those who come at the same moment: two who publish, and somebody who
    looks; the same command twice; a worker, and a cancel.
    """
    run = partial(_watch, parts)
    yield sweep(run, run, _seen_and_ended, _setup, name="a page and a worker")
    setup = partial(create, "progress", apart=False)
    both = {who: partial(_publish, parts) for who in "AB"}
    yield race({**both, "page": _look}, _gapless, setup, limit=ORDERS, name="two publish")
    same = {who: partial(page.say, parts, RUN, "c1", "cancel") for who in "AB"}
    yield race(same, _one_command, setup, limit=ORDERS, name="a command comes twice")
    late = {"worker": partial(_work_alone, parts), "customer": partial(_cancel, parts)}
    yield race(late, _obeyed, _with_house, limit=ORDERS, name="a worker and a cancel")


def _setup() -> None:
    create("progress", "house")
    world.arrange(**page.SHOWS)


def _watch(parts: Parts) -> list[str]:
    ended: list[str] = []
    page.watch(parts, RUN, MOST, lambda: ended.append(_work(parts)))
    return ended


def _work(parts: Parts) -> str:
    outcome = page.work(parts, RUN, STEPS, partial(_do, parts))
    page.tell(parts, RUN, "end", "completed" if outcome == "completed" else "error", str(outcome))
    return outcome


def _do(parts: Parts, step: str) -> None:
    page.tell(parts, RUN, step, "tool_call")
    if step == STEPS[0]:
        page.say(parts, RUN, "c0", "cancel", page.STRANGER)
    if step == STEPS[1]:
        for number, what in enumerate(SAID, 1):
            page.say(parts, RUN, f"c{number}", what)
    world.tool(step, key=f"{RUN} {step}", service="shop")
    page.tell(parts, RUN, step, "tool_result", RESULT)


def _seen_and_ended(seen: Observation) -> None:
    acted = [call.tool for call in seen.ledger if call.tool != page.SCREEN]
    assert acted in ([*STEPS[:1]], [*STEPS[:2]]), f"a cancel came in the second step, and done was {', '.join(acted)}"
    assert {*seen.state} <= {"cancelled"}, f"the customer cancelled, and work_on returned {seen.state}"
    obeyed = column("SELECT what FROM house.obeyed")
    assert sorted(obeyed) == sorted(SAID), f"what the customer said had its effect as {obeyed}; expected {SAID}"
    shown_once(seen)


def shown_once(seen: Observation) -> None:
    """The screen shows each update to the last one, once and in order, whole."""
    numbers = column("SELECT number FROM progress.updates ORDER BY number")
    assert numbers == [*range(1, len(numbers) + 1)], f"the updates have the numbers {numbers}"
    ends = column("SELECT number FROM progress.updates WHERE body ->> 'status' IN ('completed', 'error')")
    assert ends == numbers[-1:], f"of {len(numbers)} updates, those that end the run are {ends}"
    shown = [call.arguments["number"] for call in seen.ledger if call.tool == page.SCREEN]
    assert page.TORN not in shown, "an update came to the browser as something else than one event"
    assert shown == numbers, f"the screen shows the updates {shown}; expected {numbers}"


def _publish(parts: Parts) -> int:
    with at("progress") as conn, conn.begin():
        return int(parts["publish"](conn, RUN, {"step": "x", "status": "thinking"}))


def _look() -> list[int]:
    return column("SELECT number FROM updates ORDER BY number")


def _gapless(seen: Observation) -> None:
    ends = [end.raised or end.returned for end in (seen.workers[who] for who in "AB")]
    assert {*ends} == {1, 2}, f"two published at once; publish came to {ends[0]} and {ends[1]}; expected 1 and 2"
    looked = seen.workers["page"].returned
    assert looked == [1, 2][: len(looked)], f"two published at once, and a page saw the updates {looked}"


def _one_command(seen: Observation) -> None:
    ends = [str(end.raised or end.returned) for end in seen.workers.values()]
    assert sorted(ends) == ["False", "True"], f"a command came twice at once; command came to {' and '.join(ends)}"
    stored = column("SELECT id FROM commands")
    assert len(stored) == 1, f"a command came twice at once, and is there {len(stored)} times"


def _with_house() -> None:
    create("progress", apart=False)
    create("house")


def _work_alone(parts: Parts) -> str:
    return page.work(parts, RUN, STEPS[:2], lambda step: world.tool(step, key=step, service="shop"))


def _cancel(parts: Parts) -> None:
    if page.say(parts, RUN, "c1", "cancel") is not None:
        world.tool("notify", key="saved", service="the cancel")


def _obeyed(seen: Observation) -> None:
    end, acted = seen.workers["worker"], [call.tool for call in seen.ledger]
    raised = seen.workers["customer"].raised
    assert not raised, f"a cancel came beside the worker, and the page raised {raised}"
    after = acted[acted.index("notify") + 1 :] if "notify" in acted else []
    assert len(after) < 2, f"the customer was told that the cancel is saved, and then began {' and '.join(after)}"
    done = [each for each in acted if each != "notify"]
    expected = "completed" if len(done) == 2 else "cancelled"
    assert end.returned == expected, (
        f"a cancel came beside the worker, and done was {', '.join(done) or 'nothing'}; "
        f"work_on came to {end.raised or end.returned}, expected {expected}"
    )
