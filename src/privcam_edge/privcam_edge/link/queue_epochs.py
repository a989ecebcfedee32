"""Finds Ω in the queue on disk by their stamps, across epochs of the camera's clock.

Consumers name Ω by stamps. In the queue numbers count, because stamps go back where the camera's clock was set back, or
a recording is played again. There a new epoch begins. A stamp that no Ω has any more is looked up in the epochs.
"""

import sqlite3

from privcam_core.types.omega import SyncKey

# Epochs that are remembered; a stamp of an earlier one is taken for one of the oldest.
MAX_EPOCHS = 64

# last_ns, last_n: of the last Ω of an epoch that has ended.
TABLE = """
CREATE TABLE IF NOT EXISTS epoch (
    number INTEGER PRIMARY KEY, first_ns INTEGER NOT NULL, last_ns INTEGER, last_n INTEGER);
"""


class QueueEpochs:
    """The epochs of one queue. base: its database; every method is called within the queue's lock."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base

    @property
    def newest(self) -> int:
        """Number of the epoch of the newest Ω, from 1."""
        return int(self._base.execute("SELECT coalesce(max(number), 1) FROM epoch").fetchone()[0])

    def note(self, stamp_ns: int) -> int:
        """Return the epoch of the Ω that is put next, in the transaction that puts it."""
        epoch = self.newest
        before = self._base.execute("SELECT n, stamp_ns FROM omega ORDER BY n DESC LIMIT 1").fetchone()
        if before is not None and stamp_ns < before[1]:
            self._base.execute("UPDATE epoch SET last_n = ?, last_ns = ? WHERE number = ?", (*before, epoch))
            epoch += 1
        self._base.execute("INSERT OR IGNORE INTO epoch (number, first_ns) VALUES (?, ?)", (epoch, stamp_ns))
        self._base.execute("DELETE FROM epoch WHERE number <= ?", (epoch - MAX_EPOCHS,))
        return epoch

    def number_at(self, stamp_ns: int) -> int:
        """Return the number of the last Ω up to a stamp, 0 if there is none; when in doubt a lower one.

        A stamp that no Ω in the queue has belongs to the oldest epoch whose stamps it lies between, else to the oldest.
        """
        found = self._base.execute("SELECT n FROM omega WHERE stamp_ns = ?", (stamp_ns,)).fetchone()
        if found is not None:
            return int(found[0])
        (epoch,) = self._base.execute(
            "SELECT coalesce((SELECT min(number) FROM epoch WHERE first_ns <= ?1 AND ?1 <= coalesce(last_ns, "
            "(SELECT max(stamp_ns) FROM omega WHERE epoch = number))), (SELECT min(number) FROM epoch))",
            (stamp_ns,),
        ).fetchone()
        (number,) = self._base.execute(
            "SELECT coalesce((SELECT max(n) FROM omega WHERE epoch = ?1 AND stamp_ns <= ?2), "
            "(SELECT min(n) - 1 FROM omega WHERE epoch = ?1), (SELECT last_n FROM epoch WHERE number = ?1), 0)",
            (epoch, stamp_ns),
        ).fetchone()
        return int(number)

    @property
    def highest_ns(self) -> int:
        """The highest stamp that is known of, 0 if there is none."""
        (highest,) = self._base.execute(
            "SELECT max(coalesce((SELECT max(stamp_ns) FROM omega), 0), coalesce((SELECT max(last_ns) FROM epoch), 0))"
        ).fetchone()
        return int(highest)

    def own_stamp(self, key: SyncKey) -> int:
        """Return the first stamp from that of κ on that no Ω in the queue has, in ns."""
        stamp_ns = key.stamp_ns
        while self._base.execute("SELECT 1 FROM omega WHERE stamp_ns = ?", (stamp_ns,)).fetchone():
            stamp_ns += 1
        return stamp_ns
