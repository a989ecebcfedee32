"""Reads the messages of the live view, as the page does: the reference for `static/js/decoder.js`."""

from collections.abc import Callable
from enum import IntEnum
from typing import TypeVar

from privcam_console.live.encoder import (
    FULL,
    HAS_BOX,
    HAS_LAYER,
    HAS_PRIVACY,
    HAS_STATURE,
    HAS_VISIBLE,
    KEY_FRAME,
    MOVED,
    PASSED,
    REPLAY,
    start_of,
    visible_mask,
)
from privcam_console.live.messages import (
    PROTOCOL,
    CameraState,
    Env,
    Hello,
    Kind,
    Message,
    Pose,
    Position,
    Report,
    ReportedEvent,
    State,
    Subject,
)
from privcam_console.live.varint import MalformedMessage, Reader
from privcam_core.events.scene_report import Phase
from privcam_core.types.omega import MAX_SUBJECTS
from privcam_core.types.sight import Sight

N = TypeVar("N", bound=IntEnum)

_MAX_EVENTS = 256


class LiveDecoder:
    """Decodes the messages of one connection, in their order. It keeps the last POSE, which the next one is against."""

    def __init__(self) -> None:
        self._joints = 0
        self._last: Pose | None = None

    def decode(self, data: bytes) -> Message:
        """Return the message. Raises MalformedMessage, also for a POSE that has no key frame or no HELLO before it."""
        reader = Reader(data)
        read: dict[Kind, Callable[[Reader], Message]] = {
            Kind.HELLO: self._hello,
            Kind.ENV: _env,
            Kind.POSE: self._pose,
            Kind.REPORT: _report,
            Kind.STATE: _state,
        }
        message = read[_number(reader, Kind)](reader)
        reader.finish()
        return message

    def _hello(self, reader: Reader) -> Hello:
        protocol = reader.byte()
        if protocol != PROTOCOL:
            raise MalformedMessage(f"protocol {protocol}, needs {PROTOCOL}: load the page again")
        camera_id = reader.text()
        width, height, joints, step_px, schema = (reader.unsigned() for _ in range(5))
        self._joints, self._last = joints, None
        return Hello(camera_id, width, height, joints, step_px, schema)

    def _pose(self, reader: Reader) -> Pose:
        flags = reader.byte()
        last = None if flags & KEY_FRAME else self._last
        if not self._joints or (last is None and not flags & KEY_FRAME):
            raise MalformedMessage("a POSE came without the HELLO or the key frame that it is against")
        frame_id = reader.signed() + (last.frame_id if last else 0)
        stamp_ms = reader.signed() + (last.stamp_ms if last else 0)
        sight, withheld, epsilon = (last.sight, last.withheld, last.epsilon) if last else (Sight.UNKNOWN, 0, None)
        unseen = last.unseen if last else 0
        if flags & HAS_PRIVACY:
            sight, withheld = _number(reader, Sight), reader.unsigned()
            budget = reader.unsigned()
            epsilon = budget - 1 if budget else None
            unseen = reader.unsigned()
        before = {subject.subject_id: subject for subject in last.subjects} if last else {}
        subjects = []
        for _ in range(_count(reader, MAX_SUBJECTS)):
            subject_id = reader.unsigned()
            subjects.append(self._subject(reader, subject_id, before.get(subject_id)))
        passed, replay = bool(flags & PASSED), bool(flags & REPLAY)
        self._last = Pose(frame_id, stamp_ms, passed, sight, withheld, epsilon, replay, tuple(subjects), unseen)
        return self._last

    def _subject(self, reader: Reader, subject_id: int, last: Subject | None) -> Subject:
        flags = reader.byte()
        if flags & FULL or last is None:
            if not flags & FULL:
                raise MalformedMessage(f"subject {subject_id} is against a frame in which it was not")
            last = Subject(subject_id, 0, 0, (None,) * self._joints)
        layer = last.layer + (reader.signed() if flags & (FULL | HAS_LAYER) else 0)
        stature = last.stature + (reader.signed() if flags & (FULL | HAS_STATURE) else 0)
        visible = reader.unsigned() if flags & (FULL | HAS_VISIBLE) else visible_mask(last.joints)
        joints = last.joints
        if flags & (FULL | MOVED):
            joints = self._read_joints(reader, visible, last.joints)
        box = None
        if flags & HAS_BOX:
            box = (reader.signed(), reader.signed(), reader.signed(), reader.signed())
        return Subject(subject_id, layer, stature, joints, box)

    def _read_joints(self, reader: Reader, visible: int, before: tuple[Position, ...]) -> tuple[Position, ...]:
        joints: list[Position] = []
        done: Position = None
        for place in range(self._joints):
            if not visible >> place & 1:
                joints.append(None)
                continue
            u, v = start_of(place, before, done)
            done = (u + reader.signed(), v + reader.signed())
            joints.append(done)
        return tuple(joints)


def _env(reader: Reader) -> Env:
    return Env(reader.raw(32))


def _state(reader: Reader) -> CameraState:
    return CameraState(_number(reader, State), _number(reader, Sight), reader.unsigned(), bool(reader.byte()))


def _report(reader: Reader) -> Report:
    replay = bool(reader.byte())
    return Report(replay, tuple(_event(reader) for _ in range(_count(reader, _MAX_EVENTS))))


def _event(reader: Reader) -> ReportedEvent:
    event_id, label, phase = reader.unsigned(), reader.text(), _number(reader, Phase)
    alarm, confidence = bool(reader.byte()), reader.unsigned()
    subject_ids = tuple(reader.unsigned() for _ in range(_count(reader, MAX_SUBJECTS)))
    return ReportedEvent(event_id, label, phase, alarm, confidence, subject_ids, reader.unsigned(), reader.text())


def _count(reader: Reader, limit: int) -> int:
    count = reader.unsigned()
    if count > limit:
        raise MalformedMessage(f"{count} entries are announced, the limit is {limit}")
    return count


def _number(reader: Reader, kind: type[N]) -> N:
    value = reader.byte()
    try:
        return kind(value)
    except ValueError as error:
        raise MalformedMessage(f"{value} is no {kind.__name__}") from error
