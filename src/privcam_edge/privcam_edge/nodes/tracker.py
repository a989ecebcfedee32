"""tracker_node: takes FrameRef and person boxes, publishes tracks."""

import sys
from dataclasses import dataclass

from privcam_msgs.msg import DetectionArray, TrackArray

from privcam_core.detection import thresholds
from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_edge.nodes.frame_node import FrameNode
from privcam_perception.tracking.person_tracker import PersonTracker
from privcam_ros.conversions import detections_from_msg, tracks_to_msg
from privcam_ros.node import run
from privcam_ros.parameters import param


@dataclass(frozen=True)
class Parameters:
    """Parameters of the tracker node."""

    track_activation_threshold: float = param(
        thresholds.TRACK_ACTIVATION, "a box that scores less starts no track", low=0.05, high=1.0
    )
    match_threshold: float = param(
        thresholds.MATCH,
        "a box that scores less may only extend an existing track, after an appearance match",
        low=0.01,
        high=1.0,
    )
    low_confidence_threshold: float = param(
        thresholds.LOW_CONFIDENCE, "a box that scores less is not used at all", low=0.01, high=1.0
    )


class TrackerNode(FrameNode[Parameters]):
    """Tracks persons. Their appearance descriptors stay in this process."""

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__("tracker", Parameters, namespace)
        given = self.parameters
        self._tracker = PersonTracker(
            given.track_activation_threshold, given.match_threshold, given.low_confidence_threshold
        )
        self._out = self.create_sealed_publisher(TrackArray, "tracks")
        self.on_frame(self._track, ("detections", DetectionArray))

    def _track(self, key: SyncKey, image: Image, found: DetectionArray) -> None:
        tracks = self._tracker.track(image, detections_from_msg(found), key.stamp_ns)
        self.diagnostics["tracks"] = len(tracks)
        self._out.publish(tracks_to_msg(tracks, key))


def main() -> None:
    """Run the node."""
    sys.exit(run(TrackerNode))
