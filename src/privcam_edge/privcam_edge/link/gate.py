"""The gate checks and rebuilds every Ω before it leaves the edge. It is the only way to the network.

The gate gets bytes of Ω with their seals and nothing else; it has no path to a frame, a detector or a track. It lets
through what eraser and embedder of this start sealed, each once, within the budgets. The Ω that leaves is rebuilt from
checked values: the picture is decoded to pixels and encoded again, so that only pixels survive, and numbers keep no
more digits than are used (`privcam_link.canonical_form`).
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from privcam_core.images.environment import encode_environment
from privcam_core.types.identifiers import require_camera_id
from privcam_core.types.omega import Embedding, Environment, InvalidOmega, Omega, SyncKey, Verdict
from privcam_core.types.seals import Seals
from privcam_core.types.skeleton import seen
from privcam_core.types.time import NS_PER_S
from privcam_edge.link.budgets import Budgets, PictureBudget, PoseBudget, RateHold, Shown, SubjectBudget
from privcam_edge.link.sealing import SealKeys, SealVerifier, boot_ns
from privcam_edge.link.stamp_order import StampOrder
from privcam_edge.link.token_bucket import TokenBucket
from privcam_link import cdr
from privcam_link.canonical_form import canonicalize
from privcam_link.validation import Reason, Rejected, open_environment, reason_of, require_publishable

# Pictures that an Ω may name by digest. An Ω may still name the picture before the newest one.
KNOWN_PICTURES = 4
# After a short stall of the graph, as many Ω may leave at once as the rate allows in this time.
BURST_S = 1.0
# A body reaches at most this far from the picture's corner, in sides of the picture: the standard body has at most four
# heights of the picture, and stands at most half a picture beyond the border.
MAX_REACH = 6.0


class Gate:
    """Checks and rebuilds the Ω of one camera.

    camera_id: the only camera whose Ω passes. keys: of the seals. encoder: an embedding with zeros as values; every z
    has its name, shape, scale, noise and norm. max_rate_hz: Ω per second. budgets: of pictures and poses. last: κ of
    the last Ω that passed before a restart. clock: ns since boot, as in the seals.
    `passed`, `rejected` (by Reason) and `held` (an older picture, or older poses, left for the budgets) count since the
    start.
    """

    def __init__(
        self,
        camera_id: str,
        keys: SealKeys,
        encoder: Embedding,
        *,
        max_rate_hz: float = 60.0,
        budgets: Budgets | None = None,
        last: SyncKey | None = None,
        clock: Callable[[], int] = boot_ns,
    ) -> None:
        require_camera_id(camera_id)
        if not 0 < max_rate_hz < float("inf"):
            raise ValueError(f"max_rate_hz: {max_rate_hz} is not a positive number of Ω per second")
        self.passed = 0
        self.rejected: Counter[Reason] = Counter()
        self._camera_id = camera_id
        self._verifier = SealVerifier(keys)
        self._encoder = _encoder_of(encoder)
        self._rate = max_rate_hz

        def seconds() -> float:
            return clock() / NS_PER_S

        self._tokens = TokenBucket(max(1.0, max_rate_hz * BURST_S), max_rate_hz, seconds)
        self._order = StampOrder(clock, last)
        self._subjects = SubjectBudget(seconds)
        budgets = budgets or Budgets()
        self._budget = PictureBudget(budgets, seconds)
        self._poses = PoseBudget(budgets, seconds)
        self._rates = RateHold(seconds)
        self._pictures: OrderedDict[bytes, Shown] = OrderedDict()
        # The environment that left last, and its picture.
        self._current: Environment | None = None
        self._shown: Shown | None = None

    @property
    def held(self) -> int:
        """How often an Ω left with the picture or with poses of before, because the new ones exceeded a budget."""
        return self._budget.held + self._poses.held

    @property
    def runs(self) -> int:
        """How often the stamps of the camera began anew: its clock was set, or the camera was started again."""
        return self._order.runs

    def check(self, offered: bytes | Omega, seals: Seals | None) -> Omega:
        """Return a rebuilt Ω, always with its picture.

        offered: an Ω, or its CDR as privcam_msgs/msg/Omega. seals: of its parts, None if there are none. The bytes of
        the returned PNG differ from the offered ones; its pixels, and so the digest, are the same. A picture that
        exceeds a budget is replaced by the one before, and so are poses; rates change once per second. Epochs count the
        changes of the picture since this gate was made. Fractions of the picture are measured on its pixels. Raises
        Rejected, and counts it, for an Ω that may not leave.
        """
        try:
            omega = self._decode(offered) if isinstance(offered, bytes) else offered
            if omega.key.camera_id != self._camera_id:
                stated = omega.key.camera_id
                raise Rejected(Reason.CAMERA, f"key.camera_id: {stated}, this gate is of {self._camera_id}")
            seal = self._verifier.require_sealed(omega, seals)
            require_publishable(omega)
            self._order.require_turn(seal)
            self._require_rate()
            self._require_encoder(omega.embedding)
            highest = self._require_subjects(omega)
            environment, shown = self._within_budget(omega.environment, self._picture_of(omega.environment))
            # The verdict is that of the seals: nothing that is not sealed comes as far as here.
            report = replace(
                omega.privacy, verdict=Verdict.PASS, withheld_fraction=1.0 - environment.confirmed_fraction
            )
            clean = canonicalize(replace(omega, environment=environment, privacy=report))
            # Last, because it spends.
            clean = replace(clean, poses=self._poses.limit(clean.poses), privacy=self._rates.limit(clean.privacy))
        except Rejected as rejection:
            self.rejected[rejection.reason] += 1
            raise
        except InvalidOmega as error:
            self._reject(reason_of(error), str(error), error)
        self._order.accept(seal)
        self._subjects.accept(highest)
        self._current, self._shown = clean.environment, shown
        self.passed += 1
        return clean

    def _decode(self, payload: bytes) -> Omega:
        if len(payload) > cdr.MAX_OMEGA_BYTES:
            raise Rejected(Reason.TOO_LARGE, f"payload: {len(payload)} bytes, limit {cdr.MAX_OMEGA_BYTES}")
        return cdr.decode(payload)

    def _reject(self, reason: Reason, text: str, cause: Exception) -> NoReturn:
        self.rejected[reason] += 1
        raise Rejected(reason, text) from cause

    def _require_rate(self) -> None:
        if not self._tokens.has(1.0):
            raise Rejected(Reason.RATE, f"key: more than {self._rate:g} Ω per second, raise max_rate_hz if intended")
        self._tokens.take(1.0)

    def _require_encoder(self, embedding: Embedding) -> None:
        if _encoder_of(embedding) != self._encoder:
            raise Rejected(
                Reason.FIELD,
                f"embedding.encoder_id: {embedding.encoder_id} with shape {embedding.shape}, scale "
                f"{embedding.scale:g}, noise {embedding.noise_sigma:g} and norm {embedding.clip_norm:g} is not the "
                "encoder that this gate was given; give bridge and embedder the same sigma",
            )

    def _require_subjects(self, omega: Omega) -> int:
        """Return the highest subject number, 0 without subjects. Raises Rejected for a body or number out of bounds."""
        reach = MAX_REACH * max(omega.environment.height, omega.environment.width)
        for pose in omega.poses:
            visible = pose.keypoints[seen(pose.keypoints), :2]
            if max(map(abs, pose.box)) > reach or (visible.size and float(abs(visible).max()) > reach):
                raise Rejected(Reason.FIELD, f"pose: subject {pose.subject_id} reaches beyond {reach:g} px")
        highest = max((pose.subject_id for pose in omega.poses), default=0)
        if highest and not self._subjects.fits(highest):
            raise Rejected(Reason.FIELD, f"pose.subject_id: {highest} is far above all subjects before")
        return highest

    def _picture_of(self, environment: Environment) -> Shown:
        """Return the picture of an environment, with the PNG that the gate encoded for its digest."""
        if environment.base:
            raise Rejected(
                Reason.PICTURE, "environment.base: patches are made behind the gate, from pictures that passed it"
            )
        if environment.png and environment.digest not in self._pictures:
            pixels = open_environment(environment)
            self._pictures[environment.digest] = Shown(environment.digest, encode_environment(*pixels), pixels)
            while len(self._pictures) > KNOWN_PICTURES:
                self._pictures.popitem(last=False)
        picture = self._pictures.get(environment.digest)
        if picture is None:
            raise Rejected(Reason.UNKNOWN_PICTURE, "environment.sha256: its picture never came through this gate")
        self._pictures.move_to_end(environment.digest)
        if (environment.height, environment.width) != picture.size:
            stated = (environment.height, environment.width)
            raise InvalidOmega("environment.size", f"{stated}, its picture has {picture.size}")
        return picture

    def _within_budget(self, environment: Environment, picture: Shown) -> tuple[Environment, Shown]:
        """Return the environment that leaves and its picture: the current ones if a change would exceed a budget."""
        current, shown = self._current, self._shown
        if current is not None and shown is not None and shown.digest == picture.digest:
            return replace(current, key=environment.key), shown
        if self._budget.spend(picture, shown):
            fraction, epoch = float(picture.pixels[1].mean()), current.epoch + 1 if current else 1
            return replace(environment, png=picture.png, confirmed_fraction=fraction, epoch=epoch), picture
        if current is None or shown is None:
            raise Rejected(Reason.RATE, "environment: the first picture exceeds the budget, and none has left before")
        return replace(current, key=environment.key), shown


def _encoder_of(embedding: Embedding) -> bytes:
    """Return the bytes of everything in an embedding that does not change from frame to frame, as it is sent."""
    return cdr.encode_part(SyncKey("any", 1, 1), replace(embedding, data=bytes(len(embedding.data))))
