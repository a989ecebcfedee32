"""Bags that are whole, killed, torn, repaired badly, or none at all: what can be read is read, the rest is named."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from privcam_bringup.bags.bag_reader import BagReader
from privcam_bringup.bags.storage_file import UnusableBag
from privcam_bringup.replay_command import main
from privcam_core.types.time import NS_PER_S

STORE = get_typestore(Stores.ROS2_JAZZY)
STRING = "std_msgs/msg/String"
COUNT = 400
# So much text that a file has several chunks, and many pages.
TEXT = "x" * 20_000
FIRST_NS = 1_700_000_000 * NS_PER_S
PLUGINS = {StoragePlugin.MCAP: ".mcap", StoragePlugin.SQLITE3: ".db3"}


def write(path: Path, plugin: StoragePlugin, *, compress: CompressionMode | None = None) -> Path:
    """Write a bag with COUNT numbered texts on /words and one on /other."""
    writer = Writer(path, version=9, storage_plugin=plugin)
    if compress is not None:
        writer.set_compression(compress, CompressionFormat.ZSTD)
    with writer:
        words = writer.add_connection("/words", STRING, typestore=STORE)
        other = writer.add_connection("/other", STRING, typestore=STORE)
        for number in range(COUNT):
            word = STORE.types[STRING](data=f"{number} {TEXT}")
            writer.write(words, FIRST_NS + number * NS_PER_S // 10, STORE.serialize_cdr(word, STRING))
        writer.write(other, FIRST_NS, STORE.serialize_cdr(STORE.types[STRING](data="-"), STRING))
    return path


def numbers(reader: BagReader) -> list[int]:
    """Return the numbers of the texts on /words in the order in which they are read."""
    words = [topic for topic in reader.topics if topic.name == "/words"]
    found = []
    for topic, stamp_ns, data in reader.messages(words):
        text: str = STORE.deserialize_cdr(data, topic.msgtype).data  # type: ignore[attr-defined]
        number = int(text.split(maxsplit=1)[0])
        assert stamp_ns == FIRST_NS + number * NS_PER_S // 10
        found.append(number)
    return found


@pytest.fixture(scope="module", params=list(PLUGINS), ids=lambda plugin: plugin.name)
def plugin(request: pytest.FixtureRequest) -> StoragePlugin:
    return StoragePlugin(request.param)


@pytest.fixture(scope="module")
def good(plugin: StoragePlugin, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("bags") / "good", plugin)


@pytest.fixture
def bag(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "bag"))


def storage(bag: Path) -> Path:
    """Return the one file of a bag that holds messages."""
    return next(file for file in bag.iterdir() if file.suffix in PLUGINS.values())


def edit_metadata(bag: Path, pattern: str, replacement: str) -> None:
    file = bag / "metadata.yaml"
    text = file.read_text(encoding="utf-8")
    assert re.search(pattern, text)
    file.write_text(re.sub(pattern, replacement, text), encoding="utf-8")


def test_whole_bag_is_read_without_a_remark(bag: Path) -> None:
    with BagReader(bag) as reader:
        assert [(topic.name, topic.msgtype, topic.count) for topic in reader.topics] == [
            ("/other", STRING, 1),
            ("/words", STRING, COUNT),
        ]
        assert numbers(reader) == list(range(COUNT))
        assert reader.duration_s == pytest.approx((COUNT - 1) / 10, abs=1e-6)
        assert reader.remarks == []


def test_single_file_of_a_bag_is_read(bag: Path) -> None:
    with BagReader(storage(bag)) as reader:
        assert numbers(reader) == list(range(COUNT))
        assert reader.remarks == []


def test_bag_without_metadata_is_read_and_the_repair_is_named(bag: Path) -> None:
    (bag / "metadata.yaml").unlink()
    with BagReader(bag) as reader:
        assert numbers(reader) == list(range(COUNT))
        assert len(reader.remarks) == 1
        assert "metadata.yaml is missing" in reader.remarks[0]
        assert f"`ros2 bag reindex {bag}`" in reader.remarks[0]


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r"storage_identifier: \S*", 'storage_identifier: ""'),
        (r"message_count: \d+", "message_count: 0"),
        (r"message_count: \d+", "message_count: 100000"),
        (r"version: 9", "version: 99"),
    ],
    ids=["no_storage", "no_counts", "wrong_counts", "newer_version"],
)
def test_what_metadata_says_wrongly_of_a_whole_file_does_not_matter(bag: Path, pattern: str, replacement: str) -> None:
    edit_metadata(bag, pattern, replacement)
    with BagReader(bag) as reader:
        assert numbers(reader) == list(range(COUNT))
        assert [topic.count for topic in reader.topics] == [1, COUNT]


@pytest.mark.parametrize("text", ["", "{", "no: bag", "rosbag2_bagfile_information: 3", "\xff"])
def test_metadata_that_cannot_be_read_is_named_and_the_files_are_read(bag: Path, text: str) -> None:
    (bag / "metadata.yaml").write_text(text, encoding="latin-1")
    with BagReader(bag) as reader:
        assert numbers(reader) == list(range(COUNT))
        assert "metadata.yaml cannot be read" in reader.remarks[0]
        assert "ros2 bag reindex" in reader.remarks[0]


@pytest.mark.parametrize("fraction", [0.3, 0.67, 0.99])
def test_torn_file_gives_its_whole_messages_in_order_and_says_so(bag: Path, fraction: float) -> None:
    (bag / "metadata.yaml").unlink()
    file = storage(bag)
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * fraction)])
    with BagReader(bag) as reader:
        found = numbers(reader)
        assert found == list(range(len(found)))
        # A chunk of MCAP holds 1 MiB.
        assert len(found) >= fraction * COUNT - 60
        torn = [remark for remark in reader.remarks if "is torn" in remark]
        assert len(torn) == 1, reader.remarks
        assert file.name in torn[0]
        assert f"its first {sum(topic.count for topic in reader.topics)} messages" in torn[0]


def test_second_half_of_garbage_ends_the_reading_and_not_the_program(bag: Path) -> None:
    file = storage(bag)
    data = bytearray(file.read_bytes())
    data[len(data) // 2 :] = b"\xa5" * (len(data) - len(data) // 2)
    file.write_bytes(data)
    with BagReader(bag) as reader:
        found = []
        try:
            for topic, _, payload in reader.messages([topic for topic in reader.topics if topic.name == "/words"]):
                found.append(int(STORE.deserialize_cdr(payload, topic.msgtype).data.split()[0]))  # type: ignore[attr-defined]
        except UnusableBag as error:
            assert f"damaged behind its first {len(found)} messages" in str(error)
        else:
            assert any("is torn" in remark for remark in reader.remarks)
        assert found == list(range(len(found)))
        assert len(found) >= 0.5 * COUNT - 60


def test_files_of_a_split_bag_are_read_in_the_order_in_which_rosbag2_counts_them(
    plugin: StoragePlugin, tmp_path: Path
) -> None:
    bag, suffix = tmp_path / "bag", PLUGINS[plugin]
    bag.mkdir()
    for number in range(12):
        with Writer(tmp_path / f"part_{number}", version=9, storage_plugin=plugin) as writer:
            words = writer.add_connection("/words", STRING, typestore=STORE)
            word = STORE.types[STRING](data=f"{number} x")
            writer.write(words, FIRST_NS + number * NS_PER_S // 10, STORE.serialize_cdr(word, STRING))
        storage(tmp_path / f"part_{number}").rename(bag / f"bag_{number}{suffix}")
    with BagReader(bag) as reader:
        assert numbers(reader) == list(range(12))
        assert [(topic.name, topic.count) for topic in reader.topics] == [("/words", 12)]


def test_missing_and_empty_files_are_named_and_the_rest_is_read(bag: Path) -> None:
    file = storage(bag)
    edit_metadata(bag, r"relative_file_paths:\n", f"relative_file_paths:\n  - gone{file.suffix}\n")
    (bag / f"zero{file.suffix}").touch()
    with BagReader(bag) as reader:
        assert numbers(reader) == list(range(COUNT))
        assert any(f"names gone{file.suffix}, which is not there" in remark for remark in reader.remarks)
        assert any(f"zero{file.suffix} is empty" in remark for remark in reader.remarks)


@pytest.mark.parametrize("mode", [CompressionMode.FILE, CompressionMode.MESSAGE])
def test_bag_that_rosbag2_compressed_is_read(plugin: StoragePlugin, mode: CompressionMode, tmp_path: Path) -> None:
    bag = write(tmp_path / "bag", plugin, compress=mode)
    with BagReader(bag) as reader:
        assert numbers(reader) == list(range(COUNT))


def test_log_that_sqlite_did_not_add_to_its_file_is_named(tmp_path: Path) -> None:
    file = storage(write(tmp_path / "bag", StoragePlugin.SQLITE3))
    file.with_name(file.name + "-wal").write_bytes(b"x")
    with BagReader(tmp_path / "bag") as reader:
        assert any("holds what the recorder wrote last" in remark for remark in reader.remarks)


def _nothing(path: Path) -> None:
    assert not path.exists()


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("x", encoding="utf-8")


def _only_metadata(path: Path) -> None:
    path.mkdir()
    (path / "metadata.yaml").write_text(
        "rosbag2_bagfile_information: {relative_file_paths: [bag_0.mcap], compression_format: ''}", encoding="utf-8"
    )


def _empty_file(path: Path) -> None:
    path.mkdir()
    (path / "bag_0.mcap").touch()


def _garbage(path: Path) -> None:
    path.mkdir()
    (path / "bag_0.db3").write_bytes(b"no database at all" * 100)


def _ros1(path: Path) -> None:
    path.write_bytes(b"#ROSBAG V2.0\n")


def _video(path: Path) -> None:
    path.write_bytes(b"x")


@pytest.mark.parametrize(
    ("name", "make", "text"),
    [
        ("none", _nothing, "there is no such file or folder"),
        ("folder", _folder, r"no \.mcap or \.db3 file in it, but notes\.txt"),
        ("named", _only_metadata, r"names bag_0\.mcap"),
        ("zero", _empty_file, r"bag_0\.mcap is empty"),
        ("garbage", _garbage, r"bag_0\.db3 \(1800 bytes\) holds no whole message"),
        ("old.bag", _ros1, r"rosbags-convert --src"),
        ("clip.mp4", _video, r"clip\.mp4 is neither \.mcap nor \.db3"),
    ],
)
def test_what_is_no_bag_is_explained_in_one_line(
    tmp_path: Path, name: str, make: Callable[[Path], None], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / name)
    with pytest.raises(UnusableBag, match=text):
        BagReader(tmp_path / name)
    assert main([str(tmp_path / name)]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"privcam replay: the bag {tmp_path / name} cannot be replayed: ")
    assert re.search(text, lines[0])


def test_torn_file_is_not_changed(bag: Path) -> None:
    file = storage(bag)
    (bag / "metadata.yaml").unlink()
    torn = file.read_bytes()[: file.stat().st_size // 2]
    file.write_bytes(torn)
    with BagReader(bag) as reader:
        numbers(reader)
    assert file.read_bytes() == torn
    assert sorted(entry.name for entry in bag.iterdir()) == [file.name]
