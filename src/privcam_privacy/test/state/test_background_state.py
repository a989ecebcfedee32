import stat
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from privcam_core.images.environment import encode_environment
from privcam_core.storage_key import SEAL_BYTES, StorageKey
from privcam_core.types.time import NS_PER_S
from privcam_privacy.egress.inline_executor import InlineExecutor
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
def test_a_state_that_is_too_old_or_from_the_future_is_refused(tmp_path, monkeypatch, days):
    save(tmp_path)
    now_ns = time.time_ns()
    monkeypatch.setattr(background_state.time, "time_ns", lambda: now_ns + days * 86_400 * NS_PER_S)
    with pytest.raises(StateRejected, match="s old"):
        store(tmp_path).load()


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
