"""DBOS as a grading uses it: nothing pickled is kept or read, and who may not use it is told so in one line."""

import base64
import pickle
from contextlib import closing

import psycopg
import pytest
import sqlalchemy as sa
from by_workers import Grading, reached, submissions
from dbos import DBOSClient, DBOSPortableJSONSerializer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from labkit import database
from labkit.grading.distributed import engine, lease, tables, worker
from labkit.grading.distributed.coordinator import CANCELLED
from labkit.grading.distributed.jobs import Jobs
from labkit.repository import UsageError


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.fixture
def prepared(database_url):
    """A database with all tables, and a connection."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        engine.prepare(reached(database_url), connection)
        yield connection


def insert(connection, inputs, marked):
    """Somebody with the role puts a workflow in."""
    row = {"workflow_uuid": "evil/j/1", "status": "ENQUEUED", "name": engine.ATTEMPT, "inputs": inputs}
    row |= {"serialization": marked, "queue_name": engine.QUEUE, "priority": 1, "application_name": engine.NAME}
    names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    into = f"INSERT INTO labkit_grading_1_dbos.workflow_status ({names}) VALUES ({marks})"  # noqa: S608 - ours
    connection.execute(into, list(row.values()))


def test_the_database_refuses_what_is_marked_as_pickled(prepared, tmp_path):
    """Whoever puts it in; twice prepared is as once."""
    text = base64.b64encode(pickle.dumps(Evil(tmp_path / "evil"))).decode()
    with pytest.raises(psycopg.errors.CheckViolation):
        insert(prepared, text, tables.PICKLED)


def test_what_is_pickled_is_not_read_even_if_the_database_has_it(prepared, tmp_path, database_url):
    """A row from before, or of somebody who has dropped the constraint: refused at the start, and never unpickled."""
    text = base64.b64encode(pickle.dumps(Evil(tmp_path / "evil"))).decode()
    prepared.execute("ALTER TABLE labkit_grading_1_dbos.workflow_status DROP CONSTRAINT nothing_pickled")
    insert(prepared, text, tables.PICKLED)
    with closing_client(database_url) as client:
        (found,) = client.list_workflows(workflow_id_prefix="evil/")
    assert found.input == text
    with pytest.raises(UsageError, match="workflow_status has rows that are marked as pickled"):
        engine.prepare(reached(database_url), prepared)
    assert not (tmp_path / "evil").exists()


def closing_client(url):
    """A client, closed in the end."""
    client = DBOSClient(
        system_database_url=url, dbos_system_schema=tables.ENGINE, serializer=DBOSPortableJSONSerializer()
    )
    client.close = client.destroy
    return closing(client)


@pytest.mark.parametrize("made", [False, True])
def test_who_may_not_make_tables_is_told_what_to_do(database_url, made):
    """The line has the statement that an administrator needs; no password. Also where others have made them."""
    if made:
        with psycopg.connect(database_url) as connection:
            tables.make(connection)
    how, role = conninfo_to_dict(database_url), f"labkit_no_rights_{int(made)}"
    server = database.server()
    with server.connect(**server.conninfo()) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'no'")
        admin.execute(f"GRANT CONNECT ON DATABASE {how['dbname']} TO {role}")
    try:
        where = reached(make_conninfo(**{**how, "user": role, "password": "no"}))
        with where.connect() as connection:
            assert worker._asked(connection) == {}
            with pytest.raises(UsageError) as error:
                engine.prepare(where, connection)
        assert f"GRANT CREATE ON DATABASE {how['dbname']} TO {role}" in str(error.value)
        assert "\n" not in str(error.value)
    finally:
        with server.connect(**server.conninfo()) as admin:
            admin.execute(f"REVOKE CONNECT ON DATABASE {how['dbname']} FROM {role}")
            admin.execute(f"DROP ROLE {role}")


def test_a_server_that_has_no_connection_left_for_dbos_is_waited_for(database_url, monkeypatch):
    """Its error is SQLAlchemy's; what the server says is told."""
    said, client, tries = [], engine.client, []

    def crowded(where):
        tries.append(where)
        if len(tries) == 1:
            raise sa.exc.OperationalError("", {}, psycopg.OperationalError("too many clients already"))
        return client(where)

    monkeypatch.setattr(lease, "PAUSE", 0)
    monkeypatch.setattr(engine, "client", crowded)
    Jobs(reached(database_url), said.append).close()
    assert said == ["Waiting for the database: too many clients already"]


@pytest.mark.timeout(600)
@pytest.mark.slow(seconds=20)
def test_a_workflow_that_somebody_cancels_is_looked_at(tmp_path, database_url, monkeypatch):
    """The asker does not wait for ever."""
    monkeypatch.setattr("labkit.grading.distributed.coordinator.LONELY", 0.5)
    students = submissions(tmp_path / "criteria", 1)
    grading = Grading(database_url, tmp_path / "out", tmp_path / "criteria")
    flush = grading.jobs.flush

    def flush_and_cancel():
        flush()
        with closing_client(database_url) as client:
            client.cancel_workflows([each.workflow_id for each in client.list_workflows()])

    monkeypatch.setattr(grading.jobs, "flush", flush_and_cancel)
    grading.grade(students)
    (grade,) = grading.book.grades(grading.book.rows())
    assert grade.status == "look"
    assert CANCELLED in grade.results[0].verdicts[0].what
