"""Orders come in, and workers take them: the queue of the service, by the answers of exercise 9.

pending → running (taken) → completed; a worker that is told to stop, or has died, leaves it pending again.
"""

from datetime import timedelta
from typing import Any

from labkit import world
from labkit.clock import SystemClock
from labkit.deadlines import Deadline
from labkit.gauntlet.parts import Parts
from labkit.gauntlet.service.schemas import ask, at

TAKE = """
    UPDATE tasks SET state = 'running', token = token + 1 WHERE id = (
        SELECT id FROM tasks WHERE state = 'pending' ORDER BY wish -> 'priority' DESC, number LIMIT 1
        FOR UPDATE SKIP LOCKED)
    RETURNING id, token, wish ->> 'user_input'"""
FINISH = """
    UPDATE tasks SET state = 'completed', result = %s WHERE id = %s AND token = %s AND state = 'running'"""
LEFT = "SELECT id, token FROM tasks WHERE state = 'running' ORDER BY number"


def accept(parts: Parts, wish: str, key: str, priority: int = 0) -> None:
    """Take an order in, and say so: from now on the customer is gone, and the order is ours."""
    with at("queue") as conn:
        world.ack(f"accepted {parts['submit'](conn, wish, key, priority)}")


def take() -> tuple[str, int, str] | None:
    """The next order for this worker: its id, the token, and what is wanted."""
    return next(iter(ask("queue", TAKE)), None)


def finish(order: str, token: int, result: str) -> None:
    """Store what came of it, if it is still ours."""
    ask("queue", FINISH, result, order, token)


def stop(parts: Parts, *held: tuple[str, int]) -> None:
    """Give back what a worker holds that is told to stop."""
    with at("queue") as conn:
        parts["drain"](conn, [parts["Held"](*each) for each in held])


def begin(parts: Parts) -> None:
    """What a worker does first when its machine has started again: give back what the dead one held."""
    if left := ask("queue", LEFT):
        stop(parts, *left)


def wait(parts: Parts, order: str, seconds: float) -> list[Any]:
    """What the customer is told who waits so long. DeadlineExceeded if that is too late."""
    clock = SystemClock()
    deadline = Deadline(clock.now() + timedelta(seconds=seconds), clock)
    with at("queue") as conn:
        task = parts["wait"](conn, order, deadline, clock)
    return [str(task.state), task.result]
