"""Converts seals to ROS messages and back."""

import numpy as np
import numpy.typing as npt
from privcam_msgs import msg

from privcam_core.types.seals import EmbeddingSeal, Seal
from privcam_ros.conversions import key_from_msg, key_to_msg


def seal_to_msg(seal: Seal) -> msg.Seal:
    """Return the eraser's seal of one frame as a message. It stays on the edge."""
    return msg.Seal(
        key=key_to_msg(seal.key),
        sealed_ns=seal.sealed_ns,
        picture=_to_array(seal.picture),
        environment=_to_array(seal.environment),
        poses=_to_array(seal.poses),
        privacy=_to_array(seal.privacy),
        code=_to_array(seal.code),
    )


def seal_from_msg(message: msg.Seal) -> Seal:
    """Return the eraser's seal of a message. Its code is not checked here. Raises InvalidOmega for a bad κ."""
    return Seal(
        key_from_msg(message.key),
        int(message.sealed_ns),
        message.picture.tobytes(),
        message.environment.tobytes(),
        message.poses.tobytes(),
        message.privacy.tobytes(),
        message.code.tobytes(),
    )


def embedding_seal_to_msg(seal: EmbeddingSeal) -> msg.EmbeddingSeal:
    """Return the embedder's seal of one frame as a message. It stays on the edge."""
    return msg.EmbeddingSeal(key=key_to_msg(seal.key), embedding=_to_array(seal.embedding), code=_to_array(seal.code))


def embedding_seal_from_msg(message: msg.EmbeddingSeal) -> EmbeddingSeal:
    """Return the embedder's seal of a message. Its code is not checked here. Raises InvalidOmega for a bad κ."""
    return EmbeddingSeal(key_from_msg(message.key), message.embedding.tobytes(), message.code.tobytes())


def _to_array(data: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)
