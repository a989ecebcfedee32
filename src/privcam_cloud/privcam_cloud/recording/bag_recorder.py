"""Records serialized messages into rosbag2 bags that survive a kill and a full disk."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from privcam_cloud.recording.checkpointed_mcap import CheckpointedMcap
from privcam_cloud.recording.mcap_repair import NotMcap, repair
from privcam_cloud.recording.message_definitions import Definitions, package_share

LOGGER = logging.getLogger(__name__)

FLUSH_S = 1.0
# The summary grows with the recording and is written at every flush; after this long a new bag keeps it small.
BAG_S = 3600.0


class RecordingStopped(OSError):
    """Nothing more can be recorded. Says what happened, where, what was kept and what to do."""


class BagRecorder:
    """Writes messages into a bag; every `flush_s` the bag on disk is complete and readable.

    path: folder of the bag. If it exists, path_1, path_2 ... are tried: a recording is never overwritten, and a
    recorder that was started again goes on beside the old bag, which it repairs if needed. After `bag_s` a further
    bag is begun likewise. shares: share folders of packages, for message definitions. clock: seconds, monotonic.
    Raises RecordingStopped if the folder cannot be made.
    """

    def __init__(
        self,
        path: Path,
        *,
        flush_s: float = FLUSH_S,
        bag_s: float = BAG_S,
        shares: Callable[[str], Path] = package_share,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base = path
        self._flush_s = flush_s
        self._bag_s = bag_s
        self._definitions = Definitions(shares)
        self._clock = clock
        self._bag: CheckpointedMcap | None = None
        self._open()

    @property
    def earlier(self) -> list[Path]:
        """Folders of the bags that were there before the one that is being written, oldest first."""
        return self._earlier

    @property
    def path(self) -> Path:
        """Folder of the bag that is being written, or was last."""
        return self._path

    def write(self, topic: str, msgtype: str, cdr: bytes, stamp_ns: int) -> None:
        """Record one message.

        topic: absolute name. msgtype: e.g. privcam_msgs/msg/Omega. cdr: the message as serialized by ROS.
        stamp_ns: time of its reception, ns since the epoch.
        Raises RecordingStopped on a full disk or after it, UnknownMessage, and ValueError for what is not CDR.
        """
        # Four bytes say how the rest is encoded (plain CDR: 0, then the byte order).
        if len(cdr) < 4 or cdr[0] != 0 or cdr[1] not in (0, 1):
            raise ValueError(f"{topic}: {len(cdr)} bytes that do not begin like a serialized message")
        if stamp_ns < 0:
            raise ValueError(f"{topic}: time {stamp_ns} ns is before 1970")
        bag = self._require_open()
        connection = bag.find_connection(topic, msgtype)
        if connection is None:
            connection = bag.add_connection(topic, msgtype, typestore=self._definitions.store_with(msgtype))
        bag.write(connection, stamp_ns, cdr)
        self._pending = True
        now = self._clock()
        if now - self._flushed >= self._flush_s:
            self.flush()
        if now - self._opened >= self._bag_s:
            self.close()
            self._open()

    def flush(self) -> None:
        """Make everything written so far readable on disk; call it about every `flush_s` if messages may pause."""
        bag = self._require_open()
        self._flushed = self._clock()
        if not self._pending:
            return
        try:
            bag.checkpoint()
        except OSError as error:
            self._give_up(bag, error)
        self._pending = False

    def close(self) -> None:
        """Make everything readable and close the bag. Closing twice is nothing. Raises RecordingStopped."""
        if self._bag is None:
            return
        self.flush()
        self._bag.finish()
        self._bag = None

    def _open(self) -> None:
        self._path = self._base
        self._earlier: list[Path] = []
        number = 0
        while self._path.exists():
            self._repair(self._path)
            self._earlier.append(self._path)
            number += 1
            self._path = self._base.with_name(f"{self._base.name}_{number}")
        try:
            bag = CheckpointedMcap(self._path)
            bag.checkpoint()
        except OSError as error:
            raise RecordingStopped(
                error.errno, f"no bag can be made at {self._path}: {error.strerror}; give another path or make room"
            ) from error
        self._bag = bag
        self._pending = False
        self._opened = self._flushed = self._clock()

    @staticmethod
    def _repair(bag: Path) -> None:
        """Complete the files of an earlier bag, in case its recorder was killed while it wrote."""
        for file in bag.glob("*.mcap"):
            try:
                if repair(file):
                    LOGGER.warning("%s was torn by a killed recorder; what was whole in it is readable again", file)
            except (NotMcap, OSError) as error:
                LOGGER.warning("an earlier bag stays as it is: %s", error)

    def _require_open(self) -> CheckpointedMcap:
        if self._bag is None:
            raise RecordingStopped(f"the recording at {self._path} is closed")
        return self._bag

    def _give_up(self, bag: CheckpointedMcap, error: OSError) -> None:
        bag.finish()
        self._bag = None
        raise RecordingStopped(
            error.errno,
            f"the recording at {self._path} ends: {os.strerror(error.errno or 0)}; what was recorded up to "
            f"{self._flush_s:g} s before is kept and readable; make room and start the recorder again",
        ) from error
