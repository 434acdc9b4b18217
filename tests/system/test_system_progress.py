"""The page of a run in a real browser, while its server is killed: `make system` runs it, and needs Chromium.

LABKIT_SCREENSHOTS=folder keeps what was seen: wide and narrow, dark and light.
"""

import os
import random
import shutil
import threading
import time

import pytest
from playwright.sync_api import sync_playwright

from labkit.clock import EPOCH
from labkit.postgres import in_transaction
from labkit.progress import ProgressUpdate, create_tables, publish
from labkit.web import Right, serving

OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
NUMBERS = "() => [...document.querySelectorAll('#steps li')].map(each => Number(each.dataset.number))"
CONTRAST = """() => {
    const parts = text => text.match(/[\\d.]+/g).map(Number);
    const light = rgb => { const [r, g, b] = rgb.map(v => v / 255).map(
        v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const body = getComputedStyle(document.body), [one, other] = [body.color, body.backgroundColor].map(
        each => light(parts(each).slice(0, 3)));
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05); }"""


@pytest.fixture
def engine(engine):
    """An engine on a database with the tables."""
    create_tables(engine)
    return engine


@pytest.fixture
def server(engine, database_url):  # noqa: ARG001 - the tables must be there
    """A running server."""
    with serving(database_url, "a secret of the tests", heartbeat=2.0, poll=0.05) as server:
        yield server


@pytest.fixture
def browser():
    """Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "this test needs Chromium: install it, for example with `apt-get install chromium`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        yield browser
        browser.close()


def opened(browser, server, run="shop", right=Right.COMMAND, **options):
    """A tab on the page of a run."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}, **options).new_page()
    page.goto(server.page(run, right))
    return page


def keep(page, name):
    """Screenshots, for whoever wants to look."""
    if folder := os.environ.get("LABKIT_SCREENSHOTS"):
        for theme in ("dark", "light"):
            page.emulate_media(color_scheme=theme)
            for width in (1280, 400):
                page.set_viewport_size({"width": width, "height": 800})
                page.screenshot(path=f"{folder}/{name}-{theme}-{width}.png")
        page.set_viewport_size({"width": 1280, "height": 800})


def tell(engine, step, status="thinking", run="shop", **fields):
    """Publish one update."""
    update = ProgressUpdate(**{"task": run, "step": step, "status": status, "time": EPOCH, **fields})
    in_transaction(engine, lambda conn: publish(conn, run, update))


def saved(engine, run="shop"):
    """The ids of the commands that are saved."""
    with engine.connect() as conn:
        rows = conn.exec_driver_sql("SELECT id, what FROM labkit_commands WHERE run = %s ORDER BY number", (run,))
        return [tuple(row) for row in rows]


@pytest.mark.timeout(400)
def test_every_number_is_seen_once_and_in_order_while_the_server_is_killed(browser, server, engine):
    """At random moments; the tab is reloaded, another one comes late, and nobody has to reload after an error."""
    rng, count = random.Random(11), int(os.environ.get("LABKIT_UPDATES", "120"))
    kills, page = int(os.environ.get("LABKIT_KILLS", "5")), opened(browser, server)
    allowed = [count // (kills + 1)]  # the run does not end before the last kill

    def run():
        for step in range(1, count + 1):
            while step > allowed[0]:
                time.sleep(0.01)
            tell(engine, step, "completed" if step == count else "thinking", total=count, message="builds")
            time.sleep(rng.uniform(0, 10 / count))

    telling = threading.Thread(target=run, daemon=True)
    telling.start()
    for kill in range(kills):
        some = rng.randint(allowed[0] - count // (kills + 1), allowed[0])
        page.wait_for_function(f"() => document.querySelectorAll('#steps li').length >= {some}")
        server.kill()
        allowed[0] = count if kill == kills - 1 else count * (kill + 2) // (kills + 1)
        page.get_by_text("Connection lost").wait_for()
        if kill == 1:
            keep(page, "lost")
        server.start()
    late = opened(browser, server)
    for each in (page, late):
        each.get_by_text("Completed:").first.wait_for(timeout=120_000)
        assert each.evaluate(NUMBERS) == [*range(1, count + 1)]
        assert each.locator("#line").inner_text() == ""
    telling.join(30)
    page.reload()
    page.get_by_text("Completed:").first.wait_for()
    assert page.evaluate(NUMBERS) == [*range(1, count + 1)]


def test_a_cancel_while_the_server_is_down_is_saved_once(browser, server, engine):
    """By keyboard alone; the page says that it is not saved yet, also after a reload, until it is."""
    tell(engine, 1)
    page = opened(browser, server)
    page.get_by_text("Step 1: thinks").wait_for()
    server.kill()
    page.get_by_text("Connection lost").wait_for()
    page.get_by_role("button", name="Cancel the run").focus()
    page.keyboard.press("Enter")
    page.get_by_text("not saved yet").wait_for()
    keep(page, "cancel")
    assert saved(engine) == []
    server.start()
    page.get_by_text("Saved. The agent sees it before its next step.").wait_for()
    page.reload()
    page.get_by_text("Step 1: thinks").wait_for()
    page.get_by_role("button", name="Cancel the run").click()
    page.get_by_text("Saved.").wait_for()
    assert saved(engine) == [("cancel", '{"do": "cancel"}')]
    tell(engine, 2, "error", message="CancelledError: the user has cancelled it")
    page.get_by_text("Failed: CancelledError").first.wait_for()
    assert page.get_by_role("button", name="Cancel the run").is_disabled()


def test_one_answer_counts_from_two_tabs(browser, server, engine):
    """The second that says the same is content, one that says another thing is told so."""
    tell(engine, 1, "tool_call", tool="clean_logs", message='May I use clean_logs with {"days": 7}?', asks=True)
    tabs = [opened(browser, server) for _ in range(3)]
    keep(tabs[0], "question")
    for tab, button in zip(tabs, ("Confirm", "Confirm", "Decline"), strict=True):
        tab.get_by_role("button", name=button).click()
        tab.get_by_text("Refused:" if button == "Decline" else "Saved.").wait_for()
    assert saved(engine) == [("confirm 1", '{"approved": true, "do": "confirm", "step": 1}')]
    tell(engine, 1, "tool_result", tool="clean_logs", message="20 GB free")
    for tab in tabs:
        tab.get_by_text("has used clean_logs 20 GB free").first.wait_for()
        assert not tab.get_by_role("button", name="Confirm").is_visible()


def test_who_may_only_look_sees_no_buttons_and_a_wrong_address_is_said_to_be_one(browser, server, engine):
    """In words."""
    tell(engine, 1, "tool_call", tool="clean_logs", message="May I?", asks=True)
    page = opened(browser, server, right=Right.LOOK)
    page.get_by_text("asks: May I?").first.wait_for()
    assert [each.is_visible() for each in page.get_by_role("button", include_hidden=True).all()] == [False] * 3
    wrong = browser.new_page()
    wrong.goto(server.page("other").replace("/other", "/shop"))
    wrong.get_by_text("This address is not right: this token is for another run").wait_for()


def test_the_page_is_readable_in_every_theme_and_by_a_screen_reader(browser, server, engine):
    """Nothing is wider than 400 pixels, text stands out 7 to 1, and what is going on has names and roles."""
    tell(engine, 1, "tool_call", tool="check_disk", total=3, message="{}")
    tell(engine, 1, "tool_result", tool="check_disk", total=3, message=f"/dev/sda1: 95 % full {'x' * 300}")
    tell(engine, 2, "thinking", total=3, message="turn 2")
    page = opened(browser, server)
    page.get_by_text("Step 2 of 3: thinks turn 2").wait_for()
    keep(page, "steps")
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        assert page.evaluate(CONTRAST) > 7
        page.set_viewport_size({"width": 400, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
    tree = page.locator("main").aria_snapshot()
    for part in ('heading "Run shop"', 'progressbar "steps"', 'button "Cancel the run"', 'log "What has happened"'):
        assert part in tree, tree
