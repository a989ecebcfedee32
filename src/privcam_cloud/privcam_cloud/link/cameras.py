"""Everything that the cloud's end of the link does for its cameras: order, pictures, questions, acknowledgements."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from privcam_cloud.link.flow_control import Pace
from privcam_cloud.link.picture_resolver import PictureLane
from privcam_cloud.link.picture_store import Pictures
from privcam_cloud.link.reorder_buffer import Arrived, Intake
from privcam_cloud.link.session import Take
from privcam_core.types.omega import InvalidOmega, Omega
from privcam_link.validation import Reason, Rejected, reason_of
from privcam_link.wire import BacklogQuery, Header, PictureQuery, Query

# An edge is told this often what is safe, and asked whether there is more where nothing came for so long.
POLL_S = 1.0
# Where an answer brought something, the next question follows after this: some 800 Ω per second.
HURRY_S = 0.1
# The complete stream waits longer for a picture than the live one: nobody looks at it now.
COMPLETE_HOLD, COMPLETE_HOLD_S = 4096, 60.0

Hand = Callable[[str, Sequence[Omega]], None]


class Link(Protocol):
    """What asks an edge; see `CloudLink.ask`."""

    def ask(self, camera_id: str, question: Query, take: Take, ended: Callable[[], None]) -> None:
        """Ask the edge of a camera. Does not wait."""


@dataclass
class _Camera:
    intake: Intake
    live: PictureLane
    complete: PictureLane
    alive: bool = False
    safe_ns: int = 0  # everything up to this stamp is kept by whoever keeps it
    heard_s: float = 0.0
    asked_s: float = 0.0
    asking: bool = False
    more: bool = False
    pace: Pace = field(default_factory=Pace)
    counts: Counter[str] = field(default_factory=Counter)


class Cameras:
    """Receives for a CloudLink, and hands on two streams of Ω with their pictures for each camera.

    cameras: whose Ω are taken; others are counted in `others`. consumer: under which name edges keep what this cloud
    does not have yet. recorded: whether somebody keeps the complete stream and says with `kept` what is safe; without,
    there is only the live one, and what is live counts as safe. on_live, on_complete: take the streams, in order, each
    under the lock of this object. clock: monotonic seconds. May be used from several threads.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        consumer: str,
        *,
        recorded: bool,
        on_live: Hand,
        on_complete: Hand,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer = consumer
        self._recorded = recorded
        self._hand_live, self._hand_complete = on_live, on_complete
        self._clock = clock
        self._lock = threading.RLock()
        self._link: Link | None = None
        self._pictures = Pictures(self._ask_picture, clock=clock)
        self._cameras = {
            camera_id: _Camera(
                Intake(camera_id),
                PictureLane(self._pictures, clock=clock),
                PictureLane(self._pictures, hold=COMPLETE_HOLD, hold_s=COMPLETE_HOLD_S, clock=clock),
            )
            for camera_id in cameras
        }
        self.others = 0

    def connect(self, link: Link) -> None:
        """Say through what edges are asked."""
        self._link = link

    def put(self, camera_id: str, header: Header, payload: bytes) -> None:
        """Take an Ω that a camera put. Raises Rejected."""
        with self._lock:
            camera = self._cameras.get(camera_id)
            if camera is None:
                self.others += 1
                return
            camera.heard_s = self._clock()
            self._hand_on(camera_id, camera, camera.intake.put(header, payload))

    def alive(self, camera_id: str, alive: bool) -> None:
        """Take note that the edge of a camera came, or went. One that came is asked at once for what it kept."""
        with self._lock:
            camera = self._cameras.get(camera_id)
            if camera is not None:
                camera.alive = alive
                camera.asked_s = -POLL_S
                camera.more = alive
                if alive:
                    camera.pace = Pace()  # the line may be another one now
                    self._pictures.came(camera_id)

    def start_complete(self, camera_id: str, stamp_ns: int, begin: Callable[[], None] = lambda: None) -> None:
        """Whoever keeps the complete stream of a camera has begun, and has it up to this stamp, 0: nothing.

        begin: called between what is handed on before and after that.
        """
        with self._lock:
            camera = self._cameras.get(camera_id)
            if camera is not None:
                camera.intake.complete_from(stamp_ns)
                camera.safe_ns = stamp_ns
                begin()

    def kept(self, camera_id: str, stamp_ns: int) -> None:
        """Everything of a camera up to this stamp is safe: its edge may forget it."""
        with self._lock:
            camera = self._cameras.get(camera_id)
            if camera is not None:
                camera.safe_ns = max(camera.safe_ns, stamp_ns)

    def tick(self) -> None:
        """Do what is due: hand on what waited for a picture, ask edges. Call it about every HURRY_S."""
        with self._lock:
            for camera_id, camera in self._cameras.items():
                self._hand_on(camera_id, camera, Arrived())
                self._poll(camera_id, camera)

    def facts(self, camera_id: str) -> dict[str, int]:
        """Return counts for the diagnostics of one camera."""
        with self._lock:
            camera = self._cameras[camera_id]
            lost = camera.intake.lost + camera.live.lost + camera.complete.lost
            return {
                "alive": int(camera.alive),
                "edge_lost": camera.intake.edge_lost,
                "missing": int(camera.intake.missing),
                "waiting_for_picture": camera.live.waiting + camera.complete.waiting,
                **{f"lost_{reason.value}": count for reason, count in lost.items()},
                **camera.counts,
            }

    def _hand_on(self, camera_id: str, camera: _Camera, arrived: Arrived) -> None:
        refused: Rejected | None = None
        if arrived.picture is not None:
            try:
                self._pictures.learn(arrived.picture.environment)
            except InvalidOmega as error:
                # The rest of it is good, and has its place in the order.
                refused = Rejected(reason_of(error), str(error))
        live = camera.live.offer(arrived.live)
        complete = camera.complete.offer(arrived.complete)
        camera.counts["live"] += len(live)
        camera.counts["complete"] += len(complete)
        if live:
            self._hand_live(camera_id, live)
        if complete:
            self._hand_complete(camera_id, complete)
        if refused is not None:
            raise refused

    def _poll(self, camera_id: str, camera: _Camera) -> None:
        now = self._clock()
        due = HURRY_S if camera.more or camera.intake.missing else POLL_S
        if self._link is None or not camera.alive or camera.asking or now - camera.asked_s < due:
            return
        # With a keeper that has not said where it is, nothing is safe and nothing is asked for.
        intake, waiting_for_keeper = camera.intake, self._recorded and camera.intake.complete_ns is None
        quiet = now - camera.heard_s >= POLL_S
        after = intake.wanted_after_ns if (camera.more or intake.missing or quiet) and not waiting_for_keeper else None
        if not self._recorded and intake.newest_ns == 0:
            after = None  # nobody wants the past
        safe_ns = camera.safe_ns if self._recorded else intake.newest_ns
        camera.asking, camera.asked_s, camera.more = True, now, False
        answer, size = intake.answer(after or 0), 0

        def take(header: Header, payload: bytes) -> None:
            nonlocal size
            with self._lock:
                size += len(payload)
                camera.more = True
                self._hand_on(camera_id, camera, answer.take(header, payload))

        def ended() -> None:
            with self._lock:
                camera.asking = False
                camera.pace.took(self._clock() - now, size)

        most = 0 if after is None else camera.pace.most
        self._link.ask(camera_id, BacklogQuery(self._consumer, safe_ns, after, most), take, ended)

    def _ask_picture(self, camera_id: str, digest: bytes, have: tuple[bytes, ...]) -> None:
        """Ask for a picture, piece by piece: what is live passes between two of them."""
        camera = self._cameras[camera_id]
        question = PictureQuery(digest, have, max_bytes=camera.pace.most)
        pieces = bytearray()
        asked_s = self._clock()

        def take(header: Header, payload: bytes) -> None:
            with self._lock:
                if header.offset != len(pieces) or len(pieces) + len(payload) > header.total:
                    raise Rejected(Reason.TYPE, f"piece from byte {header.offset} of {header.total}, asked for {len(pieces)}")
                pieces.extend(payload)
                if len(pieces) == header.total:
                    whole = replace(header, offset=0, total=0)
                    self._hand_on(camera_id, camera, camera.intake.picture(whole, bytes(pieces)))

        def ended() -> None:
            nonlocal question, asked_s
            with self._lock:
                now, had = self._clock(), question.offset
                camera.pace.took(now - asked_s, len(pieces) - had)
                known = self._pictures.get(camera_id, digest) is not None
                if known or len(pieces) == had or not camera.alive or self._link is None:
                    self._pictures.ended(camera_id, digest)
                    return
                question, asked_s = replace(question, offset=len(pieces), max_bytes=camera.pace.most), now
                self._link.ask(camera_id, question, take, ended)

        if self._link is not None:
            self._link.ask(camera_id, question, take, ended)
