"""What the zygote's process answers: a sweep, a crash point once more, a run line by line, a single trial."""

from functools import partial

from labkit.crash.asked import PointLeft, Race, Raced, Replay, Request, Step, Stepped, Sweep, Swept, TrialRun, Tried
from labkit.crash.jobs import Stop
from labkit.crash.news import Native, plain
from labkit.crash.zygote.endings import How, NotExploredError
from labkit.crash.zygote.explore import Explorer
from labkit.crash.zygote.race import RaceExplorer
from labkit.crash.zygote.trees import read_tree, shown, write_tree
from labkit.crash.zygote.zygote import Zygote
from labkit.isolation import process

FEW = 4
"""The least crash points for which another zygote is forked."""


def answer(zygote: Zygote, request: Request) -> Swept | PointLeft | Stepped | Tried | Raced:
    """Do what is asked. NotExploredError if that is not possible; a Swept names its problem itself."""
    match request:
        case Sweep():
            return _sweep(zygote, request)
        case Replay(programs, k):
            return Explorer(zygote, programs).point(k)
        case Race():
            return RaceExplorer(zygote, request).explore()
        case Step():
            return _step(zygote, request)
        case TrialRun():
            return _trial(zygote, request)
    raise TypeError(f"{request!r} is no request")


def _sweep(zygote: Zygote, request: Sweep) -> Swept:
    """Explore every crash point, on as many processors as there are. What stands in the way is the `problem`."""
    before = zygote.processes
    swept = Swept(spawned=process.SPAWN)
    try:
        explorer = Explorer(zygote, request.programs)
    except NotExploredError as problem:
        swept.problem, swept.lines, swept.processes = str(problem), problem.lines, zygote.processes - before
        return swept
    swept.effects = [(effect.op, effect.target, effect.lines) for effect in explorer.recording.effects]
    swept.native = sorted({news.path for news in explorer.recording.news if isinstance(news, Native)})
    swept.processes = zygote.processes - before
    parts = shares(len(swept.effects) + 1, zygote.width)
    for explored in zygote.in_parallel([partial(explorer.points, part) for part in parts], explorer.seeds):
        swept.points += explored.points
        swept.processes += explored.processes
        if swept.problem is None:
            swept.problem, swept.lines = explored.problem, explored.lines
    return swept


def shares(count: int, width: int) -> list[range]:
    """`count` crash points in neighbouring parts, one for each processor; few points stay together."""
    width = min(width, max(1, count // FEW))
    return [range(count * i // width, count * (i + 1) // width) for i in range(width)]


def _step(zygote: Zygote, request: Step) -> Stepped:
    explorer = Explorer(zygote, request.programs)
    job = request.programs.job("run", stop=Stop(request.k), by_line=True)
    write_tree(explorer.sandbox, zygote.tmp, explorer.tree)
    ending = zygote.perform(job, explorer.memory, explorer.sandbox)
    return Stepped([plain(news) for news in ending.news], shown(read_tree(explorer.sandbox, zygote.tmp)))


def _trial(zygote: Zygote, request: TrialRun) -> Tried:
    memory, folder = request.memory, request.sandbox or zygote.folder / "sandbox"
    if request.sandbox is None:
        write_tree(folder, zygote.tmp, {})
    if request.setup is not None:
        ending = zygote.perform(request.setup, memory, folder)
        if ending.how is not How.RETURNED:
            raise NotExploredError(f"setup {ending.words}", ending.failure.lines)
        memory = ending.memory
    ending = zygote.perform(request.job, memory, folder)
    files = shown(read_tree(folder, zygote.tmp)) if request.sandbox is None else {}
    failure = ending.failure if ending.how in {How.RAISED, How.WAITING, How.HUNG} else None
    return Tried(
        ending.how, ending.words, failure, ending.returned.value, ending.labels, files, ending.memory, ending.output
    )
