"""What is installed: derived files are fresh, the lock fits pyproject, and there are packages for every platform."""

import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
import warnings
from itertools import cycle

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rattler import MatchSpec

from labkit.repository import root

PYPROJECT = tomllib.loads((root() / "pyproject.toml").read_text())["project"]
EXTRAS = [wanted for extra in PYPROJECT["optional-dependencies"].values() for wanted in extra]
LOCK = (root() / "requirements.lock").read_text().splitlines()
MADE = runpy.run_path(str(root() / "tools" / "environment.py"))["environment"]()
PLATFORMS = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "aarch64-apple-darwin",
    "x86_64-apple-darwin",
    "x86_64-pc-windows-msvc",
]


def conda_and_pip():
    """What environment.yml asks of conda, and what of pip."""
    *conda, pip = yaml.safe_load(MADE["environment.yml"])["dependencies"]
    return conda, pip["pip"]


@pytest.mark.parametrize("name", MADE)
def test_what_sets_the_lab_up_is_fresh(name):
    """environment.yml, and the files for Binder and a container, are what tools/environment.py makes of pyproject."""
    assert (root() / name).read_text("utf-8") == MADE[name], "run `make environment`"


PROPERTIES = {
    "name": {"type": "string"},
    "image": {"type": "string"},
    "postCreateCommand": {"type": ["string", "array", "object"]},
    "customizations": {"type": "object"},
}
"""Of the published schema (github.com/devcontainers/spec, devContainer.base.schema.json): what of it is used here."""


def test_the_container_has_the_published_form():
    """What it names is in the schema, with its types; a command of it is one of ours; its Python is allowed."""
    container = json.loads(MADE[".devcontainer/devcontainer.json"])

    jsonschema.validate(container, {"type": "object", "required": ["image"], "properties": PROPERTIES})
    assert container.keys() <= PROPERTIES.keys()
    vscode = container["customizations"]["vscode"]
    assert all(re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", name) for name in vscode["extensions"])
    image, _, version = container["image"].partition(":")
    assert image == "mcr.microsoft.com/devcontainers/python"
    assert SpecifierSet(PYPROJECT["requires-python"]).contains(version)
    installed, copied = container["postCreateCommand"].split(" && ")
    assert subprocess.run([*installed.split(), "--dry-run"], cwd=root(), check=False).returncode == 0
    assert copied == ".venv/bin/labkit lab --copy"
    assert vscode["settings"]["python.defaultInterpreterPath"].endswith("/.venv/bin/python")


def test_binder_finds_what_it_reads():
    """A conda environment of Python and pip alone, and a program that installs the rest as environment.yml does."""
    conda = yaml.safe_load(MADE[".binder/environment.yml"])
    post_build = root() / ".binder/postBuild"

    assert {path.name for path in post_build.parent.iterdir()} == {"environment.yml", "postBuild"}
    assert conda.keys() <= {"name", "channels", "dependencies"}
    assert conda["dependencies"] == conda_and_pip()[0]
    assert MADE[".binder/postBuild"].startswith("#!/bin/sh\n")
    assert os.access(post_build, os.X_OK)
    assert " ".join(conda_and_pip()[1]) in MADE[".binder/postBuild"]
    assert subprocess.run(["sh", "-n", post_build], check=False).returncode == 0


def test_conda_gives_python_and_pip_alone():
    """Conda gives a Python that pyproject allows, and pip; pip gives the rest, and labkit itself from the clone."""
    conda, pip = conda_and_pip()

    assert [spec.name.normalized for spec in (MatchSpec(spec, strict=True) for spec in conda)] == ["python", "pip"]
    assert conda[0] == f"python{PYPROJECT['requires-python']}"
    assert pip == ["-c requirements.lock", "-e .[brokers,engines]"]


def test_the_lock_holds_names_and_versions_alone():
    """No address, path, hash or comment: the lock serves every index."""
    pin = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.+]*( ; [a-z_]+ [a-z0-9_.'<>=!() -]+)?", re.IGNORECASE)

    assert [line for line in LOCK if not pin.fullmatch(line)] == []


@pytest.mark.parametrize("wanted", [*PYPROJECT["dependencies"], *EXTRAS])
def test_the_lock_fits_pyproject(wanted):
    """Whatever pyproject asks for is locked, at versions that it allows."""
    wanted = Requirement(wanted)
    locked = [pin for pin in map(Requirement, LOCK) if pin.name == wanted.name.lower()]

    assert locked, f"run `make lock`: {wanted.name} is not locked"
    for pin in locked:
        (version,) = (specifier.version for specifier in pin.specifier)
        assert wanted.specifier.contains(version, prereleases=True), f"run `make lock`: {pin} is not {wanted}"


def resolve(*arguments, requirements):
    """What uv says to `requirements`, given on its standard input."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "uv",
            "pip",
            "compile",
            "--quiet",
            "--no-header",
            "--no-python-downloads",
            *arguments,
            "-",
        ],
        input=requirements,
        cwd=root(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def index():
    """A package index that answers. Without one the gate fails in CI, and elsewhere says aloud that it did not run."""
    if not (answer := resolve(requirements="pip")).returncode:
        return
    message = "NOT CHECKED: whether the packages resolve on every platform; no package index answers"
    if os.environ.get("CI"):
        pytest.fail(f"{message}\n{answer.stderr}")
    warnings.warn(message, stacklevel=1)
    pytest.skip(message)


@pytest.mark.slow
@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(("platform", "python"), [*zip(PLATFORMS, cycle(["3.11", "3.14"]), strict=False)])
def test_the_packages_resolve(platform, python):
    """What environment.yml and `make test` install exists, ready built, at the locked versions."""
    _, pip = conda_and_pip()

    resolved = resolve(
        *("--only-binary", ":all:", "--python-platform", platform, "--python-version", python),
        requirements="\n".join([*pip, *EXTRAS]),
    )

    assert resolved.returncode == 0, resolved.stderr
