"""detector_node: takes FrameRef, publishes person boxes: of a look at the frame, or those of the last look."""

import sys
from dataclasses import dataclass

from privcam_msgs.msg import DetectionArray, PresenceRegionArray, TrackArray

from privcam_core.detection import thresholds
from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_core.types.perception import PresenceRegion, Track
from privcam_edge.nodes.frame_node import FrameNode
from privcam_perception.person_finder import PersonFinder
from privcam_ros.conversions import detections_to_msg, tracks_from_msg
from privcam_ros.node import DIAGNOSTICS_PERIOD_S, run
from privcam_ros.parameters import param
from privcam_ros.presence_conversions import presences_from_msg


@dataclass(frozen=True)
class Parameters:
    """Parameters of the detector node."""

    report_threshold: float = param(
        thresholds.REPORT,
        "a box that scores less is not reported; low-score boxes protect pixels, the tracker takes only higher ones",
        low=0.01,
        high=thresholds.TRACK_ACTIVATION,
    )
    look_again_per_frame: int = param(
        1,
        "most further network calls in a frame: where a presence or a lost track has no box, enlarged and turned; "
        "0: none",
        low=0,
        high=16,
    )
    every_frame: bool = param(
        False,
        "true: look at every frame; false: four times a second while something moves, more often where something has "
        "to be decided, once a second in a still scene, and more seldom on a slow machine",
    )
    threads: int = param(1, "CPU threads of the model", low=1, high=64)


class DetectorNode(FrameNode[Parameters]):
    """Detects persons in the frames of the camera, again where presences and lost tracks have no box."""

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__("detector", Parameters, namespace)
        given = self.parameters
        self._finder = PersonFinder(
            score=given.report_threshold,
            threads=given.threads,
            look_again_per_frame=given.look_again_per_frame,
            every_frame=given.every_frame,
            adaptive=True,
        )
        # Of the newest frame that came through the graph, which is an earlier one than that of the next picture.
        self._presences: list[PresenceRegion] = []
        self._tracks: list[Track] = []
        self._reported_runs = 0
        self._out = self.create_sealed_publisher(DetectionArray, "detections")
        self.on_sealed("presences", PresenceRegionArray, self._take_presences, timed=False)
        self.on_sealed("tracks", TrackArray, self._take_tracks, timed=False)
        self.on_frame(self._detect)

    def _take_presences(self, _key: SyncKey, message: PresenceRegionArray) -> None:
        self._presences = presences_from_msg(message)

    def _take_tracks(self, _key: SyncKey, message: TrackArray) -> None:
        self._tracks = tracks_from_msg(message)

    def _detect(self, key: SyncKey, image: Image) -> None:
        detections = self._finder.find(image, key.stamp_ns, self._presences, self._tracks)
        look_again = self._finder.look_again
        self.counts["detector_runs"] = self._finder.runs
        self.counts["look_again_calls"], self.counts["look_again_found"] = look_again.calls, look_again.found
        self.diagnostics["persons"] = len(detections.with_min_score(thresholds.TRACK_ACTIVATION))
        self._out.publish(detections_to_msg(detections, key))

    def collect_diagnostics(self) -> None:
        """Say how many frames a second the detector saw."""
        super().collect_diagnostics()
        runs, self._reported_runs = self._finder.runs - self._reported_runs, self._finder.runs
        self.diagnostics["detector_hz"] = f"{runs / DIAGNOSTICS_PERIOD_S:.1f}"


def main() -> None:
    """Run the node."""
    sys.exit(run(DetectorNode))
