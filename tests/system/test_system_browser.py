"""What a student sees, in a real browser: `make system` runs it, and needs Chromium.

The start page runs from top to bottom and shows its pictures. It asks for predictions, and what came out waits.
An exercise says in one line what is still to do. A report is explored by keyboard, by a screen reader, in both themes,
on a narrow screen, in a notebook from elsewhere. LABKIT_SCREENSHOTS=folder keeps what was seen.
"""

import json
import os
import shutil

import pytest
from playwright.sync_api import sync_playwright
from rest import rest_is_long
from running_lab import address_of, clone, lab  # noqa: F401 - fixtures

from labkit.repository import WORK

KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
IDLE = "jupyterapp.shell.currentWidget.sessionContext.session.kernel.status == 'idle'"
READY = """async () => {
    const session = jupyterapp.shell.currentWidget.sessionContext;
    await session.ready;
    await session.session.kernel.info;
}"""
OUTPUTS = """() => jupyterapp.shell.currentWidget.content.model.sharedModel.cells
    .map(cell => cell.toJSON()).filter(cell => cell.cell_type == 'code')
    .map(cell => ({source: [cell.source].flat().join(''), outputs: cell.outputs}))"""


@pytest.fixture
def page(lab):  # noqa: F811
    """A browser on the lab's start page."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "this test needs Chromium: install it, for example with `apt-get install chromium`"
    address = address_of(lab)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.address = address
        page.goto(address.geturl())
        yield page
        keep(page, page.title().replace("/", "-"))
        browser.close()


def keep(page, name: str) -> None:
    """Screenshots, for whoever wants to look: in both themes, on a wide and on a narrow screen."""
    if folder := os.environ.get("LABKIT_SCREENSHOTS"):
        for theme in ("Dark", "Light"):
            page.evaluate(f"jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {theme}'}})")
            for width in (800, 1280):
                page.set_viewport_size({"width": width, "height": 800})
                page.wait_for_timeout(500)
                page.screenshot(path=f"{folder}/{name}-{theme}-{width}.png")


def opened(page, path: str) -> None:
    """Open a notebook of the lab, alone."""
    page.goto(page.address._replace(path=f"/lab/tree/{path}", query=f"{page.address.query}&reset").geturl())
    page.wait_for_function("window.jupyterapp && jupyterapp.shell.currentWidget?.sessionContext")


def run_all(page) -> list[dict]:
    """Run the open notebook's cells; returns their sources and outputs."""
    page.wait_for_function("window.jupyterapp && jupyterapp.shell.currentWidget?.sessionContext")
    page.evaluate(READY)
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(IDLE, timeout=60_000)
    return page.evaluate(OUTPUTS)


def texts(cells: list[dict]) -> str:
    """All that the cells' own outputs say."""
    return json.dumps([cell["outputs"] for cell in cells])


def by_keyboard(page, label: str, value: str) -> None:
    """Type a number into the field of this label, go on to the button, and press it."""
    field = page.get_by_label(label, exact=True)
    field.scroll_into_view_if_needed()
    field.focus()
    for key in ("Control+A", *value, "Tab"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.textContent") == "Predict"
    page.keyboard.press("Enter")


def test_the_start_page_runs_and_shows_its_pictures(page):
    """Every cell ends without an error, and a sweep is seen as a picture that fits on a laptop's screen."""
    ran = run_all(page)
    page.get_by_role("heading", name="Start here").wait_for(state="attached")
    failed = [cell["source"] for cell in ran for output in cell["outputs"] if output["output_type"] == "error"]
    assert failed == []
    page.evaluate(
        "(notebook => notebook.scrollToItem(notebook.widgets.length - 2))(jupyterapp.shell.currentWidget.content)"
    )
    picture = page.locator(".labkit-report").last
    picture.wait_for()
    assert 300 < picture.bounding_box()["width"] <= 1280
    assert page.get_by_text("Would you like to get notified").count() == 0


@pytest.mark.timeout(300)
def test_a_prediction_is_asked_kept_and_compared(page):
    """By keyboard alone; no answer stands before it, and a restart of the kernel forgets nothing."""
    ran = run_all(page)
    assert "it is 1 of 5" not in texts(ran)
    assert page.get_by_text("Predict first: what came out appears here.").count() == 2
    page.get_by_label("notify").scroll_into_view_if_needed()
    keep(page, "asked")
    by_keyboard(page, "From 0 to 5.", "0")
    page.get_by_text("You predicted 0; it is 1 of 5. You were off by 1.").wait_for()
    page.get_by_text("You predicted 0.", exact=True).wait_for()
    picture = page.locator(".labkit-report").first
    picture.wait_for()
    page.get_by_text("You predicted 0.", exact=True).scroll_into_view_if_needed()
    keep(page, "predicted")

    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    ran = run_all(page)
    assert "Your prediction: 0." in texts(ran)
    assert "You predicted 0; it is 1 of 5. You were off by 1." in texts(ran)
    assert page.get_by_text("Predict first: what came out appears here.").count() == 1
    assert "1 of 2, 0 right" in texts(ran), "the map knows"
    page.get_by_text("what it promises").scroll_into_view_if_needed()
    keep(page, "map")


def test_an_unsolved_exercise_says_what_is_to_do(page):
    """The first check stops the run with its verdict and one line, no traceback."""
    opened(page, f"{WORK}/exercises/01_file_storage.ipynb")
    said = json.dumps(run_all(page))
    assert "TODO  saves_whole" in said
    page.get_by_text("CriteriaNotMet: 0 of 1 cases met; to do: saves_whole").wait_for()
    assert page.get_by_text("Traceback").count() == 0


SWEEP = """import os
from pathlib import Path
from labkit.crash import sweep
from labkit.world import ack, tool

def run():
    for step in ("deploy_container", "configure_monitoring", "notify"):
        if not os.path.exists(step):
            tool(step, service="shop")
            Path(step).write_text("done")

def once(seen):
    names = [call.tool for call in seen.ledger]
    assert len({*names}) == len(names), f"{names[0]} was called twice"

report = sweep(run, run, once, power=True, name="a short agent")
report"""
CONTRAST = """report => {
    const parts = text => text.match(/[\\d.]+/g).map(Number);
    const light = rgb => { const [r, g, b] = rgb.map(v => v / 255).map(
        v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const behind = element => { const layers = [];
        for (; element; element = element.parentElement) {
            const [r, g, b, a = 1] = parts(getComputedStyle(element).backgroundColor);
            layers.push([r, g, b, a]); if (a == 1) break; }
        return layers.reduceRight((under, [r, g, b, a]) => [r, g, b].map((v, i) => v * a + under[i] * (1 - a)),
                                  [255, 255, 255]); };
    const found = [];
    const walker = document.createTreeWalker(report, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || element.tagName == 'STYLE') continue;
        const under = behind(element), [r, g, b, a = 1] = parts(getComputedStyle(element).color);
        const [one, other] = [light([r, g, b].map((v, i) => v * a + under[i] * (1 - a))), light(under)];
        found.push((Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)); }
    return Math.min(...found); }"""


def run_cell(page, folder, source: str) -> None:
    """Open a notebook of this one cell, and run it."""
    cell = {
        "cell_type": "code",
        "id": "sweep",
        "source": source,
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    notebook = {"cells": [cell], "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5}
    (folder / "swept.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    opened(page, "swept.ipynb")
    run_all(page)


@pytest.fixture
def swept(page, clone):  # noqa: F811
    """A notebook that has swept a short agent, and its report."""
    run_cell(page, clone, SWEEP)
    page.locator(".labkit-report").wait_for()
    return page.locator(".labkit-report")


def explore(page, report, name: str) -> None:
    """Open the first crash point that breaks the program, by keyboard alone."""
    first, second = (report.locator(":scope > details").nth(number) for number in (0, 1))
    left = second.get_by_text("what the crash left").first
    first.locator("> summary").focus()
    page.keyboard.press("Tab")
    assert second.locator("> summary").evaluate("row => row === document.activeElement")
    assert not left.is_visible()
    page.keyboard.press("Enter")
    left.wait_for()
    assert second.get_by_text("deploy_container was called twice").first.is_visible()
    keep(page, name)
    page.keyboard.press("Space")
    left.wait_for(state="hidden")
    page.keyboard.press("Enter")
    left.wait_for()


def test_a_report_is_explored_by_keyboard_and_by_a_screen_reader(page, swept):
    """Tab goes from crash point to crash point, Enter and Space unfold; each row is named by what breaks there."""
    explore(page, swept, "report")
    tree = swept.aria_snapshot()
    assert 'group "a short agent process killed: 3 of 11 crash points break it' in tree
    assert "1 process killed: ✕ breaks; power cut: ○ survives;" in tree
    assert "0 process killed: ○ survives;" in tree
    assert "table" in tree
    page.get_by_text("The program, with X").click()
    assert "tool(step, service" in swept.locator("mark").first.inner_text()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_a_report_is_readable_in_every_theme_and_on_a_narrow_screen(page, swept, theme):
    """Text stands out at least 4.5 to 1, and nothing is wider than its column, at 1280 and at 800 pixels."""
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    page.wait_for_function("theme => document.body.dataset.jpThemeName == theme", arg=theme)
    for row in swept.locator("details").all():
        row.evaluate("details => { details.open = true; }")
    for width in (1280, 800):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(200)
        assert swept.evaluate("report => report.scrollWidth <= report.clientWidth")
        assert swept.evaluate("report => report.clientWidth") > 300
        keep(page, f"report {theme} {width}")
    assert swept.evaluate(CONTRAST) >= 4.5


@pytest.mark.usefixtures("swept")
def test_a_report_in_a_notebook_from_elsewhere_is_explored_without_trust_and_kernel(page, clone):  # noqa: F811
    """JupyterLab takes style and SVG away: the crash points still unfold, and their words say what the marks said."""
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    saved = json.loads((clone / "swept.ipynb").read_text("utf-8"))
    saved["metadata"]["title"] = "sent by somebody"
    (clone / "sent.ipynb").write_text(json.dumps(saved), encoding="utf-8")
    opened(page, "sent.ipynb")
    page.evaluate(READY)
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    report = page.locator(".labkit-report")
    report.wait_for()
    assert report.locator("style").count() == report.locator("svg").count() == 0
    assert "1 process killed: ✕ breaks; power cut: ○ survives;" in " ".join(report.inner_text().split())
    explore(page, report, "report untrusted")


def test_the_player_runs_a_crash_point_again_and_shows_the_same_view(page, clone):  # noqa: F811
    """It begins at the first that breaks the program."""
    run_cell(page, clone, f"{SWEEP}.play()")
    view = page.locator(".jp-OutputArea-output .labkit-report")
    view.get_by_text("breaks: deploy_container was called twice").wait_for()
    assert view.get_by_role("columnheader", name="after the restart").is_visible()
    keep(page, "player")


LOAD = """# answer: load_task
def load_task(path):
    try:
        with open(path, "rb") as file:
            return Task.model_validate_json(file.read())
    except FileNotFoundError:
        return None
    except ValueError:
        raise CorruptState(f"{path} does not hold a task") from None"""
IN_PLACE = """# answer: save_task
def save_task(task, path):
    with open(path, "w") as file:
        file.write(task.model_dump_json())"""


def test_a_wrong_answer_shows_what_broke_it_and_hints_one_by_one(page, clone):  # noqa: F811
    """The case, its line, its picture; each hint unfolds the next, by keyboard; the error stays one line."""
    path = clone / WORK / "exercises" / "01_file_storage.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    for cell in notebook["cells"]:
        if "".join(cell["source"]).startswith("# answer: save_task"):
            cell["source"] = IN_PLACE
        elif "".join(cell["source"]).startswith("# answer: load_task"):
            cell["source"] = LOAD
    path.write_text(json.dumps(notebook), encoding="utf-8")
    opened(page, f"{WORK}/exercises/01_file_storage.ipynb")
    run_all(page)
    page.get_by_text("CriteriaNotMet: 0 of 1 cases met; failed: saves_whole").wait_for()
    verdict = page.get_by_role("group", name="verdict on exercise 01")
    assert verdict.get_by_text("✕ failed").is_visible()
    assert 'with open(path, "w") as file' in verdict.locator("mark").first.inner_text()
    assert verdict.get_by_text("save_task: 1 of 5 crash points breaks it").is_visible()
    hint, following = (verdict.locator("summary", has_text=f"Hint {number} of 3") for number in (1, 2))
    assert not following.is_visible()
    hint.focus()
    page.keyboard.press("Enter")
    following.wait_for()
    for name in ("JupyterLab Dark", "JupyterLab Light"):
        page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        page.wait_for_function("theme => document.body.dataset.jpThemeName == theme", arg=name)
        assert verdict.evaluate(CONTRAST) >= 4.5
        keep(page, f"verdict {name}")


SAGA = """from functools import partial
from labkit import arrange, saga_board, tool
def run():
    for name in ("create_dns", "deploy_container"):
        tool(name, service="shop")
"""
WINDOW = """from labkit.agent_state import AgentState, Fact
facts = [Fact(key=f"report {n}", value="the queue waits for its database") for n in range(90)]
state = AgentState(id="r", state="running", goal="g", plan=["s"], known_facts=facts)
"""
HOME = f"import os; os.environ['LABKIT_HOME'] = {os.environ['LABKIT_HOME']!r}\n" if "LABKIT_HOME" in os.environ else ""
PIECES = {
    "backoff": ("import labkit; labkit.backoff_explorer()", "jitter", "in second 23:", "in second 420:"),
    "lease": (f"{HOME}import labkit; labkit.lease_line()", "A stalls, in seconds", "write is refused", "before B look"),
    "saga": (
        f"{SAGA}saga_board(run, partial(arrange, faults={{}}), ('create_dns', 'deploy_container'), first=2)",
        "crash point", "2 of 2 in the world; after", "1 of 2 in the world; after",
    ),
    "window": (f"{WINDOW}import labkit; labkit.window_meter({{'it': state}}, 's')", "room in tokens", " 800 ", " 500 "),
}  # fmt: skip


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", rest_is_long(PIECES, 1))
def test_a_piece_is_played_with_by_keyboard(page, clone, name):  # noqa: F811
    """A control has its label; moved by a key, it shows something else; readable in both themes, wide and narrow."""
    source, label, first, then = PIECES[name]
    run_cell(page, clone, source)
    view = page.locator(".labkit-report")
    title = view.locator("p.v:visible")
    title.wait_for()
    assert first in title.inner_text()
    view.get_by_role("group", name=label, exact=True).get_by_role("radio", checked=True).focus()
    page.keyboard.press("ArrowLeft")
    assert then in title.inner_text()
    assert f'group "{title.inner_text()}"' in view.aria_snapshot()
    view.locator("summary:visible").click()
    assert view.locator("th:visible").first.is_visible()
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        page.wait_for_function("theme => document.body.dataset.jpThemeName == theme", arg=theme)
        for width in (1280, 800):
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_timeout(200)
            assert view.evaluate("view => view.scrollWidth <= view.clientWidth")
        assert view.evaluate(CONTRAST) >= 4.5
    keep(page, f"piece {name}")
