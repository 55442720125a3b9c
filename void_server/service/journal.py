"""The journal: what a killed server knows of its jobs when it starts again. SQLite, in the spool.

A row is written before anybody is told what is in it, and every write is on the disk when it returns. The database
is locked for as long as the journal is open, so one spool has one server; the system lifts the lock of a dead one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from .jobs import Job, Result
from .messages import JobSpec, RefusedMessage

NAME = "journal.sqlite"
SCHEMA = 1  # counts up with every change that an older server could not read
APPLICATION = 0x564F4944  # "VOID": another program's database is not taken for ours

_TABLES = f"""
BEGIN;
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user TEXT NOT NULL, priority TEXT NOT NULL,
    spec BLOB NOT NULL, state TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, notices TEXT NOT NULL,
    hints TEXT NOT NULL, engine TEXT NOT NULL, crashes INTEGER NOT NULL, interruptions INTEGER NOT NULL,
    cancelling INTEGER NOT NULL, fetched INTEGER NOT NULL, released INTEGER NOT NULL, unused REAL NOT NULL
);
CREATE TABLE results (
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    frame INTEGER NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (job, frame)
) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {SCHEMA};
COMMIT;
"""
_WAL = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")  # sqlite.org/fileformat2.html, section 4.1
_LOST = "it is empty, and there are folders of jobs"
_PLAIN = ("id", "number", "user", "priority", "state", "code", "message", "hints", "engine")
_COUNTS = ("crashes", "interruptions", "cancelling", "fetched", "released", "unused")
_COLUMNS = (*_PLAIN, *_COUNTS, "spec", "notices")
_SAVE = (
    f"INSERT INTO jobs ({', '.join(_COLUMNS)}) VALUES ({', '.join(':' + name for name in _COLUMNS)}) "
    f"ON CONFLICT (number) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[2:])}"
)


class BadJournal(Exception):
    """A journal that can't be used; the message says why and what to do. Nothing has been changed."""


class CannotJournal(Exception):
    """A change could not be written, most likely for want of room."""


@dataclass(frozen=True)
class Journal:
    """An open journal. Every method raises CannotJournal where the disk refuses."""

    _database: sqlite3.Connection

    @classmethod
    def open(cls, spool: Path, *, wait: float = 2.0) -> Journal:
        """The journal of a spool, made where there is none. Raises BadJournal.

        wait: seconds that a server which is just ending is given to let go of it.
        """
        path = spool / NAME
        _refuse_lost(path)
        try:
            database = sqlite3.connect(path, timeout=wait, isolation_level=None)
            try:
                _prepare(database, path)
            except BaseException:
                database.close()
                raise
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise BadJournal(
                    f"another server works in the spool {spool}: stop it, or give this one a spool of its own (--spool)"
                ) from error
            raise BadJournal(f"the journal {path} can't be opened ({error}): check the disk and its rights") from error
        except sqlite3.DatabaseError as error:
            raise BadJournal(_damaged(path, str(error))) from error
        return cls(database)

    def save(self, job: Job) -> None:
        """Write a job as it is now; its results are written one by one, by `add_result`."""
        row: dict[str, Any] = {name: getattr(job, name) for name in (*_PLAIN, *_COUNTS)}
        row |= {"spec": msgspec.msgpack.encode(job.spec), "notices": json.dumps(job.notices)}
        self._write(_SAVE, [row])

    def add_result(self, job: Job, result: Result) -> None:
        """Write that a frame is finished."""
        row = {"job": job.number, "frame": result.frame, "size": result.size, "sha256": result.sha256}
        self._write("INSERT OR IGNORE INTO results VALUES (:job, :frame, :size, :sha256)", [row])

    def save_unused(self, jobs: Iterable[Job]) -> None:
        """Write how long nobody has asked for these jobs."""
        rows = [{"number": job.number, "unused": job.unused} for job in jobs]
        self._write("UPDATE jobs SET unused = :unused WHERE number = :number", rows)

    def remove(self, job: Job) -> None:
        """Forget a job and its results."""
        self._write("DELETE FROM jobs WHERE number = :number", [{"number": job.number}])

    def _write(self, statement: str, rows: list[dict[str, Any]]) -> None:
        try:
            with self._database:
                self._database.execute("BEGIN")
                self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            raise CannotJournal(f"the journal can't be written ({error})") from error

    def jobs(self, spool: Path) -> list[Job]:
        """Every job, in the order of submission. Raises BadJournal."""
        self._database.row_factory = sqlite3.Row
        return [self._job(row, spool) for row in self._database.execute("SELECT * FROM jobs ORDER BY number")]

    def _job(self, row: sqlite3.Row, spool: Path) -> Job:
        try:
            spec = msgspec.msgpack.decode(row["spec"], type=JobSpec)
            job = Job(
                spec=spec,
                settings=spec.check(),
                folder=spool / row["id"],
                notices=json.loads(row["notices"]),
                **{name: row[name] for name in (*_PLAIN, *_COUNTS)},
            )
        except (msgspec.MsgspecError, RefusedMessage, ValueError) as error:
            raise BadJournal(_damaged(spool / NAME, f"job {row['id']}: {error}")) from error
        results = self._database.execute("SELECT * FROM results WHERE job = ? ORDER BY frame", (job.number,))
        job.results = {held["frame"]: Result(held["frame"], held["size"], held["sha256"]) for held in results}
        return job

    def close(self) -> None:
        """Close it, and let another server in."""
        self._database.close()


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    """Lock it, check it, and make its tables if it is new."""
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("PRAGMA foreign_keys = ON")
    database.execute("PRAGMA synchronous = FULL")
    application, version = (
        database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    empty = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not empty:
        if application != APPLICATION:
            raise BadJournal(f"{path} is not a journal of VOID: give another folder with --spool")
        if version > SCHEMA:
            raise BadJournal(
                f"the journal {path} is of a newer version ({version}, this server knows {SCHEMA}): start the newer "
                "server, or give this one a spool of its own (--spool). Nothing was changed"
            )
        found = database.execute("PRAGMA quick_check").fetchone()[0]
        if found != "ok":
            raise BadJournal(_damaged(path, found))
    if empty and _job_folders(path.parent):
        raise BadJournal(_damaged(path, _LOST))
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("BEGIN EXCLUSIVE")
    database.execute("COMMIT")
    if empty:
        database.executescript(_TABLES)


def _refuse_lost(path: Path) -> None:
    """Raise BadJournal for what SQLite would take for a new database, or for a log with nothing in it, and remove."""
    if (not path.exists() or (path.is_file() and not path.stat().st_size)) and _job_folders(path.parent):
        raise BadJournal(_damaged(path, _LOST))
    log = path.with_name(f"{NAME}-wal")
    try:
        with log.open("rb") as file:
            head = file.read(len(_WAL[0]))
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadJournal(f"{log} can't be read ({error.strerror}): check the disk and its rights") from error
    # Zeros: a machine that lost its power before the first write was on the disk.
    if head.strip(b"\0") and head not in _WAL:
        raise BadJournal(_damaged(path, f"{log.name} is not SQLite's"))


def _job_folders(spool: Path) -> list[Path]:
    """The folders of jobs that have anything in them."""
    return [path for path in spool.glob("[0-9a-f]" * 32) if path.is_dir() and any(path.iterdir())]


def _damaged(path: Path, cause: str) -> str:
    return (
        f"the journal {path} is damaged ({cause}): move the folder {path.parent} away to start with an empty one, and "
        "submit its jobs again. Nothing was changed"
    )
