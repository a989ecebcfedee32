"""Fuzzes the gate and the cloud with seeded random Ω. The same seed makes the same Ω."""

import resource
import time
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import numpy as np

from fuzzing import raw_png
from fuzzing.covert_channels import Film, hide_data, offer_film
from fuzzing.field_mutations import FIELDS, other_time
from fuzzing.header_mutations import bad_header, bad_key_expression, bad_packed, bad_patch, unpack
from fuzzing.link_ends import CAMERA, ENCODER, RATE_HZ, CloudEnd, GateEnd, Tally
from fuzzing.omega_layout import KEYS, Raw, bytes_of, number, read, value_of, write
from fuzzing.oracle import digest_of, expected_output, judge
from fuzzing.origin_attacks import ATTACKS, Attacker, Published
from fuzzing.picture_mutations import PICTURES, insert_mutated_picture
from privcam_core.types.omega import (
    RATE_STEPS_HZ,
    Environment,
    HeadOrientation,
    Omega,
    PrivacyReport,
    SubjectPose,
    SyncKey,
    Verdict,
)
from privcam_core.types.seals import Seals
from privcam_core.types.sight import Sight
from privcam_edge.link.budgets import Budgets
from privcam_link import cdr

_START_NS = 1_700_000_000 * 10**9
_SIZES = ((1, 1), (24, 32), (40, 53))
# The film that is offered at the end of a run.
FILM_SIZE, FILM_SECONDS, FILM_RATE_HZ = (48, 64), 120.0, 2.0
# People in an Ω, and how often.
_PEOPLE = {0: 3, 1: 5, 2: 5, 3: 5, 7: 3, 64: 0.3}
# Every so many cases a good Ω checks that both ends still accept one.
_GOOD_EVERY = 25
# Fraction of the cases that attack the cloud alone: keys, headers, packed payloads, patches.
_CLOUD_FRACTION = 0.3
# Fraction of the cases up to and with mutated pictures, above the cloud's own.
_PICTURE_FRACTION = 0.35
# Fraction of the cases that offer more Ω than the gate's rate allows, and of those that repeat an Ω.
_FLOOD_FRACTION = 0.02
# Fraction of the cases with a payload above the largest size.
_HUGE_FRACTION = 0.0005
# Fraction of the cases with valid Ω that were not sealed so, and of these, how often the true Ω follows.
_ORIGIN_FRACTION = 0.15
_TRUE_FRACTION = 0.2


@dataclass
class Result:
    """Counts of one run of the fuzzer.

    good: valid Ω that both ends accepted. origin_attacks: valid Ω that eraser and embedder did not seal so; true_ones:
    how often the true Ω was offered after them. covert: valid Ω with data hidden in them; cleaned: of these, how many
    left the gate without the data. film: what left of one. kinds: mutation to number of Ω. grown_mib: growth of the
    peak memory between a tenth of the run and its end. seconds: duration of the run.
    """

    gate: Tally
    cloud: Tally
    good: int = 0
    origin_attacks: int = 0
    true_ones: int = 0
    covert: int = 0
    cleaned: int = 0
    film: Film | None = None
    grown_mib: float = 0.0
    seconds: float = 0.0
    kinds: dict[str, int] = field(default_factory=dict)

    @property
    def failures(self) -> list[tuple[str, bytes]]:
        """Every broken expectation, with the payload that broke it."""
        return self.gate.failures + self.cloud.failures


@dataclass(frozen=True, eq=False)
class _Original:
    """A valid Ω with its picture, (H, W, 4) RGBA."""

    raw: Raw
    rgba: raw_png.Pixels


class Fuzzer:
    """Offers malformed Ω to one gate and one cloud, which keep their state over the whole run."""

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)
        self._index = 0
        self._originals = [_original(self._random, people, size) for people in _PEOPLE for size in _SIZES]
        self._weights = [weight for weight in _PEOPLE.values() for _ in _SIZES]
        self._reference = (0, b"")
        self.good = self.good_bare = b""  # the last valid Ω, with its picture and by digest
        self._accepted: deque[tuple[bytes, Seals]] = deque(maxlen=8)  # what left, with its seals
        self.gate, self.cloud = GateEnd(_START_NS), CloudEnd(_START_NS)
        self.result = Result(self.gate.tally, self.cloud.tally)
        for original in self._originals:
            self._good(original)

    def run(self, count: int) -> Result:
        """Run until the gate was offered `count` malformed Ω, and the cloud about as many. Return all counts so far."""
        started, tenth = time.monotonic(), 0.0
        # The largest Ω first: the memory that one takes is no growth.
        self._both(_huge(4096), "huge")
        while self.gate.tally.malformed < count:
            self._one()
            if self._index % _GOOD_EVERY == 0:
                self._good(self._pick())
            if not tenth and self.gate.tally.malformed * 10 >= count:
                tenth = _peak_mib()
        self.result.grown_mib = _peak_mib() - tenth
        self.result.film = film = offer_film(Budgets(), FILM_SIZE, FILM_SECONDS, FILM_RATE_HZ)
        if not 1 <= film.left <= film.allowed:
            self.gate.tally.fail(f"film: {film.left} of {film.offered} pictures left, allowed {film.allowed}", b"")
        self.result.seconds = time.monotonic() - started
        return self.result

    def _one(self) -> None:
        random = self._random
        original = self._pick()
        raw, dice = self._next(original), random.random()
        if dice < _CLOUD_FRACTION:
            self._against_cloud(raw, original)
        elif dice < _CLOUD_FRACTION + _FLOOD_FRACTION:
            self._count("flood")
            self.gate.flood(write(raw))
            self._offer_covert(self._next(original), original)
        elif dice < _CLOUD_FRACTION + _FLOOD_FRACTION + _HUGE_FRACTION:
            self._both(_huge(random.choice((1, 4096))), "huge")
        elif dice < _CLOUD_FRACTION + 2 * _FLOOD_FRACTION:
            payload, seals = random.choice(self._accepted)
            self._count("replayed")
            self.gate.attack(payload, seals, "replayed")
            self.cloud.offer(payload, "replayed")
        elif dice < _CLOUD_FRACTION + 2 * _FLOOD_FRACTION + _ORIGIN_FRACTION:
            self._attack_origin(write(raw))
        elif dice < _CLOUD_FRACTION + _ORIGIN_FRACTION + _PICTURE_FRACTION:
            changes, weights = zip(*PICTURES, strict=True)
            change = random.choices(changes, weights)[0]
            self._both(insert_mutated_picture(random, change, raw, original.rgba), change.__name__)
        else:
            mutations, weights = zip(*FIELDS, strict=True)
            mutation = random.choices(mutations, weights)[0]
            true = write(raw)
            self._both(mutation(random, raw), mutation.__name__, true if mutation is other_time else None)

    def _pick(self) -> _Original:
        return self._random.choices(self._originals, self._weights)[0]

    def _both(self, payload: bytes, kind: str, true: bytes | None = None) -> None:
        """Offer an Ω to both ends, sealed as it is, or with the seals of the true one."""
        self._count(kind)
        if true is None:
            self.gate.offer(payload, kind)
        else:
            self.gate.attack(payload, self.gate.seal(true), kind)
        self.cloud.offer(payload, kind)

    def _attack_origin(self, payload: bytes) -> None:
        """Offer the gate an Ω that was not sealed so, then now and then the true one, which still has to pass."""
        seals = self.gate.seal(payload)
        assert seals is not None
        recorded = Published(*self._random.choice(self._accepted))
        newest = Published(payload, seals)
        attack = self._random.choice(ATTACKS)
        self._count(attack.__name__)
        attacker = Attacker(self._random, newest, recorded, self.gate.keys, self.gate.clock)
        self.gate.attack(*attack(attacker), attack.__name__)
        self.result.origin_attacks += 1
        if self._random.random() < _TRUE_FRACTION:
            self.result.true_ones += 1
            if not self.gate.offer(payload, "true", seals):
                self.gate.tally.fail(f"{attack.__name__}: stopped the true Ω", payload)

    def _against_cloud(self, raw: Raw, original: _Original) -> None:
        random, n = self._random, self.cloud.n + 1
        number_, reference = self._reference
        kind = random.choice(("key", "header", "packed", "reference", "patch", "patch"))
        self._count(kind)
        if kind == "key":
            self.cloud.offer(write(raw), kind, key=bad_key_expression(random), announced=False)
        elif kind == "header":
            self.cloud.offer(write(raw), kind, attachment=bad_header(random, n), announced=False)
        elif kind == "packed":
            packed = bad_packed(random, write(_by_digest(raw)), reference)
            header = b"n=%d;ref=%d" % (n, number_)
            self.cloud.offer(unpack(packed, reference), kind, attachment=header, packed=packed)
        elif kind == "reference":
            other = random.choice((n - 1, max(number_ - 1, 1), max(n - 5000, 1)))
            packed, held = bad_packed(random, write(_by_digest(raw)), random.randbytes(900)), self.cloud.kept.get(other)
            header = b"n=%d;ref=%d" % (n, other)
            self.cloud.offer(unpack(packed, held) if held else None, kind, attachment=header, packed=packed)
        else:
            payload = bad_patch(random, raw, original.rgba, bytes_of(original.raw, "environment.sha256"))
            self.cloud.offer(payload, kind)

    def _offer_covert(self, raw: Raw, original: _Original) -> None:
        """Offer the gate a valid Ω with hidden data, which the gate has to remove."""
        situation = self.gate.situation
        clean = expected_output(raw, original.rgba, situation)
        dirty = hide_data(self._random, read(clean))
        removed = expected_output(*judge(dirty, situation), situation) == clean  # type: ignore[arg-type]
        self.result.covert += 1
        # A node between eraser and gate has no key: what it hides is not sealed.
        self.gate.attack(dirty, self.gate.seal(clean), "hidden")
        self.result.cleaned += removed and self.gate.offer(dirty, "covert")

    def _good(self, original: _Original) -> None:
        """Offer a valid Ω, with its picture and by digest; both ends have to take both."""
        self.good, self.good_bare = write(self._next(original)), write(_by_digest(self._next(original)))
        for payload in (self.good, self.good_bare):
            seals = self.gate.seal(payload)
            assert seals is not None
            taken = self.gate.offer(payload, "good", seals), self.cloud.offer(payload, "good")
            # A recording may be played again, and says so; what was live comes once.
            if not value_of(read(payload), "privacy.replay"):
                self._accepted.append((payload, seals))
            self.result.good += all(taken)
            if not all(taken):
                self.gate.tally.fail(f"good: gate and cloud took it: {taken}", payload)
        self._reference = self.cloud.n, self.good_bare

    def _next(self, original: _Original) -> Raw:
        """Return an original with the next κ, and let time pass."""
        self._index += 1
        stamp_ns = _START_NS + round(self._index * 1e9 / RATE_HZ)
        self.gate.clock.advance(1 / RATE_HZ)
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
    confirmed = float(np.float32((rgba[..., 3] == 255).mean()))
    data = raw_png.join(raw_png.chunks_of(rgba))
    numbers_ = random.sample(range(1, 65), people)
    poses = [_pose(random, subject, layer, max(size)) for layer, subject in enumerate(numbers_)]
    omega = Omega(
        key,
        Environment(key, data, digest_of(rgba), *size, confirmed, 1),
        poses,
        replace(ENCODER, data=random.randbytes(len(ENCODER.data))),
        PrivacyReport(
            random.random(),
            0.5,
            0.0,
            Verdict.PASS,
            epsilon=random.choice((-1.0, 12.5)),
            delta=1e-5,
            sight=random.choice(tuple(Sight)),
            replay=random.random() < 0.5,
            detector_hz=random.choice(RATE_STEPS_HZ),
            pose_hz=random.choice(RATE_STEPS_HZ),
            unseen_people=random.randint(0, 15),
        ),
    )
    return _Original(read(cdr.encode(omega)), rgba)


def _pose(random: Random, subject: int, layer: int, side: int) -> SubjectPose:
    """Return a pose around a picture. side: the longer one of the picture, px."""
    places = [(random.uniform(-side, 2 * side), random.uniform(-side, 2 * side)) for _ in range(17)]
    points = np.array([(*place, random.random()) for place in places], np.float32)
    x, y = random.uniform(-side, side), random.uniform(-side, side)
    head = HeadOrientation(random.uniform(-3, 3), random.uniform(-1.5, 1.5), 0.0) if random.random() < 0.5 else None
    # More than a pixel, which is what is left of a box.
    width, height = 1.1 + random.uniform(0.2, 1) * side, 1.1 + random.uniform(0.2, 3) * side
    return SubjectPose(subject, (x, y, x + width, y + height), points, head, layer)


def _huge(excess: int) -> bytes:
    """Return an Ω that is `excess` bytes too long, all of it in memory: `bytes(n)` would only reserve it."""
    return b"\x00" * (cdr.MAX_OMEGA_BYTES + excess)


def _peak_mib() -> float:
    """Return the largest memory that this process ever used, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def save(failures: list[tuple[str, bytes]], folder: Path) -> None:
    """Write the payload and the description of every failure into `folder`."""
    for number_, (what, payload) in enumerate(failures):
        (folder / f"failure{number_:02}.bin").write_bytes(payload)
        (folder / f"failure{number_:02}.txt").write_text(what + "\n", encoding="utf-8")
