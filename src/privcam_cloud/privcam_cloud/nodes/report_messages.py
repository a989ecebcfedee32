"""Scene reports to messages and back."""

from privcam_msgs import msg

from privcam_core.events.scene_report import Behavior, Phase, RecognizedObject, SceneReport
from privcam_ros.conversions import key_from_msg, key_to_msg, stamp_from_msg, stamp_to_msg


def report_to_msg(report: SceneReport, latency_s: float) -> msg.SceneReport:
    """Return a report as a message. latency_s: from Ω's arrival to the report."""
    return msg.SceneReport(
        key=key_to_msg(report.key),
        objects=[_object_to_msg(found) for found in report.objects],
        behaviors=[_behavior_to_msg(behavior) for behavior in report.behaviors],
        caption=report.caption,
        model_id=report.model_id,
        latency=latency_s,
    )


def _object_to_msg(found: RecognizedObject) -> msg.RecognizedObject:
    return msg.RecognizedObject(
        label=found.label, confidence=found.confidence, subject_id=found.subject_id, box=[float(v) for v in found.box]
    )


def _behavior_to_msg(behavior: Behavior) -> msg.Behavior:
    return msg.Behavior(
        label=behavior.label,
        confidence=behavior.confidence,
        subject_ids=list(behavior.subject_ids),
        event_id=behavior.event_id,
        phase=int(behavior.phase),
        start=stamp_to_msg(behavior.start_ns),
        end=stamp_to_msg(behavior.end_ns),
        evidence=behavior.evidence,
    )


def report_from_msg(message: msg.SceneReport) -> SceneReport:
    """Return the report of a message."""
    objects = [
        RecognizedObject(found.label, found.confidence, found.subject_id, tuple(found.box.tolist()))
        for found in message.objects
    ]
    behaviors = [
        Behavior(
            label=behavior.label,
            confidence=behavior.confidence,
            subject_ids=tuple(behavior.subject_ids),
            event_id=behavior.event_id,
            phase=Phase(behavior.phase),
            start_ns=stamp_from_msg(behavior.start),
            end_ns=stamp_from_msg(behavior.end),
            evidence=behavior.evidence,
        )
        for behavior in message.behaviors
    ]
    return SceneReport(key_from_msg(message.key), objects, behaviors, message.caption, message.model_id)
