"""Engines of durable execution, killed: DBOS on the lab's PostgreSQL, each life in a process of its own.

life.py       one life: a process that runs a workflow until it ends, or until it kills itself before an effect
lives.py      the lives of executors as a notebook has them, with one world outside
sweeping.py   every crash point of a workflow, as a report like that of `labkit.sweep`
replaying.py  Temporal's replayer, over histories written by hand; imported by its own name

For a judge, whose answers run in children only:

together.py   lives one after another, each a fork of a bare trial, with many runs at once
many_runs.py  one of these lives: each run ends, or stops before an effect of its own
dice.py       chance that hangs on a run and its life
replays.py    many replays of one Temporal workflow, in a process that imports none of labkit

The lab's own sweep refuses threads, of which an engine has many. So these points are counted here: before each
statement with which the engine writes for the run, before each COMMIT behind one, and before each call of a tool.
"""

try:
    import dbos  # noqa: F401 - an extra
except ModuleNotFoundError:
    raise ImportError("the engines are not installed: run `make lab`") from None

from labkit.engines.lives import EngineError, Lab, Lived
from labkit.engines.sweeping import Ended, sweep_workflow

__all__ = ["Ended", "EngineError", "Lab", "Lived", "sweep_workflow"]
