"""Runs the edge over a recording once for all attacks, and commissions the plates of mode `locked`."""

from collections.abc import Callable, Sequence

import numpy as np

from privcam_anonymization.anonymizer import PoseAnonymizer
from privcam_anonymization.random_source import seeded
from privcam_audit.leakage.person_labels import Labels
from privcam_audit.perception_recording import Recording
from privcam_core.detection.inspection import EgressInspector
from privcam_core.detection.person_masks import PersonMasks
from privcam_core.images.environment_writer import EnvironmentWriter
from privcam_core.types.arrays import BoolArray, Box, Image
from privcam_core.types.omega import PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_core.types.perception import Detections, Track
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.egress.inspection import withheld_picture
from privcam_privacy.eraser import Eraser, Mode, Published
from privcam_privacy.plates.approved import ApprovedPlate
from privcam_privacy.plates.commissioning import Commissioning, CommissionSettings

Erase = Callable[[SyncKey, Image, Detections, Sequence[Track], Sequence[SubjectPose]], Published]

SEED = 7


def eraser(mode: Mode, threads: int, plate: ApprovedPlate | None = None) -> Erase:
    """Return a fresh edge with evidence `transit`. Its noise is the same in every run."""
    return Eraser(
        mode, EngineSettings(evidence="transit"), plate=plate, threads=threads, random_bytes=seeded(SEED)
    ).erase


def run(recording: Recording, erase: Erase) -> list[Published]:
    """Return what leaves of every frame of a recording."""
    return [erase(f.key, f.image, f.detections, f.tracks, f.poses) for f in recording.frames()]


def replay(left: Sequence[Published]) -> Erase:
    """Return an edge that gives again what left in an earlier run, in the order of its frames."""
    rest = iter(left)

    def erase(key: SyncKey, _image: Image, *_found: object) -> Published:
        published = next(rest)
        if published.environment.key != key:
            raise ValueError(f"frame {key.frame_id}: the kept run is at {published.environment.key.frame_id}")
        return published

    return erase


class NoPlate(Exception):
    """No plate can be commissioned from a clip. The text says why."""


class WithholdingEdge:
    """Mode `locked` without a plate: poses on a picture that is withheld as a whole."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._picture = withheld_picture(shape, 1)
        self._writer = EnvironmentWriter()
        self._anonymizer = PoseAnonymizer(random_bytes=seeded(SEED))

    def erase(
        self,
        key: SyncKey,
        image: Image,
        _detections: Detections,
        _tracks: Sequence[Track],
        poses: Sequence[SubjectPose],
    ) -> Published:
        """Return what leaves of one frame."""
        anonymous = self._anonymizer.anonymize(poses, (image.shape[0], image.shape[1]), key.stamp_ns)
        report = PrivacyReport(0.0, 1.0, 0.0, Verdict.PASS)
        return Published(
            self._writer.write(key, self._picture.png, self._picture.epoch), report, anonymous, self._picture.inspected
        )


def commission(recording: Recording, labels: Labels, threads: int) -> ApprovedPlate:
    """Return the plate that an operator takes of the empty room of a clip. Raises NoPlate.

    Only frames without labels are used. In these the counterfactual of a clip is the clip itself, so both runs of the
    leak test get this plate. No region is approved that resembles a person. Nothing is written to disk.
    """
    commissioning = Commissioning(recording.perceptions[0].key.camera_id, CommissionSettings(max_s=np.inf))
    masks, seen = PersonMasks(threads=threads), 0
    for number, frame in enumerate(recording.frames()):
        if labels.empty(number) and not commissioning.done:
            mask = masks.segment_poses(frame.image, frame.poses)
            commissioning.add(frame.image, frame.detections, frame.tracks, mask, frame.key.stamp_ns)
            seen = frame.key.stamp_ns
    if not seen:
        raise NoPlate("every frame has a label")
    inspector = EgressInspector(threads=threads)

    def inspect(picture: Image, confirmed_mask: BoolArray) -> list[Box]:
        return [found.box for found in inspector.inspect_pixels(picture, confirmed_mask)]

    pending = commissioning.make_pending(inspect, seen)
    try:
        return pending.approve("privcam audit", seen, [region.number for region in pending.undecided()])
    except ValueError as error:
        raise NoPlate(f"the plate cannot be approved: {error}") from error
