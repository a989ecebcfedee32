"""Messages between nodes of one start: nobody else reads them, makes them, changes them or sends them again."""

import os

import pytest

from privcam_ros.message_sealing import NONCE_BYTES, Opener, Refusal, Sealer, SealRefused
from privcam_ros.start_key import KEY_BYTES, StartKey

TOPIC = "/room1/raw_poses"
POSES = "SubjectPoseArray"
MESSAGE = b"seventeen keypoints of somebody"


@pytest.fixture
def key() -> StartKey:
    return StartKey(os.urandom(KEY_BYTES))


def refusal(opener: Opener, sealed: bytes) -> Refusal:
    """Return why a message is refused."""
    with pytest.raises(SealRefused) as refused:
        opener.open(sealed)
    return refused.value.reason


def test_node_of_the_same_start_opens_what_was_sealed(key: StartKey) -> None:
    sealer, opener = Sealer(key, TOPIC, POSES), Opener(key, TOPIC, POSES)
    for message in (MESSAGE, b"", bytes(100_000)):
        assert opener.open(sealer.seal(message)) == message


def test_sealed_message_shows_nothing_but_its_length(key: StartKey) -> None:
    sealer = Sealer(key, TOPIC, POSES)
    first, second = sealer.seal(MESSAGE), sealer.seal(MESSAGE)
    assert MESSAGE[:8] not in first
    assert first[NONCE_BYTES:] != second[NONCE_BYTES:]
    assert len(first) == len(second)


def test_no_nonce_is_used_twice_also_not_by_publishers_of_the_same_moment(
    key: StartKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("privcam_ros.message_sealing._now_ns", lambda: 10**15)  # a clock that stands still
    nonces = {Sealer(key, TOPIC, POSES).seal(MESSAGE)[:NONCE_BYTES] for _ in range(50)}
    sealer = Sealer(key, TOPIC, POSES)
    nonces |= {sealer.seal(MESSAGE)[:NONCE_BYTES] for _ in range(50)}
    assert len(nonces) == 100


@pytest.mark.parametrize(
    ("start", "topic", "type_name"),
    [
        ("other", TOPIC, POSES),
        ("same", "/room2/raw_poses", POSES),
        ("same", "/room1/poses", POSES),
        ("same", TOPIC, "T"),
    ],
)
def test_message_of_another_start_camera_topic_or_type_opens_nowhere(
    key: StartKey, start: str, topic: str, type_name: str
) -> None:
    sealing = key if start == "same" else StartKey(os.urandom(KEY_BYTES))
    sealed = Sealer(sealing, topic, type_name).seal(MESSAGE)
    assert refusal(Opener(key, TOPIC, POSES), sealed) is Refusal.FORGED


def test_message_with_any_bit_changed_is_refused_and_the_true_one_still_opens(key: StartKey) -> None:
    opener, sealed = Opener(key, TOPIC, POSES), Sealer(key, TOPIC, POSES).seal(MESSAGE)
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        assert refusal(opener, bytes(changed)) is Refusal.FORGED
    for length in range(len(sealed)):
        assert refusal(opener, sealed[:length]) is Refusal.FORGED
    assert refusal(opener, sealed + b"\0") is Refusal.FORGED
    assert opener.open(sealed) == MESSAGE


def test_message_opens_once_and_an_earlier_one_never_after_it(key: StartKey) -> None:
    sealer, opener = Sealer(key, TOPIC, POSES), Opener(key, TOPIC, POSES)
    earlier, later = sealer.seal(b"earlier"), sealer.seal(b"later")
    assert opener.open(later) == b"later"
    assert refusal(opener, later) is Refusal.REPLAYED
    assert refusal(opener, earlier) is Refusal.REPLAYED
    assert opener.open(sealer.seal(b"next")) == b"next"


def test_publisher_that_was_started_again_is_followed_and_messages_of_the_first_are_not(key: StartKey) -> None:
    opener, first = Opener(key, TOPIC, POSES), Sealer(key, TOPIC, POSES)
    recorded = first.seal(b"recorded")
    opener.open(first.seal(b"last"))
    assert opener.open(Sealer(key, TOPIC, POSES).seal(b"of the second")) == b"of the second"
    assert refusal(opener, recorded) is Refusal.REPLAYED


def test_reader_that_was_just_started_refuses_what_is_older_than_any_frame(
    key: StartKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = 10**15
    monkeypatch.setattr("privcam_ros.message_sealing._now_ns", lambda: now_ns)
    old, young = (Sealer(key, TOPIC, POSES).seal(MESSAGE) for _ in range(2))
    opener = Opener(key, TOPIC, POSES, max_age_s=10.0)
    now_ns += 10 * 10**9
    assert opener.open(young) == MESSAGE
    now_ns += 1
    assert refusal(Opener(key, TOPIC, POSES, max_age_s=10.0), old) is Refusal.OUTDATED
