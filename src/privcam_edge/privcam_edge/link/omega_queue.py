"""Keeps the Ω that passed the gate on disk until the cloud has them: a bounded queue in SQLite.

An Ω is written before it is sent, with the digest of its picture; each picture is stored once. A killed process loses
no Ω that was written. Every Ω has a number, one more than the Ω before; a queue that had to be created again has
another name, and its numbers begin again. `queue_epochs` finds Ω by their stamps, which consumers name.
"""

import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from privcam_core.storage import private_folder
from privcam_core.types.omega import SCHEMA, Omega, SyncKey
from privcam_edge.link import queue_epochs
from privcam_edge.link.queue_epochs import QueueEpochs
from privcam_link import cdr

_log = logging.getLogger(__name__)

FILE = "omega.sqlite3"
# Default bounds of the queue.
MAX_BYTES = 256 * 1024 * 1024
MAX_AGE_S = 24 * 3600.0
# Most consumers that hold back Ω; a consumer that sent no query for MAX_AGE_S holds back none.
MAX_CONSUMERS = 8
# The newest pictures are kept although no Ω in the queue names them, because a consumer may still query them.
SPARE_PICTURES = 4

_TABLES = """
CREATE TABLE IF NOT EXISTS queue_state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS omega (
    n INTEGER PRIMARY KEY AUTOINCREMENT, stamp_ns INTEGER NOT NULL UNIQUE, epoch INTEGER NOT NULL,
    kept_s REAL NOT NULL, digest BLOB NOT NULL, payload BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS omega_digest ON omega (digest);
CREATE TABLE IF NOT EXISTS picture (number INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, payload BLOB NOT NULL);
DROP TABLE IF EXISTS consumer;
CREATE TABLE IF NOT EXISTS acknowledged (
    consumer TEXT PRIMARY KEY, n INTEGER NOT NULL, queried_s REAL NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Row:
    """One Ω in the queue: its number and its plain payload, by digest alone."""

    n: int
    payload: bytes


class OmegaQueue:
    """Keeps the Ω of one camera until every consumer has them, within bounds.

    folder: of this camera only, created with mode 0700. max_bytes: of payloads and pictures. max_age_s: seconds since
    an Ω was put. Beyond these bounds the oldest Ω is dropped, and counted in `lost` if a consumer did not have it, or
    if no consumer ever sent a query. clock: seconds since the epoch, for ages. A file that cannot be read is put aside,
    and a new one is created; the same holds for a file with Ω of another schema. Several threads may use it. Methods
    raise sqlite3.Error if the disk cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = MAX_BYTES,
        max_age_s: float = MAX_AGE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._clock = clock
        self._lock = threading.Lock()
        self._path = private_folder(folder) / FILE
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # locked, full or not writable: the file itself is intact
                where = f"{self._path}: {error}; is another bridge of this camera running, or the disk full?"
                raise sqlite3.OperationalError(where) from error
            aside = self._path.with_suffix(f".broken-{int(clock())}")
            _log.error("%s cannot be read (%s); it is put aside as %s and what was in it is lost", FILE, error, aside)
            for suffix in ("", "-wal", "-shm"):
                part = self._path.with_name(FILE + suffix)
                if part.exists():
                    part.rename(aside.with_name(aside.name + suffix))
            self._open()

    def _open(self) -> None:
        self._path.touch(mode=0o600)
        # One process at a time; a second one fails here, before it can mix up the numbers.
        self._base = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None, timeout=0.5)
        try:
            # In this mode a kill loses nothing, and a power cut at most the last seconds, never the whole file.
            self._base.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._require_schema()
            self._base.executescript(_TABLES + queue_epochs.TABLE)
            self._epochs = QueueEpochs(self._base)
            with self._base:
                self._base.execute("BEGIN IMMEDIATE")
                self._base.execute("INSERT OR IGNORE INTO queue_state VALUES ('queue', ?)", (secrets.token_hex(8),))
                self._base.execute("INSERT OR IGNORE INTO queue_state VALUES ('lost', '0')")
            self.name = self._state("queue")
            self._lost = int(self._state("lost"))
            self._bytes = int(self._one("SELECT coalesce(sum(length(payload)), 0) FROM omega")) + int(
                self._one("SELECT coalesce(sum(length(payload)), 0) FROM picture")
            )
        except BaseException:
            self._base.close()
            raise

    def _require_schema(self) -> None:
        """Mark a new file with the schema of Ω. Raises DatabaseError for a file with Ω of another schema."""
        found = int(self._one("PRAGMA user_version"))
        if found != SCHEMA and self._one("SELECT count(*) FROM sqlite_master"):
            raise sqlite3.DatabaseError(f"it holds Ω of another schema than {SCHEMA}")
        self._base.execute(f"PRAGMA user_version = {SCHEMA}")

    @property
    def lost(self) -> int:
        """Number of Ω that this queue dropped before its consumers had them, since it was created."""
        return self._lost

    @property
    def kept_bytes(self) -> int:
        """Bytes of payloads and pictures in the queue."""
        return self._bytes

    @property
    def waiting(self) -> int:
        """Number of Ω that some consumer does not have yet."""
        with self._lock:
            return int(self._one("SELECT count(*) FROM omega WHERE n > ?", self._acknowledged_by_all()))

    @property
    def newest(self) -> int:
        """The highest number given so far, 0 before the first."""
        with self._lock:
            return int(self._one("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'omega'"))

    @property
    def newest_ns(self) -> int:
        """The highest stamp that was ever in the queue or that is known of it, 0 if there is none."""
        with self._lock:
            return self._epochs.highest_ns

    def last_key(self) -> SyncKey | None:
        """Return κ of the newest Ω in the queue, None if it is empty."""
        with self._lock:
            row = self._base.execute("SELECT payload FROM omega ORDER BY n DESC LIMIT 1").fetchone()
        return cdr.decode(row[0]).key if row else None

    @property
    def epoch(self) -> int:
        """Epoch of the newest Ω, from 1, over restarts: one more wherever stamps went back."""
        with self._lock:
            return self._epochs.newest

    def with_own_stamp(self, omega: Omega) -> Omega:
        """Return Ω with a stamp that no other in the queue has: consumers name Ω by their stamps.

        A recording that is played twice has the same stamps again; they are moved by as few ns as it needs.
        """
        with self._lock:
            stamp_ns = self._epochs.own_stamp(omega.key)
        if stamp_ns == omega.key.stamp_ns:
            return omega
        key = replace(omega.key, stamp_ns=stamp_ns)
        return replace(omega, key=key, environment=replace(omega.environment, key=key))

    def put(self, omega: Omega) -> Row:
        """Store Ω and return its number and payload. Its picture is stored apart.

        Its stamp is higher than that of the one before, or a new epoch begins. No other Ω in the queue has it.
        """
        payload = cdr.encode(replace(omega, environment=omega.environment.without_png()))
        digest, now = omega.environment.digest, self._clock()
        with self._transaction():
            epoch = self._epochs.note(omega.key.stamp_ns)
            n = self._base.execute(
                "INSERT INTO omega (stamp_ns, epoch, kept_s, digest, payload) VALUES (?, ?, ?, ?, ?)",
                (omega.key.stamp_ns, epoch, now, digest, payload),
            ).lastrowid
            self._bytes += len(payload)
            if omega.environment.png and not self._one("SELECT count(*) FROM picture WHERE digest = ?", digest):
                whole = cdr.encode(omega)
                self._base.execute("INSERT INTO picture (digest, payload) VALUES (?, ?)", (digest, whole))
                self._bytes += len(whole)
            self._drop_beyond_bounds(now)
        return Row(int(n or 0), payload)

    def after(self, stamp_ns: int, *, max_bytes: int) -> list[Row]:
        """Return the oldest Ω after the one with this stamp, in order, at least one if any, up to `max_bytes`."""
        rows: list[Row] = []
        total = 0
        with self._lock:
            number = self._epochs.number_at(stamp_ns)
            found = self._base.execute("SELECT n, payload FROM omega WHERE n > ? ORDER BY n", (number,))
            with closing(found):
                for n, payload in found:
                    total += len(payload)
                    if rows and total > max_bytes:
                        break
                    rows.append(Row(n, payload))
        return rows

    def picture(self, digest: bytes) -> Row | None:
        """Return an Ω that holds the picture with this digest, with its number; None if the picture is not kept."""
        with self._lock:
            found = self._base.execute(
                "SELECT coalesce((SELECT max(n) FROM omega WHERE digest = ?1), 1), payload "
                "FROM picture WHERE digest = ?1",
                (digest,),
            ).fetchone()
        return Row(*found) if found else None

    def acknowledge(self, consumer: str, stamp_ns: int) -> None:
        """Note that a consumer has all Ω up to this stamp, and drop the Ω that all consumers have."""
        now = self._clock()
        with self._transaction():
            self._base.execute(
                "INSERT INTO acknowledged VALUES (?1, ?2, ?3) ON CONFLICT (consumer) DO UPDATE "
                "SET n = max(n, ?2), queried_s = ?3",
                (consumer, self._epochs.number_at(stamp_ns), now),
            )
            self._base.execute(
                "DELETE FROM acknowledged WHERE queried_s < ? OR consumer NOT IN "
                "(SELECT consumer FROM acknowledged ORDER BY queried_s DESC LIMIT ?)",
                (now - self._max_age_s, MAX_CONSUMERS),
            )
            # The newest Ω stays: after a restart the next one has to come after it.
            self._drop("n <= ? AND n < (SELECT max(n) FROM omega)", self._acknowledged_by_all())
            self._drop_pictures()

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._base.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Hold the lock and a transaction of the database; an error restores the counts and the file."""
        with self._lock:
            counts = self._bytes, self._lost
            try:
                with self._base:
                    self._base.execute("BEGIN IMMEDIATE")
                    yield
            except BaseException:
                self._bytes, self._lost = counts
                raise

    def _acknowledged_by_all(self) -> int:
        return int(self._one("SELECT coalesce(min(n), 0) FROM acknowledged"))

    def _drop_beyond_bounds(self, now: float) -> None:
        """Drop Ω that are too old, and the oldest until the rest fits; count those that a consumer did not have."""
        before = int(self._one("SELECT count(*) FROM omega WHERE n > ?", self._acknowledged_by_all()))
        self._drop("kept_s < ?", now - self._max_age_s)
        if self._bytes > self._max_bytes:
            self._drop_pictures()
        while self._bytes > self._max_bytes and self._one("SELECT count(*) FROM omega") > 1:
            self._drop("n IN (SELECT n FROM omega WHERE n < (SELECT max(n) FROM omega) ORDER BY n LIMIT ?)", 16)
            self._drop_pictures()
        lost = before - int(self._one("SELECT count(*) FROM omega WHERE n > ?", self._acknowledged_by_all()))
        if lost:
            self._lost += lost
            self._set_state("lost", self._lost)

    # Conditions are texts of this file, values are parameters: nothing of others is in a statement (bandit B608).
    def _drop(self, which: str, value: float) -> None:
        self._bytes -= int(self._one(f"SELECT coalesce(sum(length(payload)), 0) FROM omega WHERE {which}", value))  # nosec B608
        self._base.execute(f"DELETE FROM omega WHERE {which}", (value,))  # nosec B608

    def _drop_pictures(self) -> None:
        which = (
            "number NOT IN (SELECT number FROM picture ORDER BY number DESC LIMIT ?) "
            "AND digest NOT IN (SELECT digest FROM omega)"
        )
        self._bytes -= int(
            self._one(f"SELECT coalesce(sum(length(payload)), 0) FROM picture WHERE {which}", SPARE_PICTURES)  # nosec B608
        )
        self._base.execute(f"DELETE FROM picture WHERE {which}", (SPARE_PICTURES,))  # nosec B608

    def _state(self, name: str) -> str:
        return str(self._one("SELECT value FROM queue_state WHERE name = ?", name))

    def _set_state(self, name: str, value: int) -> None:
        self._base.execute("UPDATE queue_state SET value = ? WHERE name = ?", (str(value), name))

    def _one(self, query: str, *values: object) -> float:
        return self._base.execute(query, values).fetchone()[0]  # type: ignore[no-any-return]


def queue_folder(state: Path, camera_id: str) -> Path:
    """Return the folder of the queue of a camera in the state folder."""
    return state / "queue" / camera_id
