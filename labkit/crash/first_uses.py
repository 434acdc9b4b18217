"""What a library does at its first use: it builds models, compiles patterns, looks into types, and keeps what it found.

The zygote does it when it has imported the library, so each child has it by fork. In a child it would be paid again at
every crash point: it was a third of what an agent's recovery took. No server is asked, and nothing stays behind.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any


def use() -> None:
    """Use each library that is loaded and was not used here before."""
    for library, once in [*UNUSED.items()]:
        if library in sys.modules:
            del UNUSED[library]
            with suppress(Exception):  # then its first use is a child's, as that of any other library
                once()


def _ask_a_model() -> None:
    import httpx2  # noqa: PLC0415 - loaded with openai
    import openai  # noqa: PLC0415 - as the caller has seen

    call = {"id": "1", "type": "function", "function": {"name": "name", "arguments": "{}"}}
    said = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "finish_reason": "tool_calls", "message": said}
    completion = {"id": "1", "object": "chat.completion", "created": 0, "model": "model", "choices": [choice]}
    messages: Any = [
        {"role": "system", "content": ""},
        {"role": "user", "content": ""},
        said,
        {"role": "tool", "tool_call_id": "1", "content": ""},
    ]
    tools: Any = [{"type": "function", "function": {"name": "name", "parameters": {"type": "object"}}}]
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=completion))
    with httpx2.Client(transport=transport, trust_env=False) as below:
        client = openai.OpenAI(base_url="http://localhost", api_key="none", http_client=below)
        client._platform = "Unknown"  # noqa: SLF001 - or it would be found out in a thread, for a header
        client.chat.completions.create(model="model", messages=messages, tools=tools, timeout=1.0)


def _use_a_database() -> None:
    import sqlalchemy as sa  # noqa: PLC0415 - as the caller has seen

    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT 1").all()
        connection.execute(sa.text("SELECT :one"), {"one": 1}).all()
    engine.dispose()


def _name_a_server() -> None:
    import psycopg  # noqa: PLC0415 - as the caller has seen
    import sqlalchemy as sa  # noqa: PLC0415 - with its dialect for psycopg

    dialect = sa.create_engine("postgresql+psycopg://").dialect
    dialect._get_server_version_info(_Version())  # noqa: SLF001 - compiles its pattern
    with suppress(psycopg.OperationalError):
        psycopg.connect(host=os.devnull, hostaddr="", connect_timeout=1)  # a folder of sockets that there cannot be


class _Version:
    """Answers a dialect that asks a server for its version."""

    def exec_driver_sql(self, _: str) -> "_Version":
        """It asks nothing else."""
        return self

    def scalar(self) -> str:
        """Any."""
        return "PostgreSQL 18.0"


UNUSED: dict[str, Callable[[], None]] = {
    "openai": _ask_a_model,
    "sqlalchemy": _use_a_database,
    "sqlalchemy.dialects.postgresql.psycopg": _name_a_server,
}
"""Libraries whose first use takes a child more than a few milliseconds, and what uses them."""
