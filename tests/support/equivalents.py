"""Mutants of the solutions that do the same as these, each with its reason, by exercise."""

ORDER = "min and uniform take their two numbers in any order"
DONE = "return store.save(task.to(TaskState.COMPLETED, result='; '.join(task.journal.values())))"
FAIL = "return store.save(task.to(TaskState.FAILED, error=f'{name}: {error!r}'))"
VALUES = "values = {'id': task_id, 'version': version, 'result': result}"

FOLDER = "directory = os.open(os.path.dirname(path) or '.', os.O_RDONLY)"
CORRUPT = "raise CorruptState(f'{path} does not hold a task') from error"
START = "if task.state is TaskState.PENDING:; task = store.save(task.to(TaskState.RUNNING))"
DEPLOYED = "return store.save(task.to(TaskState.COMPLETED, result='deployed'))"
WORK = "result = do_work(task.user_input, step_key(task_id, 'do_work'))"
TWICE = "a running task may be saved as running once more"
WORDS = "the reason in other words"

TOO_SMALL = "if count(chosen.render()) > budget:; raise ContextTooSmall(count(chosen.render()), budget)"
ARTIFACTS = "artifacts = {artifact.artifact_id: artifact for artifact in patch.attach_artifacts}"
QUESTIONS = "questions = [question for question in state.open_questions if question not in patch.close_questions]"
ASIDE = "neither of two lines needs the other"

AGAIN = "it is called again, under the key that it had"
KEY = "a key of its own, and the same after a restart"

REGION = "region = DBOS.run_step({'name': 'read_region'}, read_region, app)"
HOST = "host = DBOS.run_step({'name': 'draw_host'}, draw_host, app)"
NUMBER = "host = f'{{app}}-{{workflow.random().randrange({})}}'"
FRIDAY = "friday = workflow.now().weekday() == 4"
ACTIVITY = "return await workflow.execute_activity(name, args=args, start_to_close_timeout=timedelta(minutes={}))"
EARLIER = "one may ask earlier"

EQUIVALENT = {
    "01": {
        "save_task: os.close(directory) → pass": "a descriptor is left open, of which the text says nothing",
        f"save_task: {FOLDER} → {FOLDER}": "opened before the new file is there, and synced behind it",
        "save_task: temporary = f'{path}.tmp' → temporary = f'.tmp'": (
            "on one disk the temporary file may lie anywhere, and no task is called so"
        ),
        "load_task: except ValueError as error: → except BaseException as error:": (
            "what is no ValueError comes from somebody who wants to stop, of whom the text says nothing"
        ),
        "load_task: return None → return": "the same in Python",
        f"load_task: {CORRUPT} → {CORRUPT.replace('{path}', '')}": WORDS,
        f"load_task: {CORRUPT} → {CORRUPT.replace(' does not hold a task', '')}": WORDS,
        f"resume: {START} → {START}": "no task is both pending and completed",
        "resume: if task.state is TaskState.PENDING: → if True:": TWICE,
        f"resume: {DEPLOYED} → return store.save(task.to(TaskState.COMPLETED))": "no result is asked for",
    },
    "02": {
        f"execute_task_if_not_done: {START} → {START}": "no task is both pending and completed",
        f"execute_task_if_not_done: {WORK} → {WORK}": "it must be running before it is completed, not before the work",
        "execute_task_if_not_done: if task.state is TaskState.PENDING: → if True:": TWICE,
        f"execute_task_if_not_done: {WORK} → {WORK[:-20]}'do_work', task_id))": KEY,
    },
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
        "run_steps: if task.state is TaskState.PENDING: → if True:": TWICE,
        f"run_steps: {DONE} → return store.save(task.to(TaskState.COMPLETED))": "no result is asked for",
        "run_steps: except Exception as error: → except BaseException as error:": (
            "no step raises what is no Exception, and the text says nothing about it"
        ),
        f"run_steps: {FAIL} → {FAIL.replace('{name}: ', '{name}')}": WORDS,
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
    "09": {
        "submit: wish = json.dumps({'user_input': user_input, 'priority': priority}) → wish = json.dumps({'user_input': user_input, 'priority': priority})": ASIDE,
        "submit: raise QueueFullError(f'{limit} tasks are waiting already') → raise QueueFullError(f' tasks are waiting already')": WORDS,
        "submit: raise QueueFullError(f'{limit} tasks are waiting already') → raise QueueFullError(f'{limit}')": WORDS,
        "submit: raise KeyReusedError(f'the key {key} was used with another input') → raise KeyReusedError(f'{key} was used with another input')": WORDS,
        "submit: raise KeyReusedError(f'the key {key} was used with another input') → raise KeyReusedError(f'the key  was used with another input')": WORDS,
        "submit: raise KeyReusedError(f'the key {key} was used with another input') → raise KeyReusedError(f'the key {key}')": WORDS,
        "wait: left = deadline.remaining() → left = deadline.remaining()": ASIDE,
        "wait: clock.sleep(min(POLL, left)) → clock.sleep(min(left, POLL))": ORDER,
        "wait: raise DeadlineExceeded(f'the task {task_id} has not ended in time') → raise DeadlineExceeded(f'{task_id} has not ended in time')": WORDS,
        "wait: raise DeadlineExceeded(f'the task {task_id} has not ended in time') → raise DeadlineExceeded(f'the task  has not ended in time')": WORDS,
        "wait: raise DeadlineExceeded(f'the task {task_id} has not ended in time') → raise DeadlineExceeded(f'the task {task_id}')": WORDS,
    },
    "10": {
        "record: values = {'run': run, 'number': number, 'type': type, 'payload': json.dumps(payload)} → values = {'run': run, 'number': number, 'type': type, 'payload': json.dumps(payload)}": ASIDE,
        "relay: sent, failed = (0, set()) → sent, failed = (0, set())": ASIDE,
        "relay: sent += 1 → sent += 1": ASIDE,
        "relay: except Exception: → except BaseException:": "what is no Exception comes from somebody who wants to stop, of whom the text says nothing",
        "verify: right = signature(secret, message_id, timestamp, body).encode() → right = signature(secret, message_id, timestamp, body).encode()": ASIDE,
        "verify: given = [each.encode() for each in found.get('webhook-signature', '').split()] → given = [each.encode() for each in found.get('webhook-signature', '').split()]": ASIDE,
        "verify: except (ValueError, OverflowError): → except BaseException:": "nothing else is raised there",
        "verify: return bool(message_id) and is_recent and any((hmac.compare_digest(right, each) for each in given)) → return bool(message_id) and is_recent and any((hmac.compare_digest(each, right) for each in given))": "two values are compared in either order",
        "next_attempt: span = min(FIRST * FACTOR ** (n - 1), LONGEST) → span = min(FIRST * FACTOR ** (n - 1), LONGEST)": ASIDE,
        "next_attempt: return None → return": "the same in Python",
        "next_attempt: span = min(FIRST * FACTOR ** (n - 1), LONGEST) → span = min(LONGEST, FIRST * FACTOR ** (n - 1))": ORDER,
        "next_attempt: return max(rng.uniform(span / 2, span), min(retry_after or 0, DAY)) → return max(min(retry_after or 0, DAY), rng.uniform(span / 2, span))": ORDER,
        "next_attempt: return max(rng.uniform(span / 2, span), min(retry_after or 0, DAY)) → return max(rng.uniform(span, span / 2), min(retry_after or 0, DAY))": ORDER,
        "next_attempt: return max(rng.uniform(span / 2, span), min(retry_after or 0, DAY)) → return max(rng.uniform(span / 2, span), min(DAY, retry_after or 0))": ORDER,
        "next_attempt: return max(rng.uniform(span / 2, span), min(retry_after or 0, DAY)) → return max(rng.uniform(span / 2, span), min(retry_after or 1, DAY))": "no delay is less than a second",
        "next_attempt: return max(rng.uniform(span / 2, span), min(retry_after or 0, DAY)) → return max(rng.uniform(span / 2, span), min(retry_after or -1, DAY))": "no delay is less than a second",
        "deliver: addresses = resolve(parts.hostname) → addresses = resolve(parts.hostname)": ASIDE,
        "deliver: return post(addresses[0], url, body) → return post(addresses[-1], url, body)": "any address that was looked at",
        "deliver: raise RefusedAddressError(f'{parts.hostname} is at {address}, and that is inside') → raise RefusedAddressError(f' is at {address}, and that is inside')": WORDS,
        "deliver: raise RefusedAddressError(f'{parts.hostname} is at {address}, and that is inside') → raise RefusedAddressError(f'{parts.hostname}{address}, and that is inside')": WORDS,
        "deliver: raise RefusedAddressError(f'{parts.hostname} is at {address}, and that is inside') → raise RefusedAddressError(f'{parts.hostname} is at , and that is inside')": WORDS,
        "deliver: raise RefusedAddressError(f'{parts.hostname} is at {address}, and that is inside') → raise RefusedAddressError(f'{parts.hostname} is at {address}')": WORDS,
    },
    "11": {
        "publish: conn.execute(text(INSERT), {'run': run, 'number': number, 'body': json.dumps(update)}) → conn.execute(text(INSERT), {'run': run, 'number': number, 'body': json.dumps(update)})": ASIDE,
        "stream: if end is not None and end <= last_id:; return → if end is not None and end <= last_id:; return": "when the end was yielded or seen there is no row left, before or after the loop",
        "stream: rows = conn.execute(text(f'{AFTER} ORDER BY number LIMIT {BATCH}'), {'run': run, 'last': last_id}).all() → rows = conn.execute(text(f'{AFTER} ORDER BY number LIMIT {BATCH}'), {'run': run, 'last': last_id}).all()": "the two looks may come in either order: numbers are compared",
        "stream: last_id = number → last_id = number": "a generator that is closed at yield asks for nothing more",
        "work_on: if conn.execute(text(IS_DONE), {'run': run, 'step': step}).scalar_one():; continue → if conn.execute(text(IS_DONE), {'run': run, 'step': step}).scalar_one():; continue": "commands that wait may be applied also where no step is left to do",
        "work_on: conn.execute(text(APPLIED), {'run': run, 'id': command_id}) → conn.execute(text(APPLIED), {'run': run, 'id': command_id})": "effect and mark are in one transaction",
        "may_command: except ValueError: → except BaseException:": "nothing else is raised there",
        "may_command: parts = urlsplit(url or '') → parts = urlsplit(url)": "urlsplit takes None, too, for what is no origin",
    },
    "12": {
        "read_state: raise NotFoundError(f'you have no task {task_id} of {agent_id}') → raise NotFoundError(f'{task_id} of {agent_id}')": WORDS,
        "read_state: raise NotFoundError(f'you have no task {task_id} of {agent_id}') → raise NotFoundError(f'you have no task  of {agent_id}')": WORDS,
        "read_state: raise NotFoundError(f'you have no task {task_id} of {agent_id}') → raise NotFoundError(f'you have no task {task_id}{agent_id}')": WORDS,
        "read_state: raise NotFoundError(f'you have no task {task_id} of {agent_id}') → raise NotFoundError(f'you have no task {task_id} of ')": WORDS,
        "save_state: new, over = (f'{INSERT} ON CONFLICT DO NOTHING', f'{SAVE} AND owner = :who AND version = :version') → new, over = (f'{INSERT} ON CONFLICT DO NOTHING', f'{SAVE} AND owner = :who AND version = :version')": ASIDE,
        "save_state: raise VersionConflictError(f'you have read version {version}, and the newest is {newest}: read again') → raise VersionConflictError(f'{version}, and the newest is {newest}: read again')": WORDS,
        "save_state: raise VersionConflictError(f'you have read version {version}, and the newest is {newest}: read again') → raise VersionConflictError(f'you have read version , and the newest is {newest}: read again')": WORDS,
        "save_state: raise VersionConflictError(f'you have read version {version}, and the newest is {newest}: read again') → raise VersionConflictError(f'you have read version {version}{newest}: read again')": WORDS,
        "save_state: raise VersionConflictError(f'you have read version {version}, and the newest is {newest}: read again') → raise VersionConflictError(f'you have read version {version}, and the newest is : read again')": WORDS,
        "save_state: raise VersionConflictError(f'you have read version {version}, and the newest is {newest}: read again') → raise VersionConflictError(f'you have read version {version}, and the newest is {newest}')": WORDS,
        "go_on: done = {**state['done'], step: steps[step](f\"{state['key']} {step}\")} → done = {**state['done'], step: steps[step](f\"{state['key']}{step}\")}": "a state's key has 16 characters, so nothing can be mixed up",
    },
    "13": {
        f"deploy: {REGION} → {REGION}": ASIDE,
        f"deploy_and_tell: {REGION} → {REGION}": ASIDE,
        f"deploy_and_tell: {HOST} → {HOST}": EARLIER,
        f"Deploy: {NUMBER.format('10 ** 9')} → {NUMBER.format('10 ** 9')}": EARLIER,
        f"Deploy: {FRIDAY} → {FRIDAY}": EARLIER,
        f"Deploy: {NUMBER.format('10 ** 9')} → {NUMBER.format('9 ** 9')}": "seven numbers do not show where they end",
        f"Deploy: {ACTIVITY.format(5)} → {ACTIVITY.format(6)}": "timeouts are up to the learner",
        f"Deploy: {ACTIVITY.format(5)} → {ACTIVITY.format(4)}": "timeouts are up to the learner",
    },
}
