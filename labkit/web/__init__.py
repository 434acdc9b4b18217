"""A web application over `labkit.progress`: a page on which a human sees what a run does, and has a say.

access.py         who may look, and who may command: a token for each run; from which pages
watching.py       one look at the database for all streams that wait
wanted.py         what the user wants, checked and saved
answers.py        the page, a stream, a refusal
application.py    the routes: the page, the stream of server-sent events, the WebSocket of commands
page.html         what the browser is given, whole
child.py          the application in a process of its own, which ends with its owner
working.py        a worker beside it, which goes on with each run

GET /runs/{run}#token                  the page, which is no secret; what is behind # is told to no server
GET /runs/{run}/updates?token=…        the stream; `Last-Event-ID`, or `after=…`: what was seen last
WS  /runs/{run}/commands?token=…       {"id", "do", …} → {"id", "saved"}, {"id", "refused"} or {"id", "again"}
"""

from labkit.web.access import Right, may, token_for
from labkit.web.application import application
from labkit.web.child import Server, ServerError, serving

__all__ = ["Right", "Server", "ServerError", "application", "may", "serving", "token_for"]
