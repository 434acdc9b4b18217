"""Ways in which programs keep state, each as a small program: what a sweep says of it stands in docs/SWEEP.md.

Each program changes a state from "old" to "new". It is right if a crash leaves one of the two, and "new" once that is
acknowledged. What is not right breaks; what the lab cannot explore is refused.
"""

import asyncio
import atexit
import bz2
import configparser
import csv
import dbm.dumb
import fcntl
import gzip
import io
import json
import logging
import mmap
import multiprocessing
import os
import pickle
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import syslog
import tarfile
import tempfile
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import requests
import sqlalchemy as sa

from labkit import database
from labkit.crash import service, sweep
from labkit.world import ack

SURVIVES, BREAKS = "survives", "breaks"
OUTSIDE = "/var/tmp/labkit-outside"


@dataclass(frozen=True)
class Idiom:
    """A way to keep state: how a program saves, how it loads, and what a sweep says of it."""

    group: str
    name: str
    save: Callable[[str], None]
    load: Callable[[], str]
    says: str
    """SURVIVES, BREAKS, or how the refusal begins."""
    setup: Callable[[], None] | None = None
    power: bool = False
    """Whether power cuts are explored, too."""

    @property
    def row(self) -> str:
        """A line of the page."""
        refused = self.says not in {SURVIVES, BREAKS}
        does = f'refused: "{self.says} …"' if refused else "explored, with power cuts" if self.power else "explored"
        return f"| {self.name} | {does} | {'' if refused else self.says} |"

    def said(self) -> str:
        """What a sweep says."""

        def setup() -> None:
            (self.setup or (lambda: self.save("old")))()

        def run() -> None:
            self.save("new")
            ack("saved")

        def one_of_both(o: Any) -> None:
            assert o.state in {"old", "new"}, o.state
            assert o.state == "new" or not o.acknowledged

        report = sweep(run, self.load, one_of_both, setup, power=self.power)
        return (report.problem or (BREAKS if report.broken else SURVIVES)).removeprefix("run ")


IDIOMS: list[Idiom] = []


def idiom(group: str, name: str, load: Callable[[], str], says: str = SURVIVES, **more: Any) -> Callable[..., Any]:
    """Register a way to save."""

    def register(save: Callable[[str], None]) -> Callable[[str], None]:
        IDIOMS.append(Idiom(group, name, save, load, says, **more))
        return save

    return register


def text() -> str:
    """What the file holds."""
    return Path("state").read_text()


def sync_folder() -> None:
    """fsync of the folder."""
    fd = os.open(".", os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def put(value: str) -> None:
    """In one go, durably."""
    with open("state.new", "w") as file:
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
    os.replace("state.new", "state")
    sync_folder()


FILES = "files"
idiom(FILES, "open, write, fsync, os.replace, fsync of the folder", text, power=True)(put)


@idiom(FILES, "open(…, 'w') over the old file", text, BREAKS)
def _(value: str) -> None:
    with open("state", "w") as file:
        file.write(value)


@idiom(FILES, "Path.write_text over the old file", text, BREAKS)
def _(value: str) -> None:
    Path("state").write_text(value)


@idiom(FILES, "Path.write_text, Path.replace", text)
def replace_by_path(value: str) -> None:
    Path("new").write_text(value)
    Path("new").replace("state")


idiom(FILES, "Path.write_text, Path.replace, no fsync", text, BREAKS, power=True)(replace_by_path)


@idiom(FILES, "os.open, os.write, os.rename", text)
def _(value: str) -> None:
    fd = os.open("new", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    os.write(fd, value.encode())
    os.close(fd)
    os.rename("new", "state")


@idiom(FILES, "os.open with O_SYNC, os.rename, fsync of the folder", text, power=True)
def _(value: str) -> None:
    fd = os.open("new", os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_SYNC)
    os.write(fd, value.encode())
    os.close(fd)
    os.rename("new", "state")
    sync_folder()


@idiom(FILES, "os.sync in place of fsync", text, power=True)
def _(value: str) -> None:
    Path("new").write_text(value)
    os.sync()
    os.replace("new", "state")
    os.sync()


@idiom(FILES, "io.FileIO, os.replace", text)
def _(value: str) -> None:
    with io.FileIO("new", "w") as file:
        file.write(value.encode())
    os.replace("new", "state")


@idiom(FILES, "os.pwrite in place", text, BREAKS)
def _(value: str) -> None:
    fd = os.open("state", os.O_CREAT | os.O_WRONLY)
    os.pwrite(fd, value[:1].encode(), 0)
    os.pwrite(fd, value[1:].encode(), 1)
    os.close(fd)


@idiom(FILES, "os.writev, os.replace", text)
def _(value: str) -> None:
    fd = os.open("new", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    os.writev(fd, [value[:1].encode(), value[1:].encode()])
    os.close(fd)
    os.replace("new", "state")


@idiom(FILES, "O_TMPFILE, os.link, os.replace", text)
def _(value: str) -> None:
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR)
    os.write(fd, value.encode())
    Path("named").unlink(missing_ok=True)
    os.link(f"/proc/self/fd/{fd}", "named", src_dir_fd=0)
    os.replace("named", "state")


@idiom(FILES, "os.truncate, append", text, BREAKS)
def _(value: str) -> None:
    Path("state").touch()
    os.truncate("state", 0)
    with open("state", "a") as file:
        file.write(value)


@idiom(FILES, "os.sendfile, os.replace", text)
def _(value: str) -> None:
    Path("from").write_text(value)
    with open("from", "rb") as source, open("new", "wb") as target:
        os.sendfile(target.fileno(), source.fileno(), 0, 100)
    os.replace("new", "state")


@idiom(FILES, "shutil.copyfile over the old file", text, BREAKS)
def _(value: str) -> None:
    Path("from").write_text(value)
    shutil.copyfile("from", "state")


@idiom(FILES, "shutil.move within the folder", text)
def _(value: str) -> None:
    Path("from").write_text(value)
    shutil.move("from", "state")


@idiom(FILES, "shutil.move from the folder for temporary files", text, BREAKS)
def _(value: str) -> None:
    path = Path(tempfile.gettempdir(), "from")
    path.write_text(value)
    shutil.move(path, "state")


@idiom(FILES, "NamedTemporaryFile in the folder, os.replace", text)
def _(value: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=".", delete=False) as file:
        file.write(value)
    os.replace(file.name, "state")


@idiom(FILES, "a NamedTemporaryFile, copied over the old file", text, BREAKS)
def _(value: str) -> None:
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(value)
        file.flush()
        shutil.copyfile(file.name, "state")


@idiom(FILES, "mkstemp in the folder, os.replace", text)
def _(value: str) -> None:
    fd, name = tempfile.mkstemp(dir=".")
    os.write(fd, value.encode())
    os.close(fd)
    os.replace(name, "state")


@idiom(FILES, "a TemporaryDirectory, os.replace of what is in it", text)
def _(value: str) -> None:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        Path(folder, "new").write_text(value)
        os.replace(Path(folder, "new"), "state")


@idiom(FILES, "a symbolic link, replaced", text)
def _(value: str) -> None:
    Path(f"{value}.text").write_text(value)
    os.symlink(f"{value}.text", "link")
    os.replace("link", "state")


@idiom(FILES, "a symbolic link, removed and made again", text, BREAKS)
def _(value: str) -> None:
    Path(f"{value}.text").write_text(value)
    Path("state").unlink(missing_ok=True)
    os.symlink(f"{value}.text", "state")


@idiom(FILES, "a hard link, replaced", text)
def _(value: str) -> None:
    Path(f"{value}.text").write_text(value)
    os.link(f"{value}.text", "link")
    os.replace("link", "state")


@idiom(FILES, "a folder for each version, and a link to it", lambda: Path("state/text").read_text())
def _(value: str) -> None:
    os.mkdir(value)
    Path(value, "text").write_text(value)
    os.symlink(value, "link")
    os.replace("link", "state")


def last_line() -> str:
    return Path("journal").read_text().splitlines()[-1]


def whole_line() -> str:
    return Path("journal").read_text().rpartition("\n")[0].splitlines()[-1]


def append(value: str) -> None:
    with open("journal", "a") as file:
        for part in (value[:1], value[1:], "\n"):
            file.write(part)
            file.flush()


idiom(FILES, "a journal, of which half a line is read", last_line, BREAKS)(append)
idiom(FILES, "a journal, of which whole lines are read", whole_line)(append)


@idiom(FILES, "logging.FileHandler as a journal", whole_line)
def _(value: str) -> None:
    handler = logging.FileHandler("journal")
    handler.emit(logging.makeLogRecord({"msg": value}))
    handler.close()


def value_or_old() -> str:
    return "new" if Path("done").exists() else "old"


@idiom(FILES, "a marker: Path.touch", value_or_old, setup=lambda: None)
def _(_: str) -> None:
    Path("done").touch()


@idiom(FILES, "a marker: os.mkdir", value_or_old, setup=lambda: None)
def _(_: str) -> None:
    os.mkdir("done")


@idiom(FILES, "the time of a file: os.utime", lambda: "new" if os.stat("state").st_mtime == 1 else "old")
def _(value: str) -> None:
    Path("state").touch()
    os.utime("state", (0, value == "new"))


@idiom(FILES, "the mode of a file: os.chmod", lambda: "new" if os.stat("state").st_mode & 0o100 else "old")
def _(value: str) -> None:
    Path("state").touch()
    os.chmod("state", 0o700 if value == "new" else 0o600)


@idiom(FILES, "a lock by fcntl.flock, os.replace", text)
def _(value: str) -> None:
    with open("lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        replace_by_path(value)


@idiom(FILES, "a lock file by O_EXCL that a dead process leaves", text, BREAKS, setup=lambda: put("old"))
def _(value: str) -> None:
    os.close(os.open("lock", os.O_CREAT | os.O_EXCL))
    put(value)
    os.unlink("lock")


def text_without_lock() -> str:
    with open("lock", "x"):
        pass
    os.unlink("lock")
    return text()


IDIOMS[-1] = Idiom(FILES, IDIOMS[-1].name, IDIOMS[-1].save, text_without_lock, BREAKS, IDIOMS[-1].setup)


@idiom(FILES, "mmap for writing", text, "was going to map state into its memory", setup=lambda: put("old"))
def _(value: str) -> None:
    with open("state", "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[:3] = value.encode()


@idiom(FILES, "at exit: atexit", text, BREAKS, setup=lambda: put("old"))
def _(value: str) -> None:
    atexit.register(put, value)


def halves_in_files() -> str:
    return Path("first").read_text() + Path("second").read_text()


@idiom(FILES, "two files that stay open, and the interpreter flushes", halves_in_files, BREAKS)
def _(value: str) -> None:
    for name, half in (("first", value[:1]), ("second", value[1:])):
        file = open(name, "r+" if os.path.exists(name) else "w")
        file.write(half)
        LEFT_OPEN.append(file)


LEFT_OPEN: list[Any] = []


@idiom(FILES, "os.replace, sys.exit(0)", text, setup=lambda: put("old"))
def _(value: str) -> None:
    put(value)
    ack("saved")
    sys.exit(0)


@idiom(FILES, "os.splice from a pipe, os.replace", text)
def _(value: str) -> None:
    source, into = os.pipe()
    os.write(into, value.encode())
    with open("new", "wb") as file:
        os.splice(source, file.fileno(), len(value))
    os.replace("new", "state")


@idiom(FILES, "a descriptor copied by fcntl, os.replace", text)
def _(value: str) -> None:
    with open("new", "wb") as file:
        copy = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 0)
    os.write(copy, value.encode())
    os.close(copy)
    os.replace("new", "state")


def read_on() -> str:
    if not os.path.exists("place"):
        return "old"
    place, number = map(int, Path("place").read_text().split())
    if os.stat("journal").st_ino != number:
        return "another file"
    return Path("journal").read_text()[place:].rpartition("\n")[0] or "old"


@idiom(FILES, "a place in a journal, and which file it is (st_ino)", read_on, setup=lambda: Path("journal").touch())
def _(value: str) -> None:
    Path("new").write_text(f"0 {os.stat('journal').st_ino}")
    os.replace("new", "place")
    with open("journal", "a") as file:
        file.write(f"{value}\n")


FORMATS = "formats and libraries"


@idiom(FORMATS, "json.dump into the old file", lambda: json.loads(text())["state"], BREAKS)
def _(value: str) -> None:
    with open("state", "w") as file:
        json.dump({"state": value}, file)


@idiom(FORMATS, "json.dump, os.replace", lambda: json.loads(text())["state"])
def _(value: str) -> None:
    with open("new", "w") as file:
        json.dump({"state": value}, file)
    os.replace("new", "state")


@idiom(FORMATS, "pickle.dump, os.replace", lambda: pickle.loads(Path("state").read_bytes()))
def _(value: str) -> None:
    with open("new", "wb") as file:
        pickle.dump(value, file)
    os.replace("new", "state")


@idiom(FORMATS, "csv.writer, os.replace", lambda: next(csv.reader(open("state")))[1])
def _(value: str) -> None:
    with open("new", "w") as file:
        csv.writer(file).writerow(["state", value])
    os.replace("new", "state")


@idiom(FORMATS, "configparser, into the old file", lambda: text().split()[-1], BREAKS)
def _(value: str) -> None:
    parser = configparser.ConfigParser()
    parser["agent"] = {"state": value}
    with open("state", "w") as file:
        parser.write(file)


@idiom(FORMATS, "gzip, os.replace", lambda: gzip.decompress(Path("state").read_bytes()).decode())
def _(value: str) -> None:
    with gzip.open("new", "wt") as file:
        file.write(value)
    os.replace("new", "state")


@idiom(FORMATS, "bz2 into the old file", lambda: bz2.decompress(Path("state").read_bytes()).decode(), BREAKS)
def _(value: str) -> None:
    with bz2.open("state", "wt") as file:
        file.write(value)


@idiom(FORMATS, "zipfile, os.replace", lambda: zipfile.ZipFile("state").read("text").decode())
def _(value: str) -> None:
    with zipfile.ZipFile("new", "w") as file:
        file.writestr("text", value)
    os.replace("new", "state")


@idiom(FORMATS, "tarfile, os.replace", lambda: tarfile.open("state").extractfile("text").read().decode())
def _(value: str) -> None:
    Path("text").write_text(value)
    with tarfile.open("new", "w") as file:
        file.add("text")
    os.replace("new", "state")


@idiom(FORMATS, "dbm.dumb", lambda: dbm.dumb.open("state")[b"state"].decode(), BREAKS)
def _(value: str) -> None:
    with dbm.dumb.open("state") as file:
        file[b"state"] = value.encode()


@idiom(FORMATS, "numpy.save into the old file", lambda: str(np.load("state.npy")), BREAKS)
def _(value: str) -> None:
    np.save("state.npy", np.array(value))


@idiom(FORMATS, "numpy.save, os.replace", lambda: str(np.load("state.npy")))
def _(value: str) -> None:
    np.save("new.npy", np.array(value))
    os.replace("new.npy", "state.npy")


@idiom(FORMATS, "ndarray.tofile", lambda: str(np.fromfile("state.bin", "<U3")), "something changed state.bin")
def _(value: str) -> None:
    np.array(value).tofile("state.bin")


SQL = "databases"


def connected(*pragmas: str) -> sqlite3.Connection:
    connection = sqlite3.connect("state.db")
    for pragma in pragmas:
        connection.execute(pragma)
    return connection


def in_sqlite() -> str:
    with closing(connected()) as connection:
        return "".join(row[0] for row in connection.execute("SELECT value FROM state ORDER BY part"))


def halves(connection: Any, value: str) -> None:
    """Two rows that belong together."""
    for part, half in enumerate((value[:1], value[1:])):
        connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (part, half))


def with_table() -> None:
    with closing(connected()) as connection, connection:
        connection.execute("CREATE TABLE state (part INTEGER PRIMARY KEY, value TEXT)")
        halves(connection, "old")


@idiom(SQL, "sqlite3, one transaction", in_sqlite, setup=with_table)
def _(value: str) -> None:
    with closing(connected()) as connection, connection:
        halves(connection, value)


@idiom(SQL, "sqlite3, a transaction for each statement", in_sqlite, BREAKS, setup=with_table)
def _(value: str) -> None:
    with closing(connected()) as connection:
        connection.isolation_level = None
        halves(connection, value)


@idiom(SQL, "sqlite3 with a write-ahead log", in_sqlite, setup=with_table)
def _(value: str) -> None:
    with closing(connected("PRAGMA journal_mode=WAL")) as connection, connection:
        halves(connection, value)


@idiom(SQL, "sqlite3, and no commit", in_sqlite, BREAKS, setup=with_table)
def _(value: str) -> None:
    with closing(connected()) as connection:
        halves(connection, value)


@idiom(SQL, "sqlite3.executescript", in_sqlite, BREAKS, setup=with_table)
def _(value: str) -> None:
    with closing(connected()) as connection:
        connection.executescript(f"UPDATE state SET value='{value[0]}' WHERE part=0;"
                                 f"UPDATE state SET value='{value[1:]}' WHERE part=1;")  # fmt: skip


@idiom(SQL, "sqlite3, statements behind comments, in autocommit", in_sqlite, BREAKS, setup=with_table)
def _(value: str) -> None:
    with closing(connected()) as connection:
        connection.isolation_level = None
        connection.execute("/* the first */ UPDATE state SET value=? WHERE part=0", value[:1])
        connection.execute("-- the second\nUPDATE state SET value=? WHERE part=1", (value[1:],))


@idiom(SQL, "sqlite3, a copy by backup, changed, os.replace", in_sqlite, setup=with_table)
def _(value: str) -> None:
    with closing(connected()) as connection, closing(sqlite3.connect("new.db")) as copy:
        connection.backup(copy)
        for part, half in enumerate((value[:1], value[1:])):
            copy.execute("UPDATE state SET value=? WHERE part=?", (half, part))
        copy.commit()
    os.replace("new.db", "state.db")


@idiom(SQL, "sqlite3, a blob opened", in_sqlite, "was going to write into a blob of SQLite", setup=with_table)
def _(_: str) -> None:
    with closing(connected()) as connection, connection.blobopen("state", "value", 0) as blob:
        blob.write(b"n")


@idiom(SQL, "sqlite3, a function of Python's that saves", in_sqlite, "was going to have an effect", setup=with_table)
def _(value: str) -> None:
    with closing(connected()) as connection:
        connection.create_function("saved", 0, lambda: os.mkdir("saved"))
        connection.execute("UPDATE state SET value = saved()")


@idiom(SQL, "SQLAlchemy over sqlite3", in_sqlite, setup=with_table)
def _(value: str) -> None:
    engine = sa.create_engine("sqlite:///state.db")
    with engine.begin() as connection:
        for part, half in enumerate((value[:1], value[1:])):
            connection.execute(sa.text("UPDATE state SET value=:half WHERE part=:part"), {"half": half, "part": part})
    engine.dispose()


@idiom(SQL, "sqlite3 elsewhere", lambda: "old", "was going to write to", setup=lambda: None)
def _(_: str) -> None:
    sqlite3.connect(OUTSIDE)


@idiom(SQL, "SQLite's VACUUM INTO elsewhere", lambda: "old", "was going to write to", setup=lambda: None)
def _(_: str) -> None:
    sqlite3.connect("state.db").execute(f"VACUUM INTO '{OUTSIDE}'")


def in_postgres() -> str:
    import psycopg

    with psycopg.connect(database.url()) as connection:
        return "".join(row[0] for row in connection.execute("SELECT value FROM state ORDER BY part"))


def with_postgres_table() -> None:
    import psycopg

    with psycopg.connect(database.url()) as connection:
        connection.execute("CREATE TABLE state (part int PRIMARY KEY, value text)")
        connection.execute("INSERT INTO state VALUES (0, 'o'), (1, 'ld')")


def update(connection: Any, value: str) -> None:
    for part, half in enumerate((value[:1], value[1:])):
        connection.execute("UPDATE state SET value = %s WHERE part = %s", (half, part))


@idiom(SQL, "psycopg, one transaction", in_postgres, setup=with_postgres_table)
def _(value: str) -> None:
    import psycopg

    with psycopg.connect(database.url()) as connection:
        update(connection, value)


@idiom(SQL, "psycopg, autocommit", in_postgres, BREAKS, setup=with_postgres_table)
def _(value: str) -> None:
    import psycopg

    with psycopg.connect(database.url(), autocommit=True) as connection:
        update(connection, value)


def copy_in(connection: Any, value: str) -> None:
    connection.execute("DELETE FROM state")
    with connection.cursor().copy("COPY state FROM STDIN") as copy:
        for row in enumerate((value[:1], value[1:])):
            copy.write_row(row)


@idiom(SQL, "psycopg, DELETE and COPY in one transaction", in_postgres, setup=with_postgres_table)
def _(value: str) -> None:
    import psycopg

    with psycopg.connect(database.url()) as connection:
        copy_in(connection, value)


@idiom(SQL, "psycopg, DELETE and COPY in autocommit", in_postgres, BREAKS, setup=with_postgres_table)
def _(value: str) -> None:
    import psycopg

    with psycopg.connect(database.url(), autocommit=True) as connection:
        copy_in(connection, value)


@idiom(SQL, "psycopg, libpq's own functions", in_postgres, "was going to send SQL past", setup=with_postgres_table)
def _(_: str) -> None:
    import psycopg

    with psycopg.connect(database.url()) as connection:
        connection.pgconn.exec_(b"UPDATE state SET value = ''")


@idiom(SQL, "SQLAlchemy over psycopg", in_postgres, setup=with_postgres_table)
def _(value: str) -> None:
    engine = sa.create_engine(database.url().replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        for part, half in enumerate((value[:1], value[1:])):
            connection.execute(sa.text("UPDATE state SET value=:half WHERE part=:part"), {"half": half, "part": part})
    engine.dispose()


WORLD = "network, processes, memory"
REACHES = {"setup": lambda: put("old")}


def shelf() -> Callable[..., Any]:
    """An application that keeps what it is sent."""
    kept = [b"old"]

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        return kept if environ["REQUEST_METHOD"] == "GET" else [kept.append(environ["wsgi.input"].read()) or b""]

    return app


def last_on_the_shelf() -> str:
    kept = urllib.request.urlopen(SHELF).read().decode()
    return kept[-3:] if len(kept) < 9 else "twice"


SHELF = "http://127.0.0.1:8001/"
SERVED = {"setup": lambda: service(shelf)}


def with_shelf_and_file() -> None:
    service(shelf)
    put("old")


@idiom(WORLD, "urllib to a service(app): one request", last_on_the_shelf, **SERVED)
def _(value: str) -> None:
    urllib.request.urlopen(SHELF, value.encode(), timeout=1)


@idiom(WORLD, "requests to a service(app): a request in two halves", last_on_the_shelf, BREAKS, **SERVED)
def _(value: str) -> None:
    for half in (value[:1], value[1:]):
        requests.post(SHELF, half, timeout=1)


@idiom(WORLD, "httpx to a service(app), then a file that tells it", text, BREAKS, setup=with_shelf_and_file)
def _(value: str) -> None:
    httpx.post(SHELF, content=value.encode(), timeout=1)
    ack("sent")
    put(value)


@idiom(WORLD, "asyncio and httpx to a service(app)", last_on_the_shelf, **SERVED)
def _(value: str) -> None:
    async def send() -> None:
        async with httpx.AsyncClient() as client:
            await client.post(SHELF, content=value.encode())

    asyncio.run(send())


@idiom(WORLD, "urllib to a server elsewhere", text, "was going to connect to", **REACHES)
def _(value: str) -> None:
    urllib.request.urlopen("http://192.0.2.1:80/", data=value.encode(), timeout=1)


@idiom(WORLD, "a socket of this machine", text, "was going to connect to", **REACHES)
def _(value: str) -> None:
    socket.create_connection(("127.0.0.1", 9), timeout=1)


@idiom(WORLD, "a Unix socket", text, "was going to connect to", **REACHES)
def _(value: str) -> None:
    socket.socket(socket.AF_UNIX).connect("/run/other.sock")


@idiom(WORLD, "ZeroMQ", text, "was going to load zmq", **REACHES)
def _(_: str) -> None:
    import zmq

    zmq.Context().socket(zmq.PUSH)


@idiom(WORLD, "syslog", text, "was going to write to the log of this machine", **REACHES)
def _(value: str) -> None:
    syslog.syslog(value)


@idiom(WORLD, "a file elsewhere", text, "was going to write to", **REACHES)
def _(value: str) -> None:
    Path(OUTSIDE).write_text(value)


@idiom(WORLD, "a file in /dev/shm", text, "was going to write to", **REACHES)
def _(value: str) -> None:
    Path("/dev/shm/labkit-outside").write_text(value)


@idiom(WORLD, "shared memory", text, "was going to share memory", **REACHES)
def _(value: str) -> None:
    SharedMemory("labkit-outside", create=True, size=10)


@idiom(WORLD, "subprocess", text, "was going to start another process", **REACHES)
def _(value: str) -> None:
    subprocess.run(["sh", "-c", f"echo {value} > state"])


@idiom(WORLD, "os.system", text, "was going to start another process", **REACHES)
def _(value: str) -> None:
    os.system(f"echo {value} > state")


@idiom(WORLD, "multiprocessing", text, "was going to start another process", **REACHES)
def _(value: str) -> None:
    multiprocessing.Process(target=put, args=(value,)).start()


@idiom(WORLD, "a signal handler that saves", text, BREAKS, **REACHES)
def _(value: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: put(value))
    ack("ready")
    os.kill(os.getpid(), signal.SIGTERM)


@idiom(WORLD, "a module's variable", lambda: MEMORY.get("state", "old"), BREAKS, **REACHES)
def _(value: str) -> None:
    MEMORY["state"] = value


MEMORY: dict[str, str] = {}


@idiom(WORLD, "a file that is named by hash()", lambda: Path(f"state-{hash('state')}").read_text(), BREAKS)
def _(value: str) -> None:
    put(value)
    os.replace("state", f"state-{hash('state')}")


THREADS = "threads and coroutines"


@idiom(THREADS, "a thread that is joined", text)
def _(value: str) -> None:
    thread = threading.Thread(target=put, args=(value,))
    thread.start()
    thread.join()


@idiom(THREADS, "a thread that nobody waits for", text, "was going to change things in two threads", **REACHES)
def _(value: str) -> None:
    threading.Thread(target=lambda: (time.sleep(1), put(value))).start()


@idiom(THREADS, "two threads in no order", text, "was going to change things in two threads", **REACHES)
def _(value: str) -> None:
    threads = [threading.Thread(target=Path(f"{value}{n}").touch) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@idiom(THREADS, "a pool, each result awaited", text)
def _(value: str) -> None:
    with ThreadPoolExecutor() as pool:
        pool.submit(put, value).result()


@idiom(THREADS, "asyncio.to_thread, awaited", text)
def _(value: str) -> None:
    asyncio.run(asyncio.to_thread(put, value))


@idiom(THREADS, "coroutines side by side", text)
def _(value: str) -> None:
    async def save() -> None:
        await asyncio.sleep(1)
        put(value)

    async def both() -> None:
        await asyncio.gather(save(), asyncio.sleep(2))

    asyncio.run(both())


PAGE = """# What a sweep sees

Programs keep state in many ways. This is what `sweep` says of small programs, one for each way. Each changes a state
from "old" to "new", and is right if every crash leaves one of the two, and "new" once that is acknowledged. So
"survives" and "breaks" are both true of the program; what cannot be explored is refused, by name and line.
Written by `make docs`; `make long` runs every program, and `make test` one in five.
"""


def page() -> str:
    """docs/SWEEP.md."""
    text = PAGE
    for group in dict.fromkeys(idiom.group for idiom in IDIOMS):
        rows = [idiom.row for idiom in IDIOMS if idiom.group == group]
        head = ["", f"## {group.capitalize()}", "", "| way | what the lab does | verdict |", "|---|---|---|"]
        text += "\n".join([*head, *rows, ""])
    return text


if __name__ == "__main__":
    print(page(), end="")
