"""A workflow whose module does at import what Temporal's sandbox refuses."""

import random
from datetime import timedelta

from temporalio import workflow

CHANCE = random.random()


@workflow.defn(name="Deploy")
class DiceAtImport:
    """Imported anew for each run, with other dice."""

    @workflow.run
    async def run(self, service: str) -> None:
        """One step."""
        await workflow.execute_activity("notify", service, start_to_close_timeout=timedelta(minutes=1))
