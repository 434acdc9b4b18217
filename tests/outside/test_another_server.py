"""The agent and its notebook talk to any compatible server: here one that shares no line with labkit's own."""

import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from labkit import FileStateStore, TaskState, World, attach, llm
from labkit.agent import Agent
from labkit.course import stories
from labkit.repository import root
from labkit.world import WorldClock, current

ANOTHER = """
import json
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        print(self.path, self.headers["authorization"], flush=True)
        turn = sum(message["role"] == "assistant" for message in asked["messages"])
        names = [tool["function"]["name"] for tool in asked.get("tools", [])]
        message = {"role": "assistant", "content": "All is well."}
        if turn < len(names):  # it uses each tool that it is offered
            function = {"name": names[turn], "arguments": "{}"}
            message = {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": function}]}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        body = json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        pass

server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
def another(monkeypatch):
    """The server in a process of its own, named by the environment; ends it and returns what it was asked."""
    with subprocess.Popen([sys.executable, "-c", ANOTHER], stdout=subprocess.PIPE, text=True) as process:
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{process.stdout.readline().strip()}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "secret")

        def asked():
            process.kill()
            return process.stdout.read().splitlines()

        yield asked
        process.kill()


@pytest.mark.slow
def test_the_agent_runs_against_it(another, tmp_path):
    """Its model decides, the tools act on our world, and a server that repeats its ids confuses nobody."""
    before, world = current(), attach(World())
    clock = WorldClock()
    agent = Agent(llm.client(clock), stories.DISK.tools, FileStateStore(tmp_path, clock), clock, limit=180)
    agent.start(stories.DISK.goal, "run-1")
    done = agent.resume("run-1")
    attach(before)
    assert (done.state, done.result) == (TaskState.COMPLETED, "All is well.")
    assert [call.tool for call in world.calls] == ["check_disk", "clean_logs"]
    assert another() == ["/v1/chat/completions Bearer secret"] * 3


def printed(notebook):
    """What each cell has printed, in however many pieces."""
    return ["".join(output.get("text", "") for output in cell.get("outputs", [])) for cell in notebook.cells]


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_notebook_runs_against_it(another):
    """Only the cell that says so leaves the script. Its output is the same, and so is that of all others."""
    path = root() / "notebooks/04_deadlines.ipynb"
    committed = nbformat.read(path, as_version=4)
    ran = nbformat.read(path, as_version=4)
    NotebookClient(ran, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    assert printed(ran) == printed(committed)
    assert another() == ["/v1/chat/completions Bearer secret"] * 3
