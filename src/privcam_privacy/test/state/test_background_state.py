import stat

import numpy as np
import pytest

from privcam_core.images.environment import encode_environment
from privcam_core.types.time import NS_PER_S
from privcam_privacy.egress.inspection import AtOnce
from privcam_privacy.state.background_state import WRITE_S, MemoryRejected, PlateMemory

SHAPE = (24, 32)


def picture(seed=1):
    random = np.random.default_rng(seed)
    validity = random.random(SHAPE) < 0.7
    plate = random.integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
    plate[~validity] = 128
    return plate, validity


def kept(folder, seed=1):
    plate, validity = picture(seed)
    quarantined = np.eye(*SHAPE, dtype=np.bool_)
    PlateMemory(folder, AtOnce()).keep(encode_environment(plate, validity), quarantined, NS_PER_S)
    return plate, validity, quarantined


def test_what_was_kept_is_there_after_a_restart_and_for_nobody_else(tmp_path):
    plate, validity, quarantined = kept(tmp_path / "cam")
    memory = PlateMemory(tmp_path / "cam", AtOnce()).load()
    np.testing.assert_array_equal(memory.picture, plate)
    np.testing.assert_array_equal(memory.validity, validity)
    np.testing.assert_array_equal(memory.quarantined, quarantined)
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "cam").iterdir()} == {0o600}
    assert stat.S_IMODE((tmp_path / "cam").stat().st_mode) == 0o700


def test_where_nothing_was_kept_there_is_nothing(tmp_path):
    assert PlateMemory(tmp_path / "none", AtOnce()).load() is None


@pytest.mark.parametrize("name", ["picture.png", "quarantine.png", "memory.json"])
def test_a_file_that_was_changed_is_refused_by_name(tmp_path, name):
    kept(tmp_path)
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(MemoryRejected, match=r"memory\.json"):
        PlateMemory(tmp_path, AtOnce()).load()


def test_parts_of_two_writes_do_not_go_together(tmp_path):
    kept(tmp_path, seed=1)
    old = (tmp_path / "picture.png").read_bytes()
    kept(tmp_path, seed=2)
    (tmp_path / "picture.png").write_bytes(old)
    with pytest.raises(MemoryRejected, match=r"picture\.png"):
        PlateMemory(tmp_path, AtOnce()).load()


def test_a_picture_that_changes_in_every_frame_is_not_written_in_every_frame(tmp_path):
    memory = PlateMemory(tmp_path, AtOnce())
    nobody = np.zeros(SHAPE, np.bool_)
    first, second = (encode_environment(*picture(seed)) for seed in (1, 2))
    memory.keep(first, nobody, NS_PER_S)
    memory.keep(second, nobody, 2 * NS_PER_S)
    assert (tmp_path / "picture.png").read_bytes() == first
    memory.keep(second, nobody, NS_PER_S + int(WRITE_S * NS_PER_S))
    assert (tmp_path / "picture.png").read_bytes() == second


def test_a_disk_that_takes_nothing_is_reported(tmp_path):
    (tmp_path / "cam").write_text("a file where a folder should be", encoding="utf-8")
    memory = PlateMemory(tmp_path / "cam", AtOnce())
    nobody = np.zeros(SHAPE, np.bool_)
    memory.keep(b"png", nobody, NS_PER_S)
    with pytest.raises(OSError, match="cam"):
        memory.keep(b"png", nobody, 2 * NS_PER_S)
