"""Whether a run may be believed: it did what was recorded, saw all that it did, and left what that explains.

What cannot be believed is NotExploredError, and no verdict.
"""

import operator

from labkit.crash.jobs import Job, Memory
from labkit.crash.news import Done, Opened, Refused
from labkit.crash.zygote.disk import Disk
from labkit.crash.zygote.endings import Ending, How, NotExploredError
from labkit.crash.zygote.trees import Tree, differing


def check_repeats(job: Job, ending: Ending, recording: Ending) -> None:
    """A killed run stopped at its crash point, having done what the recording did up to there."""
    k = job.stop.at
    check_let(job.role, ending)
    if ending.how is not How.STOPPED or ending.status != -9:
        raise NotExploredError(f"crash point {k} was not reached: the {job.role} {ending.words}")
    if ending.labels != (labels := recording.labels[:k]):
        same = [*map(operator.eq, ending.labels, labels), False].index(False)
        raise NotExploredError(
            f"NONDETERMINISTIC: the {job.role}, repeated with the same seed, did {_few(ending.labels[same:])} "
            f"where it had done {_few(labels[same:])}: threads, or chance and time from outside Python?"
        )


def check_explained(k: int, ending: Ending, disk: Disk, left: Tree) -> None:
    """The files that the kill left are those of the model, apart from what C code was seen to change."""
    if names := sorted(differing(disk.tree(), left) - ending.native):
        seen = f"after {ending.labels[-1]}" if ending.labels else "before the first effect"
        raise NotExploredError(
            f"something changed {_few(names)} that the crash lab did not see ({seen}, before crash point {k}), so "
            "not every crash point was explored: was it C code, or another process?"
        )


def check_let(role: str, ending: Ending) -> None:
    """What the guard refused is no verdict, whatever the program made of the refusal."""
    for news in ending.news:
        if isinstance(news, Refused):
            raise NotExploredError(f"{role} was going to {news.what}: {news.todo}", news.lines)


def check_requests(ending: Ending, memory: Memory) -> None:
    """Each request that the model server has had must be an effect that was seen. To services, no other leads."""
    served = [each.world["model"].get("requests", 0) for each in (memory, ending.memory)]
    http = sum(effect.op in {"GET", "POST"} for effect in ending.effects)
    asked = ending.memory.services["log"][len(memory.services["log"]) :]
    seen = http - sum(request["method"] in {"GET", "POST"} for _, _, request, _ in asked)
    if served[1] - served[0] > seen:
        raise NotExploredError(
            f"the model was asked {served[1] - served[0]} times, and the crash lab saw {seen} of them: "
            "make the client by labkit.llm.client"
        )


def replayed(tree: Tree, ending: Ending, *, ext4: bool = False) -> Disk:
    """The model of the disk after the effects of a run."""
    disk = Disk(tree, ext4=ext4)
    disk.native = ending.native
    try:
        for news in ending.news:
            if isinstance(news, Opened):
                disk.bind(news.handle, news.path)
            elif isinstance(news, Done):
                disk.apply(news)
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, MemoryError):
        # Code under test has told it, not the shim.
        raise NotExploredError("the process told of effects that there cannot have been") from None
    return disk


def _few(names: list[str]) -> str:
    """Names for one line."""
    shown = ", ".join(names[:3]) or "nothing"
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
