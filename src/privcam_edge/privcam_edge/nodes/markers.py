"""Converts poses to rviz markers: stick figures that stand on the picture plane."""

from collections.abc import Sequence

from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from privcam_core.drawing.palette import color
from privcam_core.types.omega import SubjectPose, SyncKey
from privcam_core.types.skeleton import LIMBS, TORSO, seen
from privcam_core.types.time import NS_PER_S

# Metres in rviz per picture px: a person of 200 px is 2 m high.
METRES_PER_PX = 0.01
LINE_WIDTH_M = 0.05


def markers(key: SyncKey, poses: Sequence[SubjectPose]) -> MarkerArray:
    """Return one line list per subject, in the frame `camera`: x to the right, z up, y by layer (farther is larger)."""
    clear = Marker(action=Marker.DELETEALL)
    clear.header.frame_id = "camera"
    array = MarkerArray(markers=[clear])
    edges = [*LIMBS, *zip(TORSO, (*TORSO[1:], TORSO[0]), strict=True)]
    for pose in poses:
        marker = Marker(type=Marker.LINE_LIST, action=Marker.ADD, id=pose.subject_id % 2**31, ns="subjects")
        marker.header.frame_id = "camera"
        marker.header.stamp.sec, marker.header.stamp.nanosec = divmod(key.stamp_ns, NS_PER_S)
        marker.pose.orientation.w = 1.0
        marker.scale.x = LINE_WIDTH_M
        blue, green, red = (value / 255 for value in color(pose.subject_id))
        marker.color = ColorRGBA(r=red, g=green, b=blue, a=1.0)
        visible = seen(pose.keypoints)
        depth = float(len(poses) - pose.layer)
        for start, end in edges:
            if visible[start] and visible[end]:
                for u, v, _ in pose.keypoints[[start, end]].tolist():
                    marker.points.append(Point(x=u * METRES_PER_PX, y=depth, z=-v * METRES_PER_PX))
        array.markers.append(marker)
    return array
