"""A rosbag2 bag whose MCAP file is complete after every checkpoint, however its writer ends.

An MCAP file ends with a summary, and readers want it. Here every checkpoint writes a summary, and the next checkpoint
writes its messages over that summary, with a new summary behind them. A writer that is killed loses the messages after
its last checkpoint. The space is reserved before anything is overwritten: a full disk leaves the last checkpoint whole.
"""

import errno
import os
from pathlib import Path

import yaml
from mcap.records import Metadata
from rosbags.typesys.store import Typestore

from privcam_cloud.recording.mcap_records import McapRecords
from privcam_cloud.recording.rosbag2_metadata import RELIABLE_QOS, Topic, bag_information

_NO_RESERVATION = (errno.EOPNOTSUPP, errno.EINVAL)  # errors of file systems that cannot reserve space


class CheckpointedMcap:
    """Writes a rosbag2 bag of version 9 in MCAP, zstd-compressed, whose files are complete after every `checkpoint`.

    path: folder of the bag, must not exist. Raises OSError.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(mode=0o755, parents=True)
        self._metadata_path = path / "metadata.yaml"
        self._path = path / f"{path.name}.mcap"
        self._file = self._path.open("xb", buffering=0)
        self._records = McapRecords()
        self._schemas: dict[str, int] = {}
        self._topics: dict[int, Topic] = {}

    def find_connection(self, topic: str, msgtype: str) -> int | None:
        """Return the number of a topic of this type, or None if it was not added yet."""
        return next((n for n, one in self._topics.items() if (one.name, one.msgtype) == (topic, msgtype)), None)

    def add_connection(self, topic: str, msgtype: str, *, typestore: Typestore) -> int:
        """Add a topic and return its number. topic: absolute name. typestore: knows the definition of `msgtype`."""
        if msgtype not in self._schemas:
            definition, _ = typestore.generate_msgdef(msgtype, ros_version=2)
            self._schemas[msgtype] = self._records.add_schema(msgtype, definition)
        qos = yaml.safe_dump([RELIABLE_QOS]).strip()
        connection = self._records.add_channel(topic, self._schemas[msgtype], qos)
        self._topics[connection] = Topic(topic, msgtype, typestore.hash_rihs01(msgtype))
        return connection

    def write(self, connection: int, stamp_ns: int, data: bytes) -> None:
        """Add a serialized message to the next checkpoint. stamp_ns: time of its reception, ns since the epoch."""
        self._records.add_message(connection, stamp_ns, data)

    def checkpoint(self) -> None:
        """Make the files complete. Raises OSError; then they are as after the last checkpoint."""
        records = self._records
        records.close_chunk()
        counts = [(topic, records.message_counts[number]) for number, topic in self._topics.items()]
        information = bag_information(self._path.name, counts, records.span_ns)
        described = Metadata(name="rosbag2", metadata={"serialized_metadata": yaml.safe_dump(information).strip()})
        self._write_at(records.position, bytes(records.unsaved) + records.closing_section(described))
        records.mark_saved()
        temporary = self._metadata_path.with_suffix(".yaml.tmp")
        temporary.write_text(yaml.safe_dump({"rosbag2_bagfile_information": information}), encoding="utf-8")
        temporary.replace(self._metadata_path)

    def finish(self) -> None:
        """Close the files as the last checkpoint left them."""
        self._metadata_path.with_suffix(".yaml.tmp").unlink(missing_ok=True)
        self._file.close()

    def _write_at(self, position: int, block: bytes) -> None:
        """Overwrite the file from `position` on; the block becomes its end."""
        file = self._file.fileno()
        try:
            os.posix_fallocate(file, position, len(block))
        except OSError as error:
            if error.errno not in _NO_RESERVATION:
                raise
        view = memoryview(block)
        while view:
            written = os.pwrite(file, view, position)
            view, position = view[written:], position + written
        os.ftruncate(file, position)
