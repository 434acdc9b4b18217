"""labkit's own workflow for exercise 13, on Temporal. This text is the answer: the engine takes it as a file alone."""

from datetime import timedelta
from typing import Any

from temporalio import workflow

PATCH, FRIDAY = "tell the team", 4
PATIENCE = timedelta(minutes=5)


@workflow.defn
class Deploy:
    """Deploy an app, by activities."""

    @workflow.run
    async def run(self, app: str) -> dict[str, Any]:
        """Its region, its host, and whether it has a certificate."""
        region = await _use("read_region", app)
        await _use("create_dns", app, region)
        if workflow.patched(PATCH):
            await _use("notify", app, region)
        host = f"{app}-{workflow.random().randrange(10**9)}"
        await _use("deploy_container", app, host)
        if not (friday := workflow.now().weekday() == FRIDAY):
            await _use("issue_certificate", app, host)
        return {"region": region, "host": host, "certificate": not friday}


async def _use(name: str, *arguments: str) -> Any:
    return await workflow.execute_activity(name, args=arguments, start_to_close_timeout=PATIENCE)
