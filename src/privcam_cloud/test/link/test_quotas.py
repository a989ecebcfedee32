"""A camera that exceeds a quota loses its own samples or pictures, counted; its Ω without pictures go on."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from privcam_cloud.link.camera import Camera
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Environment, InvalidOmega, Omega, PrivacyReport, SyncKey, Verdict
from privcam_link import cdr
from privcam_link.receiving.quotas import BYTES_BURST_S, MIB, RATE_BURST_S, Limits, PictureSizes, TokenBucket, Traffic
from privcam_link.validation import Reason, Rejected
from privcam_link.wire import Header

START = 10**18
LARGE = cdr.MAX_BARE_BYTES + 1


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def picture(level: int, height: int = 8, width: int = 8) -> Environment:
    png = encode_environment(np.full((height, width, 3), level, np.uint8), np.ones((height, width), np.bool_))
    return environment_of(SyncKey("room1", 1, 1), png, 1)


def admitted(traffic: Traffic, size: int, count: int) -> int:
    """Return how many of these puts are admitted."""
    good = 0
    for _ in range(count):
        try:
            traffic.admit(size)
        except Rejected as rejection:
            assert rejection.reason == Reason.RATE
        else:
            good += 1
    return good


def test_bucket_gives_a_burst_and_then_the_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(5.0, 10.0, clock)
    for seconds, expected in ((0.0, 10), (1.0, 5), (100.0, 10)):
        clock.now += seconds
        got = 0
        while bucket.has_any:
            bucket.charge(1.0)
            got += 1
        assert got == expected


def test_bucket_that_owes_gives_nothing_until_it_is_paid() -> None:
    clock = Clock()
    bucket = TokenBucket(1.0, 1.0, clock)
    bucket.charge(11.0)
    clock.now += 9.5
    assert not bucket.has_any
    clock.now += 1.0
    assert bucket.has_any


def test_puts_beyond_the_rate_are_refused() -> None:
    clock = Clock()
    traffic = Traffic(Limits(max_rate_hz=50.0), clock)
    assert admitted(traffic, 500, 1000) == 50 * RATE_BURST_S
    clock.now += 1.0
    assert admitted(traffic, 500, 1000) == 50


@pytest.mark.parametrize("limits", [Limits(bytes_per_s=MIB / 8), Limits(bytes_per_hour=1.0 * MIB)])
def test_bytes_beyond_the_quota_cost_pictures_and_the_backlog_but_no_omega(limits: Limits) -> None:
    clock = Clock()
    traffic = Traffic(replace(limits, max_rate_hz=1e6), clock)
    assert BYTES_BURST_S * limits.bytes_per_s >= MIB
    allowed = admitted(traffic, LARGE, 1000)
    assert MIB / LARGE <= allowed <= MIB / LARGE + 1
    assert not traffic.may_fetch
    assert admitted(traffic, 500, 1000) == 1000
    clock.now += 3600.0
    assert traffic.may_fetch
    assert admitted(traffic, LARGE, 1) == 1


def test_picture_has_the_size_of_the_first_good_one_until_the_camera_may_change_it() -> None:
    clock = Clock()
    sizes = PictureSizes(Limits(size_change_s=60.0), clock)
    first, other = picture(1), picture(1, 16, 8)
    sizes.require(other)  # nothing was good so far
    sizes.pin(8, 8)
    sizes.require(first)
    with pytest.raises(InvalidOmega, match=r"environment\.size: 8x16 px"):
        sizes.require(other)
    clock.now += 60.0
    sizes.require(other)
    sizes.pin(16, 8)
    assert sizes.changes == 1
    with pytest.raises(InvalidOmega):
        sizes.require(first)


def test_picture_over_the_limit_or_with_another_size_than_it_says_is_refused_by_its_header() -> None:
    sizes = PictureSizes(Limits(max_pixels=100), Clock())
    sizes.require(picture(1, 10, 10))
    with pytest.raises(InvalidOmega, match="over 100 px"):
        sizes.require(picture(1, 10, 11))
    lie = replace(picture(1, 64, 64), height=8, width=8)
    with pytest.raises(InvalidOmega, match="its header says"):
        sizes.require(lie)
    sizes.require(replace(picture(1), png=picture(1).png[:24]))  # nothing behind the header was read


class Sink:
    """Keeps the live Ω of a camera."""

    def __init__(self) -> None:
        self.live: list[Omega] = []

    def publish_live(self, _camera_id: str, omegas: Sequence[Omega]) -> None:
        self.live += omegas

    def publish_recording(self, camera_id: str, omegas: Sequence[Omega]) -> None:
        pass

    def begin_recording(self, camera_id: str, stamp_ns: int) -> None:
        pass


class Bench:
    """A camera with these limits."""

    def __init__(self, limits: Limits) -> None:
        self.clock, self.sink = Clock(), Sink()
        self.camera = Camera("room1", "cloud", recording=False, sink=self.sink, limits=limits, clock=self.clock)
        self.n = 0

    def put(self, environment: Environment) -> Reason | None:
        """Put the next Ω; return why something of it was refused."""
        self.n += 1
        key = SyncKey("room1", self.n, START + self.n)
        z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
        report = PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS)
        payload = cdr.encode(Omega(key, replace(environment, key=key), [], z, report))
        try:
            self.camera.admit(len(payload))
            self.camera.put(Header(self.n, 0, f"{1:016x}", self.n, 0), payload)
        except Rejected as rejection:
            return rejection.reason
        return None

    def frames(self) -> list[tuple[int, bytes]]:
        self.clock.now += 1.1  # whatever waits for a picture goes on without
        self.camera.tick()
        return [(omega.key.frame_id, omega.environment.png) for omega in self.sink.live]


def test_omega_of_a_camera_whose_pictures_cost_too_much_go_on_without_them() -> None:
    bench = Bench(Limits(picture_processor=1e-9))
    large = picture(1, 1200, 1200)
    levels = 0
    while bench.put(picture(levels, 1200, 1200)) is None:
        levels += 1  # up to 249, which takes many times the processor time that is allowed
        assert levels < 250
    assert levels > 1
    taken = bench.n - 1
    assert bench.put(picture(251, 1200, 1200)) == Reason.RATE
    assert bench.put(large) in (None, Reason.RATE)
    bench.put(picture(250, 1200, 1200).without_png())
    frames = bench.frames()
    assert [frame for frame, _ in frames] == list(range(1, bench.n + 1))
    assert all(png for _, png in frames[:taken])
    counts = bench.camera.diagnostics()
    assert counts["refused_picture_rate"] >= 2
    assert counts["lost_no_picture"] >= 2


def test_camera_whose_omega_cost_too_much_is_refused_until_time_has_passed() -> None:
    bench = Bench(Limits(processor=0.01, max_rate_hz=1e9))
    environment = picture(1)
    while bench.put(environment) is None:
        environment = environment.without_png()
        assert bench.n < 20_000
    assert bench.put(environment) == Reason.RATE
    bench.clock.now += 3600.0
    assert bench.put(environment) is None


def test_omega_that_states_a_size_over_the_limit_is_refused_with_and_without_a_picture() -> None:
    bench = Bench(Limits(max_pixels=64))
    assert bench.put(picture(1)) is None
    assert bench.put(picture(1, 9, 8)) == Reason.PICTURE
    assert bench.put(picture(1, 9, 8).without_png()) == Reason.PICTURE
    assert bench.put(picture(1).without_png()) is None
    assert [frame for frame, _ in bench.frames()] == [1, 4]


def test_camera_that_changes_its_picture_size_gets_its_pictures_back() -> None:
    bench = Bench(Limits(size_change_s=60.0))
    assert bench.put(picture(1)) is None
    assert bench.put(picture(2, 16, 16)) == Reason.PICTURE
    bench.clock.now += 60.0
    assert bench.put(picture(3, 16, 16)) is None
    assert bench.frames() == [(1, picture(1).png), (2, b""), (3, picture(3, 16, 16).png)]
    assert bench.camera.diagnostics()["picture_sizes_changed"] == 1


def test_pictures_that_are_kept_are_bounded_in_number_and_pixels() -> None:
    for limits in (Limits(kept_pictures=3), Limits(kept_pixels=3 * 64), Limits(kept_bytes=3 * len(picture(1).png))):
        bench = Bench(limits)
        for level in range(10):
            assert bench.put(picture(level)) is None
        assert bench.camera.diagnostics()["pictures"] == 3
