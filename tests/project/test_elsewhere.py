"""Other programs show notebooks, too: whatever is shown has a form for each, and HTML needs nothing of JupyterLab's."""

import json
import re

import pytest

from labkit.repository import root

NOTEBOOKS = sorted([*root().glob("notebooks/*.ipynb"), *root().glob("solutions/*.ipynb")])
WIDGET = "application/vnd.jupyter.widget-view+json"
TEMPLATES = sorted((root() / "labkit").rglob("templates/*.*"))
KNOWN = {"text/html", "image/png", "text/plain"}
"""Shown by JupyterLab, VS Code, the classic notebook and GitHub."""


def outputs(path):
    """What cells of a notebook show, by MIME type."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return [each["data"] for cell in cells for each in cell.get("outputs", []) if "data" in each]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_is_shown_has_a_form_for_each_program(path):
    """Never HTML alone: there is text, and for a report a picture. No widget is stored, for its kernel is gone."""
    for shown in outputs(path):
        assert shown.keys() <= KNOWN
        assert "".join(shown["text/plain"]).strip()
        if "labkit-report" in "".join(shown.get("text/html", "")) and "crash points" in "".join(shown["text/plain"]):
            assert "image/png" in shown


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_html_needs_nothing_of_jupyterlabs(path):
    """A colour or a font of JupyterLab's theme has another one beside it, for where there is no such theme."""
    text = path.read_text("utf-8")
    assert re.findall(r"var\(--[\w-]+\)", text) == []
    assert re.findall(r"<script|\bsrc=|\bon[a-z]+=", text) == []
