"""Budgets of what the gate lets through per time. A film does not fit; a room that changes now and then does.

The seals say where a picture comes from, the budgets limit what a wrong picture can do: how many pictures, how much of
them changed, and how many bytes that takes. What exceeds a budget waits: Ω keeps referencing the picture before, which
has left already, until the reserve has refilled. Poses have a budget that a crowd does not reach; where more change,
those wait that moved least, so that a fall does not. Rates and counts of the report change once per second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf

from privcam_core.types.omega import PrivacyReport, SubjectPose
from privcam_core.types.skeleton import seen
from privcam_edge.link.token_bucket import TokenBucket
from privcam_link.patches import Picture, changed_pixels, encode_patch

MIB = 1024 * 1024
# A subject number may be this far above the highest one so far: tracks that were never confirmed take numbers too ...
SUBJECTS_BURST = 64
# ... and so many more per second.
SUBJECTS_PER_S = 10.0
# The reserve of poses lasts for so long.
POSES_RESERVE_S = 10.0


@dataclass(frozen=True)
class Budgets:
    """Limits of one camera. Each has a reserve: that of the first two lasts for a minute, that of bytes for an hour.

    pictures_per_minute: changes of the picture that Ω references. areas_per_minute: changed pixels, in picture areas.
    picture_mib_per_hour: MiB of new pictures, as patches on the picture before. poses_per_second: poses that are not
    what left of their subject before; the reserve lasts for POSES_RESERVE_S.
    """

    pictures_per_minute: float = 90.0
    areas_per_minute: float = 4.0
    picture_mib_per_hour: float = 72.0
    poses_per_second: float = 240.0


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture that Ω may reference: the digest of its pixels, its PNG, and the pixels."""

    digest: bytes
    png: bytes
    pixels: Picture

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px."""
        height, width = self.pixels[1].shape
        return height, width


class PictureBudget:
    """Decides whether the picture that Ω references may change now.

    clock: monotonic seconds. `held` counts how often it may not.
    """

    def __init__(self, budgets: Budgets, clock: Callable[[], float]) -> None:
        hourly = budgets.picture_mib_per_hour * MIB
        self._pictures = TokenBucket(budgets.pictures_per_minute, budgets.pictures_per_minute / 60.0, clock)
        self._areas = TokenBucket(budgets.areas_per_minute, budgets.areas_per_minute / 60.0, clock)
        self._bytes = TokenBucket(hourly, hourly / 3600.0, clock)
        # A picture that is held is offered with every frame.
        self._measured: tuple[bytes, bytes, float, float] = (b"", b"", 0.0, 0.0)
        self.held = 0

    def spend(self, new: Shown, current: Shown | None) -> bool:
        """Spend what it costs to reference a new picture; return False, and spend nothing, if that exceeds a budget."""
        area, size = self._cost(new, current)
        costs = (self._pictures, 1.0), (self._areas, area), (self._bytes, size)
        # A cost above the whole reserve passes when the reserve is full, and is paid back afterwards.
        if not all(bucket.has(min(cost, bucket.capacity)) for bucket, cost in costs):
            self.held += 1
            return False
        for bucket, cost in costs:
            bucket.take(cost)
        return True

    def _cost(self, new: Shown, current: Shown | None) -> tuple[float, float]:
        """Return the changed area in picture areas, and the bytes of the change. Another size is new as a whole."""
        if current is None:
            return 1.0, float(len(new.png))
        if self._measured[:2] != (new.digest, current.digest):
            area, size = 1.0, len(new.png)
            if new.size == current.size:
                area = float(changed_pixels(new.pixels, current.pixels).mean())
                size = min(size, len(encode_patch(new.pixels, current.pixels)))
            self._measured = new.digest, current.digest, area, float(size)
        return self._measured[2:]


class SubjectBudget:
    """Keeps subject numbers small and consecutive. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._numbers = TokenBucket(SUBJECTS_BURST, SUBJECTS_PER_S, clock)
        self._highest: int | None = None

    def fits(self, highest: int) -> bool:
        """Say whether the highest subject number of an Ω may follow those before. The first one may be any."""
        return self._highest is None or self._numbers.has(highest - self._highest)

    def accept(self, highest: int) -> None:
        """Note the highest subject number of an Ω that passed."""
        if self._highest is not None and highest > self._highest:
            self._numbers.take(highest - self._highest)
        self._highest = max(highest, self._highest or 0)


class RateHold:
    """Lets rates and unseen people of the privacy report change once per second. clock: monotonic seconds.

    They change with the first Ω of a second of the clock and with no other: when they change would tell something too.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._second = -1
        self._left = (0.0, 0.0, 0)

    def limit(self, report: PrivacyReport) -> PrivacyReport:
        """Return the report that leaves instead of this one: with the values that left first in this second."""
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._left = report.detector_hz, report.pose_hz, report.unseen_people
        detector_hz, pose_hz, unseen_people = self._left
        return replace(report, detector_hz=detector_hz, pose_hz=pose_hz, unseen_people=unseen_people)


class PoseBudget:
    """Limits how many poses change. clock: monotonic seconds. `held` counts Ω in which not all of them could."""

    def __init__(self, budgets: Budgets, clock: Callable[[], float]) -> None:
        self._changes = TokenBucket(budgets.poses_per_second * POSES_RESERVE_S, budgets.poses_per_second, clock)
        # Of the last Ω that left, by subject, in the order of layers.
        self._left: dict[int, SubjectPose] = {}
        self.held = 0

    def limit(self, poses: Sequence[SubjectPose]) -> list[SubjectPose]:
        """Return the poses that leave instead of these, in the order of layers, and spend what their changes cost.

        poses: in canonical form.

        What exceeds the budget leaves as it left before, or not at all. New subjects and those that moved most come
        first. Who has another place in the order of layers has changed too; where somebody waits, the order waits.
        """
        before_in_order = [subject for subject in self._left if any(pose.subject_id == subject for pose in poses)]
        now_in_order = [pose.subject_id for pose in poses if pose.subject_id in self._left]
        reordered = {now for now, before in zip(now_in_order, before_in_order, strict=True) if now != before}
        moved = {pose.subject_id: self._movement(pose, reordered=pose.subject_id in reordered) for pose in poses}
        leaving, held = {pose.subject_id: pose for pose in poses}, False
        for subject in sorted((one for one in moved if moved[one] > 0), key=lambda one: -moved[one]):
            if self._changes.has(1.0):
                self._changes.take(1.0)
                continue
            held = True
            before = self._left.get(subject)
            if before is None:
                del leaving[subject]
            else:
                leaving[subject] = before
        if held:
            self.held += 1
            first = [subject for subject in before_in_order if subject in leaving]
            order = [*first, *(subject for subject in leaving if subject not in self._left)]
            leaving = {subject: replace(leaving[subject], layer=layer) for layer, subject in enumerate(order)}
        self._left = leaving
        return list(leaving.values())

    def _movement(self, pose: SubjectPose, *, reordered: bool) -> float:
        """Return how far the farthest keypoint moved in px, 0 where nothing changed, infinity for a new subject."""
        before = self._left.get(pose.subject_id)
        if before is None:
            return inf
        same = pose.box == before.box and pose.head == before.head and bool((pose.keypoints == before.keypoints).all())
        if same and not reordered:
            return 0.0
        both = seen(pose.keypoints) & seen(before.keypoints)
        away = abs(pose.keypoints[both, :2] - before.keypoints[both, :2])
        # Something else changed at least.
        return max(1e-6, float(away.max(initial=0.0)))
