"""Re-identification: finds identity where there is some, and says so where nothing can be measured."""

import json
from pathlib import Path

import numpy as np
import pytest

from privcam_anonymization.anonymizer import PoseSettings
from privcam_anonymization.standard_body import REST, Posture, place_body
from privcam_audit.attacks.pose_sequences import PoseClip, anonymise, clips_of, msr_action3d
from privcam_audit.attacks.reidentification import reidentification, wilson
from privcam_audit.attacks.sequence_classifiers import cross_validate, features
from privcam_audit.perception_recording import FramePerception, Recording
from privcam_core.types.omega import SubjectPose, SyncKey
from privcam_core.types.perception import Detections
from privcam_core.types.skeleton import Joint

SHAPE, FRAMES = (480, 640), 20
TIMES = np.arange(FRAMES) / 10


def clip(subject: str, session: int, *, shoulders: float = 0.0, waves: bool = False) -> PoseClip:
    """Return somebody with a build, who stands or waves, in slightly other poses in each session."""
    random, poses = np.random.default_rng(sum(subject.encode()) + 31 * session + waves), []
    for seconds in TIMES:
        directions = REST.copy()
        if waves:
            directions[2] = np.sin(6 * seconds) * 0.5, -1.0
        points = place_body(Posture(np.array([300.0, 440.0]), 300.0, directions, 1.0, 0.0), np.ones(17, np.bool_))
        points[[Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_WRIST], 0] += shoulders
        poses.append(np.column_stack([points + random.normal(size=(17, 2)), np.full(17, 0.9)]))
    name = f"{subject}-{session}-{waves}"
    return PoseClip(
        name, "room", subject, f"take{session}", "wave" if waves else "stand", TIMES, np.array(poses), SHAPE
    )


def everyone() -> list[PoseClip]:
    builds = {"ada": 0.0, "bob": 12.0, "cy": 24.0}
    return [clip(s, t, shoulders=b, waves=w) for s, b in builds.items() for t in range(2) for w in (False, True)]


def recording(poses: list[list[SubjectPose]]) -> Recording:
    none = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    found = [
        FramePerception(SyncKey("audit", n + 1, 10**18 + n * 10**8), none, [], frame) for n, frame in enumerate(poses)
    ]
    return Recording("clip", "00", SHAPE, 10.0, found, lambda: iter(()))


def standing(subject_id: int = 1) -> SubjectPose:
    keypoints = clip("ada", 0).poses[0].astype(np.float32)
    return SubjectPose(subject_id, (200.0, 100.0, 400.0, 450.0), keypoints, None, subject_id - 1)


def test_build_is_named_from_raw_poses_and_behaviour_from_both(tmp_path: Path) -> None:
    part = reidentification(everyone(), tmp_path, None, PoseSettings())
    reid = part.values["reid"]
    assert reid["chance"] == pytest.approx(1 / 3)
    assert reid["raw"] == 1.0
    assert reid["canonical"] < 0.8
    assert reid["behaviour"] == {"raw": 1.0, "canonical": 1.0, "chance": 0.5}
    low, high = reid["interval"]["raw"]
    assert low < 1.0 <= high
    assert "| room | 3, 12 | 33% |" in part.text
    assert all(path.is_file() for path, _ in part.figures)
    assert json.loads(json.dumps(part.values)) == part.values


def test_one_subject_alone_is_not_measured_and_the_text_says_why(tmp_path: Path) -> None:
    part = reidentification([clip("ada", n) for n in range(3)], tmp_path, None, PoseSettings())
    assert part.values["reid"]["raw"] is part.values["reid"]["canonical"] is None
    assert "2 subjects" in part.text
    assert part.figures == []


def test_attackers_are_never_tried_on_a_take_that_they_learned() -> None:
    # Every session holds one label only: whoever is kept apart from it cannot name it.
    marks = np.repeat(np.eye(4), 5, axis=0)
    right = cross_validate(marks, marks, [str(n // 5) for n in range(20)], [f"session{n // 5}" for n in range(20)])
    assert not any(hits.any() for hits in right.values())


def test_features_do_not_see_place_and_size() -> None:
    one = clip("ada", 1, waves=True)
    other = one.poses * (2.5, 2.5, 1) + (70, -30, 0)
    np.testing.assert_allclose(features(TIMES, other), features(TIMES, one.poses), atol=0.11)


def test_features_of_a_body_that_is_never_seen_are_finite() -> None:
    assert np.isfinite(features(TIMES, np.zeros((FRAMES, 17, 3)))).all()
    assert np.isfinite(features(TIMES[:1], clip("ada", 1).poses[:1])).all()


def test_anonymised_clip_keeps_its_labels_and_its_length() -> None:
    before = clip("ada", 1, waves=True)
    after = anonymise(before, PoseSettings(), seed=1)
    assert (after.name, after.subject, after.session, after.behaviour) == ("ada-1-True", "ada", "take1", "wave")
    assert after.poses.shape == before.poses.shape
    assert not np.allclose(after.poses, before.poses)


def test_annotated_clip_gives_the_subject_who_is_longest_in_the_picture(tmp_path: Path) -> None:
    (tmp_path / "falls").mkdir()
    entry = {"file": "falls/a.mp4", "subject": "ada", "label": "fall"}
    (tmp_path / "annotations.json").write_text(json.dumps([entry]))
    frames = [[standing(1)] + ([standing(2)] if n < 10 else []) for n in range(20)]
    (found,) = clips_of(recording(frames), tmp_path / "falls" / "a.mp4")
    assert (found.subject, found.behaviour, found.source, found.session) == ("ada", "fall", "falls", "a")
    assert len(found.times) == 20


def test_clip_without_annotations_is_cut_into_segments_of_each_track(tmp_path: Path) -> None:
    found = clips_of(recording([[standing(1), standing(2)]] * 90), tmp_path / "a.mp4")
    assert len(found) == 8
    assert {c.subject for c in found} == {"a/1", "a/2"}
    assert {c.session for c in found} == {f"segment {n}" for n in range(1, 5)}


def test_skeletons_are_projected_as_a_camera_sees_them(tmp_path: Path) -> None:
    joints = np.zeros((10, 20, 4), np.float32)
    joints[:, :, 2:] = 3.0, 1.0
    joints[:, 19, 1] = 0.6  # head up
    joints[:, 0, 0] = -0.2  # left shoulder
    (tmp_path / "msraction3d").mkdir()
    np.savez(tmp_path / "msraction3d" / "some.npz", a13_s02_e01=joints)
    (found,) = msr_action3d(tmp_path)
    assert (found.subject, found.session, found.behaviour, found.action) == ("s02", "e01", "bend", "a13")
    pose = found.poses[0]
    assert pose[Joint.NOSE, 1] < 240
    assert pose[Joint.LEFT_SHOULDER, 0] > pose[Joint.RIGHT_SHOULDER, 0]
    assert msr_action3d(tmp_path / "nowhere") == []


def test_wilson_interval() -> None:
    assert wilson(50, 100) == pytest.approx((0.404, 0.596), abs=0.001)
    low, high = wilson(0, 10)
    assert low == 0 and 0.25 < high < 0.3
