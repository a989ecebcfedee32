"""Messages and core types say the same, and our CDR is ROS's CDR."""

import json
import random
from dataclasses import replace
from hashlib import sha256
from math import pi
from pathlib import Path

import numpy as np
import pytest
from ament_index_python.packages import get_package_share_directory
from hypothesis import given, settings
from hypothesis import strategies as st
from privcam_msgs import msg
from rclpy.serialization import deserialize_message, serialize_message

from privcam_core.types.omega import (
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
)
from privcam_core.types.sight import Sight
from privcam_link import cdr, wire
from privcam_ros.conversions import (
    key_to_msg,
    omega_from_msg,
    omega_to_msg,
    poses_to_msg,
    raw_poses_from_msg,
    raw_poses_to_msg,
    stamp_from_msg,
    stamp_to_msg,
)

KEY = SyncKey("room1", 7, 1_700_000_000_123_456_789)
fraction = st.floats(0, 1, width=32)
small = st.floats(-1e4, 1e4, width=32)


@st.composite
def omegas(draw: st.DrawFn) -> Omega:
    key = SyncKey(
        draw(st.text("abz09_", min_size=1, max_size=9)),
        draw(st.integers(1, 2**64 - 1)),
        draw(st.integers(1, 2**31 * 10**9 - 1)),
    )
    png = draw(st.binary(max_size=40))
    digest = sha256(png).digest()
    base = draw(st.sampled_from([b"", sha256(b"base").digest()])) if png else b""
    size = draw(st.integers(1, 4320)), 7680
    environment = Environment(key, png, digest, *size, draw(fraction), draw(st.integers(1, 9)), base)
    angle = st.floats(-1, 1, width=32)
    poses = []
    for n in range(draw(st.integers(0, 3))):
        x, y = draw(st.integers(-99, 9999)), draw(st.integers(-99, 9999))
        points = np.array(draw(st.lists(st.tuples(small, small, fraction), min_size=17, max_size=17)), np.float32)
        head = draw(st.none() | st.builds(HeadOrientation, angle, angle, angle))
        poses.append(SubjectPose(n + 1, (float(x), float(y), x + 16.5, y + 16.25), points, head, n))
    data = draw(st.binary(min_size=1, max_size=9))
    embedding = Embedding(draw(st.text("abc-", min_size=1, max_size=7)), (len(data),), 0.5, data, 0.25, 1.5)
    areas = draw(fraction), draw(fraction), draw(fraction)
    budget = draw(st.floats(-1, 2e4, width=32)), draw(st.floats(0, 1, exclude_max=True))
    sight, step = draw(st.sampled_from(Sight)), st.sampled_from(RATE_STEPS_HZ)
    rates = {"detector_hz": draw(step), "pose_hz": draw(step), "unseen_people": draw(st.integers(0, 15))}
    report = PrivacyReport(*areas, Verdict.WITHHOLD, draw(st.text("aé", max_size=9)), *budget, sight, **rates)
    return Omega(key, environment, poses, embedding, report)


EXAMPLE = Omega(
    KEY,
    Environment(KEY, b"png", sha256(b"png").digest(), 480, 640, 0.5, 3),
    [
        SubjectPose(1, (1.0, 2.0, 3.0, 4.0), np.full((17, 3), 0.5, np.float32), None, 0),
        SubjectPose(2, (1.0, 2.0, 3.0, 4.0), np.full((17, 3), 0.25, np.float32), HeadOrientation(pi, -pi / 2, -pi), 1),
    ],
    Embedding("hog-1", (3,), 0.5, b"\x01\xff\x80", 0.25, 1.0),
    PrivacyReport(
        0.125,
        0.25,
        0.5,
        Verdict.PASS,
        epsilon=12.5,
        delta=1e-5,
        sight=Sight.DARK,
        detector_hz=4.0,
        pose_hz=0.5,
        unseen_people=3,
    ),
)


@settings(deadline=None)
@given(omegas())
def test_our_cdr_is_read_by_ros_and_the_other_way_round(omega: Omega) -> None:
    ours = cdr.encode(omega)
    message = deserialize_message(ours, msg.Omega)
    assert cdr.encode(omega_from_msg(message)) == ours
    assert cdr.encode(cdr.decode(serialize_message(omega_to_msg(omega)))) == ours
    assert cdr.encode(cdr.decode(ours)) == ours


@settings(deadline=None)
@given(omegas())
def test_omega_survives_as_message(omega: Omega) -> None:
    back = omega_from_msg(omega_to_msg(omega))
    assert (back.key, back.environment, back.embedding, back.privacy) == (
        omega.key,
        omega.environment,
        omega.embedding,
        omega.privacy,
    )
    for pose, expected in zip(back.poses, omega.poses, strict=True):
        assert (pose.subject_id, pose.box, pose.head, pose.layer) == (
            expected.subject_id,
            expected.box,
            expected.head,
            expected.layer,
        )
        np.testing.assert_array_equal(pose.keypoints, expected.keypoints)


def test_type_hash_is_that_of_the_built_message() -> None:
    description = Path(get_package_share_directory("privcam_msgs")) / "msg" / "Omega.json"
    hashes = {entry["type_name"]: entry["hash_string"] for entry in json.loads(description.read_text())["type_hashes"]}
    assert hashes[wire.TYPE_NAME] == wire.TYPE_HASH


def test_padding_of_our_cdr_is_zero() -> None:
    payload = cdr.encode(EXAMPLE)
    # Schema, length and "room1" end at offset 14; frame_id starts at the next multiple of 8. Four bytes are the header.
    assert payload[4:18].endswith(b"room1\x00")
    assert payload[18:20] == bytes(2)
    # Of a pose's 244 bytes, three follow the flag at 224 and three the layer at 240.
    second = payload.index((2).to_bytes(4, "little") + np.array([1, 2, 3, 4], "<f4").tobytes())
    assert payload[second + 224] == 1
    assert payload[second + 225 : second + 228] == bytes(3)
    assert payload[second + 240 : second + 244] == b"\x01" + bytes(3)


def test_angles_of_half_a_turn_survive_single_precision() -> None:
    for back in (omega_from_msg(omega_to_msg(EXAMPLE)), cdr.decode(cdr.encode(EXAMPLE))):
        head = back.poses[1].head
        assert (head.yaw, head.pitch, head.roll) == pytest.approx((pi, -pi / 2, -pi), abs=1e-6)


def test_hostile_bytes_end_in_invalid_omega_and_nothing_else() -> None:
    good = cdr.encode(EXAMPLE)
    chance = random.Random(4)
    for _ in range(3000):
        bad = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(bad))
            bad[place : place + 4] = chance.choice((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", bytes(4), b"\x01"))
        del bad[chance.choice((len(bad), chance.randrange(len(bad)))) :]
        try:
            again = cdr.decode(bytes(bad))
        except InvalidOmega:
            continue
        assert cdr.decode(cdr.encode(again)).key == again.key


@pytest.mark.parametrize("cut", range(0, 900, 7))
def test_cut_off_payload_is_refused(cut: int) -> None:
    payload = cdr.encode(EXAMPLE)
    with pytest.raises(InvalidOmega):
        cdr.decode(payload[: min(cut, len(payload) - 1)])


@pytest.mark.parametrize(("extra", "refused"), [(0, False), (3, False), (4, True), (1000, True)])
def test_bytes_after_the_message_are_refused_beyond_alignment(extra: int, refused: bool) -> None:
    payload = cdr.encode(EXAMPLE) + b"x" * extra
    if refused:
        with pytest.raises(InvalidOmega, match="after the end"):
            cdr.decode(payload)
    else:
        assert cdr.encode(cdr.decode(payload)) == cdr.encode(EXAMPLE)


def announce_many_poses(payload: bytes) -> bytes:
    count = payload.index((1).to_bytes(4, "little") + np.array([1, 2, 3, 4], "<f4").tobytes()) - 4
    return payload[:count] + (2**31).to_bytes(4, "little") + payload[count + 4 :]


def test_announced_count_is_not_believed() -> None:
    with pytest.raises(InvalidOmega, match="poses: 2147483648 subjects"):
        cdr.decode(announce_many_poses(cdr.encode(EXAMPLE)))


def change(path: str, value: object) -> msg.Omega:
    message = omega_to_msg(EXAMPLE)
    *parents, last = path.split(".")
    owner = message
    for name in parents:
        owner = owner[int(name)] if name.isdigit() else getattr(owner, name)
    setattr(owner, last, value)
    return message


OTHER_KEY = key_to_msg(replace(KEY, frame_id=8))
MESSAGES = [
    ("schema", 1, "schema"),
    ("key.camera_id", "Room", "key.camera_id"),
    ("key.frame_id", 0, "key.frame_id"),
    ("environment.key", OTHER_KEY, "environment.key"),
    ("environment.png.format", "jpeg", "environment.png.format"),
    ("environment.base", np.frombuffer(EXAMPLE.environment.digest, np.uint8), "environment.base"),
    ("environment.confirmed_fraction", float("nan"), "environment.confirmed_fraction"),
    ("environment.epoch", 0, "environment.epoch"),
    ("poses.key", OTHER_KEY, "poses.key"),
    ("poses.poses.0.subject_id", 0, "pose.subject_id"),
    ("poses.poses.0.box", np.zeros(4, np.float32), "pose.box"),
    ("poses.poses.0.keypoints.3.rho", 2.0, "pose.keypoints.rho"),
    ("poses.poses.0.keypoints.3.u", float("inf"), "pose.keypoints"),
    ("poses.poses.0.head_yaw", 0.5, "pose.head"),
    ("poses.poses.1.head_pitch", 1.6, "pose.head.pitch"),
    ("poses.poses.1.layer", 0, "poses.layer"),
    ("embedding.key", OTHER_KEY, "embedding.key"),
    ("embedding.dtype", "float32", "embedding.dtype"),
    ("embedding.scale", 0.0, "embedding.scale"),
    ("embedding.data", b"", "embedding.data"),
    ("privacy.key", OTHER_KEY, "privacy.key"),
    ("privacy.verdict", 2, "privacy.verdict"),
    ("privacy.epsilon", float("inf"), "privacy.epsilon"),
    ("privacy.delta", 1.0, "privacy.delta"),
    ("privacy.delta", -1e-5, "privacy.delta"),
    ("privacy.detector_hz", 5.0, "privacy.detector_hz"),
    ("privacy.pose_hz", float("nan"), "privacy.pose_hz"),
    ("privacy.unseen_people", 16, "privacy.unseen_people"),
]


@pytest.mark.parametrize(("path", "value", "field"), MESSAGES, ids=[path for path, _, _ in MESSAGES])
def test_message_and_bytes_name_the_same_field(path: str, value: object, field: str) -> None:
    message = change(path, value)
    with pytest.raises(InvalidOmega) as by_message:
        omega_from_msg(message)
    with pytest.raises(InvalidOmega) as by_bytes:
        cdr.decode(serialize_message(message))
    assert (by_message.value.field, by_bytes.value.field) == (field, field)


def test_text_beside_the_picture_is_refused() -> None:
    message = omega_to_msg(EXAMPLE)
    message.environment.png.header.frame_id = "hidden"
    with pytest.raises(InvalidOmega, match=r"environment\.png\.header"):
        cdr.decode(serialize_message(message))


def test_patch_that_is_named_but_not_there_is_refused_in_both() -> None:
    message = omega_to_msg(EXAMPLE)
    message.environment.base = np.ones(32, np.uint8)
    assert omega_from_msg(message).environment.base == bytes([1]) * 32
    message.environment.png.data = b""
    with pytest.raises(InvalidOmega, match=r"environment\.base"):
        omega_from_msg(message)
    with pytest.raises(InvalidOmega, match=r"environment\.base"):
        cdr.decode(serialize_message(message))


def test_poses_are_ordered_by_layer_in_the_message() -> None:
    message = poses_to_msg(EXAMPLE.poses[::-1], KEY)
    assert [pose.layer for pose in message.poses] == [0, 1]


def test_raw_poses_say_who_was_estimated_and_nobody_else_is_named() -> None:
    message = raw_poses_to_msg(EXAMPLE.poses, {2}, KEY)
    poses, estimated = raw_poses_from_msg(deserialize_message(serialize_message(message), msg.RawPoseArray))
    assert ([pose.subject_id for pose in poses], estimated) == ([1, 2], {2})
    message.estimated = [2, 7]
    with pytest.raises(InvalidOmega, match=r"raw_poses\.estimated: names the subjects \[7\], who have no pose"):
        raw_poses_from_msg(message)


@settings(deadline=None)
@given(st.integers(1, 2**31 * 10**9 - 1))
def test_time_survives_to_the_nanosecond(stamp_ns: int) -> None:
    assert stamp_from_msg(stamp_to_msg(stamp_ns)) == stamp_ns
