"""Writes the evidence of events and the caption of a scene as sentences."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from privcam_core.types.arrays import Float32Array
from privcam_core.types.sight import Sight, describe_sight, is_blind
from privcam_core.types.skeleton import seen
from privcam_recognition.features import Measures
from privcam_recognition.rules.posture_rules import Fall, Rise

UNCLEAR = "unclear"
FALLEN = "fallen"
PHRASES = {
    "lying": "lying for {seconds:.0f} s",
    FALLEN: "fell and is on the floor for {seconds:.0f} s",
    "getting_up": "getting up",
    UNCLEAR: "in an unclear posture",
}
# A body of which fewer keypoints than this are seen, of 17, is seen only in part.
PART_KEYPOINTS = 9
# States that are named one by one with their time; the others are counted.
TIMED = ("lying", FALLEN)


def posture_evidence(measures: Measures, label: str, speed: float | None, held_s: float) -> str:
    """Return the measured quantities behind a posture. speed: over the picture, body heights/s. held_s: so far."""
    parts = []
    if measures.torso_angle is not None:
        parts.append(f"torso {measures.torso_angle:.0f}° from vertical")
    if measures.hip_height is not None:
        parts.append(f"hips {measures.hip_height:.2f} body heights over the ankles")
    if measures.knee_angle is not None and label != "lying":
        parts.append(f"knees {measures.knee_angle:.0f}°")
    if label == "walking" and speed is not None:
        parts.append(f"{speed:.1f} body heights/s")
    if not parts:
        parts.append(f"box {measures.aspect:.1f} times as wide as high")
    return f"{', '.join(parts)}, for {held_s:.0f} s"


def fall_evidence(fall: Fall, torso_angle: float | None, now: float) -> str:
    """Return the measured quantities behind a fall. torso_angle: degrees from vertical on the floor. now: s."""
    torso = "body" if torso_angle is None else f"torso {torso_angle:.0f}°"
    took = max(0.0, fall.landed - fall.started)
    return (
        f"{torso} in {took:.1f} s, down {fall.drop:.2f} body heights at {fall.speed:.1f} body heights/s, "
        f"on the floor for {now - fall.landed:.0f} s"
    )


def rise_evidence(rise: Rise, now: float) -> str:
    """Return the measured quantities behind getting up. now: camera time in s."""
    return f"torso {rise.risen:.2f} body heights higher than it lay, {now - rise.started:.1f} s after lying"


def sight_evidence(sight: Sight, held_s: float) -> str:
    """Return why the camera cannot see. held_s: s so far."""
    return f"the camera cannot see: {describe_sight(sight)}, for {held_s:.0f} s"


def why_uncertain(sight: Sight, keypoints: Float32Array | None) -> str:
    """Return why an event may be wrong, as the end of its evidence; empty where nothing speaks against it.

    keypoints: (17, 3), the newest pose of its subject, None for an event of a place.
    """
    reasons = []
    if keypoints is not None and np.count_nonzero(seen(keypoints)) < PART_KEYPOINTS:
        reasons.append("seen only in part")
    if is_blind(sight):
        reasons.append(describe_sight(sight))
    return f"; may be wrong: {', '.join(reasons)}" if reasons else ""


def scene_caption(states: Sequence[tuple[str, float]], sight: Sight) -> str:
    """Return the scene in words. states: label and seconds so far, of each subject in view. sight: of the camera."""
    if not is_blind(sight):
        return _people_caption(states)
    # "Nobody in view" would be wrong: nobody was seen, which is no evidence here.
    seen = f" {_people_caption(states)}" if states else ""
    return f"Cannot see: {describe_sight(sight)}.{seen}"


def _people_caption(states: Sequence[tuple[str, float]]) -> str:
    if not states:
        return "Nobody in view."
    parts = [f"one {PHRASES[label].format(seconds=held)}" for label, held in states if label in TIMED]
    counts = Counter(label for label, _ in states if label not in TIMED)
    for label, count in counts.most_common():
        number = "one" if count == 1 else str(count)
        parts.append(f"{number} {PHRASES.get(label, label)}")
    if len(states) == 1:
        return f"1 person: {parts[0].removeprefix('one ')}."
    return f"{len(states)} people: {', '.join(parts)}."
