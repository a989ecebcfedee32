"""An Ω with people in it, and what a model may say of it."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_core.types.skeleton import Joint
from privcam_vlm.protocol.prompt import Prompt, make_prompt
from privcam_vlm.scene_history import EnvironmentPicture, SceneHistory

T0 = 1_700_000_000_000_000_000
WIDTH, HEIGHT = 160, 120
ENCODER = "test/1"
Z = bytes([10, 20, 30, 40])

# Of somebody upright, x and y in fractions of the box.
_BODY = {
    Joint.NOSE: (0.5, 0.1),
    Joint.LEFT_SHOULDER: (0.7, 0.2),
    Joint.RIGHT_SHOULDER: (0.3, 0.2),
    Joint.LEFT_HIP: (0.6, 0.5),
    Joint.RIGHT_HIP: (0.4, 0.5),
    Joint.LEFT_KNEE: (0.6, 0.75),
    Joint.RIGHT_KNEE: (0.4, 0.75),
    Joint.LEFT_ANKLE: (0.6, 0.95),
    Joint.RIGHT_ANKLE: (0.4, 0.95),
}


def pose(subject_id: int, x: float = 40.0, layer: int = 0) -> SubjectPose:
    """Somebody 40 px wide and 80 px high, whose box begins at x, 20."""
    points = np.zeros((17, 3), np.float32)
    for joint, (u, v) in _BODY.items():
        points[joint] = x + 40 * u, 20 + 80 * v, 0.9
    return SubjectPose(subject_id, (x, 20.0, x + 40, 100.0), points, layer=layer)


def omega(
    number: int = 1,
    ids: Sequence[int] = (3,),
    *,
    seconds: float | None = None,
    with_png: bool = True,
    z: bytes = Z,
    encoder: str = ENCODER,
) -> Omega:
    """Ω number `number`, a tenth of a second after the one before, of a room whose left eighth is not confirmed."""
    stamp_ns = T0 + round(1e9 * (number / 10 if seconds is None else seconds))
    key = SyncKey("ward", number, stamp_ns)
    plate = np.full((HEIGHT, WIDTH, 3), (200, 180, 160), np.uint8)
    confirmed_mask = np.ones((HEIGHT, WIDTH), np.bool_)
    confirmed_mask[:, : WIDTH // 8] = False
    environment = environment_of(key, encode_environment(plate, confirmed_mask), 1)
    poses = [pose(subject_id, 40.0 + 50 * n, n) for n, subject_id in enumerate(ids)]
    embedding = Embedding(encoder, (len(z),), 0.1, z, 0.0, 1.0)
    report = PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS)
    return Omega(key, environment if with_png else environment.without_png(), poses, embedding, report)


def query(one: Omega) -> Prompt:
    """What is asked about an Ω that is the first of its camera."""
    moment = SceneHistory().add(one)
    return make_prompt(moment, EnvironmentPicture().decode(moment))


def reply(**changes: Any) -> dict[str, Any]:
    """A right reply about subject 3."""
    right = {
        "caption": "One person stands in the room.",
        "behaviors": [{"label": "standing", "confidence": 0.8, "subject_ids": [3]}],
        "objects": [{"label": "person", "confidence": 0.9, "subject_id": 3, "box": [250, 160, 500, 830]}],
    }
    return {**right, **changes}


def text(**changes: Any) -> str:
    """The same as a model writes it."""
    return json.dumps(reply(**changes))
