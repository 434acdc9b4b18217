"""`labkit serve`: the page of a run, with the server and a worker behind it, until it is stopped."""

import argparse
import importlib.util
import os
import secrets
import time
from pathlib import Path
from typing import Any

from labkit.repository import UsageError

PAUSE = 1.5
"""Seconds for which each tool of the story takes, so that somebody can watch."""


def serve(arguments: argparse.Namespace) -> int:
    """Start a run, or go on with it, and serve its page until Control-C."""
    from labkit import database  # noqa: PLC0415 - `labkit --help` must not wait for the driver
    from labkit.agent.run import AgentRun  # noqa: PLC0415
    from labkit.clock import SystemClock  # noqa: PLC0415
    from labkit.postgres import PostgresStateStore  # noqa: PLC0415
    from labkit.progress import create_tables, followed  # noqa: PLC0415
    from labkit.store import AlreadyExistsError  # noqa: PLC0415
    from labkit.web import ServerError, serving  # noqa: PLC0415
    from labkit.web.working import working  # noqa: PLC0415

    make = _given(arguments.file) if arguments.file else _story
    engine, clock = database.engine(), SystemClock()
    create_tables(engine)
    store = PostgresStateStore(engine, clock)
    agent = followed(_made(make, arguments.file, store, clock), engine)
    try:
        agent.start(arguments.goal, arguments.run_id)
    except AlreadyExistsError:
        print(_known(store.get(AgentRun, arguments.run_id)))
    try:
        with serving(database.url(), _secret(database.home()), arguments.port or 0) as server:
            print(f"Open {server.page(arguments.run_id)}\nControl-C stops it.", flush=True)
            with working(agent, engine, {arguments.run_id}):
                while True:
                    time.sleep(1)
                    server.start()  # if it was killed
    except ServerError as error:
        raise UsageError(str(error)) from None


def _given(path: Path) -> Any:
    """The function `agent(store, clock)` of a file of the student's own."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location("labkit_served", path)
    if spec is None:
        raise UsageError(f"{path} is no Python file: its name ends in .py")
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UsageError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    if not callable(getattr(module, "agent", None)):
        raise UsageError(f"{path} has no function agent(store, clock) that returns an Agent")
    return module.agent


def _made(make: Any, path: Path | None, store: Any, clock: Any) -> Any:
    """The agent that this function makes."""
    from labkit.agent import Agent  # noqa: PLC0415 - as above

    try:
        agent = make(store, clock)
    except (Exception, SystemExit) as error:
        raise UsageError(f"agent(store, clock) of {path}: {type(error).__name__}: {error}") from error
    if not isinstance(agent, Agent):
        raise UsageError(f"agent(store, clock) of {path} returned {type(agent).__name__}; expected an Agent")
    return agent


def _known(run: Any) -> str:
    if run.state in {"completed", "failed"}:
        return f"The run {run.id} has {run.state}: its page shows how. For another one: --run NAME"
    return f"Going on with the run {run.id}"


def _story(store: Any, clock: Any) -> Any:
    """The agent of the full disk, who takes a while for each step, and must ask before it deletes anything."""
    from dataclasses import replace  # noqa: PLC0415

    from labkit import llm  # noqa: PLC0415 - as above
    from labkit.agent import Agent  # noqa: PLC0415
    from labkit.agent.tools import Risk  # noqa: PLC0415
    from labkit.course import stories  # noqa: PLC0415

    def slowly(tool: Any) -> Any:
        def use(*given: Any) -> str:
            clock.sleep(PAUSE)
            return tool.use(*given)

        return replace(tool, use=use)

    llm.use(stories.DISK.turns)
    tools = [slowly(tool) for tool in stories.DISK.tools]
    return Agent(llm.client(clock, scripted=True), tools, store, clock, approve=frozenset({Risk.WRITE_LOCAL}))


def _secret(home: Path) -> str:
    """The same at each start, so that an address that was given to somebody stays right."""
    from filelock import FileLock  # noqa: PLC0415 - as above

    path = home / "web-secret"
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if not path.exists():
            beside = home / "web-secret.new"  # whole, or not there: a start may be killed at any point
            beside.unlink(missing_ok=True)
            beside.touch(0o600)
            beside.write_text(secrets.token_hex(), encoding="utf-8")
            os.replace(beside, path)
    return path.read_text("utf-8")
