"""A vision-language model answers with the labels that the temporal model reports."""

from privcam_recognition.evidence_text import UNCLEAR
from privcam_recognition.temporal import temporal_model
from privcam_vlm.protocol.reply_schema import LABELS


def test_labels_are_those_that_the_temporal_model_reports() -> None:
    # It finds two events without its network, and never reports `unclear`.
    assert set(LABELS) == set(temporal_model.LABELS) - {UNCLEAR} | {"pushing_fighting", "loitering"}
