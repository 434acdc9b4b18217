"""Notebooks as they are committed: clean, freshly executed, and short and plain enough to be worked through."""

import json
import re
from pathlib import Path

import pytest

from labkit.repository import root

NOTEBOOKS = sorted(
    path for folder in ("notebooks", "solutions", "exercises") for path in (root() / folder).glob("*.ipynb")
)
EXECUTED = [path for path in NOTEBOOKS if path.parent.name != "exercises"]
CHAPTERS = [path for path in NOTEBOOKS if path.parent.name == "notebooks"]
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
END = "The main path ends here"
VOLATILE = r"0x[0-9a-f]{6,}|/tmp/|/dev/shm|/home/|/root/|/Users/|\bpid\b|\d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT"
PAGES = {"image/png", "text/html"}
TOLD = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d"
"""Of a report's page, no time of the real clock is part: test_report_walltimes.py. The others are the program's own."""
CONTRACTION = r"\b\w+(?:n't|'re|'ll|'ve|'d)\b|\b(?:it|that|there|what|he|she|let)'s\b|\bI'm\b"


def named(paths: list[Path]) -> dict:
    """Parameters with readable ids."""
    return {"argvalues": paths, "ids": [f"{path.parent.name}/{path.stem}" for path in paths]}


def cells(path: Path, kind: str | None = None) -> list[dict]:
    """The cells of a notebook, of one type or all."""
    return [cell for cell in json.loads(path.read_text())["cells"] if kind in (None, cell["cell_type"])]


def main_path(path: Path) -> list[dict]:
    """The cells of a chapter up to the line that ends its main path."""
    found = []
    for cell in cells(path):
        found.append(cell)
        if END in "".join(cell["source"]):
            break
    return found


def prose(chapter: list[dict]) -> str:
    """The text of markdown cells, without tables and code."""
    text = "\n\n".join("".join(cell["source"]) for cell in chapter if cell["cell_type"] == "markdown")
    text = re.sub(r"^\|.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"`([^`]*)`", "code", text)
    return re.sub(r"\]\([^)]*\)", "]", text)


def sentences(text: str) -> list[str]:
    """The sentences of a text; headings, list items and paragraphs end one too."""
    blocks = re.split(r"\n\s*\n|\n(?=[-#>*])", text)
    return [part for block in blocks for part in re.split(r"(?<=[.!?:])[*\")\]]*\s+", " ".join(block.split())) if part]


def terms(path: Path) -> list[str]:
    """The terms that a chapter defines: bold, and no run-in heading."""
    text = "\n".join("".join(cell["source"]) for cell in main_path(path) if cell["cell_type"] == "markdown")
    return [term for term in re.findall(r"\*\*([^*]+)\*\*", text) if term[-1] not in ".:"]


@pytest.mark.parametrize("path", **named(NOTEBOOKS))
def test_metadata_is_only_the_kernel_and_tags(path):
    """Nothing that differs from one machine to the next is committed."""
    notebook = json.loads(path.read_text())
    assert notebook["metadata"] == KERNEL
    assert [cell["id"] for cell in notebook["cells"] if set(cell["metadata"]) - {"tags"}] == []
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("path", **named(EXECUTED))
def test_executed_notebooks_were_run_from_top_to_bottom(path):
    """Execution counts are 1 … n, and no cell ends in an error that nothing declares."""
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    failed = [cell["id"] for cell in code for output in cell["outputs"] if output["output_type"] == "error"]
    assert failed == []


@pytest.mark.parametrize("path", **named(EXECUTED))
def test_outputs_hold_nothing_volatile(path):
    """No address, path, process id or time of day."""
    for cell in cells(path, "code"):
        text = json.dumps([{k: v for k, v in o.get("data", o).items() if k not in PAGES} for o in cell["outputs"]])
        page = json.dumps([o["data"]["text/html"] for o in cell["outputs"] if "text/html" in o.get("data", {})])
        assert not re.search(VOLATILE, re.sub(TOLD, "", page)), cell["id"]
        assert not re.search(VOLATILE, text), cell["id"]


@pytest.mark.parametrize("path", **named([path for path in NOTEBOOKS if path not in EXECUTED]))
def test_exercises_carry_no_outputs(path):
    """The student's own runs make them."""
    assert [cell["id"] for cell in cells(path, "code") if cell["outputs"] or cell["execution_count"]] == []


@pytest.mark.parametrize("path", **named(NOTEBOOKS))
def test_code_cells_fit_on_a_slide(path):
    """At most 15 lines, but for what is given or a solution."""
    long = {cell["id"]: len(cell["source"]) for cell in cells(path, "code") if len(cell["source"]) > 15}
    allowed = {cell["id"] for cell in cells(path, "code") if "given" in cell["metadata"].get("tags", [])}
    allowed |= {cell["id"] for cell in cells(path, "code") if "".join(cell["source"]).startswith("# answer:")}
    assert {cell: size for cell, size in long.items() if cell not in allowed} == {}


@pytest.mark.parametrize("path", **named(CHAPTERS))
def test_the_main_path_fits_in_45_minutes(path):
    """At most 20 code cells, 1,500 words and 6 new terms."""
    chapter = main_path(path)
    assert sum(cell["cell_type"] == "code" for cell in chapter) <= 20
    assert len(prose(chapter).split()) <= 1500
    assert len(terms(path)) <= 6, terms(path)


@pytest.mark.parametrize("path", **named(CHAPTERS))
def test_predictions_are_asked(path):
    """Not typed into a cell; each is revealed, and a chapter ends with how many were right."""
    code = ["".join(cell["source"]) for cell in cells(path, "code")]
    assert [source for source in code if re.search(r"^prediction\b", source, re.MULTILINE)] == []
    asked, revealed = (sum(source.count(name) for source in code) for name in ("= predict(", "guess.reveal("))
    assert asked == revealed > 0
    ends = "my_progress()" if path.stem == "00_start_here" else "predictions()"
    assert [source for source in code if source.endswith(ends)] != []


@pytest.mark.parametrize("path", **named(CHAPTERS))
def test_what_is_deeper_comes_after_the_main_path(path):
    """Cells tagged `deeper` are exactly those behind the line that ends the main path."""
    rest = cells(path)[len(main_path(path)) :]
    assert [cell["id"] for cell in rest if "deeper" not in cell["metadata"].get("tags", [])] == []
    assert [cell["id"] for cell in main_path(path) if "deeper" in cell["metadata"].get("tags", [])] == []


@pytest.mark.parametrize("path", **named(NOTEBOOKS))
def test_sentences_are_short_and_plain(path):
    """At most 20 words, no contractions: many readers have another first language."""
    text = prose(cells(path))
    assert [sentence for sentence in sentences(text) if len(sentence.split()) > 20] == []
    assert re.findall(CONTRACTION, text) == []


@pytest.mark.parametrize("path", **named(CHAPTERS))
def test_every_term_is_in_the_glossary(path):
    """A term is bold where it is defined, once in all chapters, and listed."""
    glossary = re.findall(r"^\*\*([^*]+)\*\*", (root() / "notebooks/glossary.md").read_text(), re.MULTILINE)
    assert [term for term in terms(path) if term not in glossary] == []
    others = [term for chapter in CHAPTERS if chapter != path for term in terms(chapter)]
    assert set(terms(path)) & set(others) == set()


def test_links_between_notebooks_lead_somewhere():
    """Every relative link names a file that is there."""
    for path in NOTEBOOKS:
        text = "\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_the_readmes_picture_is_the_chapters(monkeypatch):
    """It shows a sweep that really ran."""
    monkeypatch.syspath_prepend(root() / "tools")
    import notebooks

    assert (root() / notebooks.PICTURE[2]).read_bytes() == notebooks.picture()
