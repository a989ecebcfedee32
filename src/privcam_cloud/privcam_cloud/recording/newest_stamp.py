"""What an earlier recording holds last: a recorder that is started again goes on behind it."""

import logging
from collections.abc import Sequence
from pathlib import Path

from rosbags.highlevel import AnyReaderError
from rosbags.rosbag2 import Reader, ReaderError

from privcam_core.types.omega import InvalidOmega
from privcam_core.types.time import NS_PER_S
from privcam_link import cdr

LOGGER = logging.getLogger(__name__)

# The last message of a topic is looked for in the last minute first; a bag may end with a pause of others.
_LAST_NS = 60 * NS_PER_S


def newest_stamp(bags: Sequence[Path], topic: str, *, schema: bool) -> int:
    """Return the stamp of the last κ that was recorded on `topic`, in ns since the epoch, 0 if there is none.

    bags: oldest first. schema: see `privcam_link.cdr.peek_key`. A bag that cannot be read is passed over.
    """
    for bag in reversed(bags):
        try:
            stamp_ns = _newest_in(bag, topic, schema=schema)
        except (ReaderError, AnyReaderError, InvalidOmega, OSError) as error:
            LOGGER.warning("%s: cannot be read (%s); what it holds may be recorded again", bag, error)
            continue
        if stamp_ns:
            return stamp_ns
    return 0


def _newest_in(bag: Path, topic: str, *, schema: bool) -> int:
    with Reader(bag) as reader:
        connections = [one for one in reader.connections if one.topic == topic]
        if not connections or not reader.message_count:
            return 0
        for start in (reader.end_time - _LAST_NS, None):
            stamps = [
                cdr.peek_key(bytes(data), schema=schema).stamp_ns
                for _, _, data in reader.messages(connections, start=start)
            ]
            if stamps:
                return stamps[-1]  # not the highest: stamps go back where the camera's clock was set back
    return 0
