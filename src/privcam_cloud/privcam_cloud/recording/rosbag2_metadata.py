"""The description of a rosbag2 bag of version 9, which stands in metadata.yaml and in the MCAP file itself."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

VERSION = 9
# rosbag2 gives an empty bag this start time, in ns.
NO_START_NS = 2**63 - 1

_UNLIMITED = {"sec": 0, "nsec": 0}
# The QoS with which a replay offers the topics again: as our nodes do, nothing lost.
RELIABLE_QOS = {
    "history": "keep_last",
    "depth": 10,
    "reliability": "reliable",
    "durability": "volatile",
    "deadline": dict(_UNLIMITED),
    "lifespan": dict(_UNLIMITED),
    "liveliness": "automatic",
    "liveliness_lease_duration": dict(_UNLIMITED),
    "avoid_ros_namespace_conventions": False,
}


@dataclass(frozen=True)
class Topic:
    """A topic in a bag. type_hash: RIHS01 hash of the message definition."""

    name: str
    msgtype: str
    type_hash: str


def bag_information(file_name: str, topics: Sequence[tuple[Topic, int]], span_ns: tuple[int, int]) -> dict[str, Any]:
    """Return the content of `rosbag2_bagfile_information`.

    topics: each with its number of messages. span_ns: times of the first and the last message, ns since the epoch.
    """
    count = sum(messages for _, messages in topics)
    starting_time = {"nanoseconds_since_epoch": span_ns[0] if count else NO_START_NS}
    duration = {"nanoseconds": span_ns[1] - span_ns[0]}
    return {
        "version": VERSION,
        "storage_identifier": "mcap",
        "relative_file_paths": [file_name],
        "duration": dict(duration),
        "starting_time": dict(starting_time),
        "message_count": count,
        "topics_with_message_count": [
            {
                "topic_metadata": {
                    "name": topic.name,
                    "type": topic.msgtype,
                    "serialization_format": "cdr",
                    "offered_qos_profiles": [deepcopy(RELIABLE_QOS)],  # YAML would write a shared value as an alias
                    "type_description_hash": topic.type_hash,
                },
                "message_count": messages,
            }
            for topic, messages in topics
        ],
        "compression_format": "",
        "compression_mode": "",
        "files": [
            {
                "path": file_name,
                "starting_time": starting_time,
                "duration": duration,
                "message_count": count,
            }
        ],
        "custom_data": None,
        "ros_distro": "jazzy",
    }
