"""The database that a grading goes through: found by what libpq knows, refused in one line, no password in sight."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from labkit.grading.distributed.place import NoPlaceError, find, forget_secrets, hide_password
from psycopg.conninfo import conninfo_to_dict, make_conninfo

LABKIT = Path(sys.executable).with_name("labkit")
SECRET = "pass-w0rd&%"  # noqa: S105 - of nobody


@pytest.fixture
def how(database_url):
    """A database, by keywords."""
    return conninfo_to_dict(database_url)


def refused(**how):
    """What is said of a database that cannot be used."""
    with pytest.raises(NoPlaceError) as error:
        find(make_conninfo(**how))
    assert "\n" not in str(error.value)
    return error.value


def test_a_database_is_found_by_a_url_and_by_keywords(how, database_url):
    """It is the same one, whichever way it is written."""
    for dsn in (database_url, make_conninfo(**how)):
        with find(dsn).connect() as connection:
            assert connection.info.dbname == how["dbname"]


def test_a_password_may_come_from_a_file_and_a_database_from_a_service(how, tmp_path, monkeypatch):
    """As with any program that uses libpq; and what is started later finds none of it in its environment."""
    service = "".join(f"{key}={value}\n" for key, value in how.items() if key != "password")
    (tmp_path / "services").write_text(f"[grading]\n{service}")
    (tmp_path / "passwords").write_text(f"*:*:*:{how['user']}:{how['password']}\n")
    (tmp_path / "passwords").chmod(0o600)
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "passwords"))
    monkeypatch.setenv("LABKIT_DSN", "postgresql://somewhere")
    place = find("service=grading")
    forget_secrets()
    assert not {"PGSERVICEFILE", "PGPASSFILE", "LABKIT_DSN"} & set(os.environ)
    with place.connect() as connection:
        assert connection.info.dbname == how["dbname"]
    with psycopg.connect(place.url) as connection:
        assert connection.info.dbname == how["dbname"]


def test_what_cannot_be_used_is_said_in_one_line_without_a_password(how):
    """A wrong password, a database or a server that is not there, a text that is no DSN."""
    wrong = refused(**{**how, "password": SECRET})
    assert "PGPASSWORD" in str(wrong)
    missing = refused(**{**how, "dbname": "no_such"})
    assert "name what there is" in str(missing)
    nobody = refused(host="127.0.0.1", port="9", password=SECRET)
    assert "see whether the server runs" in str(nobody)
    with pytest.raises(NoPlaceError, match="cannot be read: write it as") as error:
        find(f"postgres;{SECRET}")
    assert not any(SECRET in str(each) for each in (wrong, missing, nobody, error.value))
    assert [each.later for each in (wrong, missing, nobody)] == [False, False, True]
    assert SECRET not in repr(find(make_conninfo(**how)))


def test_a_database_that_is_not_named_is_the_one_called_like_the_role(how):
    """As with any program that uses libpq."""
    unnamed = make_conninfo(**{key: value for key, value in how.items() if key != "dbname"})
    assert find(unnamed).how["dbname"] == how["user"]


def test_a_password_among_the_arguments_moves_to_where_other_users_cannot_read_it(monkeypatch):
    """The process begins anew without it; a DSN that has none stays as it is."""
    begun = []
    monkeypatch.setattr("os.execv", lambda program, arguments: begun.append(arguments))
    for dsn in (f"postgresql://ada:{SECRET.replace('%', '%25')}@host/db", f"user=ada password='{SECRET}' dbname=db"):
        for words in (["--on", dsn], [f"--on={dsn}"]):
            monkeypatch.setattr("sys.orig_argv", ["python", "labkit", *words])
            hide_password(dsn)
            assert SECRET not in " ".join(begun[-1])
            assert "dbname=db" in begun[-1][-1]
            assert os.environ.pop("PGPASSWORD") == SECRET
    hide_password("postgresql://ada@host/db")
    assert len(begun) == 4


@pytest.mark.parametrize("command", [["grade", "class", "--out", "out"], ["grade-worker"], ["grade-status"]])
def test_each_command_says_it_in_one_line_and_leaves_nothing(tmp_path, command):
    """Exit status 2, no traceback, no book."""
    (tmp_path / "class" / "Ada").mkdir(parents=True)
    dsn = f"host=127.0.0.1 port=9 user=ada password={SECRET}"
    done = subprocess.run(
        [LABKIT, *command, "--on", dsn], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "see whether the server runs" in done.stderr
    assert SECRET not in done.stderr + done.stdout
    assert not (tmp_path / "out").exists()
