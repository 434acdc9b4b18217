"""The second capstone: the rows of its checklist, and the gauntlet of the service."""

from labkit.gauntlet import course
from labkit.gauntlet.course import Gauntlet, Run, answers_for
from labkit.gauntlet.service.carries_out import carries_out
from labkit.gauntlet.service.everything import everything
from labkit.gauntlet.service.hands_over import hands_over
from labkit.gauntlet.service.shares_state import shares_state
from labkit.gauntlet.service.shows_progress import shows_progress
from labkit.gauntlet.service.tells_others import tells_others

FIRST_PART = tuple(name for each in course.RUNS.values() for name in each.adds)
"""The answers that the agent is made of."""
RUNS = {
    "carries_out": Run(
        carries_out,
        FIRST_PART,
        tuple(name for name in course.RUNS if name != "everything"),
        "an order is carried out, by all that the first part has taught",
    ),
    "hands_over": Run(hands_over, ("submit", "wait", "drain")),
    "tells_others": Run(tells_others, ("record", "relay", "receive", "verify", "next_attempt", "deliver")),
    "shows_progress": Run(shows_progress, ("publish", "frame", "stream", "command", "work_on", "may_command")),
    "shares_state": Run(shares_state, ("read_state", "save_state", "go_on")),
    "everything": Run(everything),
}


def service_gauntlet() -> Gauntlet:
    """The gauntlet for the service with a student's answers in it, those in work/, and labkit's own for the rest."""
    return Gauntlet(answers_for(RUNS), runs=RUNS, who="the service", blames=True)
