"""The live view of one camera: what a client gets, when, and how many bits of it."""

import asyncio
from collections.abc import Sequence

from harness.rooms.drawn_room import omega_of, room_png
from privcam_console.live.camera_watch import OFFLINE_S, SILENT_S, STALE_S
from privcam_console.live.channel import KEY_FRAME_S, REFRESH_S, CameraChannel, LiveFrame
from privcam_console.live.decoder import LiveDecoder
from privcam_console.live.from_omega import hello_of, pose_of
from privcam_console.live.messages import CameraState, Env, Hello, Kind, Message, Pose, Report, ReportedEvent, State
from privcam_console.live.outbox import MAX_UNANSWERED, MAX_WAITING, Outbox
from privcam_core.events.scene_report import Phase
from privcam_core.types.sight import Sight
from privcam_core.types.time import NS_PER_S

START_NS = 1_800_000_000 * NS_PER_S
PNG = room_png()
WALKING = ReportedEvent(1, "walking", Phase.ONGOING, False, 900, (1,), 1, "0.8 m/s")


class Scene:
    """A camera in a drawn room at 10 frames per second, its channel, and a clock."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.number = 0
        self.channel = CameraChannel("room1", lambda: self.now_s)

    def go_on(self, frames: int, *, sight: Sight = Sight.CLEAR, subjects: int = 2) -> None:
        for _ in range(frames):
            self.number += 1
            self.now_s += 0.1
            stamp_ns = START_NS + self.number * NS_PER_S // 10
            omega = omega_of("room1", self.number, stamp_ns, PNG, sight=sight, subjects=subjects)
            self.channel.take_frame(LiveFrame(hello_of(omega), omega.environment.digest, pose_of(omega)))

    def state(self) -> State:
        return self.channel.state().state


def taken(outbox: Outbox) -> list[bytes]:
    assert outbox.is_filled, "nothing waits, so that this would wait for ever"
    return asyncio.run(outbox.take())


def decoded(messages: Sequence[bytes], decoder: LiveDecoder | None = None) -> list[Message]:
    receiving = decoder or LiveDecoder()
    return [receiving.decode(message) for message in messages]


def test_new_client_gets_the_state_before_anything_that_may_be_old() -> None:
    scene = Scene()
    scene.go_on(3)
    scene.now_s += STALE_S + 1
    kinds = [type(message) for message in decoded(taken(scene.channel.subscribe()))]
    assert kinds == [CameraState, Hello, Env, Pose, Report]


def test_client_sees_every_frame_and_a_key_frame_every_two_seconds() -> None:
    scene, decoder = Scene(), LiveDecoder()
    scene.go_on(1)
    outbox = scene.channel.subscribe()
    decoded(taken(outbox), decoder)
    keys, frames = 0, []
    for _ in range(50):
        scene.go_on(1)
        messages = taken(outbox)
        keys += sum(message[0] == Kind.POSE and message[1] & 1 for message in messages)
        frames += [message.frame_id for message in decoded(messages, decoder) if isinstance(message, Pose)]
    assert frames == list(range(2, 52))
    assert keys == 5.0 // KEY_FRAME_S


def test_camera_that_is_faster_than_the_live_view_is_shown_ten_times_a_second() -> None:
    scene = Scene()
    scene.go_on(1)
    outbox = scene.channel.subscribe()
    taken(outbox)
    poses = 0
    for _ in range(250):
        scene.now_s -= 0.06
        scene.go_on(1)
        poses += sum(message[0] == Kind.POSE for message in taken(outbox)) if outbox.is_filled else 0
    assert 95 <= poses <= 105


def test_two_moving_people_cost_at_most_ten_kilobits_per_second() -> None:
    scene, seconds = Scene(), 60
    scene.go_on(1)
    outbox = scene.channel.subscribe()
    taken(outbox)
    payload = 0
    for _ in range(seconds):
        scene.channel.tell_state()
        for _ in range(10):
            scene.go_on(1)
            scene.channel.take_report(Report(False, (WALKING,)))
        payload += sum(map(len, taken(outbox)))
        outbox.answer()
    assert outbox.restarts == 0
    kbits = 8 * payload / seconds / 1000
    print(f"live view, two people who walk, 10 frames per second: {kbits:.2f} kbit/s")
    assert 1 < kbits <= 10


def test_camera_becomes_stale_then_offline_by_the_clock_of_the_server() -> None:
    scene = Scene()
    assert scene.state() is State.OFFLINE
    scene.go_on(1)
    assert scene.state() is State.LIVE
    scene.now_s += STALE_S
    assert scene.state() is State.LIVE
    scene.now_s += 0.01
    assert scene.state() is State.STALE
    assert scene.channel.state().age_ms > 1000 * STALE_S
    scene.now_s += OFFLINE_S
    assert scene.state() is State.OFFLINE
    scene.go_on(1)
    assert scene.state() is State.LIVE


def test_blind_camera_is_blind_at_once_and_says_why() -> None:
    scene = Scene()
    scene.go_on(2)
    outbox = scene.channel.subscribe()
    taken(outbox)
    scene.go_on(1, sight=Sight.DARK)
    first = LiveDecoder().decode(taken(outbox)[0])
    assert isinstance(first, CameraState)
    assert (first.state, first.sight) == (State.BLIND, Sight.DARK)
    scene.now_s += STALE_S + 1
    assert scene.state() is State.STALE


def test_silent_recognition_is_told() -> None:
    scene = Scene()
    scene.go_on(1)
    assert not scene.channel.state().recognised
    scene.channel.take_report(Report(False, ()))
    assert scene.channel.state().recognised
    scene.now_s += SILENT_S + 0.1
    assert not scene.channel.state().recognised


def test_report_is_sent_when_its_events_change_and_otherwise_seldom() -> None:
    scene = Scene()
    outbox = scene.channel.subscribe()
    taken(outbox)

    def sent(confidence: int, phase: Phase) -> bool:
        event = ReportedEvent(1, "walking", phase, False, confidence, (1,), 1, f"{confidence}")
        scene.channel.take_report(Report(False, (event,)))
        return outbox.is_filled and taken(outbox)[0][0] == Kind.REPORT

    assert sent(900, Phase.STARTED)
    assert not sent(910, Phase.ONGOING)
    scene.now_s += REFRESH_S
    assert sent(920, Phase.ONGOING)
    assert sent(920, Phase.ENDED)


def test_client_that_answers_no_state_gets_nothing_more_and_then_the_newest() -> None:
    scene = Scene()
    scene.go_on(1)
    outbox = scene.channel.subscribe()
    taken(outbox)
    for _ in range(MAX_UNANSWERED - 1):  # one was in the beginning
        scene.channel.tell_state()
        taken(outbox)
    scene.go_on(30)
    assert not outbox.is_filled
    outbox.answer()
    poses = [message for message in decoded(taken(outbox)) if isinstance(message, Pose)]
    assert [pose.frame_id for pose in poses] == [31]
    assert outbox.restarts == 1


def test_client_that_does_not_read_holds_a_bounded_number_of_messages_and_then_the_newest() -> None:
    scene = Scene()
    scene.go_on(1)
    outbox = scene.channel.subscribe()
    scene.go_on(5 * MAX_WAITING)
    messages = taken(outbox)
    assert len(messages) <= MAX_WAITING
    poses = [message for message in decoded(messages) if isinstance(message, Pose)]
    assert poses[-1].frame_id == scene.number
    assert outbox.restarts > 0


def test_client_that_left_costs_nothing() -> None:
    scene = Scene()
    outbox = scene.channel.subscribe()
    scene.channel.unsubscribe(outbox)
    before = scene.channel.bytes_sent
    scene.go_on(5)
    assert scene.channel.bytes_sent == before
    assert scene.channel.clients == 0
