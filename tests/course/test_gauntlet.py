"""The gauntlet fails at the criterion that an answer breaks, and passes what is right."""

import pytest
from gauntlet_corpus import solved, with_answers

from labkit.crash import KILLED, DidNotSurviveError, Effect, Line, Outcome, Point, Report
from labkit.gauntlet.busy_calls import calls_try_again, errors_get_out, keys_differ
from labkit.gauntlet.busy_plans import plans_end
from labkit.gauntlet.busy_rows import rows_are_kept
from labkit.gauntlet.busy_sagas import sagas_end_well
from labkit.gauntlet.busy_states import patches_add_up, windows_fit
from labkit.gauntlet.busy_tasks import damage_is_reported, plans_go_on, tasks_come_back
from labkit.gauntlet.checklist import Checklist, Row
from labkit.gauntlet.course import RUNS, Gauntlet
from labkit.gauntlet.reasons import reason
from labkit.grading.judge.judge import Status

IN_PLACE = """# answer: save_task
def save_task(task, path):
    with open(path, "w") as file:
        file.write(task.model_dump_json())
"""
LIMIT_ALWAYS = """# answer: step_timeout
def step_timeout(deadline, limit):
    if deadline.remaining() <= 0:
        raise DeadlineExceeded("over")
    return limit
"""


READ_THEN_WRITE = """# answer: finish_step
def finish_step(conn, task_id, version, result):
    if conn.execute(text(READ), {"id": task_id}).one().version != version:
        return False
    return conn.execute(text(FINISH), {"id": task_id, "result": result}).rowcount == 1
"""


@pytest.fixture
def gauntlet(tmp_path, monkeypatch):
    """The gauntlet of a student who has not begun."""
    monkeypatch.setenv("LABKIT_WORK", str(tmp_path))
    return Gauntlet()


def test_a_run_has_the_answers_of_the_chapters_so_far(gauntlet):
    """An answer enters at its own row and stays, so it cannot break a row before."""
    answers = [name for run in RUNS.values() for name in run.adds]
    stems = {name: stem for stem, given in gauntlet.answers.items() for name in given.exercise.signatures}
    assert sorted(answers) == sorted(stems)
    for name, stem in stems.items():
        cell = f"# answer: {name}\nmine = True\n"
        entered = [
            criterion
            for criterion in RUNS
            if any(source.text == cell for source in gauntlet.but(stem, cell)._parts(criterion).programs[name].sources)
        ]
        own = next(criterion for criterion, run in RUNS.items() if name in run.adds)
        assert entered == [*RUNS][[*RUNS].index(own) :]


@pytest.mark.long
@pytest.mark.slow
def test_a_run_alone_says_which_point_of_which_run_broke(gauntlet):
    """Real kills find a save in place, with no case to help."""
    row = gauntlet.but("01_file_storage", IN_PLACE).run("persists")
    assert row.status is Status.FAIL
    assert row.what.startswith("the agent on its files: Killed after line 3 had done open run-1.json, before write")
    assert row.where == 'save_task, line 3: with open(path, "w") as file:'
    assert row.reports[0].broken


@pytest.mark.slow
def test_a_case_that_waits_for_a_later_row_fails_no_earlier_one(gauntlet):
    """Whether a restart keeps the deadline is not asked while the deadline itself is not kept: that row says so."""
    wrong = gauntlet.but("04_deadlines", LIMIT_ALWAYS)
    assert wrong.row("resumes").status is Status.PASS
    row = wrong.row("run_deadline")
    assert row.status is Status.FAIL
    assert row.what.startswith("exercise 04, ")


@pytest.mark.slow
def test_what_was_judged_is_not_judged_again(gauntlet):
    """The same programs give the same row, also with another answer behind it; another program is judged anew."""
    first = gauntlet.run("step_deadline")
    assert gauntlet.but("07_dynamic_context", "# answer: apply\n").run("step_deadline") is first
    assert gauntlet.but("04_deadlines", LIMIT_ALWAYS).run("step_deadline").status is Status.FAIL


@pytest.mark.long
@pytest.mark.slow(seconds=15)
def test_two_workers_come_in_every_order(gauntlet):
    """A second worker that is lost in one order alone fails its row, which names the statements and who came when."""
    row = gauntlet.but("05_postgres", READ_THEN_WRITE).run("transactions")
    assert row.status is Status.FAIL
    assert row.what.startswith("A and B: B and A were both told that they finished the task. ")
    assert row.score == "0 of 0 crash points and 16 of 36 orders survived"


def test_the_checklist_can_be_read():
    """A verdict, a line for each row, and the details of the one that failed."""
    rows = (
        Row("persists", "it is there", Status.PASS, cases=1),
        Row("resumes", "it goes on", Status.FAIL, "Killed at the start", "line 3", "What did the file say?"),
        Row("retries", "it tries again", Status.NOT_JUDGED, "not judged: needs resumes"),
    )
    assert str(Checklist(rows)).splitlines() == [
        "Not ready for production: 1 of 3 criteria met",
        "PASS  persists       it is there",
        "                     1 case, 0 of 0 crash points survived",
        "FAIL  resumes        it goes on",
        "      What   Killed at the start",
        "      Where  line 3",
        "      Next   What did the file say?",
        "----  retries        not judged: needs resumes",
    ]
    assert str(Checklist(rows[:1])).startswith("Ready for production: 1 of 1 criteria met")


def test_the_agent_is_made_of_the_first_part_of_the_course():
    """Exercises of the production part have their judge; what this agent does not use is not asked of it."""
    assert [stem[:2] for stem in Gauntlet().answers] == [f"{number:02}" for number in range(1, 8)]


def test_the_answers_of_others_change_nothing():
    """An answer is replaced in a copy."""
    right = solved()
    wrong = with_answers(right, "01_file_storage", [IN_PLACE])
    assert wrong.answers["01_file_storage"].yours["save_task"] == IN_PLACE
    assert right.answers["01_file_storage"].yours["save_task"] != IN_PLACE


THEIRS, OURS = Line("<answer resume>", "resume", 4), Line("/somewhere/labkit/files.py", "_get", 92)
EFFECTS = [Effect("tool", "charge", THEIRS), Effect("tool", "notify", OURS), Effect("RETURN", "", None)]


def report(broken: int | None = None, said: str = "charge ran twice", **more) -> Report:
    """A sweep of these effects, which breaks at one crash point."""
    points = [Point(k, (Outcome(KILLED, k != broken, said),)) for k in range(len(EFFECTS) + 1)]
    return Report("the plan", EFFECTS, points, **more)


REASONS = [
    (report(0), "the plan, even without a kill: charge ran twice", ""),
    (
        report(1),
        "the plan: Killed after line 4 had done tool charge, before tool notify: charge ran twice",
        f"{THEIRS}",
    ),
    (report(2), "the plan: Killed after tool notify, before the end: charge ran twice", ""),
    (
        report(0, "on restart, recovery raised KeyError: 'a'"),
        "the plan, even without a kill: the agent raised KeyError: 'a'",
        "",
    ),
]


@pytest.mark.parametrize(("seen", "what", "where"), REASONS)
def test_a_reason_names_the_run_and_tells_what_a_judge_would(seen, what, where):
    """Of the agent, whose lines are not told; a kill is blamed only for what it did."""
    told, line = reason(seen, seen.counterexample() or DidNotSurviveError("no"))
    assert told == what
    assert line.partition(":")[0] == where.partition(":")[0]  # linecache may know a text


def test_a_reason_without_a_sweep_is_what_was_said():
    """That of a single run is told as it is."""
    assert reason(report(), AssertionError("the window was too small")) == ("the window was too small", "")


BUSY = [
    (tasks_come_back, "01_file_storage", "trimmed texts", r"A task with the text .* was saved, and", """
# answer: load_task
def load_task(path):
    task = Task.model_validate_json(Path(path).read_bytes())
    return task.model_copy(update={"user_input": task.user_input.strip()})
"""),
    (damage_is_reported, "01_file_storage", "other JSON", r"The file of a task held .*, and load_task", """
# answer: load_task
def load_task(path):
    try:
        return Task(**json.loads(Path(path).read_text()))
    except json.JSONDecodeError as error:
        raise CorruptState(path) from error
"""),
    (plans_go_on, "01_file_storage", "another order", r"The journal of a plan held no step, and resume ran", """
# answer: resume
def resume(task_id, store, steps):
    task = store.get(Task, task_id)
    if task.state is TaskState.COMPLETED:
        return task
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name in sorted(set(steps) - set(task.journal)):
        task = store.save(task.finished(name, steps[name]()))
    return store.save(task.to(TaskState.COMPLETED))
"""),
    (keys_differ, "02_idempotency", "glued", r"The steps \('a/b', 'c'\) and \('a', 'b/c'\) have one key, 'a/b/c'", """
# answer: step_key
def step_key(task_id, step):
    return f"{task_id}/{step}"
"""),
    (errors_get_out, "02_idempotency", "again for ever", r"ConnectionError each time, and .* called it 51 times", """
# answer: execute_task_if_not_done
def execute_task_if_not_done(task_id, store, do_work):
    task = store.save(store.get(Task, task_id).to(TaskState.RUNNING))
    while True:
        try:
            result = do_work(task.user_input, step_key(task_id, "work"))
            break
        except Exception:
            pass
    return store.save(task.to(TaskState.COMPLETED, result=result))
"""),
    (calls_try_again, "03_backoff", "an empty value", r"A call returned None, and came 3 times: any value", """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    result = None
    for attempt, delay in zip(range(max_attempts), delays()):
        try:
            result = fn()
        except Exception as error:
            if attempt + 1 == max_attempts or not is_retryable(error):
                raise
        if result:
            return result
        time.sleep(delay)
    return result
"""),
    (plans_end, "04_deadlines", "goes on", r"The first step raised KeyError, and run_steps ran create_dns, d", """
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    deadline, failed = Deadline(task.deadline, clock), None
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name not in task.journal:
            try:
                task = store.save(task.finished(name, step(step_timeout(deadline, limit))))
            except DeadlineExceeded as error:
                return store.save(task.to(TaskState.FAILED, error=f"{name}: {error!r}"))
            except Exception as error:
                failed = f"{name}: {error!r}"
    if failed:
        return store.save(task.to(TaskState.FAILED, error=failed))
    return store.save(task.to(TaskState.COMPLETED, result="done"))
"""),
    (rows_are_kept, "05_postgres", "any older version", r"had read version 5 of a task in version 4.*returned True", """
# answer: finish_step
def finish_step(conn, task_id, version, result):
    statement = FINISH + " AND version <= :version AND state = 'running'"
    return conn.execute(text(statement), {"id": task_id, "version": version, "result": result}).rowcount == 1
"""),
    (rows_are_kept, "05_postgres", "stops for nobody", r"raised KeyboardInterrupt, and execute_step returned as if", """
# answer: execute_step
def execute_step(engine, task_id, step):
    with engine.begin() as conn:
        row = conn.execute(text(READ), {"id": task_id}).one()
    try:
        result = step()
    except KeyboardInterrupt:
        return False
    with engine.begin() as conn:
        return finish_step(conn, task_id, row.version, result)
"""),
    (sagas_end_well, "06_saga", "undone as it was done", r"was undone before \w+, which requires it", """
# answer: run_saga
def run_saga(saga_id, steps, log):
    named, begun = {step.name: step for step in steps}, []
    try:
        for name in reversed(undo_order(named, steps)):
            begun.append(name)
            named[name].execute(step_key(saga_id, name))
    except Exception:
        for name in begun:
            named[name].compensate(step_key(saga_id, f"undo {name}"))
        return "compensated"
    return "completed"
"""),
    (patches_add_up, "07_dynamic_context", "an empty plan", r"Patch 2 was applied, and plan is .*; expected \[\]", """
# answer: apply
def apply(state, patch):
    keys = {fact.key for fact in patch.add_facts}
    return state.model_copy(update={
        "known_facts": (*(fact for fact in state.known_facts if fact.key not in keys), *patch.add_facts),
        "plan": patch.replace_plan or state.plan,
    })
"""),
    (windows_fit, "07_dynamic_context", "stops at what is large", r"select_context shows .*; there is room for", """
# answer: select_context
def select_context(state, step, budget, count):
    chosen = ContextSlice(state.goal, step, state.open_questions)
    if count(chosen.render()) > budget:
        raise ContextTooSmall(count(chosen.render()), budget)
    for artifact in state.artifacts:
        larger = replace(chosen, artifacts=(*chosen.artifacts, artifact))
        if artifact.step == step and count(larger.render()) <= budget:
            chosen = larger
    for fact in reversed(state.known_facts):
        larger = replace(chosen, facts=(fact, *chosen.facts))
        if count(larger.render()) > budget:
            break
        chosen = larger
    return chosen
"""),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "stem", "what", "says", "cell"), BUSY, ids=[row[2] for row in BUSY])
def test_what_needs_no_kill_is_found_without_one(gauntlet, ask, stem, what, says, cell):  # noqa: ARG001
    """One process, many calls: the answer that breaks a promise is told which; labkit's own keeps them all."""
    ask(gauntlet._parts("everything"))
    with pytest.raises(AssertionError, match=says):
        ask(gauntlet.but(stem, cell.lstrip())._parts("everything"))
