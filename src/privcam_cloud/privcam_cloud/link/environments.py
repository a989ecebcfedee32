"""From Ω by digest back to Ω with its picture: nothing is guessed, nothing is shown out of order."""

import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum

from privcam_core.checks import follows
from privcam_core.omega import Environment, Omega, SyncKey


class Lost(str, Enum):
    """Why an Ω was not handed on."""

    NO_PICTURE = "no_picture"  # its picture did not come in time
    TOO_MANY = "too_many"  # more were waiting than may
    OTHER_SIZE = "other_size"  # it states another size than its picture has
    DUPLICATE = "duplicate"  # κ was there already, or is older than the newest
    TOO_MANY_CAMERAS = "too_many_cameras"  # a new camera, when all places are taken


@dataclass
class _Camera:
    """One camera's Ω that wait, oldest first, with the time at which each came."""

    newest: SyncKey | None = None
    waiting: deque[tuple[float, Omega]] = field(default_factory=deque)
    asked: dict[bytes, float] = field(default_factory=dict)


class EnvironmentStore:
    """Puts the pictures back into Ω.

    ask: called with camera_id and digest when a picture is needed; must not wait, nor call back. hold: Ω that may wait
    per camera, hold_s: how long (seconds of `clock`, monotonic). While one waits, all after it wait: order is kept.
    ask_again_s: time until an unanswered question is repeated. memory: bytes of pictures kept, oldest use goes first.
    cameras: number of cameras served. `lost` counts by Lost. Not for several threads at once.
    """

    def __init__(
        self,
        ask: Callable[[str, bytes], None],
        *,
        hold: int = 256,
        hold_s: float = 5.0,
        ask_again_s: float = 1.0,
        memory: int = 256 * 1024 * 1024,
        cameras: int = 64,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._hold = hold
        self._hold_s = hold_s
        self._ask_again_s = ask_again_s
        self._memory = memory
        self._limit = cameras
        self._clock = clock
        self._cameras: dict[str, _Camera] = {}
        self._pictures: OrderedDict[tuple[str, bytes], Environment] = OrderedDict()
        self._used = 0
        self._lost: Counter[Lost] = Counter()

    @property
    def lost(self) -> Counter[Lost]:
        """What was not handed on, by reason: a copy, which another thread may read."""
        return Counter(self._lost)

    @property
    def waiting(self) -> int:
        """Number of Ω that wait for a picture."""
        return sum(len(camera.waiting) for camera in tuple(self._cameras.values()))

    def offer(self, omega: Omega) -> list[Omega]:
        """Take a checked Ω and return what can be handed on now, each with its picture, oldest first.

        A picture is kept even when its Ω came before: that is what the answer to a question looks like.
        """
        camera_id = omega.key.camera_id
        camera = self._cameras.get(camera_id)
        if camera is None:
            if len(self._cameras) >= self._limit:
                self._lost[Lost.TOO_MANY_CAMERAS] += 1
                return []
            camera = self._cameras[camera_id] = _Camera()
        asked = omega.environment.digest in camera.asked
        if omega.environment.png:
            self._keep(omega.environment)
            camera.asked.pop(omega.environment.digest, None)
        if camera.newest is None or follows(omega.key, camera.newest):
            camera.newest = omega.key
            camera.waiting.append((self._clock(), replace(omega, environment=omega.environment.without_png())))
            if len(camera.waiting) > self._hold:
                camera.waiting.popleft()
                self._lost[Lost.TOO_MANY] += 1
        elif not asked:
            self._lost[Lost.DUPLICATE] += 1
        return self._release(camera_id, camera)

    def tick(self) -> list[Omega]:
        """Give up what waited too long, ask again where needed, and return what can be handed on now."""
        return [omega for camera_id, camera in self._cameras.items() for omega in self._release(camera_id, camera)]

    def _release(self, camera_id: str, camera: _Camera) -> list[Omega]:
        now = self._clock()
        ready: list[Omega] = []
        while camera.waiting:
            since, omega = camera.waiting[0]
            picture = self._picture(camera_id, omega.environment)
            if picture is not None and _size(picture) != _size(omega.environment):
                self._lost[Lost.OTHER_SIZE] += 1
            elif picture is not None:
                ready.append(replace(omega, environment=replace(omega.environment, png=picture.png)))
            elif now - since > self._hold_s:
                self._lost[Lost.NO_PICTURE] += 1
            else:
                break
            camera.waiting.popleft()
        self._question(camera_id, camera, now)
        return ready

    def _question(self, camera_id: str, camera: _Camera, now: float) -> None:
        """Ask for every picture that something waits for, not more often than allowed, and forget the others."""
        needed = {omega.environment.digest for _, omega in camera.waiting}
        camera.asked = {digest: at for digest, at in camera.asked.items() if digest in needed}
        for digest in needed:
            known = (camera_id, digest) in self._pictures
            if not known and now - camera.asked.get(digest, -self._ask_again_s) >= self._ask_again_s:
                camera.asked[digest] = now
                self._ask(camera_id, digest)

    def _picture(self, camera_id: str, wanted: Environment) -> Environment | None:
        key = (camera_id, wanted.digest)
        picture = self._pictures.get(key)
        if picture is not None:
            self._pictures.move_to_end(key)
        return picture

    def _keep(self, environment: Environment) -> None:
        key = (environment.key.camera_id, environment.digest)
        if key not in self._pictures:
            self._pictures[key] = environment
            self._used += len(environment.png)
        self._pictures.move_to_end(key)
        while self._used > self._memory and len(self._pictures) > 1:
            _, oldest = self._pictures.popitem(last=False)
            self._used -= len(oldest.png)


def _size(environment: Environment) -> tuple[int, int]:
    return environment.height, environment.width
