"""A class of attackers, and graders that have less than root has."""

import json
import shutil

from answers.hostile import ATTACKS, answer

from labkit.grading.sandbox import guarantees
from labkit.isolation.namespaces import NOBODY, Plan
from labkit.repository import root

UNAPART = """
import sys
from labkit.grading.sandbox import guarantees
guarantees.allowed = lambda read: False
from labkit.cli import main
sys.exit(main())
"""
"""A `labkit grade` on a machine without namespaces, as a program for `python -c`."""


def attackers(where, port):
    """Hand in a solution of exercise 3 for each attack, with the attack in it."""
    places = {"CANARY": str(where / "canary"), "REPOSITORY": str(root()), "PORT": str(port)}
    solution = json.loads((root() / "solutions" / "03_backoff.ipynb").read_text())
    for attack in ATTACKS:
        for each in solution["cells"]:
            if "".join(each["source"]).startswith("# answer: full_jitter"):
                each["source"] = answer(attack, **places)
        (where / "class" / attack).mkdir(parents=True)
        (where / "class" / attack / "03_backoff.ipynb").write_text(json.dumps(solution))


def two_cases(folder):
    """A folder with exercise 3, of whose cases two are left: an attack that never ends takes its time in each."""
    shutil.copytree(root() / "exercises", folder)
    text = (folder / "criteria.toml").read_text().partition("[exercises.03_backoff]")
    head, *cases = text[2].partition("[exercises.04_deadlines]")[0].split("[[exercises.03_backoff.cases]]")
    kept = [case for case in cases if 'id = "spreads"' in case or 'id = "returns_value"' in case]
    (folder / "criteria.toml").write_text("[[exercises.03_backoff.cases]]".join([text[1] + head, *kept]))
    return folder


def as_nobody(folder, *read):
    """What stands before a command that nobody is to run."""
    plan = Plan(NOBODY, (*guarantees.readable(), *map(str, read)), (str(folder),))
    return *plan.command(), "env", f"HOME={folder}"
