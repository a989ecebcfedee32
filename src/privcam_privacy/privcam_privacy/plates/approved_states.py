"""The approved plates of one camera by state of the room: by day, with the lamp on, in infrared light at night."""

from pathlib import Path

from privcam_core.detection.person_detector import PersonDetector
from privcam_core.storage_key import StorageKey
from privcam_core.types.identifiers import camera_id_error, is_camera_id
from privcam_privacy.evidence.approved_background import ApprovedState
from privcam_privacy.evidence.explained_boxes import find_likenesses
from privcam_privacy.plates.approved import RECORD, ApprovedPlate
from privcam_privacy.plates.plate_inspection import FindSensitive, inspect_plate

# The state without a name of its own: mode `locked` uses it alone.
DAY = "day"
_STATES = "states"


def state_folder_of(folder: Path, camera_id: str, state: str) -> Path:
    """Return where the plates of a state are stored: `folder` for DAY, else a folder beside the plate of the camera.

    Raises ValueError for a name that is none.
    """
    if not is_camera_id(state):
        raise ValueError(f"state {camera_id_error(state)}")
    return folder if state == DAY else folder / camera_id / _STATES / state


def load_states(folder: Path, camera_id: str, key: StorageKey, find: FindSensitive) -> list[ApprovedState]:
    """Return the approved states of a camera, none if there is none.

    find: the inspection, which every plate has to pass again. Raises PlateRejected for a bad plate.
    """
    others = folder / camera_id / _STATES
    names = [DAY, *sorted(path.name for path in others.iterdir() if path.is_dir())] if others.is_dir() else [DAY]
    states = []
    for name in names:
        root = state_folder_of(folder, camera_id, name)
        if (root / camera_id / RECORD).exists():
            plate = ApprovedPlate.load(root, camera_id, key)
            inspect_plate(plate, find)
            states.append(ApprovedState(name, plate.picture, plate.confirmed))
    detector = PersonDetector() if states else None
    return [find_likenesses(state, detector.detect) for state in states] if detector else []
