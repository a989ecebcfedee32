"""The environment pictures that the console can show now: the last few of each camera, as they came."""

from collections import OrderedDict

# Pictures of one camera that are kept: the one that holds, and those that clients may still be asking for.
MAX_PICTURES = 4
# Bytes of them. The newest is kept whatever its size, which Ω limits to 16 MiB.
MAX_BYTES = 32 * 1024 * 1024


class Environments:
    """PNG files by camera and digest, bounded for each camera."""

    def __init__(self) -> None:
        self._of: dict[str, OrderedDict[bytes, bytes]] = {}

    def put(self, camera_id: str, digest: bytes, png: bytes) -> None:
        """Keep a picture as the newest of a camera, and forget the oldest ones that are too many."""
        pictures = self._of.setdefault(camera_id, OrderedDict())
        pictures[digest] = png
        pictures.move_to_end(digest)
        while len(pictures) > 1 and (
            len(pictures) > MAX_PICTURES or sum(len(kept) for kept in pictures.values()) > MAX_BYTES
        ):
            pictures.popitem(last=False)

    def holds(self, camera_id: str, digest: bytes) -> bool:
        """Return whether this picture of this camera is kept."""
        return digest in self._of.get(camera_id, ())

    def get(self, digest: bytes) -> bytes | None:
        """Return a picture of any camera, None if it is not kept (any more)."""
        return next((pictures[digest] for pictures in self._of.values() if digest in pictures), None)
