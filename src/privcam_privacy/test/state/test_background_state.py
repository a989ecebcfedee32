import stat

import numpy as np
import pytest

from privcam_core.images.environment import encode_environment
from privcam_core.types.time import NS_PER_S
from privcam_privacy.egress.inline_executor import InlineExecutor
from privcam_privacy.state.background_state import WRITE_PERIOD_S, BackgroundStateStore, StateRejected

SHAPE = (24, 32)


def picture(seed=1):
    random = np.random.default_rng(seed)
    confirmed = random.random(SHAPE) < 0.7
    plate = random.integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
    plate[~confirmed] = 128
    return plate, confirmed


def save(folder, seed=1):
    plate, confirmed = picture(seed)
    quarantined = np.eye(*SHAPE, dtype=np.bool_)
    BackgroundStateStore(folder, InlineExecutor()).save(encode_environment(plate, confirmed), quarantined, NS_PER_S)
    return plate, confirmed, quarantined


def test_a_stored_state_is_there_after_a_restart_and_readable_by_its_owner_only(tmp_path):
    plate, confirmed, quarantined = save(tmp_path / "cam")
    state = BackgroundStateStore(tmp_path / "cam", InlineExecutor()).load()
    np.testing.assert_array_equal(state.picture, plate)
    np.testing.assert_array_equal(state.confirmed, confirmed)
    np.testing.assert_array_equal(state.quarantined, quarantined)
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "cam").iterdir()} == {0o600}
    assert stat.S_IMODE((tmp_path / "cam").stat().st_mode) == 0o700


def test_without_a_stored_state_there_is_none(tmp_path):
    assert BackgroundStateStore(tmp_path / "none", InlineExecutor()).load() is None


@pytest.mark.parametrize("name", ["picture.png", "quarantine.png", "memory.json"])
def test_a_file_that_was_changed_is_refused_by_name(tmp_path, name):
    save(tmp_path)
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(StateRejected, match=r"memory\.json"):
        BackgroundStateStore(tmp_path, InlineExecutor()).load()


def test_parts_of_two_writes_do_not_go_together(tmp_path):
    save(tmp_path, seed=1)
    old = (tmp_path / "picture.png").read_bytes()
    save(tmp_path, seed=2)
    (tmp_path / "picture.png").write_bytes(old)
    with pytest.raises(StateRejected, match=r"picture\.png"):
        BackgroundStateStore(tmp_path, InlineExecutor()).load()


def test_a_picture_that_changes_in_every_frame_is_not_written_in_every_frame(tmp_path):
    store = BackgroundStateStore(tmp_path, InlineExecutor())
    nobody = np.zeros(SHAPE, np.bool_)
    first, second = (encode_environment(*picture(seed)) for seed in (1, 2))
    store.save(first, nobody, NS_PER_S)
    store.save(second, nobody, 2 * NS_PER_S)
    assert (tmp_path / "picture.png").read_bytes() == first
    store.save(second, nobody, NS_PER_S + int(WRITE_PERIOD_S * NS_PER_S))
    assert (tmp_path / "picture.png").read_bytes() == second


def test_a_disk_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / "cam").write_text("a file where a folder should be", encoding="utf-8")
    store = BackgroundStateStore(tmp_path / "cam", InlineExecutor())
    nobody = np.zeros(SHAPE, np.bool_)
    store.save(b"png", nobody, NS_PER_S)
    with pytest.raises(OSError, match="cam"):
        store.save(b"png", nobody, 2 * NS_PER_S)
