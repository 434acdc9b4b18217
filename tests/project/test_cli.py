"""The command: one clear line and exit status 2 for whatever goes wrong, never a traceback."""

import errno
import os
import subprocess
import sys

import pytest

from labkit import cli, repository
from labkit.cli import judged
from labkit.learner import state
from labkit.repository import UsageError


@pytest.mark.parametrize(
    "argv", [[], ["deploy"], ["lab", "--port"], ["lab", "--port", "http"], ["lab", "--port", "99999"]]
)
def test_wrong_use_is_one_line(argv, capsys):
    """Whatever is wrong with the command, one line says so and where help is."""
    assert cli.main(argv) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("labkit: ")
    assert "--help" in line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UsageError("no such chapter: 99"), "labkit: no such chapter: 99"),
        (OSError(errno.ENOSPC, "No space left on device", "a file"), "labkit: a file: No space left on device"),
        (OSError("the disk is gone"), "labkit: the disk is gone"),
    ],
)
def test_an_error_is_one_line(monkeypatch, capsys, error, line):
    """What a command raises for its user is printed without a traceback."""

    def fail():
        raise error

    monkeypatch.setattr(repository, "root", fail)

    assert cli.main(["lab"]) == 2
    assert capsys.readouterr().err.splitlines() == [line]


def test_a_file_in_the_place_of_an_exercise_is_told_what_to_type(capsys):
    """The whole command as it should have been."""
    assert cli.main(["check", "solutions/05_postgres.ipynb"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("and then a file: labkit check 05 solutions/05_postgres.ipynb")


def test_control_c_is_quiet(monkeypatch, capsys):
    """Being interrupted is no error: nothing is printed, and the status is the shell's own for it."""

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(repository, "root", interrupt)

    assert cli.main(["lab"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "command",
    ["lab", "update", "doctor", "progress", "check", "grade", "release", "criteria check", "mcp"]
    + [f"db {action}" for action in ("start", "stop", "status", "url", "reset")],
)
def test_the_help_of_each_command_has_an_example(command, capsys):
    """One that can be typed as it stands."""
    with pytest.raises(SystemExit) as ended:
        cli.main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert f"example: labkit {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("", "say where the states are: --folder DIR, or --dsn URL; one of the two"),
        ("--folder a --dsn postgresql:///b", "say where the states are"),
        ("--folder a --as Ada", "'Ada' cannot own states: --as OWNER, 1 to 64 of a-z, 0-9, - and _"),
        ("--folder a --tokens b", "--tokens is for HTTP"),
        ("--folder a --http 0", "over HTTP a token says who comes: --tokens FILE"),
        ("--folder a --http 0 --tokens b --as ada", "and no --as"),
        ("--folder a --http 99999", "invalid port value: '99999'"),
        ("--folder a --http 0 --tokens nothing", "nothing: No such file or directory"),
        ("--dsn nonsense --as ada", "--dsn is no address: it looks like postgresql://user:password@host/database"),
        ("--dsn postgresql://nobody@127.0.0.1:9/a --as ada", "cannot connect: start the server"),
        (
            "--dsn mysql://ada:secret@host/a --as ada",
            "--dsn is an address of PostgreSQL alone, by psycopg: postgresql://",
        ),
        ("--dsn postgresql+asyncpg://host/a --as ada", "--dsn is an address of PostgreSQL alone"),
        ("--dsn postgresql+psycopg2://host/a --as ada", "--dsn is an address of PostgreSQL alone"),
        ("--dsn sqlite:///a --as ada", "--dsn is an address of PostgreSQL alone"),
        ("--dsn postgresql://ada:secret@host:x/a --as ada", "--dsn is no address"),
        (f"--dsn postgresql://{'x' * 70}.example/a --as ada", "--dsn is no address"),
        ("--issue ada/b", "say in which file the digest is kept: --tokens FILE"),
        ("--issue Ada --tokens b", "--issue OWNER/AGENT, as in ada/agent-b"),
    ],
)
def test_what_mcp_cannot_serve_is_one_line(options, line, tmp_path, monkeypatch, capsys):
    """Before it serves anybody."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["mcp", *options.split()]) == 2
    told = capsys.readouterr()
    assert line in told.err
    assert (told.err.count("\n"), told.out) == (1, "")
    assert "secret" not in told.err


def test_help_does_not_wait_for_jupyter():
    """Asking for help loads nothing heavy."""
    program = (
        "import sys; from labkit.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(sorted({'jupyterlab', 'matplotlib', 'pydantic'} & sys.modules.keys()))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert told.splitlines()[-1] == "[]"


def test_the_installed_command_gives_the_exit_status():
    """The program on the disk passes on what main returns."""
    command = os.path.join(os.path.dirname(sys.executable), "labkit")

    ended = subprocess.run([command, "deploy"], capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


SOLUTION = repository.root() / "solutions" / "01_file_storage.ipynb"


def into_a_closed_pipe(tmp_path, program, *arguments, stderr=subprocess.PIPE):
    """How it ends when the reader of its output is gone before it has printed anything."""
    reader, writer = os.pipe()
    os.close(reader)
    others = {name: value for name, value in os.environ.items() if name not in {"LABKIT_DSN", "PYTHONUNBUFFERED"}}
    environment = {**others, "LABKIT_HOME": str(tmp_path)}
    try:
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, stdout=writer, stderr=stderr, env=environment, check=False, timeout=120)
    finally:
        os.close(writer)


@pytest.mark.parametrize(
    "argv", [["check", "01.saves_whole", SOLUTION], ["db", "status"], ["--help"], ["db", "--help"]]
)
@pytest.mark.parametrize("stderr", [subprocess.PIPE, subprocess.STDOUT])
def test_a_closed_pipe_ends_a_command_quietly(tmp_path, argv, stderr):
    """As in `labkit check 01 | head -1`: no complaint, neither at once nor at exit, and the status that SIGPIPE has."""
    main = "import sys; from labkit.cli import main; sys.exit(main())"
    ended = into_a_closed_pipe(tmp_path, main, *map(str, argv), stderr=stderr)
    assert (ended.returncode, ended.stderr or b"") == (141, b"")


def test_a_long_text_into_a_closed_pipe_is_quiet_too(tmp_path):
    """What does not fit into the buffer fails while it is printed."""
    lines = (
        "def check(_): print('x' * 100_000)",
        "from labkit import cli; from labkit.cli import judged",
        "judged.check = check",
        "exit(cli.main())",
    )
    ended = into_a_closed_pipe(tmp_path, "\n".join(lines), "check", "01")
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_a_pipe_that_is_not_the_output_is_an_error(monkeypatch, capsys):
    """If a part of the lab is gone, the user is told so, although the error is of the same kind."""

    def fail():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(repository, "root", fail)

    assert cli.main(["lab"]) == 2
    assert capsys.readouterr().err == "labkit: [Errno 32] Broken pipe\n"


def test_somebody_elses_notebook_is_said_to_run_unenclosed(tmp_path, capsys):
    """On standard error, before it runs; not of what lies in work/ or in the course."""
    theirs = tmp_path / "theirs.ipynb"
    theirs.write_bytes(SOLUTION.read_bytes())

    assert cli.main(["check", "01.saves_whole", str(theirs)]) == 0
    assert capsys.readouterr().err == f"labkit: {theirs} {judged.AS_YOU}\n"
    assert cli.main(["check", "01.saves_whole", str(SOLUTION)]) == 0
    assert capsys.readouterr().err == ""


def test_a_check_in_a_terminal_is_on_the_map(tmp_path, monkeypatch):
    """Of the student's own copy, named or not; what lies elsewhere may be another's."""
    monkeypatch.setenv("LABKIT_WORK", str(tmp_path / "work"))
    copy = tmp_path / "work/exercises/01_file_storage.ipynb"
    copy.parent.mkdir(parents=True)
    copy.write_bytes((repository.root() / "exercises/01_file_storage.ipynb").read_bytes())

    assert cli.main(["check", "01.saves_whole", str(SOLUTION)]) == 0
    assert state.read().cases == {}
    assert cli.main(["check", "01.saves_whole"]) == 1
    assert state.read().cases == {"01.saves_whole": "TODO"}
    copy.write_bytes(SOLUTION.read_bytes())
    assert cli.main(["check", "01.saves_whole", str(copy)]) == 0
    assert state.read().cases == {"01.saves_whole": "PASS"}
