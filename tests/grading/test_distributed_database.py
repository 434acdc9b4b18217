"""The database that a grading goes through: found by what libpq knows, refused in one line, no password in sight."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from labkit.database.server import url
from labkit.grading.distributed.database import NoDatabaseError, find, forget_secrets

LABKIT = Path(sys.executable).with_name("labkit")
SECRET = "pass-w0rd&%"  # noqa: S105 - of nobody


@pytest.fixture
def how(database_url, monkeypatch):
    """A database, by keywords; its password is in the environment."""
    known = conninfo_to_dict(database_url)
    monkeypatch.setenv("PGPASSWORD", known.pop("password"))
    return known


def refused(dsn="", **how):
    """What is said of a database that cannot be used."""
    with pytest.raises(NoDatabaseError) as error:
        find(dsn or make_conninfo(**how))
    assert "\n" not in str(error.value)
    return error.value


def test_a_database_is_found_by_a_url_and_by_keywords(how):
    """It is the same one, whichever way it is written. Where a name leads is asked anew each time."""
    for dsn in (url(how), make_conninfo(**how)):
        with find(dsn).connect() as connection:
            assert connection.info.dbname == how["dbname"]
        assert "hostaddr" not in find(dsn).how


def test_a_password_may_come_from_a_file_and_a_database_from_a_service(how, tmp_path, monkeypatch):
    """As with any program that uses libpq; and what is started later finds none of it in its environment."""
    service = "".join(f"{key}={value}\n" for key, value in how.items())
    (tmp_path / "services").write_text(f"[grading]\n{service}")
    (tmp_path / "passwords").write_text(f"*:*:*:{how['user']}:{os.environ['PGPASSWORD']}\n")
    monkeypatch.delenv("PGPASSWORD")
    (tmp_path / "passwords").chmod(0o600)
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "passwords"))
    monkeypatch.setenv("LABKIT_DSN", "postgresql://somewhere")
    found = find("service=grading")
    forget_secrets()
    assert not {"PGSERVICEFILE", "PGPASSFILE", "LABKIT_DSN"} & set(os.environ)
    with found.connect() as connection:
        assert connection.info.dbname == how["dbname"]
    with psycopg.connect(found.url) as connection:
        assert connection.info.dbname == how["dbname"]


def test_what_cannot_be_used_is_said_in_one_line_without_a_password(how, monkeypatch):
    """A wrong password, a database or a server that is not there, a text that is no DSN."""
    missing = refused(**{**how, "dbname": "no_such"})
    assert "name what there is" in str(missing)
    assert os.environ["PGPASSWORD"] not in repr(find(make_conninfo(**how)))
    monkeypatch.setenv("PGPASSWORD", SECRET)
    wrong = refused(**how)
    assert "PGPASSWORD" in str(wrong)
    nobody = refused(host="127.0.0.1", port="9")
    assert "see whether the server runs" in str(nobody)
    unread = refused(f"postgres;{SECRET}")
    assert "cannot be read: write it as" in str(unread)
    assert not any(SECRET in str(each) for each in (wrong, missing, nobody, unread))
    assert [each.later for each in (wrong, missing, nobody)] == [False, False, True]


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://ada:ss@secret@host/db", "postgresql://ada:sec@ret@host/db", "postgresql://a@secret@host/db",
        "postgresql://ada:secret@host/db", "user=ada password=secret", "postgresql://host/db?password=secret",
        "host=host sslpassword=secret", "postgresql://ada:1/secret@host/db",
    ],
)  # fmt: skip
def test_a_password_among_the_arguments_is_refused_and_not_printed(dsn):
    """All users of the machine can read it there. Also one with an @ in it that is not escaped, or with a slash."""
    error = refused(dsn)
    assert "PGPASSWORD" in str(error)
    assert "secret" not in str(error)
    assert "ret@" not in str(error)


def test_a_database_that_is_not_named_is_the_one_called_like_the_role(how):
    """As with any program that uses libpq."""
    unnamed = make_conninfo(**{key: value for key, value in how.items() if key != "dbname"})
    assert find(unnamed).how["dbname"] == how["user"]


@pytest.mark.parametrize("command", [["grade", "class", "--out", "out"], ["grade-worker"], ["grade-status"]])
def test_each_command_says_it_in_one_line_and_leaves_nothing(tmp_path, command):
    """Exit status 2, no traceback, no book."""
    (tmp_path / "class" / "Ada").mkdir(parents=True)
    known = {**os.environ, "PGPASSWORD": SECRET}
    done = subprocess.run(
        [LABKIT, *command, "--on", "host=127.0.0.1 port=9 user=ada"],
        cwd=tmp_path,
        env=known,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "see whether the server runs" in done.stderr
    assert SECRET not in done.stderr + done.stdout
    assert not (tmp_path / "out").exists()
