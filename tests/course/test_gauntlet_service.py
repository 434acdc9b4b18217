"""The service of the second capstone fails in the row that an answer breaks, and passes what is right."""

import pytest
from gauntlet_corpus import with_answers, wrong_answers
from rest import rest_is_long

from labkit.crash import trial
from labkit.gauntlet.checklist import Checklist
from labkit.gauntlet.course import Gauntlet
from labkit.gauntlet.service import page, sharing
from labkit.gauntlet.service.course import FIRST_PART, RUNS, service_gauntlet
from labkit.gauntlet.service.schemas import TABLES, ask, at, create
from labkit.grading.judge.criteria import criteria
from labkit.grading.judge.judge import Status

GIVES_BACK_ANY = """# answer: drain
def drain(conn, held):
    with conn.begin():
        for task in held:
            conn.execute(text(GIVE_BACK), {"id": task.id})
"""
MARKS_FIRST = """# answer: relay
def relay(conn, send):
    with conn.begin():
        rows = conn.execute(text(f"{WAITING} ORDER BY run, number")).all()
        for row in rows:
            conn.execute(text(MARK), {"run": row.run, "number": row.number})
    for row in rows:
        send(Event(*row))
    return len(rows)
"""
AS_IT_IS = """# answer: frame
def frame(seq, update):
    return f"id: {seq}\\ndata: {update['message']}\\n\\n"
"""
OWN_KEY = """# answer: go_on
def go_on(client, uri, steps):
    import uuid
    while True:
        try:
            version, state = client.read(uri)
            step = next((step for step in state["plan"] if step not in state["done"]), None)
            if step is None:
                return state
            result = steps[step](str(uuid.uuid4()))
            client.save(uri, version, {**state, "done": {**state["done"], step: result}})
        except (VersionConflictError, ConnectionError):
            continue
"""
NEW_KEY = """# answer: step_key
def step_key(task_id, step):
    import uuid
    return str(uuid.uuid4())
"""
ALONE = [
    ("carries_out", "02_idempotency", NEW_KEY, "clean_logs"),
    ("hands_over", "09_queue", GIVES_BACK_ANY, "now it is pending"),
    ("tells_others", "10_events", MARKS_FIRST, "billing acted on"),
    ("shows_progress", "11_progress", AS_IT_IS, "something else than one event"),
    ("shares_state", "12_shared_state", OWN_KEY, "done was create_dns, create_dns"),
]
"""A row, and an answer that its run finds by itself: the exercise, the cell, and what is said."""
ROWS_OF = {"carries_out": "02", "hands_over": "09", "tells_others": "10", "shows_progress": "11", "shares_state": "12"}
"""Row → an exercise whose answers enter there."""


@pytest.fixture
def gauntlet(tmp_path, monkeypatch):
    """The service of a student who has not begun."""
    monkeypatch.setenv("LABKIT_WORK", str(tmp_path))
    return service_gauntlet()


def test_the_service_is_made_of_all_exercises_but_the_engines(gauntlet):
    """Each answer enters at one row, those of the first part at the first; labkit's own stand in."""
    names = [name for run in RUNS.values() for name in run.adds]
    assert sorted(names) == sorted(name for each in gauntlet.answers.values() for name in each.exercise.signatures)
    assert [stem[:2] for stem in gauntlet.answers] == [f"{n:02}" for n in (*range(1, 8), *range(9, 13))]
    assert "yours" not in gauntlet.whose()


def test_an_answer_enters_at_its_own_row():
    """It cannot break a row before; those of the first part count in all."""
    entered = {criterion: service_gauntlet()._entered(criterion) for criterion in RUNS}
    assert entered["carries_out"] == {*FIRST_PART}
    assert [name for name in RUNS if "relay" in entered[name]] == [*RUNS][2:]


def test_the_rows_are_criteria_of_the_course():
    """The first has the cases of the first part; what is left is exercise 13's, and everything at the end."""
    named = [*RUNS["carries_out"].counts, *(name for name in RUNS if name in criteria())]
    assert named == [name for name in criteria() if name != "replays"]


def test_a_checklist_of_long_names_is_aligned(gauntlet):
    """Titles and scores begin in one column."""
    rows = Checklist(tuple(gauntlet._row(name, Status.PASS) for name in RUNS))
    lines = str(rows).splitlines()[1:]
    assert {line.index(line[22:].strip()) for line in lines} == {22}


def test_each_schema_has_its_own_tables():
    """Two exercises have a table `runs`: each connection sees its own, and nothing has been sent on it."""

    def look():
        for schema, statement in (("events", "UPDATE runs SET last = 6"), ("progress", "UPDATE runs SET last = 8")):
            with at(schema) as conn, conn.begin():
                conn.exec_driver_sql(statement)
        return [list(row) for row in ask("house", "SELECT e.last, p.last FROM events.runs e, progress.runs p")]

    seen = trial(look, lambda: create(*TABLES))
    assert seen.value == [[6, 8]], seen.failure


def test_a_browser_reads_events_by_the_rules():
    """Lines end in three ways, data is joined, and what is no JSON is torn."""
    assert page.read('id: 1\rdata: {"a":\r\ndata: 2}\n\nid: 2\n\ndata: x\n\n') == [("1", {"a": 2}), ("2", page.TORN)]


def test_a_broken_call_of_a_client_has_done_nothing():
    """And the next one is not broken."""
    done = []
    client = sharing.Client(None, save=sharing.LOST, read=sharing.BROKEN)
    assert client._wrong == {"save": "lost", "read": "broken"}
    with pytest.raises(ConnectionResetError, match="broke"):
        client._once("read", done.append)
    assert done == []
    assert client._wrong == {"save": "lost"}


def test_culprits_are_those_without_whom_a_run_survives(gauntlet, monkeypatch):
    """One by one, the answers to an exercise are replaced by labkit's own; those to later exercises are not."""
    wrong = gauntlet.but("10_events", MARKS_FIRST).but("09_queue", GIVES_BACK_ANY).but("12_shared_state", OWN_KEY)
    asked = []

    def run(self, criterion):
        yours = [stem for stem, answers in self.answers.items() if answers.yours]
        asked.append(yours)
        return self._row(criterion, Status.FAIL if "10_events" in yours else Status.PASS)

    monkeypatch.setattr(Gauntlet, "run", run)
    monkeypatch.setattr(Gauntlet, "_verdicts", lambda *_: iter(()))
    assert [*wrong.culprits("tells_others")] == ["10_events"]
    assert asked == [["09_queue", "12_shared_state"], ["10_events", "12_shared_state"]]
    assert wrong.row("everything").next.startswith("With labkit's own answers to exercise 10, it survives.")


@pytest.mark.long
@pytest.mark.slow(seconds=20)
@pytest.mark.parametrize(("criterion", "stem", "cell", "says"), rest_is_long(ALONE, 2), ids=[row[1] for row in ALONE])
def test_a_run_alone_finds_a_wrong_answer(gauntlet, criterion, stem, cell, says):
    """Without the cases of the exercise, the run of the row fails, and says what has happened."""
    row = gauntlet.but(stem, cell).run(criterion)
    assert row.status is Status.FAIL, str(row)
    assert says in row.what, row.what


@pytest.mark.slow
@pytest.mark.parametrize(("criterion", "number"), rest_is_long(ROWS_OF.items(), 2))
def test_a_wrong_answer_fails_its_row_by_a_case(gauntlet, criterion, number):
    """The row names the exercise and the case; no run is needed for that."""
    stem, _, case, cells = next(each for each in wrong_answers() if each[0].startswith(number))
    row = with_answers(gauntlet, stem, cells).row(criterion)
    assert row.status is Status.FAIL
    assert row.what.startswith(f"exercise {number}, "), row.what
    assert case in row.what or criterion == "carries_out"
