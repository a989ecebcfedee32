"""Messages of the live view: what is decoded is what was encoded, and broken bytes are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privcam_console.live.decoder import LiveDecoder
from privcam_console.live.encoder import encode_env, encode_hello, encode_pose, encode_report, encode_state
from privcam_console.live.messages import (
    PARTS,
    CameraState,
    Env,
    Hello,
    Pose,
    Report,
    ReportedEvent,
    State,
    Subject,
)
from privcam_console.live.varint import MalformedMessage, Reader, Writer
from privcam_core.events.scene_report import Phase
from privcam_core.types.omega import MAX_COORDINATE
from privcam_core.types.sight import Sight
from privcam_core.types.skeleton import KEYPOINT_COUNT

HELLO = Hello("room1", 640, 480, KEYPOINT_COUNT, 1, 4)
parts = st.integers(0, PARTS)
coordinates = st.integers(-int(MAX_COORDINATE), int(MAX_COORDINATE))
positions = st.none() | st.tuples(coordinates, coordinates)
stamps = st.integers(1, 2**31 * 1000)
subjects = st.builds(
    Subject,
    subject_id=st.integers(1, 5) | st.integers(1, 2**32 - 1),
    layer=st.integers(0, 63),
    stature=st.integers(1, 20_000),
    joints=st.tuples(*[positions] * KEYPOINT_COUNT),
    box=st.none() | st.tuples(*[coordinates] * 4),
)
poses = st.builds(
    Pose,
    frame_id=st.integers(1, 2**64 - 1),
    stamp_ms=stamps,
    passed=st.booleans(),
    sight=st.sampled_from(Sight),
    withheld=parts,
    epsilon=st.none() | st.integers(0, 10**6),
    unseen=st.integers(0, 15),
    replay=st.booleans(),
    subjects=st.lists(subjects, max_size=4, unique_by=lambda subject: subject.subject_id).map(tuple),
)
events = st.builds(
    ReportedEvent,
    event_id=st.integers(1, 2**64 - 1),
    label=st.text(max_size=30),
    phase=st.sampled_from(Phase),
    alarm=st.booleans(),
    confidence=parts,
    subject_ids=st.lists(st.integers(1, 2**32 - 1), max_size=4).map(tuple),
    start_ms=stamps,
    evidence=st.text(max_size=100),
)


def decoder() -> LiveDecoder:
    made = LiveDecoder()
    made.decode(encode_hello(HELLO))
    return made


@given(st.integers(-(2**62), 2**62))
def test_number_of_either_sign_comes_back(value: int) -> None:
    out = Writer(0)
    out.signed(value)
    reader = Reader(out.finish())
    assert reader.byte() == 0
    assert reader.signed() == value
    reader.finish()


@given(st.lists(poses, min_size=1, max_size=6), st.sets(st.integers(0, 5)))
def test_poses_come_back_whichever_of_them_are_key_frames(sequence: list[Pose], keys: set[int]) -> None:
    receiving, last = decoder(), None
    for place, pose in enumerate(sequence):
        assert receiving.decode(encode_pose(pose, None if place in keys else last)) == pose
        last = pose


@given(st.lists(poses, min_size=2, max_size=5))
def test_client_that_comes_in_the_middle_goes_on_from_a_key_frame_of_the_last_pose(sequence: list[Pose]) -> None:
    late = decoder()
    assert late.decode(encode_pose(sequence[-2], None)) == sequence[-2]
    assert late.decode(encode_pose(sequence[-1], sequence[-2])) == sequence[-1]


@given(st.builds(Report, replay=st.booleans(), events=st.lists(events, max_size=4).map(tuple)))
def test_report_comes_back(report: Report) -> None:
    assert decoder().decode(encode_report(report)) == report


@given(
    st.builds(
        CameraState,
        state=st.sampled_from(State),
        sight=st.sampled_from(Sight),
        age_ms=st.integers(0, 10**10),
        recognised=st.booleans(),
    ),
    st.binary(min_size=32, max_size=32),
)
def test_state_and_environment_come_back(state: CameraState, digest: bytes) -> None:
    assert decoder().decode(encode_state(state)) == state
    assert decoder().decode(encode_env(Env(digest))) == Env(digest)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    receiving = decoder()
    try:
        receiving.decode(data)
    except MalformedMessage as refused:
        assert str(refused)


def test_pose_without_its_key_frame_is_refused() -> None:
    pose = Pose(1, 1, True, Sight.CLEAR, 0, None, False, ())
    with pytest.raises(MalformedMessage, match="key frame"):
        decoder().decode(encode_pose(pose, pose))


def test_message_with_bytes_left_over_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="left over"):
        decoder().decode(encode_env(Env(bytes(32))) + b"\0")


def test_client_of_another_protocol_is_told_to_load_the_page_again() -> None:
    data = bytearray(encode_hello(HELLO))
    data[1] += 1
    with pytest.raises(MalformedMessage, match="load the page again"):
        LiveDecoder().decode(bytes(data))
