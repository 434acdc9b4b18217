"""Progress: whoever waits sees what is going on, misses nothing, and has a say.

    publish: a row with the next number of its run → stream, from any number on, to the end → frame: one SSE event
    command: a row before it is acknowledged → apply_commands, between two steps: once

    labkit_streams      run, last: the last number of each run
    labkit_updates      run, number, key, body: what was told
    labkit_commands     run, id, what, number, saved_at; applied_at: what the user wants

A number is taken under the lock of the run's row, as in `labkit.events`: no gap, and the order of the commits. So
whoever has seen 7 needs to say only that. `followed` makes of an agent one that tells and obeys.
"""

from labkit.agent.updates import ProgressUpdate, Status
from labkit.progress.agents import CancelledError, followed, resume
from labkit.progress.commands import Command, apply_commands, command
from labkit.progress.streaming import frame, stream, updates_after
from labkit.progress.tables import create_tables
from labkit.progress.telling import CHANNEL, hint, publish

__all__ = [
    "CHANNEL", "CancelledError", "Command", "ProgressUpdate", "Status", "apply_commands", "command", "create_tables",
    "followed", "frame", "hint", "publish", "resume", "stream", "updates_after",
]  # fmt: skip
