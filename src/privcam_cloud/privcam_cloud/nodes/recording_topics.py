"""Topics between the cloud bridge, the inference node and the recorder of one camera.

`recording/omega`, `recording/report`: every Ω that the edge still had, and its report, in order. `recording/start`: the
recorder begins, and has everything up to this κ (stamp 0: nothing). `recording/from`: the bridge's reply: behind this
stamp the recording continues with the publication of `recording/omega` that has the number in frame_id. If a later
publication is missing, it was lost between the two, and the recorder has to begin again. `recording/kept`: the recorder
has everything up to this κ on disk.
"""

from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy

# After an outage Ω come by the hundred; the bridge never sends more at once than a few replies hold.
RECORDING = QoSProfile(
    history=QoSHistoryPolicy.KEEP_LAST,
    depth=2048,
    reliability=QoSReliabilityPolicy.RELIABLE,
    durability=QoSDurabilityPolicy.VOLATILE,
)
# The node that starts later receives the last message too.
LATCHED = QoSProfile(
    history=QoSHistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=QoSReliabilityPolicy.RELIABLE,
    durability=QoSDurabilityPolicy.TRANSIENT_LOCAL,
)
