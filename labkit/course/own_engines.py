"""labkit's own answers to exercise 13, on DBOS. Each is told how the region, the host and the day are asked for.

They run in children only, as those of `own.py`, which does not load an engine. `own_temporal.py` has the third answer.
"""

from collections.abc import Callable
from typing import Any

from dbos import DBOS

from labkit.idempotency import step_key
from labkit.world import tool

PATCH = "tell the team"


def deploy(
    app: str, *, read_region: Callable[[str], str], draw_host: Callable[[str], str], is_friday: Callable[[], bool]
) -> dict[str, Any]:
    """Everything that asks or acts is a step; a key is made of the run and the tool."""
    region = _step(read_region, app)
    _use("create_dns", app, region=region)
    return _put_up(app, region, draw_host, is_friday)


def deploy_and_tell(
    app: str, *, read_region: Callable[[str], str], draw_host: Callable[[str], str], is_friday: Callable[[], bool]
) -> dict[str, Any]:
    """The same with a patch in between: old runs that have been further pass it by."""
    region = _step(read_region, app)
    _use("create_dns", app, region=region)
    if DBOS.patch(PATCH):
        _use("notify", app, region=region)
    return _put_up(app, region, draw_host, is_friday)


def _put_up(
    app: str, region: str, draw_host: Callable[[str], str], is_friday: Callable[[], bool]
) -> dict[str, Any]:  # fmt: skip
    host = _step(draw_host, app)
    _use("deploy_container", app, host=host)
    if not (friday := _step(is_friday)):
        _use("issue_certificate", app, host=host)
    return {"region": region, "host": host, "certificate": not friday}


def _step(ask: Callable[..., Any], *arguments: Any) -> Any:
    return DBOS.run_step({"name": ask.__name__}, ask, *arguments)


def _use(name: str, app: str, **arguments: Any) -> None:
    key = step_key(DBOS.workflow_id, name)
    DBOS.run_step({"name": name}, tool, name, key=key, service=app, **arguments)
