"""The console as somebody sees it: Ω on the topics of a cloud, the real server, and a real browser that draws."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from math import cos, pi, sin
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.browser import browser
from harness.graph_probe import HANG_LIMIT_S, Program, started, wait_until
from harness.rooms.drawn_room import HEIGHT, STATURE, WIDTH, pose_at, walker
from harness.rooms.room_publisher import DrawnRoom, RoomPublisher
from privcam_bringup.graph import free_port
from privcam_console.live.decoder import LiveDecoder
from privcam_console.live.from_omega import subject_of
from privcam_console.live.messages import Message, Pose
from privcam_core.drawing.contour import draw_contours
from privcam_core.types.arrays import BoolArray
from privcam_core.types.omega import SubjectPose
from privcam_core.types.sight import Sight
from privcam_core.types.skeleton import Joint

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocket

LIMIT_MS = 1000 * HANG_LIMIT_S
# Agreement of the drawing in the browser with that of the cloud, intersection over union.
MIN_IOU = 0.7
MAX_KBITS_PER_S = 10.0
# The first port that is tried where one has to be known before.
CONSOLE_PORT = 8520


@contextmanager
def console(log: Path, port: int = 0) -> Iterator[tuple[Program, str]]:
    """Run the console; yield its process and address. port: 0 for a free one."""
    with started("privcam_console", "console_node", log, remap={"__ns": "/"}, port=port) as program:
        wait_until(lambda: "]: ready" in program.output or not program.running, "start of the console")
        assert program.running, program.output
        yield program, program.output.split("console: ")[1].split()[0]
        if program.running:
            assert program.interrupt() == 0, program.output
        assert "Traceback" not in program.output
        assert "Error" not in program.output


@contextmanager
def page_of(url: str) -> Iterator["Page"]:
    """Open a page in a browser. It fails where the page reports an error."""
    with browser() as running:
        page = running.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(LIMIT_MS)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        yield page
        assert errors == []


def state_of(page: "Page", room: str, state: str) -> None:
    """Wait until a room on the wall is in this state."""
    page.wait_for_selector(f"[data-room={room}] .picture[data-state={state}]")


def overlay(page: "Page", room: str) -> str:
    return page.locator(f"[data-room={room}] .overlay").inner_text()


def colour_at(page: "Page", room: str, u: float, v: float) -> list[int]:
    """Return the colour that the canvas of a room has at a place of the environment, in px of it."""
    script = """([room, u, v, width]) => {
        const canvas = document.querySelector(`[data-room=${room}] canvas`);
        const scale = canvas.width / width;
        return [...canvas.getContext("2d").getImageData(u * scale, v * scale, 1, 1).data.slice(0, 3)];
    }"""
    found: list[int] = page.evaluate(script, [room, u, v, WIDTH])
    return found


def distance(a: list[int], b: list[int]) -> int:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def test_two_rooms_are_seen_with_their_people_and_with_every_state_that_is_not_live(tmp_path: Path) -> None:
    rooms = {"room1": DrawnRoom(0, subjects=0), "room2": DrawnRoom(30)}
    rooms["room1"].seconds = 0.0
    chest = walker(1, 0.0, 0).keypoints[[Joint.LEFT_SHOULDER, Joint.RIGHT_HIP], :2].mean(axis=0).tolist()
    with console(tmp_path / "console.log") as (program, url), RoomPublisher(rooms), page_of(url) as page:
        for room in rooms:
            state_of(page, room, "live")
        assert page.locator(".card-item").count() == 2
        assert overlay(page, "room1") == ""

        # The environment first: where nobody is, the hatched surface gives way to the picture of the room.
        wait_until(lambda: sum(colour_at(page, "room1", 320, 20)) > 3 * 100, "the environment")
        empty, wall = colour_at(page, "room1", *chest), colour_at(page, "room1", 320, 20)
        rooms["room1"].subjects = 1
        wait_until(lambda: distance(colour_at(page, "room1", *chest), empty) > 25, "somebody in the picture")
        assert distance(colour_at(page, "room1", 320, 20), wall) <= 2
        page.get_by_text("1 person").wait_for()
        page.get_by_text("2 people").wait_for()
        rooms["room1"].unseen = 1
        page.get_by_text("1 person, 1 more not found").wait_for()
        rooms["room1"].unseen = 0

        rooms["room1"].sight = Sight.DARK
        state_of(page, "room1", "blind")
        assert "CANNOT SEE" in overlay(page, "room1")
        assert "too dark" in overlay(page, "room1")
        rooms["room1"].sight = Sight.CLEAR
        state_of(page, "room1", "live")

        rooms["room2"].silent = True
        state_of(page, "room2", "stale")
        assert "OLD PICTURE" in overlay(page, "room2")
        assert " s; this is not what happens now" in overlay(page, "room2")
        drawn = page.locator("[data-room=room2] canvas")
        assert "grayscale(1)" in drawn.evaluate("canvas => getComputedStyle(canvas).filter")
        assert page.locator("[data-room=room2] [data-badge=live]").count() == 0
        rooms["room2"].silent = False
        state_of(page, "room2", "live")

        rooms["room2"].is_sealed = False
        page.wait_for_selector("[data-room=room2] [data-badge=replay]")
        assert page.locator("[data-room=room2] [data-badge=live]").count() == 0

        assert program.interrupt() == 0
        state_of(page, "room1", "lost")
        assert "the console does not answer" in overlay(page, "room1")


def test_page_comes_back_by_itself_when_the_console_does(tmp_path: Path) -> None:
    port = free_port(CONSOLE_PORT)
    with RoomPublisher({"room1": DrawnRoom(0)}), ExitStack() as pages:
        with console(tmp_path / "first.log", port) as (program, url):
            page = pages.enter_context(page_of(url))
            state_of(page, "room1", "live")
            program.kill()
            state_of(page, "room1", "lost")
        with console(tmp_path / "second.log", port):
            state_of(page, "room1", "live")


def test_console_that_others_could_reach_does_not_start_and_says_why(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    with started("privcam_console", "console_node", log, remap={"__ns": "/"}, address="0.0.0.0") as program:
        assert program.wait() == 1
    assert "neither TLS nor users yet; use 127.0.0.1" in program.output
    assert "Traceback" not in program.output


def test_one_room_is_large_with_privacy_and_events_beside_it_and_is_used_by_keys(tmp_path: Path) -> None:
    rooms = {"room1": DrawnRoom(0)}
    rooms["room1"].events = (("walking", 1, "0.8 m/s"), ("fall", 2, "the hip fell by 0.7 m in 0.5 s"))
    with console(tmp_path / "console.log") as (_, url), RoomPublisher(rooms), page_of(url) as page:
        state_of(page, "room1", "live")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector(".room .picture[data-state=live][data-alarm=true]")
        wanted = {"verdict": "passed", "withheld": "5.6 %", "epsilon": "2.50", "people": "2 people"}
        for name, value in wanted.items():
            page.locator(f"[data-value={name}]").get_by_text(value, exact=True).wait_for()
        events = page.locator(".panel .events:not(.earlier) .event")
        events.nth(1).wait_for()
        assert "Fall" in events.nth(0).inner_text()
        assert "the hip fell by 0.7 m" in events.nth(0).inner_text()
        page.locator("#announcements").get_by_text("Fall").wait_for(state="attached")

        rooms["room1"].events = (("walking", 1, "0.8 m/s"),)
        page.locator(".events.earlier .event").get_by_text("Fall").wait_for()

        page.keyboard.press("p")
        page.wait_for_selector(".room .picture[data-state=paused]")
        assert "PAUSED" in page.locator(".room .overlay").inner_text()
        page.keyboard.press("p")
        page.wait_for_selector(".room .picture[data-state=live]")
        page.keyboard.press("Escape")
        page.wait_for_selector(".wall .card")


def test_live_view_of_two_walkers_costs_few_bits_on_the_wire(tmp_path: Path) -> None:
    rooms = {"room1": DrawnRoom(0)}
    rooms["room1"].events = (("walking", 1, "0.8 m/s"), ("walking", 2, "0.7 m/s"))
    received: list[bytes] = []

    def keep(data: bytes) -> None:
        received.append(data)

    def watch(socket: "WebSocket") -> None:
        socket.on("framereceived", keep)

    with console(tmp_path / "console.log") as (_, url), RoomPublisher(rooms), page_of(url) as page:
        state_of(page, "room1", "live")
        page.on("websocket", watch)
        page.reload()
        state_of(page, "room1", "live")
        decoder, messages = LiveDecoder(), list[tuple[int, Message]]()

        def frames() -> list[Pose]:
            while len(messages) < len(received):
                data = received[len(messages)]
                messages.append((len(data), decoder.decode(data)))
            return [message for _, message in messages if isinstance(message, Pose)]

        while len(frames()) < 150:
            page.evaluate("() => new Promise(requestAnimationFrame)")  # lets the next ones come
    poses = frames()
    seconds = (poses[-1].stamp_ms - poses[0].stamp_ms) / 1000
    kbits = 8 * sum(size for size, _ in messages) / seconds / 1000
    print(f"on the wire, two walkers: {len(poses) / seconds:.1f} frames/s, {kbits:.2f} kbit/s")
    assert {len(pose.subjects) for pose in poses} == {2}
    assert kbits <= MAX_KBITS_PER_S


def turned(pose: SubjectPose, angle: float) -> SubjectPose:
    """Return a pose turned around its hips, as of somebody who lies or bends. angle: rad."""
    points = pose.keypoints.copy()
    middle = points[[Joint.LEFT_HIP, Joint.RIGHT_HIP], :2].mean(axis=0)
    turn = np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]], np.float32)
    points[:, :2] = middle + (points[:, :2] - middle) @ turn
    u0, v0 = (points[:, :2].min(axis=0) - 0.05 * STATURE).tolist()
    u1, v1 = (points[:, :2].max(axis=0) + 0.05 * STATURE).tolist()
    return SubjectPose(pose.subject_id, (u0, v0, u1, v1), points, None, pose.layer)


def without(pose: SubjectPose, *joints: Joint) -> SubjectPose:
    points = pose.keypoints.copy()
    points[list(joints), 2] = 0.0
    return SubjectPose(pose.subject_id, pose.box, points, None, pose.layer)


def scenes() -> dict[str, list[SubjectPose]]:
    stand = pose_at(1, 320.0, 430.0, 300.0, 0, 0.0)
    legs = (Joint.LEFT_KNEE, Joint.RIGHT_KNEE, Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE)
    side = (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_WRIST, Joint.LEFT_HIP, Joint.LEFT_EAR)
    return {
        "stands": [stand],
        "walks": [pose_at(1, 300.0, 430.0, 300.0, 0, pi / 2)],
        "is far away": [pose_at(1, 300.0, 240.0, 60.0, 0, 1.0)],
        "lies": [turned(stand, pi / 2)],
        "bends": [turned(stand, 0.6)],
        "stands behind a desk": [without(stand, *legs)],
        "is hidden on one side": [without(stand, *side)],
        "shows no head": [without(stand, *(Joint(place) for place in range(5)))],
        "is known by a box alone": [without(stand, *(Joint(place) for place in range(2, 17)))],
        "stands in front of somebody": [pose_at(1, 300.0, 400.0, 280.0, 0, 0.0), pose_at(2, 330.0, 430.0, 300.0, 1, 1)],
    }


def drawn_by_the_cloud(poses: list[SubjectPose]) -> BoolArray:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    draw_contours(picture, poses)
    return np.asarray(picture.max(axis=2) > 0)


def drawn_by_the_page(page: "Page", poses: list[SubjectPose]) -> BoolArray:
    script = """async ([subjects, width, height]) => {
        const { People } = await import("/static/js/people.js");
        const canvas = new People().draw(subjects, width, height, 1);
        const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
        // Without the soft shadow around somebody.
        return Array.from({ length: width * height }, (_, at) => (data[4 * at + 3] > 80 ? "1" : "0")).join("");
    }"""
    subjects: list[dict[str, Any]] = []
    for pose in poses:
        given = asdict(subject_of(pose, 1))
        subjects.append({**given, "id": given["subject_id"]})
    bits = page.evaluate(script, [json.loads(json.dumps(subjects)), WIDTH, HEIGHT])
    return (np.frombuffer(bits.encode(), np.uint8) == ord("1")).reshape(HEIGHT, WIDTH)


def test_page_draws_the_same_body_as_the_cloud(tmp_path: Path) -> None:
    agreement = {}
    with console(tmp_path / "console.log") as (_, url), page_of(url) as page:
        for name, poses in scenes().items():
            cloud, shown = drawn_by_the_cloud(poses), drawn_by_the_page(page, poses)
            agreement[name] = float((cloud & shown).sum() / (cloud | shown).sum())
    print({name: round(value, 3) for name, value in agreement.items()})
    assert min(agreement.values()) >= MIN_IOU, agreement
