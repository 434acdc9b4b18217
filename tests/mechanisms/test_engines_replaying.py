"""Temporal's replayer over histories written by hand: what a change of the code does to runs that are under way."""

import subprocess
import sys

import pytest
from temporal_refused import DiceAtImport
from temporal_workflows import STEPS, AsksTheHistory, AsksTheMachine, Deploy, LeavesOut, Patched

from labkit.engines.replaying import history, replay

DONE = [(step, "done") for step in STEPS]
TOLD = [("patch:tell", None), ("notify", "done")]
ENDED = history("Deploy", "shop", DONE, "shop is live")
HALF_WAY = history("Deploy", "shop", DONE[:2])
UNDER_WAY = history("Deploy", "shop", [*DONE[:2], (STEPS[2], ...)])
NEW = history("Deploy", "shop", [*DONE[:2], *TOLD, *DONE[2:]], "shop is live")


@pytest.mark.parametrize(
    ("code", "recorded", "told"),
    [
        (Deploy, ENDED, ""),
        (Deploy, HALF_WAY, ""),
        (Deploy, UNDER_WAY, ""),
        (Deploy, NEW, "patch marker encountered for change tell"),
        (LeavesOut, ENDED, "'issue_certificate' does not match activity type of activity command 'deploy_container'"),
        (LeavesOut, HALF_WAY, "'issue_certificate' does not match"),
        (LeavesOut, UNDER_WAY, "'deploy_container'"),
        (Patched, ENDED, ""),
        (Patched, HALF_WAY, ""),
        (Patched, NEW, ""),
        (AsksTheMachine, HALF_WAY, "Cannot access datetime.datetime.now.__call__ from inside a workflow"),
        (AsksTheHistory, HALF_WAY, ""),
    ],
)
def test_code_that_takes_another_way_than_its_history_is_told(code, recorded, told):
    """And code that takes the same way is not, nor is a patch."""
    found = replay(code, recorded)
    assert told in found if told else not found


def test_a_history_tells_apart_what_was_done_from_what_is_returned():
    """A run that has ended with something else than its code returns is told."""
    assert "Complete" in replay(Deploy, history("Deploy", "shop", DONE[:2], "shop is live"))


def test_a_workflow_that_the_sandbox_cannot_import_is_refused():
    """In one line, with the reason."""
    with pytest.raises(ValueError, match=r"the sandbox cannot import DiceAtImport: .*random"):
        replay(DiceAtImport, ENDED)


CELL = """
import linecache
from labkit.engines.replaying import history, replay
source = '''
{imports}from temporalio import workflow
@workflow.defn
class Deploy:
    @workflow.run
    async def run(self, service: str) -> str:
        await workflow.execute_activity("notify", service, start_to_close_timeout=timedelta(minutes=1))
'''
linecache.cache["cell"] = len(source), None, source.splitlines(True), "cell"
from datetime import timedelta
exec(compile(source, "cell", "exec"))
from datetime import timedelta
if __name__ == "__main__":
    print(replay(Deploy, history("Deploy", "\\u0441\\u0447\\u0451\\u0442", [("notify", None)])) or "nothing is wrong")
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("imports", "told"),
    [
        ("from datetime import timedelta; ", "nothing is wrong"),
        ("", "name 'timedelta' is not defined"),
        ("del timedelta; ", "does not stand alone: name 'timedelta' is not defined; import in it what it uses"),
    ],
)
def test_a_cell_is_a_module_of_its_own(imports, told):
    """With its own imports alone: what other cells have imported is not there."""
    done = subprocess.run(
        [sys.executable, "-c", CELL.format(imports=imports)], check=False, capture_output=True, text=True, timeout=60
    )
    assert told in done.stdout + done.stderr
