"""What a student sees, in a real browser: `make system` runs it, and needs Chromium.

The start page runs from top to bottom and shows its pictures. It asks for predictions, and what came out waits.
An exercise says in one line what is still to do.
"""

import json
import os
import shutil

import pytest
from playwright.sync_api import sync_playwright
from running_lab import address_of, clone, lab  # noqa: F401 - fixtures

from labkit.repository import WORK

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
    picture = page.locator(".jp-RenderedImage img").last
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
    picture = page.locator(".jp-RenderedImage img").first
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
    address = page.address._replace(
        path=f"/lab/tree/{WORK}/exercises/01_file_storage.ipynb", query=f"{page.address.query}&reset"
    )
    page.goto(address.geturl())
    said = json.dumps(run_all(page))
    assert "TODO  saves_whole" in said
    page.get_by_text("CriteriaNotMet: 0 of 1 cases met; to do: saves_whole").wait_for()
    assert page.get_by_text("Traceback").count() == 0
