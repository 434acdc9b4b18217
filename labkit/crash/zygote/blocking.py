"""For whom a worker of a race waits: who has the file lock that it wants, or what PostgreSQL says."""

from collections.abc import Iterable

from labkit.crash.world_process.control import WorldProcess
from labkit.crash.zygote.workers import Worker


def holders(workers: Iterable[Worker], worker: Worker) -> list[str]:
    """Who has the file lock that is a worker's next step: so it need not try."""
    if worker.step is None or worker.step.op != "lock":
        return []
    lock = next(list(thing) for thing, _ in worker.step.touches if thing[0] == "held")
    if [lock, True] in worker.held:  # it asks for another kind of it
        return []
    return _who_has(lock, (each for each in workers if each is not worker))


def blockers(world: WorldProcess, workers: Iterable[Worker], worker: Worker) -> list[str]:
    """For whom it waits, before its step or in the middle of it."""
    workers = [*workers]
    if worker.lock:
        return _who_has([*worker.lock], workers)
    if found := holders(workers, worker):
        return found
    if worker.backend is None or not worker.inside:
        return []
    pids = {*world.ask("blockers", worker.backend)}
    return [each.name for each in workers if each.step and each.backends & pids and each is not worker]


def _who_has(lock: list[str], workers: Iterable[Worker]) -> list[str]:
    return [each.name for each in workers if each.step and [lock, True] in each.held]
