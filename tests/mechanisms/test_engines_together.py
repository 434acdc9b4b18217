"""Many runs in one life: each stops at a point of its own, and the next life goes on with all of them."""

import os
import random
import sys
import threading
import time
from datetime import datetime

import pytest

from labkit import trial
from labkit.engines.many_runs import Life
from labkit.engines.replaying import events_of
from labkit.engines.replays import Replays, elsewhere, heard, replays
from labkit.engines.together import NEXT, lives

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
RUNS = {f"run {n}": [f"app {n}"] for n in range(9)}
WORKFLOW = """
from temporalio import workflow


@workflow.defn
class Deploy:
    @workflow.run
    async def run(self, app: str) -> str:
        return await workflow.execute_activity(NAME, app, schedule_to_close_timeout=FIVE)
""".replace("FIVE", "__import__('datetime').timedelta(5)")


def workflow():
    """Draws, and uses two tools."""
    from dbos import DBOS

    from labkit import tool

    def deploy(app):
        drawn = DBOS.run_step({"name": "draw"}, random.random)
        for name in ("create_dns", "notify"):
            DBOS.run_step({"name": name}, tool, name, key=f"{DBOS.workflow_id} {name}", service=app)
        return [app, drawn, random.random(), datetime.now().toordinal()]  # noqa: DTZ005 - as a learner writes it

    return deploy


def endless():
    """Never ends in its second life."""
    from dbos import DBOS

    from labkit import tool

    def deploy(app):
        DBOS.run_step({"name": "ask"}, tool, "notify", key=DBOS.workflow_id, service=app)
        while not os.path.exists("first"):
            time.sleep(0.01)

    return deploy


def test_each_run_stops_elsewhere_and_all_go_on():
    """Seven effects, so seven runs that stop; later they end, and each tool has acted once for each."""

    def run():
        return lives([Life(workflow, {"whole": ["shop"]}, RUNS), Life(workflow, days=1, dice=1)])

    seen = trial(run, bare=True)
    first, second = seen.value
    stopped = {name: end["effects"] for name, end in first.items() if end["how"] == "stopped"}
    assert [*map(len, stopped.values())] == [*range(len(first["whole"]["effects"]))]
    assert {name: end["how"] for name, end in second.items()} == dict.fromkeys(stopped, "result")
    acted = [(call.tool, call.arguments["service"]) for call in seen.world.ledger]
    assert len({*acted}) == len(acted) == 2 * len(first)
    assert [call.tool for call in seen.world.calls].count(NEXT) == 2
    assert {end["value"][3] for end in second.values()} == {first["whole"]["value"][3] + 1}


def test_draws_hang_on_the_dice_and_the_run():
    """The same dice fall the same way for a run, whatever other runs do."""

    def run():
        return lives([Life(workflow, dict([*RUNS.items()][:2]))])

    def other():
        return lives([Life(workflow, RUNS)])

    (few,), (many,) = trial(run, bare=True).value, trial(other, bare=True).value
    assert few["run 1"]["value"] == many["run 1"]["value"]
    assert len({many[name]["value"][1] for name in RUNS}) == len(RUNS)


def test_what_waits_for_ever_is_named_with_its_line():
    """No other life follows, and the run's line is told."""

    def run():
        with open("first", "w"):
            pass
        return lives([Life(endless, {"whole": ["shop"]}, RUNS), Life(endless, before=lambda: os.remove("first"))])

    first, second = trial(run, bare=True).value
    assert first["whole"]["how"] == "result"
    lines = [end["line"] for end in second.values() if end["how"] == "waiting"]
    assert lines
    assert [line for line in lines if "deploy, line" not in line] == []


def test_a_bare_trial_has_real_time_and_threads():
    """Nothing is traced, and what it does to the world is kept."""

    def run():
        from labkit import tool

        began, told = time.monotonic(), []
        threads = [threading.Thread(target=lambda n=n: told.append(tool("notify", service=f"{n}"))) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(0.05)
        return len(told), time.monotonic() - began >= 0.05, "labkit.engines" in sys.modules

    seen = trial(run, bare=True)
    assert seen.value[:2] == [3, True]
    assert seen.effects == []
    assert len(seen.world.ledger) == 3


@pytest.mark.parametrize(("name", "wrong"), [("'ask'", ""), ("'tell'", "does not match")])
def test_a_cell_is_replayed_here_and_in_another_process(name, wrong):
    """The same comes of it, and calls and values are told."""
    history = events_of("Deploy", "shop", [("ask", "yes")], "yes")
    text = WORKFLOW.replace("NAME", name)

    def run():
        process = elsewhere(Replays(text, "Deploy", [history], 0, sandbox=False), 7)
        return [replays(Replays(text, "Deploy", [history], 4)), heard(process)]

    here, there = trial(run, bare=True).value
    assert here[0]["calls"] == there[0]["calls"] == [[name.strip("'"), ["shop"]]]
    for found in here[0], there[0]:
        assert wrong in found["failure"]
        assert bool(found["failure"]) == bool(wrong)
        assert found["value"] == ([] if wrong else ["yes"])


def test_a_cell_without_the_class_is_told():
    """One entry, with what is wrong."""

    def run():
        return replays(Replays("x = 1", "Deploy", [{}], 4))

    assert ["has no attribute 'Deploy'" in each["failure"] for each in trial(run, bare=True).value] == [True]
