"""Mutants of the solutions that do the same as these, each with its reason, by exercise."""

ORDER = "min and uniform take their two numbers in any order"
DONE = "return store.save(task.to(TaskState.COMPLETED, result='; '.join(task.journal.values())))"
FAIL = "return store.save(task.to(TaskState.FAILED, error=f'{name}: {error!r}'))"
VALUES = "values = {'id': task_id, 'version': version, 'result': result}"

TOO_SMALL = "if count(chosen.render()) > budget:; raise ContextTooSmall(count(chosen.render()), budget)"
ARTIFACTS = "artifacts = {artifact.artifact_id: artifact for artifact in patch.attach_artifacts}"
QUESTIONS = "questions = [question for question in state.open_questions if question not in patch.close_questions]"
ASIDE = "neither of two lines needs the other"

AGAIN = "it is called again, under the key that it had"
KEY = "a key of its own, and the same after a restart"

EQUIVALENT = {
    "03": {
        "delays: delay = min(delay * factor, cap) → delay = min(cap, delay * factor)": ORDER,
        "delays: yield min(delay, cap) → yield min(cap, delay)": ORDER,
        "full_jitter: return rng.uniform(0, delay) → return rng.uniform(delay, 0)": ORDER,
    },
    "04": {
        "step_timeout: return min(limit, left) → return min(left, limit)": ORDER,
        "run_steps: deadline = Deadline(task.deadline, clock) → deadline = Deadline(task.deadline, clock)": (
            "made after the first save, which takes no time"
        ),
        "run_steps: if task.state is TaskState.PENDING: → if True:": "a running task may be saved as running once more",
        f"run_steps: {DONE} → return store.save(task.to(TaskState.COMPLETED))": "no result is asked for",
        "run_steps: except Exception as error: → except BaseException as error:": (
            "no step raises what is no Exception, and the text says nothing about it"
        ),
        f"run_steps: {FAIL} → {FAIL.replace('{name}:', ':')}": "each error of a step names the step",
        f"run_steps: {FAIL} → {FAIL.replace('{name}: ', '{name}')}": "the reason in other words",
    },
    "05": {
        f"finish_step: {VALUES} → {VALUES}": "made before the statement, which it does not need",
    },
    "06": {
        "run_saga: if log.read(saga_id).get(name) != 'done': → if True:": AGAIN,
        "run_saga: log.note(saga_id, name, 'done') → pass": AGAIN,
        "run_saga: if log.read(saga_id).get(name) in ('started', 'done'): → if True:": AGAIN,
        "run_saga: log.note(saga_id, name, 'undone') → pass": AGAIN,
        "run_saga: log.note(saga_id, name, 'undone') → log.note(name, saga_id, 'undone')": AGAIN,
        "run_saga: log.note(saga_id, name, 'undone') → log.note(saga_id, 'undone', name)": AGAIN,
        "run_saga: log.note(saga_id, name, 'done') → log.note(name, saga_id, 'done')": AGAIN,
        "run_saga: log.note(saga_id, name, 'done') → log.note(saga_id, 'done', name)": AGAIN,
        "run_saga: named[name].execute(step_key(saga_id, name)) → named[name].execute(step_key(name, saga_id))": KEY,
        (
            "run_saga: named[name].compensate(step_key(saga_id, f'undo {name}')) → "
            "named[name].compensate(step_key(f'undo {name}', saga_id))"
        ): KEY,
        "run_saga: except Exception: → except BaseException:": (
            "no step raises what is no Exception, and the text says nothing about it"
        ),
    },
    "07": {
        f"apply: {ARTIFACTS} → {ARTIFACTS}": ASIDE,
        f"apply: {QUESTIONS} → {QUESTIONS}": ASIDE,
        f"select_context: {TOO_SMALL} → {TOO_SMALL}": "where there is too little room no artifact fits, either",
    },
}
