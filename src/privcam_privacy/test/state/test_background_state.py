import os
import stat
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from privcam_core.images.environment import encode_environment
from privcam_core.inline_executor import InlineExecutor
from privcam_core.storage_key import SEAL_BYTES, StorageKey
from privcam_core.types.time import NS_PER_S
from privcam_privacy.state import background_state
from privcam_privacy.state.background_state import FILE, WRITE_PERIOD_S, BackgroundStateStore, StateRejected

SHAPE = (24, 32)
KEY = StorageKey(bytes(range(32)))


def picture(seed=1):
    random = np.random.default_rng(seed)
    confirmed = random.random(SHAPE) < 0.7
    plate = random.integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
    plate[~confirmed] = 128
    return plate, confirmed


def store(folder, camera_id="room1", key=KEY):
    return BackgroundStateStore(folder, camera_id, key, InlineExecutor())


def save(folder, seed=1):
    plate, confirmed = picture(seed)
    presences = np.eye(*SHAPE, dtype=np.bool_)
    store(folder).save(encode_environment(plate, confirmed), presences, NS_PER_S)
    return plate, confirmed, presences


def test_a_stored_state_is_there_after_a_restart_and_readable_by_its_owner_only(tmp_path):
    plate, confirmed, presences = save(tmp_path / "cam")
    state = store(tmp_path / "cam").load()
    np.testing.assert_array_equal(state.picture, plate)
    np.testing.assert_array_equal(state.confirmed, confirmed)
    # With a margin, so that a body that moves a little needs no new file.
    assert state.presences[presences].all()
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "cam").iterdir()} == {0o600}
    assert stat.S_IMODE((tmp_path / "cam").stat().st_mode) == 0o700


def test_without_a_stored_state_there_is_none(tmp_path):
    assert store(tmp_path / "none").load() is None


@pytest.mark.parametrize("name", ["header.json", "environment.png", "presences.png"])
def test_a_state_of_which_a_part_was_changed_is_refused(tmp_path, name):
    save(tmp_path)
    with zipfile.ZipFile(tmp_path / FILE) as archive:
        parts = {entry: archive.read(entry) for entry in archive.namelist()}
    parts[name] = b"{}"
    with zipfile.ZipFile(tmp_path / FILE, "w") as archive:
        for entry, data in parts.items():
            archive.writestr(entry, data)
    with pytest.raises(StateRejected, match=r"state\.zip"):
        store(tmp_path).load()


@pytest.mark.parametrize(
    "forge",
    [
        lambda data: data[SEAL_BYTES:],
        lambda data: bytes(SEAL_BYTES) + data[SEAL_BYTES:],
        lambda data: data + b"x",
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda _: b"",
        lambda data: KEY.seal("approved plate", "room1", data[SEAL_BYTES:]) + data[SEAL_BYTES:],
    ],
    ids=["unsealed", "zeros", "longer", "one bit", "empty", "another purpose"],
)
def test_a_state_without_the_seal_of_this_machine_is_refused(tmp_path, forge):
    save(tmp_path)
    (tmp_path / FILE).write_bytes(forge((tmp_path / FILE).read_bytes()))
    with pytest.raises(StateRejected, match=r"state\.zip: is not sealed"):
        store(tmp_path).load()


def test_a_state_of_another_camera_or_another_machine_is_refused(tmp_path):
    save(tmp_path)
    assert store(tmp_path).load() is not None
    for other in (store(tmp_path, camera_id="room2"), store(tmp_path, key=StorageKey(bytes(32)))):
        with pytest.raises(StateRejected, match="is not sealed by this machine for this camera"):
            other.load()


def test_a_file_that_was_cut_off_is_refused(tmp_path):
    save(tmp_path)
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StateRejected, match=r"state\.zip"):
        store(tmp_path).load()


@pytest.mark.parametrize("days", [-1, 8])
def test_of_a_state_that_is_too_old_or_from_the_future_the_people_count_and_the_picture_does_not(
    tmp_path, monkeypatch, days
):
    save(tmp_path)
    before = store(tmp_path).load()
    assert before.confirmed.any()
    now_ns = time.time_ns()
    monkeypatch.setattr(background_state.time, "time_ns", lambda: now_ns + days * 86_400 * NS_PER_S)
    state = store(tmp_path).load()
    assert not state.confirmed.any()
    np.testing.assert_array_equal(state.presences, before.presences)


@pytest.fixture
def placed_key(tmp_path):
    """A key that lies somewhere, outside of the folder of the state."""
    (tmp_path / "keys").mkdir(mode=0o700)
    return StorageKey(KEY.secret, tmp_path / "keys")


def save_states(folder, key, count):
    """Write states one after the other, each in a start of its own; return the bytes of each."""
    files = []
    for number in range(count):
        state = store(folder, key=key)
        state.save(encode_environment(*picture(number)), np.zeros(SHAPE, np.bool_), NS_PER_S)
        files.append((folder / FILE).read_bytes())
    return files


@pytest.mark.parametrize("back", [1, 2, 4])
def test_an_old_state_that_is_put_back_is_refused(tmp_path, placed_key, back):
    files = save_states(tmp_path / "cam", placed_key, 5)
    assert store(tmp_path / "cam", key=placed_key).load() is not None
    (tmp_path / "cam" / FILE).write_bytes(files[-1 - back])
    with pytest.raises(StateRejected, match="an old file was put back"):
        store(tmp_path / "cam", key=placed_key).load()
    # What is written next is the newest one, and all before stay refused.
    (newest,) = save_states(tmp_path / "cam", placed_key, 1)
    assert store(tmp_path / "cam", key=placed_key).load() is not None
    for old in files:
        (tmp_path / "cam" / FILE).write_bytes(old)
        with pytest.raises(StateRejected, match="an old file was put back"):
            store(tmp_path / "cam", key=placed_key).load()
    (tmp_path / "cam" / FILE).write_bytes(newest)
    assert store(tmp_path / "cam", key=placed_key).load() is not None


def test_a_state_that_was_deleted_is_missed(tmp_path, placed_key):
    assert store(tmp_path / "cam", key=placed_key).load() is None
    save_states(tmp_path / "cam", placed_key, 1)
    (tmp_path / "cam" / FILE).unlink()
    with pytest.raises(StateRejected, match="is gone") as refused:
        store(tmp_path / "cam", key=placed_key).load()
    number = next((tmp_path / "keys").glob("*.newest"))
    assert f"delete {tmp_path / 'cam' / FILE} and {number}" in str(refused.value)
    number.unlink()
    assert store(tmp_path / "cam", key=placed_key).load() is None


def test_a_kill_between_a_state_and_its_number_costs_no_state(tmp_path, placed_key):
    old, _ = save_states(tmp_path / "cam", placed_key, 2)
    number = next((tmp_path / "keys").glob("*.newest"))
    number.write_bytes(b"1")
    assert store(tmp_path / "cam", key=placed_key).load() is not None
    (tmp_path / "cam" / FILE).write_bytes(old)
    with pytest.raises(StateRejected, match="an old file was put back"):
        store(tmp_path / "cam", key=placed_key).load()


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("content", [None, b"", b"none"])
def test_a_state_whose_number_is_lost_is_refused(tmp_path, placed_key, content, count):
    save_states(tmp_path / "cam", placed_key, count)
    number = next((tmp_path / "keys").glob("*.newest"))
    number.unlink() if content is None else number.write_bytes(content)
    with pytest.raises(StateRejected):
        store(tmp_path / "cam", key=placed_key).load()


def stored(folder):
    return store(folder).load()


def test_a_picture_that_changes_in_every_frame_is_not_written_in_every_frame(tmp_path):
    state = store(tmp_path)
    nobody = np.zeros(SHAPE, np.bool_)
    first, second = (encode_environment(*picture(seed)) for seed in (1, 2))
    state.save(first, nobody, NS_PER_S)
    state.save(second, nobody, 2 * NS_PER_S)
    np.testing.assert_array_equal(stored(tmp_path).picture, picture(1)[0])
    state.save(second, nobody, NS_PER_S + int(WRITE_PERIOD_S * NS_PER_S))
    np.testing.assert_array_equal(stored(tmp_path).picture, picture(2)[0])


def test_a_presence_that_grows_beyond_what_is_stored_is_written_at_once(tmp_path):
    state = store(tmp_path)
    png = encode_environment(*picture())
    where = np.zeros(SHAPE, np.bool_)
    for frame in range(1, 20):
        where[5:10, : frame + 5] = True
        state.save(png, where, NS_PER_S + frame)
        state.save(png, where, NS_PER_S + frame)
        assert (stored(tmp_path).presences | ~where).all()


def test_a_write_that_is_under_way_does_not_lose_the_presence_of_the_meantime(tmp_path):
    executor = ThreadPoolExecutor(1)
    state = BackgroundStateStore(tmp_path, "room1", KEY, executor)
    png = encode_environment(*picture())
    where = np.zeros(SHAPE, np.bool_)
    waiting = Event()
    executor.submit(waiting.wait)
    state.save(png, where, NS_PER_S)
    where[10:20, 10:20] = True
    state.save(png, where, NS_PER_S + 1)
    waiting.set()
    executor.submit(int).result()
    state.save(png, where, NS_PER_S + 2)
    executor.shutdown()
    assert stored(tmp_path).presences[10:20, 10:20].all()


def test_a_disk_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / "cam").write_text("a file where a folder should be", encoding="utf-8")
    state = store(tmp_path / "cam")
    nobody = np.zeros(SHAPE, np.bool_)
    state.save(b"png", nobody, NS_PER_S)
    with pytest.raises(OSError, match="cam"):
        state.save(b"png", nobody, 2 * NS_PER_S)


@pytest.mark.parametrize(
    "put",
    [
        lambda path, _: os.mkfifo(path, 0o600),
        lambda path, whole: path.symlink_to(whole),
        lambda path, _: path.symlink_to("/dev/zero"),
        lambda path, _: path.symlink_to(path),
        lambda path, _: path.mkdir(),
        lambda path, whole: (path.write_bytes(whole.read_bytes()), path.chmod(0o644)),
    ],
    ids=["pipe", "link to a genuine one", "link to a device", "link to itself", "folder", "readable by others"],
)
def test_what_lies_in_the_place_of_a_state_is_refused_and_never_waited_for(tmp_path, put):
    save(tmp_path / "cam")
    whole = tmp_path / "genuine.zip"
    (tmp_path / "cam" / FILE).rename(whole)
    put(tmp_path / "cam" / FILE, whole)
    with pytest.raises(StateRejected, match=r"state\.zip"):
        store(tmp_path / "cam").load()


def test_a_state_of_another_user_is_refused(tmp_path):
    if os.geteuid():
        pytest.skip("only root can give a file to another user")
    save(tmp_path)
    os.chown(tmp_path / FILE, 65534, 65534)
    with pytest.raises(StateRejected, match="owner 65534"):
        store(tmp_path).load()
