"""Answers to exercise 13 that graders must tell apart. WRONG: what it is, the case it breaks, what must be said, cells.

RIGHT: other shapes of a correct answer. What is not given is taken from the solution.
"""

from answers.changes import changed

BODY = """
    region = DBOS.run_step({"name": "read_region"}, read_region, app)
    use("create_dns", app, region=region)
    host = DBOS.run_step({"name": "draw_host"}, draw_host, app)
    use("deploy_container", app, host=host)
    friday = DBOS.run_step({"name": "is_friday"}, is_friday)
    if not friday:
        use("issue_certificate", app, host=host)
    return {"region": region, "host": host, "certificate": not friday}
"""
USE = """
def use(name, app, **arguments):
    key = DBOS.workflow_id + "/" + name
    DBOS.run_step({"name": name}, tool, name, key=key, service=app, **arguments)
"""
DEPLOY = f"""
# answer: deploy
{USE}

def deploy(app):{BODY}"""
TELL = f"""
# answer: deploy_and_tell
def use(name, app, **arguments):
    key = DBOS.workflow_id + " " + name
    DBOS.run_step({{"name": name}}, tool, name, key=key, service=app, **arguments)


def deploy_and_tell(app):{BODY}""".replace(
    "    host = DBOS",
    """    if DBOS.patch(PATCH):
        use("notify", app, region=region)
    host = DBOS""",
)
TEMPORAL = """
# answer: Deploy
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Deploy:
    @workflow.run
    async def run(self, app: str) -> dict:
        wait = timedelta(minutes=1)
        region = await workflow.execute_activity("read_region", app, start_to_close_timeout=wait)
        await workflow.execute_activity("create_dns", args=[app, region], start_to_close_timeout=wait)
        if workflow.patched("tell the team"):
            await workflow.execute_activity("notify", args=[app, region], start_to_close_timeout=wait)
        host = f"{app}-{workflow.random().randrange(10**9)}"
        await workflow.execute_activity("deploy_container", args=[app, host], start_to_close_timeout=wait)
        friday = workflow.now().weekday() == 4
        if not friday:
            await workflow.execute_activity("issue_certificate", args=[app, host], start_to_close_timeout=wait)
        return {"region": region, "host": host, "certificate": not friday}
"""


def deploy_but(*changes):
    """The right `deploy` with these changes, each an old text and a new one."""
    return changed(DEPLOY, changes)


def tell_but(*changes):
    """The right `deploy_and_tell` with these changes, each an old text and a new one."""
    return changed(TELL, changes).replace("use(", "use_it(")  # or it would be the other one's, too


def temporal_but(*changes):
    """The right `Deploy` with these changes, each an old text and a new one."""
    return changed(TEMPORAL, changes)


KEY = 'DBOS.workflow_id + "/" + name'
KEPT = 'DBOS.workflow_id + " " + name'
REGION = 'DBOS.run_step({"name": "read_region"}, read_region, app)'
HOST = 'DBOS.run_step({"name": "draw_host"}, draw_host, app)'
AGAIN = 'DBOS.run_step({"name": "again"}, draw_host, app)'
DAY = 'DBOS.run_step({"name": "is_friday"}, is_friday)'
STEP = 'DBOS.run_step({"name": name}, tool, name, key=key, service=app, **arguments)'
PATCHED = """    if DBOS.patch(PATCH):
        use("notify", app, region=region)
"""
NOTIFY = """        if workflow.patched("tell the team"):
            await workflow.execute_activity("notify", args=[app, region], start_to_close_timeout=wait)
"""
NUMBER = "workflow.random().randrange(10**9)"

DEPLOY_ONE_STEP = """
# answer: deploy
def deploy(app):
    def all_of_it(run):
        region = read_region(app)
        tool("create_dns", key=run + "dns", service=app, region=region)
        host = draw_host(app)
        tool("deploy_container", key=run + "container", service=app, host=host)
        friday = is_friday()
        if not friday:
            tool("issue_certificate", key=run + "certificate", service=app, host=host)
        return {"region": region, "host": host, "certificate": not friday}

    return DBOS.run_step({"name": "all"}, all_of_it, DBOS.workflow_id)
"""
DEPLOY_REMEMBERS = """
# answer: deploy
DAYS = {}


def use(name, app, **arguments):
    key = DBOS.workflow_id + "/" + name
    DBOS.run_step({"name": name}, tool, name, key=key, service=app, **arguments)


def friday_of(run):
    if run not in DAYS:
        DAYS[run] = is_friday()
    return DAYS[run]


def deploy(app):
    region = DBOS.run_step({"name": "read_region"}, read_region, app)
    use("create_dns", app, region=region)
    host = DBOS.run_step({"name": "draw_host"}, draw_host, app)
    use("deploy_container", app, host=host)
    friday = friday_of(DBOS.workflow_id)
    if not friday:
        use("issue_certificate", app, host=host)
    return {"region": region, "host": host, "certificate": not friday}
"""

TELLS = """
    if DBOS.patch(PATCH):
        use("notify", region=region)"""
BY_NUMBER = """
# answer: {name}
def {name}(app):
    def use(name, **arguments):
        DBOS.run_step({{"name": name}}, lambda: tool(name, key=key(name), service=app, **arguments))

    def key(name):
        return DBOS.workflow_id + name + str(DBOS.step_id)

    region = DBOS.run_step({{"name": "read_region"}}, read_region, app)
    host = DBOS.run_step({{"name": "draw_host"}}, draw_host, app)
    friday = DBOS.run_step({{"name": "is_friday"}}, is_friday)
    use("create_dns", region=region){more}
    use("deploy_container", host=host)
    if not friday:
        use("issue_certificate", host=host)
    return {{"region": region, "host": host, "certificate": not friday}}
"""

WRONG = [
    ("no key", "same_key_after_kill", r"create_dns\(.*without a key: killed behind it, it acts twice",
     [deploy_but(("key=key, ", ""))]),
    ("a key of uuid4", "same_key_after_kill", "was called under .* first, and then under",
     [deploy_but((KEY, "str(uuid.uuid4())"), ("def use", "import uuid\n\n\ndef use"))]),
    ("a key of chance", "same_key_after_kill", "was called under .* first, and then under",
     [deploy_but((KEY, 'f"{DBOS.workflow_id} {name} {random.random()}"'))]),
    ("a key of the process", "same_key_after_kill", "was called under .* first, and then under",
     [deploy_but((KEY, 'f"{DBOS.workflow_id} {name} {os.getpid()}"'), ("def use", "import os\n\n\ndef use"))]),
    ("a key of the clock", "same_key_after_kill", "was called under .* first, and then under",
     [deploy_but((KEY, 'f"{DBOS.workflow_id} {name} {time.time()}"'), ("def use", "import time\n\n\ndef use"))]),
    ("a key of today", "same_key_after_kill", "was called under .* first, and then under",
     [deploy_but((KEY, 'f"{DBOS.workflow_id} {name} {date.today()}"'),
                 ("def use", "from datetime import date\n\n\ndef use"))]),
    ("a key of the world's day", "same_key_after_kill", "was called under .* first, and then under",
     [deploy_but((KEY, 'f"{DBOS.workflow_id} {name} {WorldClock().now().date()}"'))]),
    ("a key of the app", "same_key_after_kill", "was used for deploy_container with other arguments", [deploy_but((KEY, 'f"{app} {name}"'))]),
    ("a key of the run", "same_key_after_kill", "",
     [deploy_but((KEY, "DBOS.workflow_id"))]),
    ("a key of the tool", "same_key_after_kill", "", [deploy_but((KEY, "name"))]),
    ("a key that is no text", "same_key_after_kill", "a key is a text",
     [deploy_but((KEY, '[DBOS.workflow_id, name]'))]),
    ("a key of a hash of another process", "same_key_after_kill", "was called under .* first, and then under",
     [deploy_but((KEY, 'f"{id(DBOS)} {DBOS.workflow_id} {name} {threading.get_native_id()}"'),
                 ("def use", "import threading\n\n\ndef use"))]),
    ("no certificate", "same_key_after_kill", "In this order, each run uses create_dns, deploy_container, issue",
     [deploy_but(("    if not friday:\n        use(\"issue_certificate\", app, host=host)\n", ""))]),
    ("a certificate on Fridays, too", "no_clock", "each run uses create_dns, deploy_container$",
     [deploy_but(("    if not friday:\n    ", ""))]),
    ("another order", "same_key_after_kill", "In this order",
     [deploy_but(('    use("create_dns", app, region=region)\n', ""),
                 ('    friday =', '    use("create_dns", app, region=region)\n    friday ='))]),
    ("another region", "no_io", "its region is", [deploy_but(("app, region=region", 'app, region="eu-9"'))]),
    ("returns nothing", "no_dice", "returned None, and not a dict",
     [deploy_but(('return {"region": region, "host": host, "certificate": not friday}', "return None"))]),
    ("the day where the certificate belongs", "no_clock", "as its certificate, and not",
     [deploy_but(('"certificate": not friday', '"certificate": friday'))]),
    ("raises", "no_io", r"Even without a kill, deploy\(.*\) ended with KeyError: .*line",
     [deploy_but(("read_region, app)", "read_region, app + app + app)"))]),
    ("never ends", "no_dice", "did not end",
     [deploy_but(("    friday =", "    threading.Event().wait()\n    friday ="),
                 ("def use", "import threading\n\n\ndef use"))]),
    ("ends its process", "same_key_after_kill", "deploy: the process ended",
     [deploy_but(("    friday =", "    os._exit(0)\n    friday ="), ("def use", "import os\n\n\ndef use"))]),
    ("the day in the body", "no_clock", "called again a day later", [deploy_but((DAY, "is_friday()"))]),
    ("the day in the body, before all else", "no_clock", "called again a day later",
     [deploy_but((f"    friday = {DAY}\n", ""), ("    region =", "    friday = is_friday()\n    region ="))]),
    ("the day of the machine", "no_clock", "", [deploy_but((DAY, "datetime.now().weekday() == 4"),
     ("def use", "from datetime import datetime\n\n\ndef use"))]),
    ("the day is what a step is given", "no_clock", "called is_friday again. What a step has stored",
     [deploy_but((DAY, 'DBOS.run_step({"name": "is_friday"}, bool, is_friday())'))]),
    ("the day is remembered in the process", "no_clock", "called again a day later", [DEPLOY_REMEMBERS]),
    ("the day is asked for again", "no_clock", "called again a day later",
     [deploy_but(('"certificate": not friday', '"certificate": not is_friday()'))]),
    ("the host in the body", "no_dice", "called again with other dice", [deploy_but((HOST, "draw_host(app)"))]),
    ("the host is drawn by the body itself", "no_dice", "called again with other dice",
     [deploy_but((HOST, 'f"{app}-{random.randrange(10**9)}"'))]),
    ("the host of uuid4", "no_dice", "called again with other dice",
     [deploy_but((HOST, 'f"{app}-{uuid.uuid4().int % 10**9}"'), ("def use", "import uuid\n\n\ndef use"))]),
    ("the host of secrets", "no_dice", "called again with other dice",
     [deploy_but((HOST, 'f"{app}-{secrets.randbelow(10**9)}"'), ("def use", "import secrets\n\n\ndef use"))]),
    ("the host is what a step is given", "no_dice", "called draw_host again. What a step has stored",
     [deploy_but((HOST, 'DBOS.run_step({"name": "draw_host"}, str, draw_host(app))'))]),
    ("the host is drawn for each tool", "no_dice", "its host is|is asked for once|returned",
     [deploy_but(('use("issue_certificate", app, host=host)',
                  f'use("issue_certificate", app, host={AGAIN})'))]),
    ("one host for all", "no_dice", "returned .* as its host|Two runs",
     [deploy_but((HOST, 'f"{app}-1"'))]),
    ("the region in the body", "no_io", "called again when regions.json had changed",
     [deploy_but((REGION, "read_region(app)"))]),
    ("the region is what a step is given", "no_io", "called read_region again. What a step has stored",
     [deploy_but((REGION, 'DBOS.run_step({"name": "read_region"}, str, read_region(app))'))]),
    ("the region is read again", "no_io", "called again when regions.json had changed",
     [deploy_but(('return {"region": region', 'return {"region": read_region(app)'))]),
    ("the file is kept in the body", "no_io", "called again when regions.json had changed",
     [deploy_but((REGION, 'json.loads(open("regions.json").read())[app]'))]),
    ("tools in the body", "no_io", "called create_dns once more", [deploy_but((STEP, STEP.replace(
        'DBOS.run_step({"name": name}, tool, name,', "tool(name,")))]),
    ("one tool in the body", "no_io", "called create_dns once more",
     [deploy_but(('    use("create_dns", app, region=region)',
                  '    tool("create_dns", key=DBOS.workflow_id, service=app, region=region)'))]),
    ("all in one step", "no_io", "", [DEPLOY_ONE_STEP]),
    ("a step is lost in new code", "patched", "DBOS|deploy_and_tell",
     [tell_but((PATCHED, '    use("notify", app, region=region)\n'))]),
    ("never tells", "patched", r"In this order, each run uses create_dns, notify, deploy_container",
     [tell_but((PATCHED, ""))]),
    ("tells at the end", "patched", "In this order, each run uses|its step deploy_container was finished",
     [tell_but((PATCHED, ""), ("    return", PATCHED + "    return"))]),
    ("tells without a key", "patched", "without a key",
     [tell_but(('use("notify", app, region=region)',
                'DBOS.run_step({"name": "notify"}, tool, "notify", service=app, region=region)'))]),
    ("tells in the body", "patched", "called notify once more",
     [tell_but(('use("notify", app, region=region)',
                'tool("notify", key=DBOS.workflow_id, service=app, region=region)'))]),
    ("a key of the step's number", "patched", "by the new version: deploy_container was called under",
     [BY_NUMBER.format(name="deploy", more=""), BY_NUMBER.format(name="deploy_and_tell", more=TELLS)]),
    ("other keys in new code", "patched", "by the new version", [DEPLOY, tell_but()]),
    ("the patch is asked for in a step", "patched", "deploy_and_tell",
     [tell_but(("if DBOS.patch(PATCH):", 'if DBOS.run_step({"name": "patch"}, DBOS.patch, PATCH):'))]),
    ("the file tells which version it is", "patched", "deploy_and_tell|called again",
     [tell_but(("if DBOS.patch(PATCH):", "if is_friday():"))]),
    ("a step of another name", "patched", "deploy_and_tell",
     [tell_but(('{"name": "draw_host"}', '{"name": "draw a host"}'))]),
    ("patch behind the container", "patched", "In this order|deploy_container was finished",
     [tell_but((PATCHED, ""), ("    friday =", PATCHED + "    friday ="))]),
    ("the clock", "replays_old_history", r"(?s)Cannot access datetime.datetime.now.* at line \d+ of Deploy",
     [temporal_but(("workflow.now()", "datetime.now()"), ("import timedelta", "import datetime, timedelta"))]),
    ("the clock, past the sandbox", "replays_old_history", "Deploy",
     [temporal_but(("        friday = workflow.now().weekday() == 4\n",
                    ("        with workflow.unsafe.sandbox_unrestricted():\n"
                    "            friday = datetime.now().weekday() == 4\n")),
                   ("import timedelta", "import datetime, timedelta"))]),
    ("dice", "replays_old_history", "Cannot access random", [temporal_but((NUMBER, "random.randrange(10**9)"),
     ("from datetime", "import random\nfrom datetime"))]),
    ("dice, past the sandbox", "replays_old_history", "In two processes, on two days, Deploy did not",
     [temporal_but((NUMBER, "rest()"), ("@workflow.defn\n", ("import os\n\n\ndef rest():\n"
      "    with workflow.unsafe.sandbox_unrestricted():\n        return int.from_bytes(os.urandom(3))\n\n\n"
      "@workflow.defn\n")))]),
    ("a file", "replays_old_history", "Cannot access", [temporal_but(
        ('region = await workflow.execute_activity("read_region", app, start_to_close_timeout=wait)',
         'region = json.loads(open("regions.json").read())[app]'), ("from datetime", "import json\nfrom datetime"))]),
    ("the environment", "replays_old_history", "Cannot access|In two processes",
     [temporal_but(("{app}-{work", "{os.environ.get('HOME', app)}-{work"), ("from datetime", "import os\nfrom datetime"))]),
    ("a hash", "replays_old_history", "In two processes, on two days, Deploy did not",
     [temporal_but((NUMBER, 'hash(app + region) % 10**9'))]),
    ("the order of a set",
        "replays_old_history",
        "In two processes, on two days, Deploy did not take the same way",
        [temporal_but(("        host =", "        drawn = int(\"\".join({*\"123456789\"}))\n        host ="), (NUMBER, "drawn"))],
    ),
    ("an id", "replays_old_history", "In two processes, on two days|Each run", [temporal_but((NUMBER, "id(self) % 10**9"))]),
    ("tells always", "replays_old_history", "The history of an old run.*Deploy does not go through it",
     [temporal_but((NOTIFY, NOTIFY.replace('workflow.patched("tell the team")', "True")))]),
    ("tells never", "replays_old_history", "The history of a new run.*Deploy does not go through it",
     [temporal_but((NOTIFY, ""))]),
    ("another patch", "replays_old_history", "The history of a new run",
     [temporal_but(('"tell the team"', '"tell"'))]),
    ("another name", "replays_old_history", "does not go through it",
     [temporal_but(('"create_dns"', '"dns"'))]),
    ("another order", "replays_old_history", "does not go through it",
     [temporal_but(('"create_dns"', '"swap"'), ('"deploy_container"', '"create_dns"'), ('"swap"', '"deploy_container"'))]),
    ("two at once", "replays_old_history", "at once: wait for each activity",
     [temporal_but(('await workflow.execute_activity("deploy_container"', 'workflow.start_activity("deploy_container"'))]),
    ("other arguments", "replays_old_history", "The host is",
     [temporal_but(('"deploy_container", args=[app, host]', '"deploy_container", args=[app, region]'))]),
    ("no draw", "replays_old_history", "Each run drew the same number",
     [temporal_but((NUMBER, "1"))]),
    ("a host of letters", "replays_old_history", "The host is",
     [temporal_but((NUMBER, "workflow.uuid4()"))]),
    ("a host with zeros in front", "replays_old_history", "The host is '.*-00",
     [temporal_but((NUMBER + "}", NUMBER + ":09}"))]),
    ("a day two hours to the east", "replays_old_history", "does not go through it",
     [temporal_but(("workflow.now().weekday()", "(workflow.now() + timedelta(hours=2)).weekday()"))]),
    ("a day an hour to the west", "replays_old_history", "does not go through it",
     [temporal_but(("workflow.now().weekday()", "(workflow.now() - timedelta(hours=1)).weekday()"))]),
    ("fridays, too", "replays_old_history", "on a Friday",
     [temporal_but(("if not friday", "if True"))]),
    ("another day", "replays_old_history", "The history of",
     [temporal_but(("weekday() == 4", "weekday() == 5"))]),
    ("a timer", "replays_old_history", "does not go through it",
     [temporal_but(("        friday =", "        await workflow.sleep(1)\n        friday ="))]),
    ("returns something else", "replays_old_history", "Deploy returned",
     [temporal_but(('"certificate": not friday', '"certificate": friday'))]),
    ("an import is missing", "replays_old_history", "timedelta",
     [temporal_but(("from datetime import timedelta\n", ""))]),
    ("what was given is not there", "replays_old_history", "PATCH",
     [temporal_but(('"tell the team"', "PATCH"))]),
    ("no class", "replays_old_history", "Deploy", ["# answer: Deploy\nclass Deployment:\n    pass\n"]),
    ("no workflow", "replays_old_history", "Deploy", [temporal_but(("@workflow.defn\n", ""))]),
    ("an error of the body", "replays_old_history", r"line \d+ of Deploy", [temporal_but(("10**9", "0"))]),
]  # fmt: skip

RIGHT = {
    "the same, by other means": [DEPLOY, tell_but((KEPT, KEY)), TEMPORAL],
    "all is asked for at the start": ["""
# answer: deploy
def deploy(app):
    asked = DBOS.run_step({"name": "ask"}, lambda: [read_region(app), draw_host(app), is_friday()])
    region, host, friday = asked
    run = DBOS.workflow_id
    DBOS.run_step({"name": "dns"}, lambda: tool("create_dns", key=f"create_dns of {run}", service=app, region=region))
    DBOS.run_step({"name": "up"}, lambda: tool("deploy_container", key=f"deploy of {run}", service=app, host=host))
    if not friday:
        DBOS.run_step({"name": "tls"}, lambda: tool("issue_certificate", key=f"tls of {run}", service=app, host=host))
    return dict(region=region, host=host, certificate=not friday)
""", """
# answer: deploy_and_tell
def deploy_and_tell(app):
    asked = DBOS.run_step({"name": "ask"}, lambda: [read_region(app), draw_host(app), is_friday()])
    region, host, friday = asked
    run = DBOS.workflow_id
    DBOS.run_step({"name": "dns"}, lambda: tool("create_dns", key=f"create_dns of {run}", service=app, region=region))
    if DBOS.patch("2"):
        DBOS.run_step({"name": "tell"}, lambda: tool("notify", key=f"notify of {run}", service=app, region=region))
    DBOS.run_step({"name": "up"}, lambda: tool("deploy_container", key=f"deploy of {run}", service=app, host=host))
    if not friday:
        DBOS.run_step({"name": "tls"}, lambda: tool("issue_certificate", key=f"tls of {run}", service=app, host=host))
    return dict(region=region, host=host, certificate=not friday)
"""],
    "a hash as the key": [deploy_but((KEY, 'hashlib.sha256(f"{DBOS.workflow_id} {name}".encode()).hexdigest()'),
                                     ("def use", "import hashlib\n\n\ndef use")),
                          tell_but((KEPT, 'hashlib.sha256(f"{DBOS.workflow_id} {name}".encode()).hexdigest()'),
                                   ("def use", "import hashlib\n\n\ndef use"))],
    "uuid5 as the key": [deploy_but((KEY, "str(uuid.uuid5(uuid.NAMESPACE_URL, DBOS.workflow_id + name))"),
                                    ("def use", "import uuid\n\n\ndef use")),
                         tell_but((KEPT, "str(uuid.uuid5(uuid.NAMESPACE_URL, DBOS.workflow_id + name))"),
                                  ("def use", "import uuid\n\n\ndef use"))],
    "steps are decorated": ["""
# answer: deploy
@DBOS.step()
def used(name, key, arguments):
    return tool(name, key=key, **arguments)


@DBOS.step()
def region_of(app):
    return read_region(app)


@DBOS.step()
def host_of(app):
    return draw_host(app)


@DBOS.step()
def today():
    return "Friday" if is_friday() else "no Friday"


def deploy(app):
    region, host = region_of(app), host_of(app)
    used("create_dns", f"{DBOS.workflow_id}: create_dns", {"service": app, "region": region})
    used("deploy_container", f"{DBOS.workflow_id}: deploy_container", {"service": app, "host": host})
    if today() == "Friday":
        return {"region": region, "host": host, "certificate": False}
    used("issue_certificate", f"{DBOS.workflow_id}: issue_certificate", {"service": app, "host": host})
    return {"region": region, "host": host, "certificate": True}
""", """
# answer: deploy_and_tell
@DBOS.step(name="used")
def used_2(name, key, arguments):
    return tool(name, key=key, **arguments)


@DBOS.step(name="region_of")
def region_of_2(app):
    return read_region(app)


@DBOS.step(name="host_of")
def host_of_2(app):
    return draw_host(app)


@DBOS.step(name="today")
def today_2():
    return "Friday" if is_friday() else "no Friday"


def deploy_and_tell(app):
    region, host = region_of_2(app), host_of_2(app)
    used_2("create_dns", f"{DBOS.workflow_id}: create_dns", {"service": app, "region": region})
    if DBOS.patch(PATCH):
        used_2("notify", f"{DBOS.workflow_id}: notify", {"service": app, "region": region})
    used_2("deploy_container", f"{DBOS.workflow_id}: deploy_container", {"service": app, "host": host})
    if today_2() == "Friday":
        return {"region": region, "host": host, "certificate": False}
    used_2("issue_certificate", f"{DBOS.workflow_id}: issue_certificate", {"service": app, "host": host})
    return {"region": region, "host": host, "certificate": True}
"""],
    "the key is made in the step": [deploy_but(
        (STEP, ('DBOS.run_step({"name": name}, lambda: tool(name, key=f"{DBOS.workflow_id}/{name}", '
         "service=app, **arguments))"))), tell_but((KEPT, KEY))],
    "steps without names": [deploy_but(('{"name": name}', "None"), ('{"name": "read_region"}', "None"),
                                       ('{"name": "draw_host"}', "{}"), ('{"name": "is_friday"}', "None")),
                            tell_but((KEPT, KEY), ('{"name": name}', "None"), ('{"name": "read_region"}', "None"),
                                     ('{"name": "draw_host"}', "{}"), ('{"name": "is_friday"}', "None"))],
    "a decorated workflow": [deploy_but(("def deploy(app)", "@DBOS.workflow()\ndef deploy(app)")),
                             tell_but((KEPT, KEY))],
    "it logs": [deploy_but(("    host =", '    DBOS.logger.info("the record is there")\n    print("going on")\n    host =')),
                tell_but((KEPT, KEY))],
    "patch first, used later": [DEPLOY, tell_but((KEPT, KEY), (PATCHED, """    new = DBOS.patch(PATCH)
    if new:
        use("notify", app, region=region)
"""))],
    "the patch stands before the container": [DEPLOY, tell_but((KEPT, KEY), (PATCHED, ""), (
        '    use("deploy_container"', PATCHED + '    use("deploy_container"'))],
    "a class of steps": ["""
# answer: deploy
class Steps:
    def __init__(self, app):
        self.app, self.run = app, DBOS.workflow_id

    def ask(self, function, *args):
        return DBOS.run_step({"name": function.__name__}, function, *args)

    def use(self, name, **more):
        return DBOS.run_step({"name": name}, self.do, name, more)

    def do(self, name, more):
        return tool(name, key=json.dumps([self.run, name]), service=self.app, **more)


def deploy(app):
    steps = Steps(app)
    steps.use("create_dns", region=(region := steps.ask(read_region, app)))
    steps.use("deploy_container", host=(host := steps.ask(draw_host, app)))
    if certificate := not steps.ask(is_friday):
        steps.use("issue_certificate", host=host)
    return {"region": region, "host": host, "certificate": certificate}
""", """
# answer: deploy_and_tell
class NewSteps:
    def __init__(self, app):
        self.app, self.run = app, DBOS.workflow_id

    def ask(self, function, *args):
        return DBOS.run_step({"name": function.__name__}, function, *args)

    def use(self, name, **more):
        return DBOS.run_step({"name": name}, self.do, name, more)

    def do(self, name, more):
        return tool(name, key=json.dumps([self.run, name]), service=self.app, **more)


def deploy_and_tell(app):
    steps = NewSteps(app)
    steps.use("create_dns", region=(region := steps.ask(read_region, app)))
    if DBOS.patch(PATCH):
        steps.use("notify", region=region)
    steps.use("deploy_container", host=(host := steps.ask(draw_host, app)))
    if certificate := not steps.ask(is_friday):
        steps.use("issue_certificate", host=host)
    return {"region": region, "host": host, "certificate": certificate}
"""],
    "a loop over a plan": ["""
# answer: deploy
def deploy(app):
    run = DBOS.workflow_id
    known = {"region": DBOS.run_step({"name": "where"}, read_region, app)}
    known["host"] = DBOS.run_step({"name": "host"}, draw_host, app)
    plan = [("create_dns", "region"), ("deploy_container", "host")]
    if DBOS.run_step({"name": "day"}, is_friday) is False:
        plan.append(("issue_certificate", "host"))
    for name, what in plan:
        DBOS.run_step({"name": name}, tool, name, key=f"{run}:{name}", service=app, **{what: known[what]})
    return {**known, "certificate": len(plan) == 3}
""", """
# answer: deploy_and_tell
def deploy_and_tell(app):
    run = DBOS.workflow_id
    known = {"region": DBOS.run_step({"name": "where"}, read_region, app)}
    known["host"] = DBOS.run_step({"name": "host"}, draw_host, app)
    plan = [("create_dns", "region"), ("deploy_container", "host")]
    certificate = not DBOS.run_step({"name": "day"}, is_friday)
    if certificate:
        plan.append(("issue_certificate", "host"))
    for name, what in plan:
        if name == "deploy_container" and DBOS.patch(PATCH):
            DBOS.run_step({"name": "x"}, tool, "notify", key=f"{run}:notify", service=app, region=known["region"])
        DBOS.run_step({"name": name}, tool, name, key=f"{run}:{name}", service=app, **{what: known[what]})
    return {**known, "certificate": certificate}
"""],
    "Temporal by start_activity": [temporal_but(
        ("region = await workflow.execute_activity(", "region = await workflow.start_activity("))],
    "Temporal with a base class": ["""
# answer: Deploy
import datetime as dt

from temporalio import workflow
from temporalio.common import RetryPolicy


class Steps:
    async def use(self, name, *args):
        return await workflow.execute_activity(
            name, args=list(args), schedule_to_close_timeout=dt.timedelta(hours=1),
            retry_policy=RetryPolicy(maximum_attempts=3),
        )


@workflow.defn(name="Deploy")
class Deploy(Steps):
    def __init__(self):
        self.region = self.host = None

    @workflow.run
    async def run(self, app):
        self.region = await self.use("read_region", app)
        new = False
        await self.use("create_dns", app, self.region)
        new = workflow.patched("tell the team")
        if new:
            workflow.logger.info("telling")
            await self.use("notify", app, self.region)
        self.host = "%s-%d" % (app, workflow.random().randint(0, 999_999_999))
        await self.use("deploy_container", app, self.host)
        if workflow.now().strftime("%w") != "5":
            await self.use("issue_certificate", app, self.host)
            return {"host": self.host, "region": self.region, "certificate": True}
        return {"host": self.host, "region": self.region, "certificate": False}
"""],
    "Temporal: all is asked for at the start": [temporal_but(
        (f'        host = f"{{app}}-{{{NUMBER}}}"\n', ""),
        ("        wait =", f'        host = f"{{app}}-{{{NUMBER}}}"\n        friday = workflow.now().weekday() == 4\n        wait ='),
        ("        friday = workflow.now().weekday() == 4\n        if", "        if"))],
    "Temporal with a dataclass and a query": [temporal_but(
        ("@workflow.defn\n", "@dataclass\nclass Known:\n    region: str = ''\n    host: str = ''\n\n\n@workflow.defn\n"),
        ("from datetime", "from dataclasses import asdict, dataclass\nfrom datetime"),
        ("    @workflow.run", "    @workflow.query\n    def how(self) -> str:\n        return 'fine'\n\n    @workflow.run"),
        ('return {"region": region, "host": host, ', 'return {**asdict(Known(region, host)), '))],
    "Temporal with a loop": ["""
# answer: Deploy
from datetime import timedelta

with __import__("temporalio.workflow").workflow.unsafe.imports_passed_through():
    from temporalio import workflow

SHORT = {"start_to_close_timeout": timedelta(seconds=30)}


@workflow.defn
class Deploy:
    @workflow.run
    async def run(self, app: str) -> dict:
        region, host = await workflow.execute_activity("read_region", args=[app], **SHORT), None
        friday = workflow.now().isoweekday() == 5
        for name in ("create_dns", "notify", "deploy_container", "issue_certificate"):
            if name == "notify" and not workflow.patched("tell the team"):
                continue
            if name == "issue_certificate" and friday:
                continue
            if name == "deploy_container":
                host = f"{app}-{int(workflow.random().random() * 10**9)}"
            await workflow.execute_activity(name, args=[app, host or region], **SHORT)
        return {"region": region, "host": host, "certificate": not friday}
"""],
}  # fmt: skip

WRONG += [
    ("notify alongside", "replays_old_history", r"ends in notify\. Deploy asked for notify and deploy_container at once",
     ['''\
# answer: Deploy
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Deploy:
    """Deploy an app, by activities."""

    @workflow.run
    async def run(self, app: str) -> dict:
        limit = timedelta(minutes=5)
        region = await workflow.execute_activity("read_region", args=[app], start_to_close_timeout=limit)
        await workflow.execute_activity("create_dns", args=[app, region], start_to_close_timeout=limit)

        telling = None
        if workflow.patched("tell the team"):
            telling = workflow.start_activity("notify", args=[app, region], start_to_close_timeout=limit)

        host = f"{app}-{workflow.random().randrange(10**9)}"
        await workflow.execute_activity("deploy_container", args=[app, host], start_to_close_timeout=limit)
        friday = workflow.now().weekday() == 4
        if not friday:
            await workflow.execute_activity("issue_certificate", args=[app, host], start_to_close_timeout=limit)
        if telling is not None:
            await telling
        return {"region": region, "host": host, "certificate": not friday}
''']),
]  # fmt: skip

RIGHT |= {
    "a hash of its own, called hash": ['''\
# answer: deploy
import hashlib

def hash(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def key_of(name):
    return hash(DBOS.workflow_id, name)


def use(name, **what):
    return DBOS.run_step({"name": name}, tool, name, key=key_of(name), **what)


def body(app, tell):
    region = DBOS.run_step({"name": "read_region"}, read_region, app)
    use("create_dns", service=app, region=region)
    if tell():
        use("notify", service=app, region=region)
    host = DBOS.run_step({"name": "draw_host"}, draw_host, app)
    use("deploy_container", service=app, host=host)
    friday = DBOS.run_step({"name": "is_friday"}, is_friday)
    if not friday:
        use("issue_certificate", service=app, host=host)
    return {"region": region, "host": host, "certificate": not friday}


def deploy(app):
    """Deploy an app, by steps: its region, its host, and whether it has a certificate."""
    return body(app, lambda: False)
''', '''\
# answer: deploy_and_tell
def deploy_and_tell(app):
    """Deploy an app, and tell the team in between; go on with runs that `deploy` has begun."""
    return body(app, lambda: DBOS.patch(PATCH))
'''],
}  # fmt: skip
