"""Drives the gate and the cloud end of the link with test clocks, and compares both with the test oracle."""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from fuzzing import raw_png
from fuzzing.header_mutations import KEY, plain_header
from fuzzing.omega_layout import Raw, bytes_of, read, write
from fuzzing.oracle import (
    Broken,
    Situation,
    encoder_of,
    expected_output,
    highest_subject,
    judge,
    key_of,
    rates_that_leave,
    spare_numbers,
)
from harness.sealed_gate import SealedGate
from privcam_cloud.link.cameras import Cameras
from privcam_cloud.link.session import ReplyHandler
from privcam_core.types.omega import (
    MAX_HEIGHT,
    MAX_WIDTH,
    Embedding,
    Environment,
    Omega,
    PrivacyReport,
    SyncKey,
    Verdict,
)
from privcam_core.types.seals import Seals
from privcam_edge.link.budgets import Budgets
from privcam_edge.link.gate import KNOWN_PICTURES
from privcam_edge.link.sealing import SealKeys
from privcam_link import cdr
from privcam_link.delta_compression import MAX_REFERENCES
from privcam_link.receiving.quotas import Limits
from privcam_link.validation import Reason, Rejected
from privcam_link.wire import Query, camera_of, header_of

CAMERA = "room1"
RATE_HZ = 60.0
ENCODER = Embedding("encoder-1", (4, 4, 8), 0.5, bytes(128), 0.25, 1.0)
# Not random: the same seed makes the same run.
KEYS_OF_START = SealKeys(bytes(range(32)), bytes(range(1, 33)), bytes(range(2, 34)))
# Pictures change with every Ω here; films are offered to a gate of their own.
UNLIMITED = Budgets(pictures_per_minute=1e9, areas_per_minute=1e9, picture_mib_per_hour=1e9, poses_per_second=1e9)
# The cloud's clock stands still here, so its quotas would be used up. Tests of the cloud cover them.
NO_QUOTA = 1e12


@dataclass
class Tally:
    """Counts of everything that one end was offered.

    malformed: Ω that broke a rule; reasons: why the end refused them. passed: malformed Ω that were accepted. crashes:
    exceptions other than Rejected. valid: Ω that broke no rule; other: of these, refused or changed. failures: the
    first broken expectations, each with its payload.
    """

    malformed: int = 0
    valid: int = 0
    passed: int = 0
    crashes: int = 0
    other: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, bytes]] = field(default_factory=list)

    def fail(self, what: str, payload: bytes) -> None:
        """Keep a broken expectation with its payload, up to 20 of them."""
        if len(self.failures) < 20:
            self.failures.append((what, payload))


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class GateEnd:
    """The gate of the edge."""

    def __init__(self, now_ns: int) -> None:
        self.tally = Tally()
        self.situation = Situation(CAMERA.encode(), now_ns)
        self.situation.encoder = encoder_of(read(cdr.encode(_any_omega())))
        self._gate = SealedGate(CAMERA, ENCODER, max_rate_hz=RATE_HZ, budgets=UNLIMITED, keys=KEYS_OF_START)
        self._drained = SealedGate(CAMERA, ENCODER, max_rate_hz=0.5, budgets=UNLIMITED, keys=KEYS_OF_START)
        self.clock, self.keys = self._gate.clock, self._gate.keys

    def seal(self, payload: bytes) -> Seals | None:
        """Return seals of exactly what is offered, None if it has no parts."""
        return self._gate.seal(payload)

    def attack(self, payload: bytes, seals: Seals | None, kind: str) -> None:
        """Offer a valid Ω that was not sealed so. It must not get through."""
        if self._checked(self._gate, payload, kind, seals, malformed=True):
            self.tally.passed += 1
            self.tally.fail(f"{kind}: passed", payload)

    def offer(self, payload: bytes, kind: str, seals: Seals | None = None) -> bool:
        """Offer something with seals, by default of exactly what it is; return whether it got through.

        kind: how it was made, for what must not happen.
        """
        self.situation.now_s = self.clock.now_ns / 1e9
        try:
            wanted = expected_output(*_known(judge(payload, self.situation)), self.situation)
        except Broken:
            wanted = b""
        made = self._checked(self._gate, payload, kind, seals or self.seal(payload), malformed=not wanted)
        if wanted and made != wanted:
            self.tally.other += 1
            self.tally.fail(f"{kind}: valid, and {'changed' if made else 'refused'}", payload)
        elif made and not wanted:
            self.tally.passed += 1
            self.tally.fail(f"{kind}: passed", payload)
        if made:
            self._note_accepted(payload)
        return bool(made)

    def flood(self, payload: bytes) -> None:
        """Offer a valid Ω to a gate that has let through as many as it may. Its clock stands still."""
        gate = self._drained
        seals = gate.seal(payload)
        if self._checked(gate, payload, "flood", seals, malformed=gate.gate.passed > 0) and gate.gate.passed > 1:
            self.tally.passed += 1
            self.tally.fail("flood: passed", payload)

    def _checked(self, sealed: SealedGate, payload: bytes, kind: str, seals: Seals | None, *, malformed: bool) -> bytes:
        gate = sealed.gate
        self.tally.malformed += malformed
        self.tally.valid += not malformed
        before = sum(gate.rejected.values())
        try:
            return cdr.encode(gate.check(payload, seals))
        except Rejected as rejection:
            if sum(gate.rejected.values()) != before + 1:
                self.tally.fail(f"{kind}: not counted", payload)
                self.tally.other += 1
            self.tally.reasons[rejection.reason.value] += malformed
        except Exception as error:
            self.tally.crashes += 1
            self.tally.fail(f"{kind}: {type(error).__name__}: {error}", payload)
        return b""

    def _note_accepted(self, payload: bytes) -> None:
        try:
            raw, rgba = _known(judge(payload, self.situation))
        except Broken:
            return
        situation, digest = self.situation, bytes_of(raw, "environment.sha256")
        situation.last = key_of(raw, "key")[1:]
        highest = highest_subject(raw)
        situation.spare_numbers, situation.spare_at_s = spare_numbers(situation), situation.now_s
        if situation.highest is not None:
            situation.spare_numbers -= max(highest - situation.highest, 0)
        situation.highest = max(highest, situation.highest or 0)
        situation.rates, situation.rates_s = rates_that_leave(raw, situation), int(situation.now_s)
        situation.epoch += digest != situation.visible
        situation.visible = digest
        situation.pictures.pop(digest, None)
        situation.pictures[digest] = rgba
        while len(situation.pictures) > KNOWN_PICTURES:
            del situation.pictures[next(iter(situation.pictures))]


class CloudEnd:
    """The cloud's end, from the key and the attachment on, without the network."""

    def __init__(self, now_ns: int) -> None:
        self.tally = Tally()
        self.situation = Situation(CAMERA.encode(), now_ns, patches=True, exact=True)
        self.n = 0
        self.kept: OrderedDict[int, bytes] = OrderedDict()  # what others may be packed against
        self._clock = Clock()
        self._handed: list[Omega] = []
        self._replies: list[ReplyHandler] = []
        limits = Limits(
            processor=NO_QUOTA, picture_processor=NO_QUOTA, max_pixels=MAX_WIDTH * MAX_HEIGHT, size_change_s=0.0
        )
        self.cameras = Cameras([CAMERA], "fuzzing", recording=False, sink=self, limits=limits, clock=self._clock)
        self.cameras.connect(self)

    def ask(self, _camera_id: str, _query: Query, reply: ReplyHandler) -> None:
        """Be the link that asks an edge, which never answers."""
        self._replies.append(reply)

    def offer(
        self,
        payload: bytes | None,
        kind: str,
        *,
        key: str = KEY,
        attachment: bytes | None = b"",
        packed: bytes | None = None,
        announced: bool = True,
    ) -> bool:
        """Put something; return whether it was handed on with its picture.

        payload: what it is once it is unpacked, None if it does not unpack. attachment: b"" is the right one of a plain
        Ω. packed: what is sent, if not the payload. announced: whether key and attachment are those of an Ω.
        """
        self.n += 1
        sent = (payload or b"") if packed is None else packed
        raw: Raw | None = None
        rgba: raw_png.Pixels | None = None
        if announced and payload is not None:
            try:
                raw, rgba = judge(payload, self.situation)
            except Broken:
                raw = None
        self.tally.malformed += raw is None
        self.tally.valid += raw is not None
        reason = self._put(key, plain_header(self.n) if attachment == b"" else attachment, sent, kind)
        visible = [omega for omega in self._handed if omega.environment.png]
        if raw is None:
            self.tally.reasons[reason or "passed"] += 1
            if visible or not reason:
                self.tally.passed += 1
                self.tally.fail(f"{kind}: passed", sent)
        elif reason not in ("", "no_picture") or (visible and not _same(visible, raw, rgba)):
            self.tally.other += 1
            self.tally.fail(f"{kind}: valid, and {reason or 'changed'}", sent)
        if payload is not None and reason in ("", "no_picture", "duplicate"):
            self._keep(payload)
        if raw is not None and rgba is not None and visible:
            self.situation.pictures[bytes_of(raw, "environment.sha256")] = rgba
        for omega in self._handed:
            if omega.privacy.replay:
                continue
            self.situation.last = (omega.key.frame_id, omega.key.stamp_ns)
        self._handed.clear()
        return bool(visible)

    def _keep(self, payload: bytes) -> None:
        if bytes_of(read(payload), "environment.png.data") == b"":
            self.kept[self.n] = payload
            while len(self.kept) > MAX_REFERENCES:
                self.kept.popitem(last=False)

    def _put(self, key: str, attachment: bytes | None, sent: bytes, kind: str) -> str:
        """Do as `CloudLink` does; return why nothing came of it, or not all; "": it was handed on with its picture."""
        before = self.cameras.diagnostics(CAMERA)
        try:
            camera_id = camera_of(key)
            if camera_id not in self.cameras.camera_ids:
                return "other_camera"
            if len(sent) > cdr.MAX_OMEGA_BYTES:
                raise Rejected(Reason.TOO_LARGE, "payload")
            self.cameras.put(camera_id, header_of(attachment), sent)
        except Rejected as rejection:
            return rejection.reason.value
        except Exception as error:
            self.tally.crashes += 1
            self.tally.fail(f"{kind}: {type(error).__name__}: {error}", sent)
            return "crash"
        if not self._handed:
            self._clock.now += 2.0
            self.cameras.tick()
            for reply in self._replies:
                reply.end()
            self._replies.clear()
        after = self.cameras.diagnostics(CAMERA)
        lost = [name for name, count in after.items() if name.startswith("lost_") and count > before.get(name, 0)]
        if lost:
            return lost[0].removeprefix("lost_")
        return "" if self._handed else "nothing_new"

    def begin_recording(self, camera_id: str, stamp_ns: int) -> None:
        """Nothing is recorded here."""

    def publish_recording(self, _camera_id: str, omegas: Sequence[Omega]) -> None:
        """Take the next Ω of the recording."""
        self._handed += omegas

    def publish_live(self, _camera_id: str, omegas: Sequence[Omega]) -> None:
        """Take the next Ω of the live stream."""
        self._handed += omegas


def _any_omega() -> Omega:
    """Return some Ω with an embedding of the encoder."""
    key = SyncKey(CAMERA, 1, 1)
    environment = Environment(key, b"", bytes(32), 1, 1, 0.0, 1)
    return Omega(key, environment, [], ENCODER, PrivacyReport(0.0, 1.0, 0.0, Verdict.PASS))


def _known(judged: tuple[Raw, raw_png.Pixels | None]) -> tuple[Raw, raw_png.Pixels]:
    raw, rgba = judged
    if rgba is None:
        raise Broken("unknown picture")
    return raw, rgba


def _same(handed: list[Omega], raw: Raw, rgba: raw_png.Pixels | None) -> bool:
    """Say whether one Ω was handed on, exactly as it came, with the picture of its digest."""
    plain = raw | {"environment.png.data": (0, b""), "environment.base": bytes(32)}
    omega = handed[0]
    visible = raw_png.read(omega.environment.png)
    alone = cdr.encode(Omega(omega.key, omega.environment.without_png(), omega.poses, omega.embedding, omega.privacy))
    return len(handed) == 1 and alone == write(plain) and rgba is not None and visible.tobytes() == rgba.tobytes()
