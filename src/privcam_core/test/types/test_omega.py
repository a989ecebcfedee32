"""Everything that Ω refuses, by the name of the field."""

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from privcam_core.types.omega import (
    MAX_COORDINATE,
    MAX_EMBEDDING_VALUES,
    MAX_PNG_BYTES,
    MAX_SUBJECTS,
    RATE_STEPS_HZ,
    Embedding,
    Environment,
    HeadOrientation,
    InvalidOmega,
    Omega,
    PrivacyReport,
    SubjectPose,
    SyncKey,
    Verdict,
    sight_from_number,
)
from privcam_core.types.sight import Sight, describe_sight, is_blind

KEY = SyncKey("room1", 7, 1_700_000_000_500_000_000)
PNG = b"stands for a picture"
ENVIRONMENT = Environment(KEY, PNG, sha256(PNG).digest(), 480, 640, 0.5, 1)
KEYPOINTS = np.full((17, 3), 0.5, np.float32)
POSE = SubjectPose(1, (10.0, 20.0, 30.0, 40.0), KEYPOINTS, HeadOrientation(0.1, 0.2, 0.3), 0)
EMBEDDING = Embedding("hog-1", (2, 3), 0.1, bytes(6), 0.2, 1.0)
REPORT = PrivacyReport(0.1, 0.2, 0.3, Verdict.PASS)
OMEGA = Omega(KEY, ENVIRONMENT, [POSE], EMBEDDING, REPORT)
NAN, INFINITE = float("nan"), float("inf")


def keypoints_with(row: int, column: int, value: float) -> np.ndarray:
    changed = KEYPOINTS.copy()
    changed[row, column] = value
    return changed


def head(**angle: float) -> HeadOrientation:
    return HeadOrientation(**({"yaw": 0.0, "pitch": 0.0, "roll": 0.0} | angle))


REFUSED = [
    (KEY, "key.camera_id", {"camera_id": ""}),
    (KEY, "key.camera_id", {"camera_id": "Room"}),
    (KEY, "key.camera_id", {"camera_id": "a/b"}),
    (KEY, "key.camera_id", {"camera_id": "room\n"}),
    (KEY, "key.camera_id", {"camera_id": "r" * 65}),
    (KEY, "key.frame_id", {"frame_id": 0}),
    (KEY, "key.frame_id", {"frame_id": 2**64}),
    (KEY, "key.stamp", {"stamp_ns": 0}),
    (KEY, "key.stamp", {"stamp_ns": 2**31 * 10**9}),
    (POSE, "pose.subject_id", {"subject_id": 0}),
    (POSE, "pose.subject_id", {"subject_id": 2**32}),
    (POSE, "pose.box", {"box": (1.0, 2.0, 3.0)}),
    (POSE, "pose.box", {"box": (1.0, 2.0, NAN, 4.0)}),
    (POSE, "pose.box", {"box": (1.0, 2.0, 2 * MAX_COORDINATE, 4.0)}),
    (POSE, "pose.box", {"box": (3.0, 2.0, 3.0, 4.0)}),
    (POSE, "pose.box", {"box": (1.0, 4.0, 3.0, 2.0)}),
    (POSE, "pose.keypoints", {"keypoints": np.zeros((16, 3), np.float32)}),
    (POSE, "pose.keypoints", {"keypoints": keypoints_with(3, 0, NAN)}),
    (POSE, "pose.keypoints", {"keypoints": keypoints_with(3, 1, -2 * MAX_COORDINATE)}),
    (POSE, "pose.keypoints.rho", {"keypoints": keypoints_with(3, 2, 1.1)}),
    (POSE, "pose.keypoints.rho", {"keypoints": keypoints_with(3, 2, -0.1)}),
    (POSE, "pose.layer", {"layer": -1}),
    (POSE, "pose.layer", {"layer": MAX_SUBJECTS}),
    (head(), "pose.head.yaw", {"yaw": 3.2}),
    (head(), "pose.head.pitch", {"pitch": -1.6}),
    (head(), "pose.head.roll", {"roll": NAN}),
    (ENVIRONMENT, "environment.png", {"png": bytes(MAX_PNG_BYTES + 1)}),
    (ENVIRONMENT, "environment.sha256", {"digest": b"short"}),
    (ENVIRONMENT, "environment.base", {"base": bytes(31)}),
    (ENVIRONMENT, "environment.base", {"base": bytes(32), "png": b""}),
    (ENVIRONMENT, "environment.base", {"base": ENVIRONMENT.digest}),
    (ENVIRONMENT, "environment.height", {"height": 0}),
    (ENVIRONMENT, "environment.height", {"height": 4321}),
    (ENVIRONMENT, "environment.width", {"width": 0}),
    (ENVIRONMENT, "environment.width", {"width": 7681}),
    (ENVIRONMENT, "environment.confirmed_fraction", {"confirmed_fraction": 1.01}),
    (ENVIRONMENT, "environment.confirmed_fraction", {"confirmed_fraction": NAN}),
    (ENVIRONMENT, "environment.epoch", {"epoch": 0}),
    (ENVIRONMENT, "environment.epoch", {"epoch": 2**32}),
    (EMBEDDING, "embedding.encoder_id", {"encoder_id": ""}),
    (EMBEDDING, "embedding.encoder_id", {"encoder_id": "x" * 129}),
    (EMBEDDING, "embedding.shape", {"shape": ()}),
    (EMBEDDING, "embedding.shape", {"shape": (1, 1, 1, 2, 3)}),
    (EMBEDDING, "embedding.shape", {"shape": (0, 6)}),
    (EMBEDDING, "embedding.shape", {"shape": (MAX_EMBEDDING_VALUES + 1,)}),
    (EMBEDDING, "embedding.data", {"data": bytes(5)}),
    (EMBEDDING, "embedding.scale", {"scale": 0.0}),
    (EMBEDDING, "embedding.scale", {"scale": INFINITE}),
    (EMBEDDING, "embedding.noise_sigma", {"noise_sigma": -0.1}),
    (EMBEDDING, "embedding.clip_norm", {"clip_norm": 0.0}),
    (EMBEDDING, "embedding.clip_norm", {"clip_norm": NAN}),
    (REPORT, "privacy.excluded_fraction", {"excluded_fraction": 1.1}),
    (REPORT, "privacy.withheld_fraction", {"withheld_fraction": -0.1}),
    (REPORT, "privacy.quarantined_fraction", {"quarantined_fraction": NAN}),
    (REPORT, "privacy.verdict", {"verdict": 2}),
    (REPORT, "privacy.sight", {"sight": 10}),
    (REPORT, "privacy.reason", {"verdict": Verdict.WITHHOLD, "reason": "x" * 513}),
    (REPORT, "privacy.reason", {"reason": "but it passed"}),
    (REPORT, "privacy.epsilon", {"epsilon": INFINITE}),
    (REPORT, "privacy.delta", {"delta": 1.0}),
    (REPORT, "privacy.delta", {"delta": NAN}),
    (REPORT, "privacy.detector_hz", {"detector_hz": 5.0}),
    (REPORT, "privacy.detector_hz", {"detector_hz": NAN}),
    (REPORT, "privacy.pose_hz", {"pose_hz": -0.5}),
    (REPORT, "privacy.pose_hz", {"pose_hz": 3.9999}),
    (REPORT, "privacy.unseen_people", {"unseen_people": 16}),
    (REPORT, "privacy.unseen_people", {"unseen_people": -1}),
    (OMEGA, "schema", {"schema": 1}),
    (OMEGA, "environment.key.camera_id", {"key": replace(KEY, camera_id="room2")}),
    (OMEGA, "environment.key", {"key": replace(KEY, frame_id=6)}),
    (OMEGA, "environment.key", {"key": replace(KEY, stamp_ns=KEY.stamp_ns - 1)}),
    (OMEGA, "poses", {"poses": [replace(POSE, subject_id=n + 1, layer=n % 64) for n in range(MAX_SUBJECTS + 1)]}),
    (OMEGA, "poses.subject_id", {"poses": [POSE, replace(POSE, layer=1)]}),
    (OMEGA, "poses.layer", {"poses": [POSE, replace(POSE, subject_id=2)]}),
]


@pytest.mark.parametrize(
    ("value", "field", "change"), REFUSED, ids=[f"{field}-{n}" for n, (_, field, _) in enumerate(REFUSED)]
)
def test_refusal_names_the_field(value: object, field: str, change: dict[str, object]) -> None:
    with pytest.raises(InvalidOmega) as rejection:
        replace(value, **change)  # type: ignore[type-var]
    assert rejection.value.field == field
    assert str(rejection.value).startswith(f"{field}: ")


def test_every_field_of_every_part_has_a_refused_case() -> None:
    changed = {(type(value), name) for value, _, change in REFUSED for name in change}
    # These hold checked values themselves, or any value of theirs is allowed.
    free = {
        (SubjectPose, "head"),
        (Environment, "key"),
        (Omega, "environment"),
        (Omega, "embedding"),
        (Omega, "privacy"),
        (PrivacyReport, "replay"),
    }
    parts = (KEY, POSE, head(), ENVIRONMENT, EMBEDDING, REPORT, OMEGA)
    fields = {(type(part), name) for part in parts for name in type(part).__dataclass_fields__}
    assert fields - changed == free


def test_environment_by_digest_keeps_everything_but_the_picture() -> None:
    bare = ENVIRONMENT.without_png()
    assert bare.png == b""
    assert replace(bare, png=PNG) == ENVIRONMENT


def test_patch_by_digest_alone_is_no_patch_any_more() -> None:
    assert replace(ENVIRONMENT, base=bytes(32)).without_png() == ENVIRONMENT.without_png()


def test_embedding_gives_its_values_in_its_shape() -> None:
    data = np.array([-128, -1, 0, 1, 2, 127], np.int8).tobytes()
    values = replace(EMBEDDING, data=data, scale=0.5).values()
    np.testing.assert_array_equal(values, np.array([[-64, -0.5, 0], [0.5, 1, 63.5]], np.float32))


def test_keys_of_one_camera_sort_by_frame() -> None:
    assert SyncKey("a", 2, 30) < SyncKey("a", 3, 20) < SyncKey("b", 1, 10)


def test_number_that_is_no_sight_is_refused_by_its_field() -> None:
    with pytest.raises(InvalidOmega, match=r"privacy.sight: 10 is not in \[0, 9\]"):
        sight_from_number(10)


@pytest.mark.parametrize("step", RATE_STEPS_HZ)
def test_rate_of_the_list_is_taken_and_is_the_same_in_single_precision(step: float) -> None:
    assert replace(REPORT, detector_hz=step, pose_hz=float(np.float32(step))).pose_hz == step


def test_refused_rate_says_which_ones_there_are() -> None:
    with pytest.raises(InvalidOmega, match=r"privacy\.pose_hz: 5\.0 is none of the steps 0, 0\.5, 1, 2, 3, 4, 6, 8"):
        replace(REPORT, pose_hz=5.0)


def test_every_sight_has_words_and_only_unknown_and_clear_are_not_blind() -> None:
    assert len({describe_sight(sight) for sight in Sight}) == len(Sight)
    assert {sight for sight in Sight if not is_blind(sight)} == {Sight.UNKNOWN, Sight.CLEAR}
