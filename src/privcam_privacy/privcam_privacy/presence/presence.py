"""One presence: a region of the picture in which a person or an object is that moved in."""

from collections import deque
from dataclasses import dataclass, field

from privcam_core.types.arrays import Box
from privcam_privacy.background.grid import GRID
from privcam_privacy.presence.body_parts import Part
from privcam_privacy.presence.departure import BodyExtent
from privcam_privacy.presence.patch import Patch
from privcam_privacy.presence.rest import Rest

# A detector that blinks loses people for less than this, s. Until then the background that was confirmed before they
# came is still published behind them.
GRACE_S = 3.0


@dataclass(eq=False)
class Presence:
    """A region and its history.

    number: identifies the presence, from 1. cells: where it may be. animate: it moved by itself, or a network took it
    for a person; then time alone frees nothing. owners: the subjects whose tracks followed it.
    now: the part that is seen in this frame, None without one. followed: by a track in this frame. found: by a track
    whose box is good enough to start one. moving: by itself in this frame. still_s: time since it was followed or
    moving. unfound_s: time since it was found or moving. place: what all weak boxes since then have in common.
    was_unattended: that time was long once; was_unattended_when_seen: already when it was seen last, and not found.
    unseen_s: time since it was seen. episodes: how often it began to move. departed: it went out over the border.
    body: its last box. rest: whether it rests, and how far it reaches then. stirs: the same of what moved of it since
    no good box found it. max_area: its largest area, cells.
    """

    number: int
    cells: Patch
    animate: bool
    owners: set[int] = field(default_factory=set)
    now: Patch | None = None
    followed: bool = False
    found: bool = False
    moving: bool = False
    still_s: float = 0.0
    unfound_s: float = 0.0
    place: Patch = field(default_factory=Patch.nothing)
    was_unattended: bool = False
    was_unattended_when_seen: bool = False
    unseen_s: float = 0.0
    episodes: int = 0
    departed: bool = False
    body: BodyExtent = field(default_factory=BodyExtent)
    rest: Rest = field(default_factory=Rest)
    stirs: Rest = field(default_factory=Rest)
    max_area: int = 0
    _start: tuple[float, float] | None = None
    _sightings: deque[tuple[float, Patch]] = field(default_factory=deque)
    _recent: Patch | None = None

    @property
    def recent(self) -> Patch:
        """Where it was seen lately."""
        if self._recent is None:
            self._recent = Patch.join(region for _, region in self._sightings)
        return self._recent

    @property
    def part(self) -> Part | None:
        """What moved of it, if nothing finds it and it does not walk. A thing that was moved moves no more."""
        extent = self.stirs.extent
        return Part(extent, self.animate or self.unfound_s < GRACE_S) if extent else None

    @property
    def is_unseen_person(self) -> bool:
        """Whether somebody who was followed is seen to be here still, and nothing has found them for long.

        Where the background is not known nothing is seen of who keeps still, and they are not counted.
        """
        was_followed = self.animate and bool(self.owners) and not self.followed
        return was_followed and not self.departed and self.now is not None and self.unfound_s >= GRACE_S

    def see(self, seconds: float, region: Patch) -> None:
        """Take `region` as seen in this frame."""
        self.now = region if self.now is None else Patch.join((self.now, region))
        self.cells = Patch.join((self.cells, region))
        self._sightings.append((seconds, region))
        self._recent = None

    def find(self, region: Patch, *, good: bool) -> None:
        """Take in a box of its track, with its margin."""
        self.found |= good
        if good:
            self.place = Patch.nothing()
            self.stirs = Rest()
        else:
            self.place = self.place.minus(self.place.minus(region)) if self.place.area else region

    def forget_before(self, seconds: float) -> None:
        """Forget where it was seen before this time, except the last sighting."""
        while len(self._sightings) > 1 and self._sightings[0][0] < seconds:
            self._sightings.popleft()
            self._recent = None

    def moved_over(self, box: Box) -> bool:
        """Return whether its middle has moved by more than the size of `box` (px) since the first such box."""
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        self._start = self._start or middle
        return abs(middle[0] - self._start[0]) > box[2] - box[0] or abs(middle[1] - self._start[1]) > box[3] - box[1]

    def contains_middle(self, box: Box) -> bool:
        """Return whether the middle of `box` (px) is in one of its cells."""
        row, column = int((box[1] + box[3]) / 2 / GRID), int((box[0] + box[2]) / 2 / GRID)
        return self.cells.contains(row, column)

    def is_mostly_in(self, region: Patch) -> bool:
        """Return whether most of its cells are in `region`."""
        return 2 * self.cells.minus(region).area < self.cells.area

    def merge(self, other: "Presence") -> None:
        """Become one with another presence."""
        self.cells = Patch.join((self.cells, other.cells))
        self.animate |= other.animate
        self.owners |= other.owners
        self.rest.keep(other.rest.boxes)
        self.stirs.keep(other.stirs.boxes)
        self.was_unattended |= other.was_unattended
        self.episodes = max(self.episodes, other.episodes)
        self.max_area += other.max_area
        self._sightings.extend(other._sightings)
        self._recent = None
