"""Decides which topics of a bag are replayed, and under which names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from privcam_bringup.bags.storage_file import Topic, UnusableBag
from privcam_core.types.identifiers import is_camera_namespace, namespace_error

OMEGA = "privcam_msgs/msg/Omega"
# The cloud makes these from Ω, also in a replay; the recorded messages would be duplicates on the same topics.
DERIVED = ("privcam_msgs/msg/SceneReport", "privcam_msgs/msg/Reconstruction")
IMAGE_TOPICS = {"sensor_msgs/msg/Image": "image_raw", "sensor_msgs/msg/CompressedImage": "image_raw/compressed"}


@dataclass(frozen=True)
class Route:
    """One topic of the bag and where it goes. needed: wait for a subscriber before the first message."""

    source: Topic
    topic: str
    needed: bool


def plan(
    topics: Sequence[Topic], camera_id: str | None, wanted: str | None = None, *, pictures: bool | None = None
) -> list[Route]:
    """Decide what is published where.

    A bag with Ω: each Ω topic goes to /CAMERA/cloud/omega, everything else that the cloud does not make anew keeps its
    topic. Any other bag: its pictures go to /CAMERA/image_raw (or image_raw/compressed) for a camera node with
    `source: topic`. camera_id: the CAMERA; None: as recorded for Ω, "camera" for pictures. wanted: the topic of Ω or
    pictures, where the bag has several, or both. pictures: what the graph takes, pictures or Ω; None for either.
    Raises UnusableBag.
    """
    filled = [topic for topic in topics if topic.count]
    usable = [topic for topic in filled if topic.msgtype in (OMEGA, *IMAGE_TOPICS)]
    if wanted is not None:
        usable = [topic for topic in usable if topic.name.strip("/") == wanted.strip("/")]
    omegas = [topic for topic in usable if topic.msgtype == OMEGA and not pictures]
    images = [topic for topic in usable if topic.msgtype in IMAGE_TOPICS and pictures is not False]
    if omegas:
        return _plan_omegas(filled, omegas, camera_id)
    if not images:
        raise UnusableBag(_describe_missing(topics, usable, wanted, pictures))
    if len(images) > 1:
        raise UnusableBag(
            f"has pictures on several topics; choose one with --topic (topic:= of the launch file): {_names(images)}"
        )
    return [Route(images[0], f"/{camera_id or 'camera'}/{IMAGE_TOPICS[images[0].msgtype]}", True)]


def _plan_omegas(filled: Sequence[Topic], omegas: Sequence[Topic], camera_id: str | None) -> list[Route]:
    if camera_id is not None and len(omegas) > 1:
        raise UnusableBag(
            f"has Ω on several topics, which cannot all become {camera_id}; choose one with --topic (topic:= of the "
            f"launch file): {_names(omegas)}"
        )
    routes = [Route(topic, f"/{camera_id or _camera_of(topic)}/cloud/omega", True) for topic in omegas]
    others = [topic for topic in filled if topic.msgtype not in (OMEGA, *DERIVED)]
    return routes + [Route(topic, topic.name, False) for topic in others]


def _describe_missing(
    topics: Sequence[Topic], usable: Sequence[Topic], wanted: str | None, pictures: bool | None
) -> str:
    there = _names(topics) or "nothing"
    if usable:  # of the kind that this graph does not take
        kind, other = ("pictures", "false") if pictures else ("Ω", "true")
        return f"has no {kind}; start the launch file with pictures:={other} for what it has: {_names(usable)}"
    if wanted:
        return f"has neither Ω nor pictures on {wanted}; choose another topic, it has {there}"
    return f"has neither {OMEGA} nor {' or '.join(IMAGE_TOPICS)}; it has {there}"


def _names(topics: Iterable[Topic]) -> str:
    return ", ".join(f"{topic.name} ({topic.msgtype}, {topic.count})" for topic in topics)


def _camera_of(topic: Topic) -> str:
    """Return the camera of an Ω topic of ours, /CAMERA/cloud/omega. Raises UnusableBag for a name that is none."""
    camera_id = topic.name.strip("/").split("/")[0]
    if not is_camera_namespace(camera_id):
        raise UnusableBag(f"{topic.name} names no camera ({namespace_error(camera_id)}); name it with --camera-id")
    return camera_id
