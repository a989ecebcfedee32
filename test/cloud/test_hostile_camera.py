"""A camera that attacks its cloud costs the other camera no Ω and no picture, over a real link."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import zenoh

from privcam_bringup.graph import free_endpoint
from privcam_cloud.link.cameras import Cameras
from privcam_cloud.link.session import CloudLink
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Environment, Omega, PrivacyReport, SyncKey, Verdict
from privcam_evaluation.bench.hostile_camera import ATTACKS
from privcam_link import cdr
from privcam_link.endpoints import connect_settings
from privcam_link.session_settings import cloud_end
from privcam_link.validation import Reason
from privcam_link.wire import Header, key_expression

# Against a test that hangs.
HANG_LIMIT_S = 100.0
RATE_HZ = 30.0
HONEST, HOSTILE = "room1", "evil"
START = 10**18
QUEUE = f"{1:016x}"
PICTURES = 20
# Samples of the attacker that have to arrive before an attack counts as one.
ATTACKS_SEEN = 5
# Attacks of which every sample is refused, however slow the attacker is. The others exceed a quota only by their speed.
REFUSED = {"huge_pictures", "large_pictures", "png_bombs"}


class Cloud:
    """Cameras and link as the cloud's bridge puts them together, with the threads of the product."""

    def __init__(self, endpoint: str) -> None:
        self.live: list[tuple[int, bytes]] = []
        self.changed = threading.Condition()
        self.cameras = Cameras([HONEST, HOSTILE], "cloud", recording=False, sink=self)
        self.link = CloudLink(cloud_end(endpoint)[0], self.cameras)
        self.cameras.connect(self.link)
        self.cameras.start()

    def publish_live(self, camera_id: str, omegas: Sequence[Omega]) -> None:
        if camera_id == HONEST:
            with self.changed:
                self.live += [(omega.key.frame_id, omega.environment.png) for omega in omegas]
                self.changed.notify_all()

    def publish_recording(self, camera_id: str, omegas: Sequence[Omega]) -> None:
        pass

    def begin_recording(self, camera_id: str, stamp_ns: int) -> None:
        pass

    def until(self, frame: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: bool(self.live) and self.live[-1][0] >= frame, HANG_LIMIT_S), frame

    @property
    def taken(self) -> int:
        """Number of Ω of the attacker that were accepted."""
        counts = self.cameras.diagnostics(HOSTILE)
        return counts.get("live", 0) + counts["waiting_for_picture"]

    def close(self) -> None:
        self.link.close()
        self.cameras.close()


class HonestCamera:
    """Puts one Ω after the other at the rate of a camera, each when the one before it was handed on."""

    def __init__(self, endpoint: str, cloud: Cloud) -> None:
        self._cloud = cloud
        self.sent: list[Environment] = []
        config = zenoh.Config()
        for name, value in {**connect_settings([endpoint]), "mode": '"client"'}.items():
            config.insert_json5(name, value)
        self._session = zenoh.open(config)

    def put(self, environment: Environment) -> None:
        self.sent.append(environment)
        frame = len(self.sent)
        key = SyncKey(HONEST, frame, START + frame)
        z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
        omega = Omega(key, replace(environment, key=key), [], z, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS))
        self._session.put(
            key_expression(HONEST),
            cdr.encode(omega),
            attachment=Header(frame, 0, QUEUE, frame, 0).encode(),
            congestion_control=zenoh.CongestionControl.BLOCK,
        )
        self._cloud.until(frame)
        time.sleep(1.0 / RATE_HZ)  # is what a camera does, and no wait for something

    def close(self) -> None:
        self._session.close()  # type: ignore[no-untyped-call]


def picture(level: int) -> Environment:
    png = encode_environment(np.full((48, 64, 3), level, np.uint8), np.ones((48, 64), np.bool_))
    return environment_of(SyncKey(HONEST, 1, 1), png, 1)


@pytest.fixture
def endpoint() -> str:
    return free_endpoint()


@pytest.fixture
def cloud(endpoint: str) -> Iterator[Cloud]:
    with closing(Cloud(endpoint)) as cloud:
        yield cloud


def during(attack: str, endpoint: str, honest: Callable[[], None], enough: Callable[[], bool]) -> None:
    """Do something again and again while a camera attacks, until it is enough."""
    command = [sys.executable, "-m", "privcam_evaluation.bench.hostile_camera", attack, endpoint, HOSTILE]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as attacker:
        try:
            while not enough():
                assert attacker.poll() is None, "the attacker ended"
                honest()
        finally:
            attacker.terminate()


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_camera_costs_the_other_no_omega_and_no_picture(attack: str, endpoint: str, cloud: Cloud) -> None:
    pictures = [picture(10 * number) for number in range(PICTURES)]
    with closing(HonestCamera(endpoint, cloud)) as honest:
        for one in pictures:
            honest.put(one)

        def name_one_that_is_known() -> None:
            honest.put(pictures[len(honest.sent) % PICTURES].without_png())

        def is_enough() -> bool:
            seen = cloud.link.rejected_of(HOSTILE).total() if attack in REFUSED else cloud.taken
            return seen >= ATTACKS_SEEN

        during(attack, endpoint, name_one_that_is_known, is_enough)
        for one in pictures:
            honest.put(one.without_png())
    known = {one.digest: one.png for one in pictures}
    assert cloud.live == [(frame, known[one.digest]) for frame, one in enumerate(honest.sent, start=1)]
    assert cloud.link.rejected_of(HONEST) == {}


def test_flood_is_refused_counted_and_bounded_while_the_other_camera_goes_on(endpoint: str, cloud: Cloud) -> None:
    with closing(HonestCamera(endpoint, cloud)) as honest:
        honest.put(picture(1))
        during(
            "flood",
            endpoint,
            lambda: honest.put(picture(1).without_png()),
            lambda: cloud.link.rejected_of(HOSTILE)[Reason.RATE] >= 10,
        )
    assert cloud.link.rejected_of(HONEST) == {}
    assert cloud.cameras.diagnostics(HONEST)["skipped"] == 0
    assert {png for _, png in cloud.live} == {picture(1).png}
