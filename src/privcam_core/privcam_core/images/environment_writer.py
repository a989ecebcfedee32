"""Publishes a picture of the room with the first frame that shows it, and its digest with the frames after."""

from dataclasses import replace

from privcam_core.images.environment import environment_of
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.omega import Environment, SyncKey

# The PNG is repeated within the edge this often, so that a node that was restarted has Ī again soon.
REPEAT_S = 1.0


class EnvironmentWriter:
    """Converts pictures to environments: with the PNG when the picture is new, only with its digest in between."""

    def __init__(self, repeat_s: float = REPEAT_S) -> None:
        self._repeat_s = repeat_s
        self._current: Environment | None = None
        self._written_s = 0.0

    def write(
        self,
        key: SyncKey,
        png: bytes,
        epoch: int,
        *,
        planes: tuple[Image, BoolArray] | None = None,
        stale: bool = False,
    ) -> Environment:
        """Return the environment to publish for the frame κ = `key`.

        planes: (plate, confirmed) that the PNG was encoded from, if known. stale: do not repeat the bytes.
        """
        current = self._current
        if current is None or current.epoch != epoch:
            current = environment_of(key, png, epoch, planes)
            repeat = True
        else:
            repeat = not stale and abs(key.seconds - self._written_s) >= self._repeat_s
            current = replace(current, key=key)
        self._current = current
        if not repeat:
            return current.without_png()
        self._written_s = key.seconds
        return current
