"""Scene reports to messages and back."""

from privcam_msgs import msg

from privcam_core.events.scene_report import Event, Phase, RecognizedObject, SceneReport
from privcam_ros.conversions import key_from_msg, key_to_msg, stamp_from_msg, stamp_to_msg


def report_to_msg(
    report: SceneReport, latency_s: float, *, replay: bool = False, clock_epoch: int = 1
) -> msg.SceneReport:
    """Return a report as a message. latency_s: from Ω's arrival to the report. replay, clock_epoch: see the message."""
    return msg.SceneReport(
        key=key_to_msg(report.key),
        objects=[_object_to_msg(found) for found in report.objects],
        events=[_event_to_msg(event) for event in report.events],
        caption=report.caption,
        model_id=report.model_id,
        latency=latency_s,
        replay=replay,
        clock_epoch=clock_epoch,
    )


def _object_to_msg(found: RecognizedObject) -> msg.RecognizedObject:
    return msg.RecognizedObject(
        label=found.label, confidence=found.confidence, subject_id=found.subject_id, box=[float(v) for v in found.box]
    )


def _event_to_msg(event: Event) -> msg.Event:
    return msg.Event(
        label=event.label,
        confidence=event.confidence,
        subject_ids=list(event.subject_ids),
        event_id=event.event_id,
        phase=int(event.phase),
        start=stamp_to_msg(event.start_ns),
        end=stamp_to_msg(event.end_ns),
        evidence=event.evidence,
    )


def report_from_msg(message: msg.SceneReport) -> SceneReport:
    """Return the report of a message."""
    objects = [
        RecognizedObject(found.label, found.confidence, found.subject_id, tuple(found.box.tolist()))
        for found in message.objects
    ]
    events = [
        Event(
            label=event.label,
            confidence=event.confidence,
            subject_ids=tuple(event.subject_ids),
            event_id=event.event_id,
            phase=Phase(event.phase),
            start_ns=stamp_from_msg(event.start),
            end_ns=stamp_from_msg(event.end),
            evidence=event.evidence,
        )
        for event in message.events
    ]
    return SceneReport(key_from_msg(message.key), objects, events, message.caption, message.model_id)
