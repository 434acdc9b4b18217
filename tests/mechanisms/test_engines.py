"""DBOS killed at every effect: what it gives, and what it asks of whoever uses it."""

import os
import signal

import pytest
from dbos import DBOS

from labkit import WorldClock, tool
from labkit.engines import Lab, sweep_workflow

STEPS = ["create_dns", "issue_certificate", "deploy_container"]
DAY = 86_400.0
THURSDAY = 3


def bare(step, service):
    """A step without a key."""
    return tool(step, service=service)


def keyed(step, service):
    """A step under the key that the engine gives."""
    return tool(step, key=f"{DBOS.workflow_id}/{DBOS.step_id}", service=service)


def by_name(step, service):
    """A step under a key of the run and the tool's name."""
    return tool(step, key=f"{DBOS.workflow_id}/{step}", service=service)


def deploys(how):
    """A workflow of three steps."""

    def deploy(service):
        for step in STEPS:
            DBOS.run_step({"name": step}, how, step, service)
        return f"{service} is live"

    return deploy


def each_once(seen):
    """Each step has acted, and none twice."""
    acted = [call.tool for call in seen.ledger]
    assert acted == STEPS, f"acted: {acted}"


def anything(_):
    """Any end will do."""


def swept(*given, **more):
    """The report of a sweep that came to its end."""
    report = sweep_workflow(*given, **more)
    assert report.problem is None
    return report


@pytest.fixture
def lab(database_url):
    """Executors over a database of their own."""
    return Lab(database_url)


@pytest.mark.slow(seconds=60)
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("how", "broken"), [(bare, [4, 5, 7, 8, 10, 11]), (keyed, [])])
def test_a_step_is_called_at_least_once_and_acts_once_under_its_key(how, broken):
    """Killed between a step's effect and the row that says so, it is called again."""
    report = swept(deploys(how), each_once, "shop")
    assert [point.k for point in report.broken] == broken
    assert (len(report.effects), len(report.points)) == (13, 14)
    assert [str(effect) for effect in report.effects[3:6]] == [
        "tool create_dns(shop)",
        "INSERT operation_outputs",
        "COMMIT",
    ]


@pytest.mark.long
@pytest.mark.slow(seconds=60)
@pytest.mark.timeout(400)
def test_a_body_that_goes_by_the_clock_takes_another_way_after_the_crash():
    """What is in the history already ends the run; in a step, the clock's answer stays what it was."""

    def by_the_day(service, ask):
        DBOS.run_step({"name": "dns"}, keyed, "create_dns", service)
        if ask(lambda: WorldClock().now().weekday()) == THURSDAY:
            DBOS.run_step({"name": "certificate"}, keyed, "issue_certificate", service)
        DBOS.run_step({"name": "container"}, keyed, "deploy_container", service)
        return "live"

    report = swept(lambda s: by_the_day(s, lambda ask: ask()), anything, "shop", pause=DAY)
    assert "was recorded when" in report.broken[-1].outcomes[0].reason
    report = swept(
        lambda s: by_the_day(s, lambda ask: DBOS.run_step({"name": "day"}, ask)), anything, "shop", pause=DAY
    )
    assert not report.broken


@pytest.mark.long
@pytest.mark.slow(seconds=60)
@pytest.mark.timeout(400)
def test_changed_code_needs_a_version_of_its_own_or_a_patch():
    """Without either it meets a history that is not its own; under another version old runs wait."""

    def step(name, act=keyed):
        return DBOS.run_step({"name": name}, act, name, "shop")

    def old(act):
        return [step("create_dns", act), step("deploy_container", act)]

    def new():
        return [step("create_dns"), step("notify"), step("deploy_container")]

    def patched(act):
        done = [step("create_dns", act)]
        if DBOS.patch("tell"):
            done.append(step("notify", act))
        return [*done, step("deploy_container", act)]

    def none_twice(seen):
        acted = [call.tool for call in seen.ledger]
        assert len({*acted}) == len(acted), f"acted: {acted}"

    same = swept(lambda: old(keyed), anything, restarted=new)
    apart = swept(lambda: old(keyed), anything, restarted=new, versions=("1", "2"))
    assert "was recorded when" in same.broken[-1].outcomes[0].reason
    assert {point.outcomes[0].reason for point in apart.broken} == {"the run waits, and nobody goes on with it"}
    assert not swept(lambda: old(by_name), none_twice, restarted=lambda: patched(by_name)).broken
    by_number = swept(lambda: old(keyed), none_twice, restarted=lambda: patched(keyed))
    assert [point.k for point in by_number.broken] == [7, 8]  # the mark of the patch moves the numbers


@pytest.mark.long
def test_a_dead_executors_run_waits_for_somebody_with_its_name(lab):
    """Others leave it alone, and have work of their own."""
    live = deploys(keyed)
    assert lab.live(live, "shop", run="orphan", executor="A", kill=5).how == "killed"
    assert lab.live(live, "shop", run="orphan", executor="B").how == "waiting"
    assert str(lab.live(live, "blog", run="other", executor="B")) == "result: blog is live"
    assert str(lab.live(live, "shop", run="orphan", executor="A")) == "result: shop is live"
    assert [call.tool for call in lab.world.ledger if call.arguments["service"] == "shop"] == STEPS


def test_a_run_that_kills_its_executor_is_given_up(lab):
    """After so many lives."""

    def poisoned():
        keyed("create_dns", "shop")
        os.kill(os.getpid(), signal.SIGKILL)

    lives = [lab.live(poisoned, run="poison", attempts=2) for _ in range(5)]
    assert [life.how for life in lives] == ["killed", "killed", "killed", "error", "error"]
    assert "maximum recovery attempts" in lives[-1].value


def test_what_a_tool_refuses_reaches_the_workflow(lab):
    """The world is the same one for all lives, with its faults."""
    lab.world.arrange(faults={"create_dns": ["permanent"]})
    assert lab.live(deploys(bare), "shop", run="a").how == "error"
    assert not lab.world.ledger


def test_a_workflow_that_does_not_end_well_undisturbed_proves_nothing():
    """It is refused, and so is an invariant that fails before any crash."""

    def fails():
        raise LookupError("no such service")

    with pytest.raises(ValueError, match="fails does not come to its end when nobody kills it: error: LookupError"):
        sweep_workflow(fails, anything)

    def never(_):
        raise AssertionError("it is not live")

    with pytest.raises(ValueError, match="when nobody kills it, it is not live"):
        sweep_workflow(deploys(keyed), never, "shop", name="deploy")
