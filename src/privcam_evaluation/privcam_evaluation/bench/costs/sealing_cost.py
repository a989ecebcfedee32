"""Measures the processor time that seals cost for each hop between two nodes of the edge, and for a whole frame.

    python -m privcam_evaluation.bench.costs.sealing_cost [--people N] [--rounds N]

A hop is one message: its publisher seals it, one reader opens it. What is measured is what sealing adds to the
serialisation, which a plain topic needs too: sealed and plain take turns, so that a busy machine slows both down.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from privcam_msgs.msg import (
    Detection,
    DetectionArray,
    FrameRef,
    PresenceRegionArray,
    SealedMessage,
    SyncKey,
    Track,
    TrackArray,
)
from rclpy.serialization import deserialize_message, serialize_message

from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types import omega as types
from privcam_edge.link.sealing import OmegaSealer, ProxyCoder, SealKeys, SealVerifier
from privcam_ros.conversions import raw_poses_to_msg
from privcam_ros.message_sealing import Opener, Sealer
from privcam_ros.start_key import KEY_BYTES, StartKey

_CAMERA = "room1"
_VGA = (480, 640)
# Topics that are sealed, with the number of nodes that read each.
READERS = {"frames": 4, "detections": 2, "tracks": 3, "raw_poses": 1, "presences": 1, "done": 1}
# Nodes that check the seals of a frame: composer, omega, bridge and its gate.
_CHECKERS = 4


@dataclass(frozen=True)
class Cost:
    """Median processor time in µs. sealing, opening: what they add to a plain topic. size: of the message, bytes."""

    sealing: float
    opening: float
    size: int

    @property
    def hop(self) -> float:
        """µs of one publisher and one reader."""
        return self.sealing + self.opening


def messages(people: int) -> dict[str, Any]:
    """Return a message of each sealed topic, as in a frame with so many people."""
    key = SyncKey(camera_id=_CAMERA, frame_id=1)
    keypoints = np.full((17, 3), 0.5, np.float32)
    poses = [types.SubjectPose(n + 1, (1.0, 2.0, 3.0, 4.0), keypoints, layer=n) for n in range(people)]
    # The detector also publishes boxes of low scores.
    detections = [Detection(box=[1.0, 2.0, 3.0, 4.0], score=0.5)] * (4 * people)
    return {
        "frames": FrameRef(key=key, ring="r" * 40, height=480, width=640, encoding="bgr8"),
        "detections": DetectionArray(key=key, detections=detections),
        "tracks": TrackArray(key=key, tracks=[Track()] * people),
        "raw_poses": raw_poses_to_msg(poses, range(1, people + 1), types.SyncKey(_CAMERA, 1, 1)),
        "presences": PresenceRegionArray(key=key),
        "done": key,
    }


def measure(people: int, rounds: int) -> dict[str, Cost]:
    """Return the cost of a hop on each sealed topic."""
    start = StartKey(os.urandom(KEY_BYTES))
    return {topic: _measure_hop(start, topic, message, rounds) for topic, message in messages(people).items()}


def _measure_hop(start: StartKey, topic: str, message: Any, rounds: int) -> Cost:
    name, kind = f"/{_CAMERA}/{topic}", type(message)
    sealer, opener = Sealer(start, name, kind.__name__), Opener(start, name, kind.__name__)
    plain, spent = bytes(serialize_message(message)), np.zeros((rounds, 4))

    def send_sealed() -> bytes:
        return bytes(serialize_message(SealedMessage(data=sealer.seal(serialize_message(message)))))

    def receive_sealed(payload: bytes) -> Any:
        return deserialize_message(opener.open(_data(payload)), kind)

    for number, row in enumerate(spent):
        # In turns: what runs second finds warm caches.
        if number % 2:
            row[0], _ = _timed(serialize_message, message)
            row[1], sealed = _timed(send_sealed)
            row[2], _ = _timed(deserialize_message, plain, kind)
            row[3], _ = _timed(receive_sealed, sealed)
        else:
            row[1], sealed = _timed(send_sealed)
            row[0], _ = _timed(serialize_message, message)
            row[3], _ = _timed(receive_sealed, sealed)
            row[2], _ = _timed(deserialize_message, plain, kind)
    plain_out, sealed_out, plain_in, sealed_in = (float(value) for value in np.median(spent, axis=0))
    return Cost(sealed_out - plain_out, sealed_in - plain_in, len(plain))


def measure_seals(people: int, rounds: int) -> dict[str, float]:
    """Return µs of the detached seals of a frame of VGA size: of all that make one, of one check, of a frame's code."""
    keys = SealKeys.random()
    sealer, verifier, coder = OmegaSealer(keys), SealVerifier(keys), ProxyCoder(keys)
    random = np.random.default_rng(0)
    png = encode_environment(np.full((*_VGA, 3), 90, np.uint8), np.ones(_VGA, np.bool_))
    pixels = random.integers(0, 256, (*_VGA, 3), np.uint8).tobytes()
    keypoints = np.full((17, 3), 0.5, np.float32)
    poses = [types.SubjectPose(n + 1, (1.0, 2.0, 3.0, 4.0), keypoints, layer=n) for n in range(people)]
    picture, spent = sha256(png).digest(), np.zeros((rounds, 4))
    for n, row in enumerate(spent, 1):
        key = types.SyncKey(_CAMERA, n, n)
        z = types.Embedding("ib", (48,), 0.5, bytes(48), 0.25, 1.0)
        report = types.PrivacyReport(0.0, 0.0, 0.0, types.Verdict.PASS)
        # As most Ω: the picture has left before, and its digest stands for it.
        omega = types.Omega(key, environment_of(key, png, 1).without_png(), poses, z, report)
        row[0], seals = _timed(sealer.seal, omega, picture)
        row[1], _ = _timed(verifier.require_sealed, omega, seals)
        row[2], code = _timed(coder.code, key, pixels)
        row[3], taken = _timed(coder.take, key, pixels, code)
        assert taken
    names = ("seals_of_eraser_and_embedder", "one_check", "code_of_the_composer", "its_check")
    return dict(zip(names, (float(value) for value in np.median(spent, axis=0)), strict=True))


def dearest_hop(hops: dict[str, Cost], seals: dict[str, float]) -> float:
    """Return the µs of the hop that sealing costs most: a sealed topic, a sealed part, or the composer's frame."""
    part = seals["seals_of_eraser_and_embedder"] + seals["one_check"]
    frame = seals["code_of_the_composer"] + seals["its_check"]
    return max(part, frame, *(cost.hop for cost in hops.values()))


def of_a_frame(hops: dict[str, Cost], seals: dict[str, float]) -> float:
    """Return the µs of all processes together that sealing costs one frame."""
    topics = sum(cost.sealing + READERS[topic] * cost.opening for topic, cost in hops.items())
    made = seals["seals_of_eraser_and_embedder"] + seals["code_of_the_composer"] + seals["its_check"]
    return topics + made + _CHECKERS * seals["one_check"]


def _timed(call: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Return the processor time of a call in µs, and what it returned."""
    started = time.thread_time_ns()
    result = call(*arguments)
    return (time.thread_time_ns() - started) / 1e3, result


def _data(payload: bytes) -> bytes:
    """Return the data of a serialised SealedMessage, as a sealed node reads it."""
    return payload[8 : 8 + int.from_bytes(payload[4:8], "little")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each topic, one for each seal, and one for the frame."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=8, metavar="N", help="people in the frame")
    parser.add_argument("--rounds", type=int, default=2000, metavar="N", help="messages of each topic")
    options = parser.parse_args(arguments)
    if not 1 <= options.people <= 64 or options.rounds < 10:
        parser.error("--people needs 1 to 64, --rounds 10 or more")
    hops, seals = measure(options.people, options.rounds), measure_seals(options.people, options.rounds)
    for topic, cost in hops.items():
        print(
            f"{topic}: {cost.size} bytes, {READERS[topic]} readers: sealing {cost.sealing:.1f} µs, opening "
            f"{cost.opening:.1f} µs, a hop {cost.hop / 1e3:.3f} ms"
        )
    for name, spent in seals.items():
        print(f"{name.replace('_', ' ')}: {spent:.1f} µs")
    print(f"dearest hop: {dearest_hop(hops, seals) / 1e3:.3f} ms")
    print(f"a frame, all processes together: {of_a_frame(hops, seals) / 1e3:.2f} ms")


if __name__ == "__main__":
    main()
