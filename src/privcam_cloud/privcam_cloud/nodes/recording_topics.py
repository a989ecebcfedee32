"""How the cloud bridge and whoever keeps the complete stream of a camera talk to each other.

`record/omega`, `record/report`: the complete stream. `record/start`: the keeper begins, and has everything up to this
κ (stamp 0: nothing). `record/from`: the bridge's answer: behind this stamp the stream goes on with the publication of
`record/omega` that has the number in frame_id; one that is missing after it was lost between the two, and the keeper
has to begin again. `record/kept`: by now it has everything up to this κ safely.
"""

from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy

# After an outage Ω come by the hundred; the bridge never sends more at once than a few answers hold.
RECORD = QoSProfile(
    history=QoSHistoryPolicy.KEEP_LAST,
    depth=2048,
    reliability=QoSReliabilityPolicy.RELIABLE,
    durability=QoSDurabilityPolicy.VOLATILE,
)
# Whichever of the two starts later hears of it.
KEPT = QoSProfile(
    history=QoSHistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=QoSReliabilityPolicy.RELIABLE,
    durability=QoSDurabilityPolicy.TRANSIENT_LOCAL,
)
