"""A camera that is moved while a person is in the picture whom no track follows."""

import numpy as np
import pytest

from privcam_core.types.perception import Detections
from privcam_privacy.background.engine import PrivacyEngine
from privcam_privacy.background.engine_settings import EngineSettings

SHAPE = (120, 160)
NOBODY = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
ROOM = np.kron(np.random.default_rng(3).integers(60, 190, (15, 20, 3)).astype(np.uint8), np.ones((8, 8, 1), np.uint8))
MOVED = np.roll(ROOM, 21, axis=1)


def record(attended: bool) -> tuple[list[PrivacyEngine], bool]:
    """Return two engines that absorbed one record, with other pixels inside of the masks, and whether they agree."""
    seeing, *absorbing = (PrivacyEngine(EngineSettings(evidence="transit")) for _ in range(3))
    random = np.random.default_rng(1)
    equal = True
    for frame in range(140):
        noise = random.normal(0, 1.5, (*SHAPE, 1))
        image = np.clip((MOVED if frame >= 100 else ROOM) + noise, 0, 255).astype(np.uint8)
        stamp = 10**18 + frame * 10**8
        masks = seeing.compute_exclusion(image, NOBODY, [], np.zeros(SHAPE, np.bool_), stamp)
        other = image.copy()
        other[np.kron(masks.mask, np.ones((2, 2), np.uint8)) > 0] = 7
        results = [
            one.absorb(picture, masks, [], stamp)
            for one, picture in zip([seeing, *absorbing], (image, image, other), strict=True)
        ]
        equal &= all(np.array_equal(results[0].environment_plate, one.environment_plate) for one in results[1:])
        equal &= len({one.quarantined_fraction for one in results}) == 1
        if frame == 90 and not attended:
            for one in (seeing, *absorbing):
                one.quarantine_boxes([(60.0, 30.0, 90.0, 110.0)])
    return [seeing, *absorbing], equal


@pytest.mark.parametrize("attended", [True, False])
def test_everything_is_withheld_where_somebody_may_be_and_no_pixel_inside_the_masks_decides(attended: bool) -> None:
    engines, equal = record(attended)
    assert equal
    assert all(engine.presences.all() != attended for engine in engines)
