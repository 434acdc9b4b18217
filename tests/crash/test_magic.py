"""`%%crash` and `%%restart`: live processes in a notebook, killed for real, with the notebook unharmed."""

import os
import subprocess
import sys

START = "import os\nfrom labkit import World, attach, scratch, tool\nscratch()\nworld = attach(World())"


def in_ipython(*cells: str) -> list[str]:
    """The lines that a fresh IPython prints for these cells."""
    program = f"""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="nocolor")
for cell in {(START, *cells)!r}:
    shell.run_cell(cell)
"""
    environment = {**os.environ, "NO_COLOR": "1"}
    command = [sys.executable, "-c", program]
    output = subprocess.check_output(command, stderr=subprocess.STDOUT, text=True, env=environment)
    return output.splitlines()


def test_a_killed_cell_leaves_its_files_and_its_effects_and_no_memory():
    """Files and the world outlive the process; its variables do not, and the notebook's are untouched."""
    said = in_ipython(
        "x = 1",
        '%%crash after="notify"\nx = 2\nopen("note", "w").write("kept")\ntool("notify", service="shop")\n1 / 0',
        "print(x, os.listdir(), world.ledger[0].tool)",
        '%%restart\nprint(open("note").read())',
    )
    assert said == ["Killed by SIGKILL after tool notify. Its memory is gone.", "1 ['note'] notify", "kept"]


def test_a_cell_can_be_killed_before_an_effect_or_at_a_crash_point():
    """The file is there and empty: opened, not yet written."""
    for options in ('before="write"', "1", "after=open"):
        said = in_ipython(f'%%crash {options}\nopen("note", "w").write("x")', 'print(os.path.getsize("note"))')
        assert said == ["Killed by SIGKILL after open note. Its memory is gone.", "0"]


def test_a_label_that_does_not_occur_lists_those_that_do():
    """So the next attempt can be right."""
    said = in_ipython('%%crash after="fsync"\nopen("note", "w").write("x")')
    assert said == [
        'Not killed: it never came to after="fsync". It returned. Its effects were',
        "  0  open note",
        "  1  write note",
        "  2  RETURN",
    ]


def test_wrong_use_is_one_line():
    """Unknown options, a cell that is not Python, a variable that cannot travel, options to %%restart."""
    usage = 'UsageError: say where to kill it: %%crash after="write", %%crash before="ACK" or %%crash 3 (crash point 3)'
    for line in ("", "when=now", "after=", 'after="x', "1 2"):
        assert in_ipython(f"%%crash {line}\npass") == [usage]
    assert in_ipython("%%crash 0\n1 +") == ["UsageError: line 1 of the cell is not Python: invalid syntax"]
    assert in_ipython("%%restart now\npass") == ["UsageError: %%restart takes no options"]
    said = in_ipython("import threading\nlock = threading.Lock()", "%%restart\nlock")
    assert said == ["UsageError: lock cannot travel to another process: make it inside the cell"]
    assert in_ipython("import threading\nx = threading.Lock()", "%%restart\nx = 1\nprint(x)") == ["1"]


def test_an_error_in_the_cell_is_one_line():
    """What it raised and where, without a traceback."""
    said = in_ipython("%%restart\nx = 1\nx / 0")
    assert said == ["The new process raised ZeroDivisionError: division by zero (line 2)"]
    said = in_ipython('%%crash after="write"\nundefined')
    assert said[0].startswith('Not killed: it never came to after="write". It raised NameError')


def test_a_killed_cell_works_in_the_notebooks_database():
    """What it committed is there, what it did not is gone, and no lock of the dead process is left."""
    said = in_ipython(
        "import psycopg\nfrom labkit import database\ndatabase.scratch()\nurl = database.url()",
        'with psycopg.connect(url) as c: c.execute("CREATE TABLE t (n int)").connection.commit()',
        '%%crash after="COMMIT"\nwith psycopg.connect(database.url()) as c:\n    c.execute("INSERT INTO t VALUES (1)")',
        '%%crash before="COMMIT"\nwith psycopg.connect(database.url()) as c:\n    c.execute("LOCK t")\n'
        '    c.execute("INSERT INTO t VALUES (2)")',
        'with psycopg.connect(url) as c: print(c.execute("LOCK t NOWAIT; SELECT n FROM t").nextset())',
        'with psycopg.connect(url) as c: print(c.execute("SELECT n FROM t").fetchall())',
        "%%restart\nprint(database.url() == url)",
    )
    assert said == [
        "Killed by SIGKILL after COMMIT. Its memory is gone.",
        "Killed by SIGKILL after INSERT t. Its memory is gone.",
        "True",
        "[(1,)]",
        "True",
    ]
