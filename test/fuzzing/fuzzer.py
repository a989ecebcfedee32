"""The assault on both ends of the link: seeded, so that what was found once is found again."""

import resource
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np

from fuzzing import raw_png
from fuzzing.covert_channels import smuggled
from fuzzing.field_mutations import FIELDS
from fuzzing.header_mutations import bad_key_expression, bad_label, bad_packed, bad_patch, unpacked
from fuzzing.link_ends import CAMERA, RATE_HZ, CloudEnd, GateEnd, Tally
from fuzzing.omega_layout import KEYS, Raw, bytes_of, number, read, write
from fuzzing.oracle import digest_of, judge, made_of
from fuzzing.picture_mutations import PICTURES, spoiled
from privcam_core.types.omega import (
    Embedding,
    Environment,
    HeadOrientation,
    Omega,
    PrivacyReport,
    SubjectPose,
    SyncKey,
    Verdict,
)
from privcam_link import cdr

_START_NS = 1_700_000_000 * 10**9
_SIZES = ((1, 1), (24, 32), (40, 53))
# People in an Ω, and how often.
_PEOPLE = {0: 3, 1: 5, 2: 5, 3: 5, 7: 3, 64: 0.3}
# Every so many cases a good Ω shows that the ends still live; memory is looked at as often.
_GOOD_EVERY = 25
_CLOUD_SHARE, _PICTURE_SHARE, _FLOOD_SHARE, _HUGE_SHARE = 0.3, 0.35, 0.02, 0.0005


@dataclass
class Result:
    """What came of an assault.

    good: valid Ω that both ends took. smuggled: valid Ω with something hidden in them; cleaned: of these, how many left
    the gate as if it had never been there. kinds: how many were made in which way. grown_mib: of the largest memory
    ever used, between a tenth of the run and its end.
    """

    gate: Tally
    cloud: Tally
    good: int = 0
    smuggled: int = 0
    cleaned: int = 0
    grown_mib: float = 0.0
    seconds: float = 0.0
    kinds: dict[str, int] = field(default_factory=dict)

    @property
    def failures(self) -> list[tuple[str, bytes]]:
        """What must not happen."""
        return self.gate.failures + self.cloud.failures


@dataclass(frozen=True, eq=False)
class _Original:
    """A valid Ω with its picture, (H, W, 4) RGBA."""

    raw: Raw
    rgba: raw_png.Pixels


class Assault:
    """Offers hostile Ω to a gate and to a cloud that live as long as this does."""

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)
        self._index = 0
        self._originals = [_original(self._random, people, size) for people in _PEOPLE for size in _SIZES]
        self._weights = [weight for weight in _PEOPLE.values() for _ in _SIZES]
        self._reference = (0, b"")
        self.good = self.good_bare = b""  # the last valid Ω, with its picture and by digest
        self.gate, self.cloud = GateEnd(_START_NS), CloudEnd(_START_NS)
        self.result = Result(self.gate.tally, self.cloud.tally)
        for original in self._originals:
            self._good(original)

    def run(self, count: int) -> Result:
        """Go on until the gate was offered `count` hostile Ω, and the cloud about as many."""
        started, tenth = time.monotonic(), 0.0
        while self.gate.tally.hostile < count:
            self._one()
            if self._index % _GOOD_EVERY == 0:
                self._good(self._pick())
            if not tenth and self.gate.tally.hostile * 10 >= count:
                tenth = _peak_mib()
        self.result.grown_mib = _peak_mib() - tenth
        self.result.seconds = time.monotonic() - started
        return self.result

    def _one(self) -> None:
        random = self._random
        original = self._pick()
        raw, dice = self._next(original), random.random()
        if dice < _CLOUD_SHARE:
            self._against_cloud(raw, original)
        elif dice < _CLOUD_SHARE + _FLOOD_SHARE:
            self._count("flood")
            self.gate.flood(write(raw))
            self._smuggle(self._next(original), original)
        elif dice < _CLOUD_SHARE + _FLOOD_SHARE + _HUGE_SHARE:
            self._both(bytes(cdr.MAX_OMEGA_BYTES + random.choice((1, 4096))), "huge")
        elif dice < _CLOUD_SHARE + 2 * _FLOOD_SHARE:
            self._both(random.choice((self.good, self.good_bare)), "replayed")
        elif dice < _CLOUD_SHARE + _PICTURE_SHARE:
            changes, weights = zip(*PICTURES, strict=True)
            change = random.choices(changes, weights)[0]
            self._both(spoiled(random, change, raw, original.rgba), change.__name__)
        else:
            mutations, weights = zip(*FIELDS, strict=True)
            mutation = random.choices(mutations, weights)[0]
            self._both(mutation(random, raw), mutation.__name__)

    def _pick(self) -> _Original:
        return self._random.choices(self._originals, self._weights)[0]

    def _both(self, payload: bytes, kind: str) -> None:
        self._count(kind)
        self.gate.offer(payload, kind)
        self.cloud.offer(payload, kind)

    def _against_cloud(self, raw: Raw, original: _Original) -> None:
        random, n = self._random, self.cloud.n + 1
        number_, reference = self._reference
        kind = random.choice(("key", "label", "packed", "reference", "patch", "patch"))
        self._count(kind)
        if kind == "key":
            self.cloud.offer(write(raw), kind, key=bad_key_expression(random), announced=False)
        elif kind == "label":
            self.cloud.offer(write(raw), kind, attachment=bad_label(random, n), announced=False)
        elif kind == "packed":
            packed = bad_packed(random, write(_by_digest(raw)), reference)
            label = b"n=%d;ref=%d" % (n, number_)
            self.cloud.offer(unpacked(packed, reference), kind, attachment=label, packed=packed)
        elif kind == "reference":
            other = random.choice((n - 1, max(number_ - 1, 1), max(n - 5000, 1)))
            packed, held = bad_packed(random, write(_by_digest(raw)), random.randbytes(900)), self.cloud.kept.get(other)
            label = b"n=%d;ref=%d" % (n, other)
            self.cloud.offer(unpacked(packed, held) if held else None, kind, attachment=label, packed=packed)
        else:
            payload = bad_patch(random, raw, original.rgba, bytes_of(original.raw, "environment.sha256"))
            self.cloud.offer(payload, kind)

    def _smuggle(self, raw: Raw, original: _Original) -> None:
        """Offer the gate what it has to clean."""
        situation = self.gate.situation
        clean = made_of(raw, original.rgba, situation)
        dirty = smuggled(self._random, read(clean))
        taken_out = made_of(*judge(dirty, situation), situation) == clean  # type: ignore[arg-type]
        self.result.smuggled += 1
        self.result.cleaned += taken_out and self.gate.offer(dirty, "smuggled")

    def _good(self, original: _Original) -> None:
        """Offer a valid Ω, with its picture and by digest; both ends have to take both."""
        self.good, self.good_bare = write(self._next(original)), write(_by_digest(self._next(original)))
        for payload in (self.good, self.good_bare):
            taken = self.gate.offer(payload, "good"), self.cloud.offer(payload, "good")
            self.result.good += all(taken)
            if not all(taken):
                self.gate.tally.fail(f"good: gate and cloud took it: {taken}", payload)
        self._reference = self.cloud.n, self.good_bare

    def _next(self, original: _Original) -> Raw:
        """Return an original with the next κ, and let time pass."""
        self._index += 1
        stamp_ns = _START_NS + round(self._index * 1e9 / RATE_HZ)
        self.gate.clock.now += 1 / RATE_HZ
        self.gate.situation.now_ns = self.cloud.situation.now_ns = stamp_ns
        raw = dict(original.raw)
        for name in KEYS:
            raw[f"{name}.frame_id"] = number("Q", self._index)
            raw[f"{name}.seconds"] = number("i", stamp_ns // 10**9)
            raw[f"{name}.nanoseconds"] = number("I", stamp_ns % 10**9)
        return raw

    def _count(self, kind: str) -> None:
        self.result.kinds[kind] = self.result.kinds.get(kind, 0) + 1


def _by_digest(raw: Raw) -> Raw:
    return raw | {"environment.png.data": (0, b"")}


def _original(random: Random, people: int, size: tuple[int, int]) -> _Original:
    """Return a valid Ω as our own writer makes it. size: (H, W) px; one size has one picture."""
    numbers = np.random.default_rng(size[0])
    rgba = numbers.integers(0, 256, (*size, 4), np.uint8)
    rgba[..., 3] = 255
    rgba[numbers.random(size) < 0.2 if size[0] > 1 else np.zeros(size, bool)] = (128, 128, 128, 0)
    key = SyncKey(CAMERA, 1, _START_NS)
    share = float(np.float32((rgba[..., 3] == 255).mean()))
    data = raw_png.join(raw_png.chunks_of(rgba))
    poses = [_pose(random, subject, layer) for layer, subject in enumerate(random.sample(range(1, 999), people))]
    shape = random.choice(((128,), (4, 4, 8), (3,)))
    values = random.randbytes(int(np.prod(shape)))
    omega = Omega(
        key,
        Environment(key, data, digest_of(rgba), *size, share, 1),
        poses,
        Embedding(f"encoder-{len(shape)}.{shape[0]}", shape, 0.5, values, 0.25, 1.0),
        PrivacyReport(random.random(), 0.5, 0.0, Verdict.PASS, epsilon=random.choice((-1.0, 12.5)), delta=1e-5),
    )
    return _Original(read(cdr.encode(omega)), rgba)


def _pose(random: Random, subject: int, layer: int) -> SubjectPose:
    points = np.array(
        [[random.uniform(-50, 700), random.uniform(-50, 700), random.random()] for _ in range(17)], np.float32
    )
    x, y = random.uniform(-50, 600), random.uniform(-50, 600)
    head = HeadOrientation(random.uniform(-3, 3), random.uniform(-1.5, 1.5), 0.0) if random.random() < 0.5 else None
    return SubjectPose(subject, (x, y, x + random.uniform(1, 90), y + random.uniform(1, 200)), points, head, layer)


def _peak_mib() -> float:
    """Return the largest memory that this process ever used, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def save(failures: list[tuple[str, bytes]], folder: Path) -> None:
    """Keep what must not happen, to look at it."""
    for number_, (what, payload) in enumerate(failures):
        (folder / f"failure{number_:02}.bin").write_bytes(payload)
        (folder / f"failure{number_:02}.txt").write_text(what + "\n", encoding="utf-8")
