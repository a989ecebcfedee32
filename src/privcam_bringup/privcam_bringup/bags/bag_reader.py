"""Reads a rosbag2 bag by the files that are in it.

metadata.yaml names the files of a bag and counts their messages. A recorder writes it last, so a bag whose recorder was
killed has none, and tools that repair bags write wrong counts or no name of the storage. The files themselves say what
is in them, so they are what is read here; metadata.yaml gives only their order, and their compression.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path, PurePath
from types import TracebackType
from typing import TypeAlias

import yaml
from rosbags.rosbag2 import Reader

from privcam_bringup.bags.storage_file import StorageFile, StoredMessage, Topic, UnusableBag
from privcam_bringup.bags.torn_mcap import TornMcap
from privcam_bringup.bags.torn_sqlite import TornSqlite

METADATA = "metadata.yaml"
MCAP, SQLITE = ".mcap", ".db3"


# A topic, the time of recording in ns since the epoch, and the serialised message.
Message: TypeAlias = tuple[Topic, int, bytes]


class BagReader:
    """A bag, open for reading: its folder, or one of its files. Use it as a context.

    topics: what is in it, in order of their names. duration_s: from the first message to the last. remarks: sentences
    about what is missing or torn; empty for a bag that is whole. Raises UnusableBag where nothing can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.remarks: list[str] = []
        self._opened = ExitStack()
        try:
            self._files = self._open()
        except BaseException:
            self._opened.close()
            raise
        self.topics = _sum(self._files)
        spans = [file.span_ns for file in self._files if any(topic.count for topic in file.topics)]
        self.duration_s = (max(last for _, last in spans) - min(first for first, _ in spans)) / 1e9 if spans else 0.0

    def messages(self, topics: Sequence[Topic]) -> Iterator[Message]:
        """Yield the messages of these topics, file by file in their order, each file by time of recording.

        Raises UnusableBag where a file is damaged, after the messages before.
        """
        wanted = {(topic.name, topic.msgtype): topic for topic in topics}
        for file in self._files:
            for name, msgtype, stamp_ns, data in file.messages([topic.name for topic in topics]):
                topic = wanted.get((name, msgtype))
                if topic is not None:
                    yield topic, stamp_ns, data

    def __enter__(self) -> "BagReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def _open(self) -> list[StorageFile]:
        path = self.path
        if not path.exists():
            raise UnusableBag("there is no such file or folder")
        if not path.is_dir():
            return [self._open_file(path)]
        named, compressed = self._read_metadata()
        if compressed:
            return [self._open_whole()]
        found = sorted(
            (file for file in path.iterdir() if file.suffix in (MCAP, SQLITE) and file.is_file()), key=_natural_order
        )
        absent = [name for name in named if not (path / name).is_file()]
        if not found:
            raise UnusableBag(_describe_without_files(path, absent))
        if absent:
            self.remarks.append(
                f"{METADATA} names {', '.join(absent)}, which {_is(absent)} not there; the rest is read"
            )
        order = {name: place for place, name in enumerate(named)}
        found.sort(key=lambda file: order.get(file.name, len(order)))
        files: list[StorageFile] = []
        for file in found:
            try:
                files.append(self._open_file(file))
            except UnusableBag as error:
                self.remarks.append(str(error))
        if not files:
            raise UnusableBag("; ".join(self.remarks))
        return files

    def _read_metadata(self) -> tuple[list[str], bool]:
        """Return the names of the files in their order, and whether rosbag2 compressed them."""
        file = self.path / METADATA
        if not file.exists():
            self.remarks.append(
                f"{METADATA} is missing, as after a recorder that was killed; the files inside are read. "
                f"`ros2 bag reindex {self.path}` makes the bag whole"
            )
            return [], False
        try:
            information = yaml.safe_load(file.read_text(encoding="utf-8"))["rosbag2_bagfile_information"]
            names = [PurePath(str(name)).name for name in information["relative_file_paths"]]
            return names, bool(information.get("compression_format"))
        except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
            self.remarks.append(
                f"{METADATA} cannot be read ({_first_line(error)}); the files inside are. Delete it, and "
                f"`ros2 bag reindex {self.path}` makes another"
            )
            return [], False

    def _open_whole(self) -> StorageFile:
        try:
            reader = self._opened.enter_context(Reader(self.path))
        # The library passes on the errors of its decoders: of YAML, SQLite, Zstandard and LZ4.
        except Exception as error:
            raise UnusableBag(
                f"its compressed files cannot be read: {_first_line(error)}; "
                f"unpack them with `ros2 bag convert`, or record again"
            ) from error
        return RosbagsFile(reader)

    def _open_file(self, file: Path) -> StorageFile:
        """Return a file of the bag, open, as far as it can be read. Raises UnusableBag where that is nothing."""
        size = file.stat().st_size
        if file.suffix == ".bag":
            raise UnusableBag(f"{file.name} is a bag of ROS 1; convert it: `rosbags-convert --src {file} --dst FOLDER`")
        if file.suffix not in (MCAP, SQLITE):
            raise UnusableBag(f"{file.name} is neither {MCAP} nor {SQLITE}; give the folder of a bag, or such a file")
        if not size:
            raise UnusableBag(f"{file.name} is empty: its recorder was killed before it wrote anything")
        log = file.with_name(file.name + "-wal")
        if log.exists() and log.stat().st_size:
            self.remarks.append(
                f"{log.name} holds what the recorder wrote last, and is not read; "
                f"`sqlite3 {file} 'PRAGMA wal_checkpoint'` adds it to {file.name}"
            )
        try:
            return RosbagsFile(self._opened.enter_context(Reader(file)))
        except Exception as error:
            reason = _first_line(error)
        torn: StorageFile = TornMcap(file) if file.suffix == MCAP else TornSqlite(file)
        count = sum(topic.count for topic in torn.topics)
        repair = f"`ros2 bag reindex {file.parent}`" if file.suffix == MCAP else f"`sqlite3 {file} .recover`"
        if not count:
            raise UnusableBag(f"{file.name} ({size} bytes) holds no whole message: {reason}")
        self.remarks.append(
            f"{file.name} is torn; its first {count} messages are whole and are read. {repair} may help"
        )
        return torn


class RosbagsFile:
    """A file, or a compressed bag, that the library reads."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.topics: Sequence[Topic] = [Topic(one.topic, one.msgtype, one.msgcount) for one in reader.connections]
        self.span_ns = reader.start_time, reader.end_time

    def messages(self, names: Sequence[str]) -> Iterator[StoredMessage]:
        """Yield the messages of these topics by time of recording. Raises UnusableBag where the file is damaged."""
        wanted = [one for one in self._reader.connections if one.topic in names]
        count = 0
        try:
            for connection, stamp_ns, data in self._reader.messages(wanted) if wanted else ():
                yield StoredMessage(connection.topic, connection.msgtype, stamp_ns, bytes(data))
                count += 1
        except Exception as error:
            name = Path(str(self._reader.path)).name
            raise UnusableBag(f"{name} is damaged behind its first {count} messages: {_first_line(error)}") from error


def _sum(files: Sequence[StorageFile]) -> list[Topic]:
    """Return the topics of all files together."""
    found: dict[tuple[str, str], Topic] = {}
    for topic in (topic for file in files for topic in file.topics):
        known = found.get((topic.name, topic.msgtype))
        found[topic.name, topic.msgtype] = topic if known is None else replace(known, count=known.count + topic.count)
    return [found[name] for name in sorted(found)]


def _natural_order(file: Path) -> list[tuple[int, str]]:
    """Sort bag_10.mcap behind bag_9.mcap, as rosbag2 counts its files."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", file.name)]


def _describe_without_files(folder: Path, absent: Sequence[str]) -> str:
    there = ", ".join(sorted(file.name for file in folder.iterdir())[:8])
    named = f"; {METADATA} names {', '.join(absent)}" if absent else ""
    what = f"there is no {MCAP} or {SQLITE} file in it, but {there}{named}" if there else "the folder is empty"
    return f"{what}; give the folder that holds the files"


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
