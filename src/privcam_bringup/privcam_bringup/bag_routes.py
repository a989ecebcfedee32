"""Decides which topics of a bag are replayed, and under which names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rosbags.interfaces import Connection

OMEGA = "privcam_msgs/msg/Omega"
# The cloud makes these from Ω, also in a replay; the recorded messages would be duplicates on the same topics.
DERIVED = ("privcam_msgs/msg/SceneReport", "privcam_msgs/msg/Reconstruction")
IMAGE_TOPICS = {"sensor_msgs/msg/Image": "image_raw", "sensor_msgs/msg/CompressedImage": "image_raw/compressed"}


class UnusableBag(ValueError):
    """The bag cannot be replayed. Says what is wrong and what is in it."""


@dataclass(frozen=True)
class Route:
    """One topic of the bag and where it goes. needed: wait for a subscriber before the first message."""

    connection: Connection
    topic: str
    needed: bool


def plan(connections: Sequence[Connection], camera_id: str | None, image_topic: str | None = None) -> list[Route]:
    """Decide what is published where.

    A bag with Ω: each Ω topic goes to /CAMERA/cloud/omega, everything else that the cloud does not make anew keeps its
    topic. Any other bag: its pictures go to /CAMERA/image_raw (or image_raw/compressed) for a camera node with
    `source: topic`. camera_id: the CAMERA; None: as recorded for Ω, "camera" for pictures.
    image_topic: which topic, where the bag has pictures on several. Raises UnusableBag.
    """
    filled = [connection for connection in connections if connection.msgcount]
    omegas = [connection for connection in filled if connection.msgtype == OMEGA]
    if omegas:
        if camera_id is not None and len(omegas) > 1:
            raise UnusableBag(f"has Ω of several cameras ({_names(omegas)}), which cannot all become {camera_id}")
        routes = [Route(c, f"/{camera_id or _camera_of(c)}/cloud/omega", True) for c in omegas]
        others = [c for c in filled if c.msgtype not in (OMEGA, *DERIVED)]
        return routes + [Route(c, c.topic, False) for c in others]
    images = [c for c in filled if c.msgtype in IMAGE_TOPICS and image_topic in (None, c.topic)]
    if not images:
        wanted = f"no pictures on {image_topic}" if image_topic else f"neither {OMEGA} nor {' or '.join(IMAGE_TOPICS)}"
        raise UnusableBag(f"has {wanted}; it has {_names(connections) or 'nothing'}")
    if len(images) > 1:
        raise UnusableBag(f"has pictures on several topics; choose one with --topic: {_names(images)}")
    return [Route(images[0], f"/{camera_id or 'camera'}/{IMAGE_TOPICS[images[0].msgtype]}", True)]


def _names(connections: Iterable[Connection]) -> str:
    return ", ".join(f"{c.topic} ({c.msgtype}, {c.msgcount})" for c in connections)


def _camera_of(connection: Connection) -> str:
    """Return the camera of an Ω topic of ours, /CAMERA/cloud/omega."""
    return connection.topic.strip("/").split("/")[0]
