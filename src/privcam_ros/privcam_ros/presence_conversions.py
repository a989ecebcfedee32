"""Converts the regions of presences to a ROS message and back."""

from collections.abc import Sequence

import numpy as np
from privcam_msgs import msg

from privcam_core.types.omega import InvalidOmega, SyncKey
from privcam_core.types.perception import PresenceRegion
from privcam_ros.conversions import box_from_msg, key_to_msg


def presences_to_msg(regions: Sequence[PresenceRegion], key: SyncKey) -> msg.PresenceRegionArray:
    """Return the regions of the presences after one frame as a message. It stays on the edge."""
    return msg.PresenceRegionArray(key=key_to_msg(key), regions=[_presence_to_msg(region) for region in regions])


def _presence_to_msg(region: PresenceRegion) -> msg.PresenceRegion:
    return msg.PresenceRegion(
        number=region.number,
        box=np.array(region.box, np.float32),
        animate=region.animate,
        followed=region.followed,
        still_s=region.still_s,
    )


def presences_from_msg(message: msg.PresenceRegionArray) -> list[PresenceRegion]:
    """Return the regions of the presences of a message. Raises InvalidOmega."""
    return [_presence_from_msg(region) for region in message.regions]


def _presence_from_msg(message: msg.PresenceRegion) -> PresenceRegion:
    if message.number == 0:
        raise InvalidOmega("regions.number", "0 is no presence")
    if not message.still_s >= 0:
        raise InvalidOmega("regions.still_s", f"{message.still_s} is not a duration")
    return PresenceRegion(
        int(message.number),
        box_from_msg("regions.box", message.box),
        message.animate,
        message.followed,
        float(message.still_s),
    )
