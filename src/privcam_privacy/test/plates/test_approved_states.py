"""Several approved states of one camera are stored beside each other."""

from pathlib import Path

import numpy as np
import pytest

from privcam_core.detection.inspection import SensitiveDetection
from privcam_core.images.environment import encode_environment
from privcam_core.storage_key import StorageKey
from privcam_privacy.plates.approved import PICTURE, ApprovedPlate
from privcam_privacy.plates.approved_states import load_states, state_folder_of
from privcam_privacy.plates.plate_records import PlateRejected

KEY = StorageKey(bytes(32))


def find_nobody(_picture: np.ndarray, _confirmed: np.ndarray) -> list[SensitiveDetection]:
    return []


def plate(level: int) -> ApprovedPlate:
    png = encode_environment(np.full((48, 64, 3), level, np.uint8), np.ones((48, 64), np.bool_))
    return ApprovedPlate(png, "ward_3", 1, "Jo", 2, "test")


def test_states_are_loaded_by_name_and_day_is_the_plate_of_mode_locked(tmp_path: Path) -> None:
    assert load_states(tmp_path, "ward_3", KEY, find_nobody) == []
    plate(20).save(state_folder_of(tmp_path, "ward_3", "night"), KEY)
    assert [state.name for state in load_states(tmp_path, "ward_3", KEY, find_nobody)] == ["night"]
    plate(120).save(state_folder_of(tmp_path, "ward_3", "day"), KEY)
    states = load_states(tmp_path, "ward_3", KEY, find_nobody)
    assert [(state.name, int(state.picture[0, 0, 0])) for state in states] == [("day", 120), ("night", 20)]
    assert ApprovedPlate.load(tmp_path, "ward_3", KEY).digest == plate(120).digest
    assert load_states(tmp_path, "ward_4", KEY, find_nobody) == []


def test_a_state_that_was_changed_is_refused(tmp_path: Path) -> None:
    own = plate(20).save(state_folder_of(tmp_path, "ward_3", "night"), KEY)
    (own / PICTURE).write_bytes(plate(90).png)
    with pytest.raises(PlateRejected, match="the seal is wrong"):
        load_states(tmp_path, "ward_3", KEY, find_nobody)


def test_a_state_needs_a_name_that_is_no_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="state"):
        state_folder_of(tmp_path, "ward_3", "../other")


def test_a_state_in_which_the_inspection_finds_a_person_is_refused(tmp_path: Path) -> None:
    plate(20).save(state_folder_of(tmp_path, "ward_3", "night"), KEY)

    def find(picture: np.ndarray, _confirmed: np.ndarray) -> list[SensitiveDetection]:
        return [SensitiveDetection("person", (10.0, 10.0, 20.0, 40.0), 0.4, 1.0)] if picture[0, 0, 0] == 20 else []

    with pytest.raises(PlateRejected, match="shows a person"):
        load_states(tmp_path, "ward_3", KEY, find)
