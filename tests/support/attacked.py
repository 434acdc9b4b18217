"""A class of attackers, and graders that have less than root has."""

import json
import os
import shutil
import zipfile
from pathlib import Path

from answers import informed
from answers.hostile import ATTACKS, answer
from own_class import RIGHT, WRONG, hand_in

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


def informed_attackers(where, port):
    """Hand in an answer to 90_double for each attack by who knows the design, odd files, one who is right, one who not.

    Returns who may be right all the same, or could not be read.
    """
    handed = where / "class"
    places = {"CANARY": str(where / "canary"), "LISTENER": f"labkit-test-{port}"}
    for number, attack in enumerate(informed.ATTACKS):
        hand_in(handed, f"attack {number}", informed.answer(attack, **places))
    for number, make in enumerate((deep, _nested_json, _many_files, _odd_names, _bomb, _endless_number, _pipe)):
        folder = handed / f"files {number}"
        folder.mkdir()
        make(folder)
    hand_in(handed, "honest right", RIGHT)
    hand_in(handed, "honest wrong", WRONG)
    right = [f"attack {informed.ATTACKS.index(attack)}" for attack in informed.MAY_PASS]
    return {*right, *(f"files {number}" for number in range(7))}


def deep(folder):
    """Folders in folders, deeper than any path can be."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(2000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def _nested_json(folder):
    (folder / "90_double.ipynb").write_text('{"cells": ' + "[" * 200_000 + "]" * 200_000 + "}")


def _many_files(folder):
    for number in range(5200):
        (folder / f"{number}.ipynb").touch()


def _odd_names(folder):
    for name in (b"\xff\xfe.ipynb", b"a\nb.ipynb", b"=1+1.ipynb", b"<b>.ipynb", b"\x1b[2J.ipynb"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_text("{}")


def _bomb(folder):
    with zipfile.ZipFile(folder / "work.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("90_double.ipynb", bytes(300 * 2**20))


def _endless_number(folder):
    (folder / "90_double.ipynb").write_text('{"cells": [], "nbformat": ' + "9" * 2_000_000 + "}")


def _pipe(folder):
    os.mkfifo(folder / "90_double.ipynb")


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
