"""The deployment as a saga, killed wherever it can be: with a step that fails, and with a compensation that does.

`test_mechanisms` kills each once, on one of the stores, and `test_long_saga` twice, on all.
"""

from functools import partial

from whole_agent import in_files, in_postgres

from labkit.backoff import Policy
from labkit.crash import Observation, sweep
from labkit.saga import Saga, SagaState, SagaStep
from labkit.world import WorldClock, ack, arrange, standing, tool

UNDO = {
    "create_dns": "delete_dns",
    "issue_certificate": "revoke_certificate",
    "deploy_container": "remove_container",
    "configure_monitoring": "remove_monitoring",
}
STORES = {"files": in_files, "PostgreSQL": in_postgres}
FAULTS = {
    "nothing": {},
    **{f"{name} refuses": {name: ["permanent"]} for name in UNDO},
    "an answer is lost": {"issue_certificate": ["ambiguous"], "deploy_container": ["permanent"]},
    "no answer ever": {"deploy_container": ["ambiguous"] * 100},
    "a compensation refuses": {"configure_monitoring": ["permanent"], "revoke_certificate": ["permanent"]},
    "a compensation is unavailable": {"deploy_container": ["permanent"], "delete_dns": ["transient"] * 3},
}


def act(name):
    """An action of a step: it uses a tool."""
    return lambda key, timeout, _results: tool(name, key=key, timeout=timeout, service="shop")


def steps():
    """Each requires the one before."""
    needs = zip(UNDO.items(), [(), *((name,) for name in UNDO)], strict=False)
    return [SagaStep(name, act(name), act(undo), requires=before) for (name, undo), before in needs]


def deploy(new_store):
    """Run the saga, or go on with it, and tell the user how it ended."""
    log = Saga(steps(), new_store(), WorldClock(), policy=Policy(max_attempts=3)).run("deploy")
    ack(log.state)
    return {"state": log.state, "left": list(log.left())}


def all_or_nothing(seen: Observation):
    """All four resources, none, or a log that says exactly which; nothing was done or undone twice."""
    used = [call.tool for call in seen.ledger]
    assert len(used) == len(set(used)), f"something acted twice: {used}"
    left = [call.tool for call in standing(seen.ledger)]
    assert left == seen.state["left"], f"in the world: {left}; in the log: {seen.state['left']}"
    expected = {SagaState.COMPLETED: list(UNDO), SagaState.COMPENSATED: []}
    assert left == expected.get(seen.state["state"], left), f"{seen.state['state']}, and in the world: {left}"
    assert set(seen.acknowledged) <= {seen.state["state"]}, f"the user was told: {seen.acknowledged}"


def assert_survives(place, faults, depth):
    """Sweep the saga in this kind of store, with these faults."""
    run = partial(deploy, partial(STORES[place], WorldClock()))
    report = sweep(run, run, all_or_nothing, partial(arrange, faults=FAULTS[faults]), depth=depth, name=faults)
    report.assert_survives(effects=7)
