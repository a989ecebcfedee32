"""One camera's Ω as they come, live and late, made into two streams in order: what is new, and everything.

The live stream has each Ω that is newer than all before it, at once; after an outage it goes on with the present. The
complete stream has every Ω that the edge still had, each once, in order; it waits for what is missing. Both know an Ω
by its number in the edge's queue (`privcam_link.wire.Header`) and by κ.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from privcam_core.types.omega import InvalidOmega, Omega, SyncKey
from privcam_link import cdr
from privcam_link.delta_compression import ReferencePayloads, decompress
from privcam_link.validation import Reason, Rejected, follows, reason_of, require_not_future, require_publishable
from privcam_link.wire import Header

# Ω that came before one that is missing. Beyond this the newest are not kept: the edge still has them.
HELD = 1024
# Of an answer, what is no further behind the newest than this is news; older ones go to the complete stream alone.
RECENT = 20


class Lost(str, Enum):
    """Why an Ω was not handed on, or not in full."""

    DUPLICATE = "duplicate"  # κ was there already, or is older than the newest
    UNREADABLE = "unreadable"  # packed against one that never came; it is asked for
    EDGE = "edge"  # the edge had to drop it before it could be delivered
    NO_PICTURE = "no_picture"  # went on by its digest alone: its picture did not come in time
    TOO_MANY = "too_many"  # more were waiting for a picture than may


@dataclass(frozen=True)
class Arrived:
    """What one sample brought for each stream, in order, and the Ω itself if it holds a picture."""

    live: Sequence[Omega] = ()
    complete: Sequence[Omega] = ()
    picture: Omega | None = None


class Intake:
    """Puts the Ω of one camera in order.

    `lost` counts by Lost; `edge_lost` is what the edge says it had to drop. wall: this host's clock, ns since the
    epoch. Not for several threads at once.
    """

    def __init__(self, camera_id: str, *, wall: Callable[[], int] = time.time_ns) -> None:
        self._camera_id = camera_id
        self._wall = wall
        self._payloads = ReferencePayloads()
        self._queue = ""
        self._highest = 0  # number of the newest Ω that is known to exist
        self._read = 0  # number of the newest one that could be read
        self._newest: SyncKey | None = None
        self._number = 0  # of the last one of the complete stream; 0: not known
        self._complete_ns: int | None = None
        self._held: dict[int, Omega] = {}
        self.lost: Counter[Lost] = Counter()
        self.edge_lost = 0

    @property
    def newest_ns(self) -> int:
        """Stamp of the newest Ω of the live stream, 0 before the first."""
        return self._newest.stamp_ns if self._newest else 0

    @property
    def complete_ns(self) -> int | None:
        """Stamp up to which the complete stream goes, None while nobody wants it."""
        return self._complete_ns

    def complete_from(self, stamp_ns: int) -> None:
        """Begin the complete stream behind this stamp, or go back to it: whoever keeps it has nothing later."""
        self._number, self._complete_ns = 0, stamp_ns
        self._held.clear()

    @property
    def missing(self) -> bool:
        """Whether something is known to be there that neither stream has yet."""
        if self._complete_ns is None:
            return self._highest > self._read
        return self._highest > self._number

    @property
    def wanted_after_ns(self) -> int:
        """Stamp after which Ω have to be asked for."""
        return self.newest_ns if self._complete_ns is None else self._complete_ns

    def put(self, header: Header, payload: bytes) -> Arrived:
        """Take an Ω that was put. Raises Rejected for anything that the edge's gate would not let through."""
        omega = self._open(header, payload)
        if omega is None:
            return Arrived()
        live, held = self._live(omega), False
        complete: Sequence[Omega] = ()
        if self._complete_ns is not None and omega.key.stamp_ns > self._complete_ns:
            if self._number and header.n == self._number + 1:
                complete = self._go_on(header.n, omega)
            elif header.n > self._number and len(self._held) < HELD:
                # Pictures are kept elsewhere, once they were looked at.
                self._held[header.n] = replace(omega, environment=omega.environment.without_png())
                held = True
        picture = omega if omega.environment.png else None
        self.lost[Lost.DUPLICATE] += not (live or complete or held or picture)
        return Arrived(live, complete, picture)

    def answer(self, asked_after_ns: int) -> "Answer":
        """Return what takes the answer to a question for everything after this stamp."""
        return Answer(self, asked_after_ns)

    def late(self, header: Header, payload: bytes, before_ns: int) -> tuple[int, Arrived]:
        """Take an Ω of an answer and return its stamp, 0 if it could not be read. before_ns: of the one before it."""
        omega = self._open(header, payload)
        if omega is None:
            return 0, Arrived()
        complete: Sequence[Omega] = ()
        if self._complete_ns is not None and before_ns <= self._complete_ns < omega.key.stamp_ns:
            complete = self._go_on(header.n, omega)
        live = self._live(omega) if self._highest - header.n <= RECENT else ()
        return omega.key.stamp_ns, Arrived(live, complete)

    def picture(self, header: Header, payload: bytes) -> Arrived:
        """Take the answer to a question for a picture. Raises Rejected as `put` does."""
        omega = self._open(header, payload)
        return Arrived(picture=omega if omega is not None and omega.environment.png else None)

    def _open(self, header: Header, payload: bytes) -> Omega | None:
        """Return a checked Ω, None if it is packed against one that is not here."""
        if header.total:
            raise Rejected(Reason.TYPE, f"payload: is a piece of {header.total} bytes, an Ω was to come")
        if not header.ref:
            if header.queue != self._queue:
                self._begin(header.queue)
            self._highest = max(self._highest, header.newest)
            self.edge_lost = header.lost
        self._highest = max(self._highest, header.n)
        if header.ref:
            reference = self._payloads.get(header.ref)
            if reference is None:
                self.lost[Lost.UNREADABLE] += 1
                return None
            payload = decompress(payload, reference)
        try:
            omega = cdr.decode(payload)
        except InvalidOmega as error:
            raise Rejected(reason_of(error), str(error)) from error
        require_publishable(omega)
        require_not_future(omega.key, self._wall())
        if cdr.encode(omega) != payload:
            raise Rejected(Reason.FIELD, "payload: has bytes that say nothing, which no gate lets through")
        if omega.key.camera_id != self._camera_id:
            raise Rejected(Reason.CAMERA, f"key.camera_id: {omega.key.camera_id}, came on the key of {self._camera_id}")
        if not omega.environment.png:
            # Others are packed against what it is by digest alone.
            self._payloads.keep(header.n, payload)
            self._read = max(self._read, header.n)
        return omega

    def _begin(self, queue: str) -> None:
        """The edge has a new queue: what is remembered by number means nothing any more."""
        self._queue, self._highest, self._read, self._number = queue, 0, 0, 0
        self._payloads.clear()
        self._held.clear()

    def _live(self, omega: Omega) -> Sequence[Omega]:
        if self._newest is not None and not follows(omega.key, self._newest):
            return ()
        self._newest = omega.key
        return (omega,)

    def _go_on(self, n: int, omega: Omega) -> Sequence[Omega]:
        """Return what the complete stream goes on with, now that its next Ω is here."""
        # The edge has nothing between the last one and this any more. What came while it still had it is not lost.
        early = sorted(held for held in self._held if held < n)
        if self._number:
            self.lost[Lost.EDGE] += n - self._number - 1 - len(early)
        ready = [*(self._held[held] for held in early), omega]
        while (following := self._held.pop(n + 1, None)) is not None:
            ready.append(following)
            n += 1
        self._number, self._complete_ns = n, ready[-1].key.stamp_ns
        self._held = {held: other for held, other in self._held.items() if held > n}
        return ready


class Answer:
    """Takes the Ω of one answer, each of which follows the one before it in the edge's queue."""

    def __init__(self, intake: Intake, asked_after_ns: int) -> None:
        self._intake = intake
        self._before_ns = asked_after_ns
        self._n = 0
        self._broken = False

    def take(self, header: Header, payload: bytes) -> Arrived:
        """Take the next Ω. After one that is missing the rest is not taken: it is asked for again.

        The first of an answer, and no other, is plain: so a first one that is missing is noticed too.
        Raises Rejected as `Intake.put` does.
        """
        follows_on = header.n == self._n + 1 if self._n else not header.ref
        if self._broken or not follows_on:
            self._broken = True
            return Arrived()
        self._broken = True  # unless all goes well
        stamp_ns, arrived = self._intake.late(header, payload, self._before_ns)
        self._broken = stamp_ns == 0
        self._before_ns, self._n = stamp_ns, header.n
        return arrived
