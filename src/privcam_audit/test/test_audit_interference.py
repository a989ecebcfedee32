"""The non-interference test of the audit: that it holds for the engine, and that it would notice if it did not."""

from pathlib import Path

import numpy as np
import pytest

from privcam_audit.leakage.interference import (
    drawn_face,
    interference,
    interference_of,
    load_faces,
    noise,
    paste_faces,
    texture,
)
from privcam_audit.perception_recording import START_NS, FramePerception, Recording, record
from privcam_bringup.demo_clip import demo_clip
from privcam_core.detection.person_masks import PersonMasks, outline_poses
from privcam_core.types.omega import SyncKey
from privcam_core.types.perception import Detections
from privcam_privacy.background.engine import PrivacyEngine
from privcam_privacy.background.engine_settings import BLOCKING_THRESHOLD, EngineSettings
from privcam_privacy.background.exclusion_masks import ExclusionMasks, Margins
from privcam_privacy.background.person_regions import PersonRegions
from privcam_privacy.egress.inspection import NoInspection
from privcam_privacy.evidence.cell_evidence import PlateTimes

SHAPE = (96, 128)
FRAMES, RATE_HZ = 50, 5.0
PAINTS = {"noise": noise, "texture": texture, "faces": paste_faces([drawn_face()])}
QUICK = EngineSettings(
    evidence="transit", times=PlateTimes(confirm_s=2.0, low_confidence_s=3.0, change_s=3.0, relearn_s=6.0), step_s=1.0
)


@pytest.fixture(scope="module")
def walk() -> Recording:
    """Somebody stands in a room for six seconds and then walks on; the detector blinks."""
    random = np.random.default_rng(4)
    room = np.kron(random.integers(60, 190, (12, 16, 3)), np.ones((8, 8, 1)))
    shirt = random.integers(0, 256, (60, 24, 3))
    pictures, found = [], []
    for number in range(FRAMES):
        picture = room + random.normal(0, 1.5, room.shape)
        x = 30 + 2 * max(0, number - 30)
        picture[20:80, x : x + 24] = shirt
        boxes = [(x, 20, x + 24, 80)] if number % 3 else []
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
        rows = np.array(boxes, np.float32).reshape(-1, 4)
        detections = Detections(rows, np.full(len(rows), 0.9, np.float32))
        found.append(FramePerception(SyncKey("audit", number + 1, START_NS + number * 2 * 10**8), detections, [], []))
    return Recording("walk", "walk", SHAPE, RATE_HZ, found, lambda: iter(pictures))


def engine() -> PrivacyEngine:
    return PrivacyEngine(QUICK)


class Curious(PrivacyEngine):
    """An engine that reads one pixel that it must not: the brightness of the excluded region goes into the plate."""

    def absorb(self, image, exclusion, tracks, stamp_ns):
        peeked = image.copy()
        region = image[::2, ::2][exclusion.mask > 0]
        if region.size:
            peeked[:, :, 0] = np.clip(image[:, :, 0].astype(int) + region.mean() / 8, 0, 255)
        return super().absorb(peeked, exclusion, tracks, stamp_ns)


class Forgetful(PrivacyEngine):
    """An engine that returns a smaller exclusion mask than it recorded: a rim of people is learnt."""

    def absorb(self, image, exclusion, tracks, stamp_ns):
        rim = exclusion.mask.copy()
        rim[:, 1:] &= rim[:, :-1]
        parts = {name: getattr(exclusion, name) for name in ExclusionMasks.__dataclass_fields__}
        return super().absorb(image, ExclusionMasks(**{**parts, "mask": rim, "persons": rim}), tracks, stamp_ns)


def test_nothing_that_is_put_into_the_excluded_region_changes_a_byte(walk: Recording) -> None:
    result = interference_of(walk, PAINTS, NoInspection(), engine)
    assert result.frames == result.identical == FRAMES
    assert result.first_difference is None
    # The test says something only where pixels were replaced and the room was shown.
    assert result.swapped_pixels > FRAMES * 100
    assert result.visible > 0.3


@pytest.mark.parametrize("broken", [Curious, Forgetful])
def test_engine_that_reads_an_excluded_pixel_is_found_out(walk: Recording, broken: type[PrivacyEngine]) -> None:
    result = interference_of(walk, PAINTS, NoInspection(), lambda: broken(QUICK))
    assert result.identical < result.frames == FRAMES
    assert result.first_difference is not None


@pytest.fixture(scope="module")
def square(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The demo clip: pedestrians in a square."""
    return record(demo_clip(print), cache=tmp_path_factory.mktemp("cache"), rate_hz=5.0, seconds=8.0)


def test_a_segmentation_of_people_would_exclude_no_cell_more_than_their_boxes_and_skeletons(square: Recording) -> None:
    masks, margins = PersonMasks(), Margins()
    with_network, without = (
        PersonRegions(square.shape, blocking_threshold=BLOCKING_THRESHOLD, hold_s=0.2, margins=margins)
        for _ in range(2)
    )
    segmented = 0
    for frame in square.frames():
        segments, outlines = masks.segment_poses(frame.image, frame.poses), outline_poses(square.shape, frame.poses)
        segmented += int(np.count_nonzero(segments & ~outlines))
        expected = with_network.update(frame.detections, frame.tracks, segments, 0.2)
        for mask, reference in zip(
            without.update(frame.detections, frame.tracks, outlines, 0.2), expected, strict=True
        ):
            np.testing.assert_array_equal(mask, reference)
    assert segmented > 40 * 1000


def test_real_people_can_be_replaced_without_changing_a_byte(square: Recording) -> None:
    part = interference([square])
    found = part.values["interference"]
    assert found["frames"] == found["identical"] == 40
    assert found["clips"]["vtest"]["swapped_pixels"] > 40 * 10_000
    assert found["clips"]["vtest"]["largest_fraction_shown"] > 0.05
    assert "40 of 40 frames" in part.text


def test_what_is_put_in_place_of_people_fills_the_picture_and_changes() -> None:
    random = np.random.default_rng(0)
    for paint in PAINTS.values():
        first, second = paint(SHAPE, random), paint(SHAPE, random)
        assert first.shape == (*SHAPE, 3) and first.dtype == np.uint8
        assert first.std() > 10
        assert not np.array_equal(first, second)


def test_folder_without_faces_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no picture"):
        load_faces(tmp_path)
