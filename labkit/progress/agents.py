"""An agent that tells what it does, and does what it is told: `Agent(progress=…)`, over rows.

Between two steps it tells, and asks whether it was cancelled. A confirmation ends its wait: see `resume`.
"""

from dataclasses import replace
from functools import partial

import sqlalchemy as sa

from labkit.agent import Agent
from labkit.agent.run import AgentRun
from labkit.agent.updates import ProgressUpdate
from labkit.clock import Clock
from labkit.postgres import in_transaction
from labkit.progress.commands import Command, apply_commands
from labkit.progress.telling import hint, publish
from labkit.store import VersionConflictError

KINDS = "cancel", "confirm", "priority"
CANCELLED = """
    SELECT EXISTS (SELECT 1 FROM labkit_commands WHERE run = %(run)s AND what::jsonb ->> 'do' = 'cancel')"""


class CancelledError(Exception):
    """The user has cancelled the run. It stays so, however often it is resumed."""


def followed(agent: Agent, engine: sa.Engine) -> Agent:
    """The agent, whose runs can be watched and commanded through the tables of `engine`."""
    return replace(agent, progress=partial(_tell, engine, agent.clock))


def resume(agent: Agent, engine: sa.Engine, run_id: str) -> AgentRun:
    """Apply what was confirmed, then go on with the run: `agent.resume`, of a followed agent.

    It returns at the latest when it needs a human again; call it when a command has come.
    """
    run = agent.resume(run_id)
    while run.question and _confirmed(agent, engine, run):
        run = agent.resume(run_id)
    return run


def _tell(engine: sa.Engine, clock: Clock, update: ProgressUpdate) -> None:
    """Tell it, unless the run was cancelled: then CancelledError. With its end, its commands have come to theirs."""

    def work(conn: sa.Connection) -> None:
        if not update.ends and conn.exec_driver_sql(CANCELLED, {"run": update.task}).scalar():
            raise CancelledError("the user has cancelled it")
        publish(conn, update.task, update, key=update.key)
        if update.ends:
            apply_commands(conn, update.task, dict.fromkeys(KINDS, _nothing), clock=clock)

    in_transaction(engine, work)
    hint(engine, update.task)


def _nothing(_: sa.Connection, __: Command) -> None:
    """To be done: the run has ended, by this command or before it."""


def _confirmed(agent: Agent, engine: sa.Engine, run: AgentRun) -> bool:
    """Whether a human has answered what this run asks; then the answer is saved in the run, and the command marked.

    VersionConflictError, and no command is marked, if the run has gone on: they may be about what it asks now.
    """
    answers: list[bool] = []

    def confirm(_: sa.Connection, said: Command) -> None:
        """Of an earlier question, or a second answer: nothing."""
        if not answers and said.what.get("step") == run.steps + 1:
            answers.append(bool(said.what.get("approved")))

    def work(conn: sa.Connection) -> None:
        answers.clear()
        found = apply_commands(conn, run.id, {"confirm": confirm}, clock=agent.clock)
        stored = agent.store.get(AgentRun, run.id)
        if found and (stored is None or stored.version != run.version):
            raise VersionConflictError(f"another worker has gone on with the run {run.id}: read it again")
        if answers:
            agent.answer(run.id, approved=answers[0])

    in_transaction(engine, work)
    return bool(answers)
