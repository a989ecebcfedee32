"""Puts the Ω of one camera in order: into a live stream of the newest ones, and into a recording of all.

The live stream has each Ω that is newer than all before it, at once; after an outage it continues with the present.
The recording has every Ω that the edge still had, each once, in order; it waits for missing ones. Both identify an Ω by
its number in the edge's queue (`privcam_link.wire.Header`) and by κ. A camera whose clock was set begins a new epoch
(`clock_epochs`): both streams go on with its new stamps.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from privcam_core.types.omega import InvalidOmega, Omega, SyncKey
from privcam_link import cdr
from privcam_link.delta_compression import ReferencePayloads, decompress
from privcam_link.receiving.clock_epochs import ClockEpochs, Order, ReplayOrder, make_anchored_clock
from privcam_link.receiving.quotas import Limits, require_small
from privcam_link.validation import Reason, Rejected, reason_of, require_publishable
from privcam_link.wire import Header

# Number of Ω that wait for an earlier one. Beyond this the newest are not kept: the edge still has them.
MAX_WAITING = 1024
# An Ω of a reply that is at most this many behind the newest goes to the live stream too; older ones are only recorded.
RECENT = 20
# Names of earlier queues of the edge that are remembered: an Ω of one of them is a repetition.
PAST_QUEUES = 64


class LossReason(str, Enum):
    """Why an Ω was not handed on, or not in full."""

    DUPLICATE = "duplicate"  # κ was there already, or is older than the newest
    UNREADABLE = "unreadable"  # its reference never came; it is requested again
    EDGE = "edge"  # the edge had to drop it before it could be delivered
    NO_PICTURE = "no_picture"  # handed on by its digest alone: its picture did not come in time
    TOO_MANY = "too_many"  # more were waiting for a picture than may


@dataclass(frozen=True)
class Received:
    """The Ω that one sample adds to each stream, in order, and the Ω itself if it holds a picture."""

    live: Sequence[Omega] = ()
    recording: Sequence[Omega] = ()
    picture: Omega | None = None


class ReorderBuffer:
    """Puts the Ω of one camera in order.

    `lost` counts by LossReason; `edge_lost` is the number of Ω that the edge had to drop, by its own count; `skipped`
    the number of Ω that were put and did not arrive as they were. `epochs` judges the time of live Ω, `replays` the
    order of replays, which so change nothing of what is live; `replayed` counts these. now_ns: this host's clock, ns
    since the epoch, which does not jump; None: one that is made here. Not for several threads at once.
    """

    def __init__(
        self,
        camera_id: str,
        *,
        max_pixels: int = Limits.max_pixels,
        now_ns: Callable[[], int] | None = None,
    ) -> None:
        self._camera_id = camera_id
        self._max_pixels = max_pixels
        self.epochs = ClockEpochs(now_ns or make_anchored_clock())
        self.replays = ReplayOrder()
        self.replayed = 0
        self._newest: SyncKey | None = None  # of the live stream, live or replayed
        self._payloads = ReferencePayloads()
        self._queue = ""
        self._highest = 0  # number of the newest Ω that is known to exist
        self._read = 0  # number of the newest one that could be read
        self._put = 0  # number of the newest one that was put
        self._past_queues: deque[str] = deque(maxlen=PAST_QUEUES)
        self._number = 0  # of the last one of the recording; 0: not known
        self._recorded_until_ns: int | None = None
        self._held: dict[int, Omega] = {}
        self.lost: Counter[LossReason] = Counter()
        self.edge_lost = 0
        self.skipped = 0

    @property
    def newest_ns(self) -> int:
        """Stamp of the newest Ω of the live stream, 0 before the first."""
        return self._newest.stamp_ns if self._newest else 0

    @property
    def recorded_until_ns(self) -> int | None:
        """Stamp of the last Ω of the recording, None while nothing is recorded."""
        return self._recorded_until_ns

    def record_from(self, stamp_ns: int) -> None:
        """Begin the recording behind this stamp, or go back to it, because the recorder has nothing later."""
        self._number, self._recorded_until_ns = 0, stamp_ns
        self._held.clear()

    @property
    def missing(self) -> bool:
        """Whether the edge is known to have an Ω that is still missing here."""
        if self._recorded_until_ns is None:
            return self._highest > self._read
        return self._highest > self._number

    @property
    def wanted_after_ns(self) -> int:
        """Stamp after which Ω have to be requested."""
        return self.newest_ns if self._recorded_until_ns is None else self._recorded_until_ns

    def put(self, header: Header, payload: bytes) -> Received:
        """Take an Ω that was put. Raises Rejected for anything that the edge's gate would not let through."""
        omega = self._open(header, payload)
        self.skipped += max(0, header.n - self._put - 1) if self._put else 0
        self._put = max(self._put, header.n)
        if omega is None:
            return Received()
        live = self._judge(omega, header.n)
        held = False
        recording: Sequence[Omega] = ()
        if self._number and header.n == self._number + 1:
            recording = self._continue_recording(header.n, omega)
        elif self._is_missing(header.n, omega.key.stamp_ns) and len(self._held) < MAX_WAITING:
            # The picture store keeps pictures, once they were checked.
            self._held[header.n] = replace(omega, environment=omega.environment.without_png())
            held = True
        picture = omega if omega.environment.png else None
        self.lost[LossReason.DUPLICATE] += not (live or recording or held or picture)
        return Received(live, recording, picture)

    def _judge(self, omega: Omega, n: int) -> Sequence[Omega]:
        """Return what an Ω adds to the live stream. Raises Rejected for a live one from the future."""
        self.replayed += omega.privacy.replay
        order = self.replays if omega.privacy.replay else self.epochs
        if order.judge(omega.key, n) is Order.OLD:
            return ()
        self._newest = omega.key
        return (omega,)

    def begin_reply(self, after_ns: int) -> "BacklogReply":
        """Return the object that takes the reply to a query for all Ω after this stamp."""
        return BacklogReply(self, after_ns)

    def add_from_reply(self, header: Header, payload: bytes, before_ns: int) -> tuple[int, Received]:
        """Take an Ω of a reply and return its stamp, 0 if it could not be read. before_ns: stamp of the one before."""
        omega = self._open(header, payload)
        if omega is None:
            return 0, Received()
        stamp_ns = omega.key.stamp_ns
        if 0 < header.n <= self._number:
            return stamp_ns, Received()  # recorded since the query was sent
        recording: Sequence[Omega] = ()
        until_ns = self._recorded_until_ns
        # Where the camera's clock was set back stamps do not grow: there the Ω before it in the queue tells.
        if until_ns is not None and (before_ns == until_ns or before_ns <= until_ns < stamp_ns):
            recording = self._continue_recording(header.n, omega)
        is_recent = self._highest - header.n <= RECENT
        live: Sequence[Omega] = ()
        order = self.replays if omega.privacy.replay else self.epochs
        if is_recent and order.follows_newest(omega.key, header.n):
            live, self._newest = (omega,), omega.key
        return stamp_ns, Received(live, recording)

    def _is_missing(self, n: int, stamp_ns: int) -> bool:
        """Say whether the recording still needs Ω number n. Its stamp tells while the recording has no number yet."""
        until_ns = self._recorded_until_ns
        return until_ns is not None and (n > self._number if self._number else stamp_ns > until_ns)

    def open_picture(self, header: Header, payload: bytes) -> Received:
        """Take the reply to a query for a picture. Raises Rejected as `put` does."""
        omega = self._open(header, payload)
        return Received(picture=omega if omega is not None and omega.environment.png else None)

    def _open(self, header: Header, payload: bytes) -> Omega | None:
        """Return a checked Ω, None if its reference is not here."""
        if header.total:
            raise Rejected(Reason.TYPE, f"payload: is a piece of {header.total} bytes, expected an Ω")
        if not header.ref:
            if header.queue != self._queue:
                self._begin_queue(header.queue)
            self._highest = max(self._highest, header.newest)
            self.edge_lost = header.lost
        self._highest = max(self._highest, header.n)
        if header.ref:
            reference = self._payloads.get(header.ref)
            if reference is None:
                self.lost[LossReason.UNREADABLE] += 1
                return None
            payload = decompress(payload, reference)
        try:
            omega = cdr.decode(payload)
        except InvalidOmega as error:
            raise Rejected(reason_of(error), str(error)) from error
        require_publishable(omega)
        if cdr.encode(omega) != payload:
            raise Rejected(Reason.FIELD, "payload: is not in the canonical form that the gate sends")
        if omega.key.camera_id != self._camera_id:
            raise Rejected(Reason.CAMERA, f"key.camera_id: {omega.key.camera_id}, came on the key of {self._camera_id}")
        require_small(omega.environment, self._max_pixels)
        if not omega.environment.png:
            # Later payloads refer to the form by digest alone.
            self._payloads.keep(header.n, payload)
            self._read = max(self._read, header.n)
        return omega

    def _begin_queue(self, queue: str) -> None:
        """Forget everything that is known by number, because the edge has a new queue. Raises Rejected for an old one.

        An edge never goes back to a queue, so whatever names one was sent before.
        """
        if queue in self._past_queues:
            raise Rejected(Reason.ORDER, f"attachment: queue {queue} was replaced before; this was sent before")
        self._past_queues.append(self._queue)
        self._queue, self._highest, self._read, self._number, self._put = queue, 0, 0, 0, 0
        self.epochs.begin_queue()
        self.replays.begin_queue()
        self._payloads.clear()
        self._held.clear()

    def _continue_recording(self, n: int, omega: Omega) -> Sequence[Omega]:
        """Return the next Ω of the recording, now that Ω number n is here."""
        # The edge has nothing between the last one and this any more. Ω that came earlier are not lost.
        early = sorted(held for held in self._held if held < n)
        if self._number:
            self.lost[LossReason.EDGE] += n - self._number - 1 - len(early)
        ready = [*(self._held[held] for held in early), omega]
        while (following := self._held.pop(n + 1, None)) is not None:
            ready.append(following)
            n += 1
        self._number, self._recorded_until_ns = n, ready[-1].key.stamp_ns
        self._held = {held: other for held, other in self._held.items() if held > n}
        return ready


class BacklogReply:
    """Takes the Ω of one reply; each follows the one before it in the queue of the edge."""

    def __init__(self, buffer: ReorderBuffer, after_ns: int) -> None:
        self._buffer = buffer
        self._before_ns = after_ns
        self._n = 0
        self._broken = False

    def end(self) -> None:
        """Take nothing more of this reply: the rest is requested again."""
        self._broken = True

    def take(self, header: Header, payload: bytes) -> Received:
        """Take the next Ω. Behind a missing one the rest is not taken: it is requested again.

        The first of a reply, and no other, is plain: so a missing first one is noticed too.
        Raises Rejected as `ReorderBuffer.put` does.
        """
        follows_on = header.n == self._n + 1 if self._n else not header.ref
        if self._broken or not follows_on:
            self._broken = True
            return Received()
        self._broken = True  # unless all goes well
        stamp_ns, received = self._buffer.add_from_reply(header, payload, self._before_ns)
        self._broken = stamp_ns == 0
        self._before_ns, self._n = stamp_ns, header.n
        return received
