"""Workflows of Temporal, in a module of their own, which its sandbox imports anew."""

from datetime import UTC, datetime, timedelta

from temporalio import workflow

STEPS = ["create_dns", "issue_certificate", "deploy_container"]


async def act(steps, service):
    """As every workflow here does it."""
    for step in steps:
        await workflow.execute_activity(step, service, start_to_close_timeout=timedelta(minutes=1))
    return f"{service} is live"


@workflow.defn(name="Deploy")
class Deploy:
    """What the histories are of."""

    @workflow.run
    async def run(self, service: str) -> str:
        """Three steps."""
        return await act(STEPS, service)


@workflow.defn(name="Deploy")
class LeavesOut:
    """A step is gone."""

    @workflow.run
    async def run(self, service: str) -> str:
        """Two steps."""
        return await act([STEPS[0], STEPS[2]], service)


@workflow.defn(name="Deploy")
class Patched:
    """A step more, for runs that have not come there."""

    @workflow.run
    async def run(self, service: str) -> str:
        """Three steps or four."""
        await act(STEPS[:2], service)
        return await act((["notify"] if workflow.patched("tell") else []) + STEPS[2:], service)


@workflow.defn(name="Deploy")
class AsksTheMachine:
    """Its clock."""

    @workflow.run
    async def run(self, service: str) -> str:
        """What the day says."""
        return await act(STEPS[: datetime.now(UTC).weekday()], service)


@workflow.defn(name="Deploy")
class AsksTheHistory:
    """The clock and the dice that Temporal gives."""

    @workflow.run
    async def run(self, service: str) -> str:
        """The same in each replay."""
        assert workflow.now().year == 2026
        assert workflow.random().random() == workflow.random().random() or workflow.uuid4()
        return await act(STEPS, service)
