"""Puts into words what was found out about a source: a table, warnings, and what makes it unusable."""

from collections.abc import Sequence

import numpy as np

from privcam_core.types.sight import describe_sight, is_blind
from privcam_evaluation.source_check.people_check import PeopleCheck
from privcam_evaluation.source_check.source_sample import SourceSample, delays_ms

# Below this many frames/s nobody can be followed; below the second one, falls and quick people are missed.
_MIN_HZ = 1.0
_MIN_GOOD_HZ = 5.0
# The rate is called variable where a tenth of the steps differ by more than this fraction of the usual step.
_MAX_STEP_SPREAD = 0.5
_MAX_RATE_ERROR = 0.1
_MIN_HEIGHT_PX = 240
_MAX_PIXELS = 2560 * 1440
# More than this fraction of what came could not be decoded.
_MAX_DAMAGED_FRACTION = 0.05


def describe(sample: SourceSample, people: PeopleCheck | None) -> list[tuple[str, str]]:
    """Return name and value of everything that was found, in the order in which it is shown."""
    info, sizes = sample.info, ", ".join(f"{width}x{height}" for width, height in sorted(sample.sizes))
    nominal = f"{info.rate_hz:.3g}" if info.rate_hz is not None else "not named"
    rows = [
        ("kind", "recording" if sample.ends else "live"),
        ("container, codec, pixels", f"{info.container}, {info.codec}, {info.pixel_format}"),
        ("size", sizes or "no picture came"),
        ("rotation", info.orientation),
        ("frames/s", f"{nominal} nominal, {sample.rate_hz:.3g} measured, {len(sample.times_s)} frames"),
    ]
    if len(sample.times_s) > 2:
        low, middle, high = np.percentile(1e3 * sample.steps_s, (5, 50, 95))
        rows.append(("time between frames", f"{middle:.1f} ms, 5 to 95 %: {low:.1f} to {high:.1f}"))
    if not sample.ends and sample.timed and len(sample.times_s) > 2:
        rows.append(("late arrival", f"95 %: {np.percentile(delays_ms(sample), 95):.0f} ms"))
    rows.append(("sound", "yes, not used" if info.audio else "none"))
    rows.append(("sight", describe_sight(sample.sight)))
    if sample.measures is not None:
        seen = sample.measures.picture
        rows.append(("light", f"bright parts {seen.bright_level:.0f}, median {seen.mid_level:.0f} of 255"))
        rows.append(("contrast, noise", f"{seen.contrast:.0f}, {sample.measures.noise:.1f} levels"))
        rows.append(("sharpness", f"{seen.sharpness:.2f}"))
    if people is not None:
        rows.append(("people", f"{people.mean_people:.1f} in a picture, at most {people.max_people}"))
        rows.append(
            (
                "privacy engine",
                f"{people.excluded_fraction:.0%} of the picture around people, {people.shown_fraction:.0%} would be "
                f"shown at the end (evidence transit, {people.pictures} pictures)",
            )
        )
    return rows


def find_faults(sample: SourceSample) -> list[str]:
    """Return what makes the source unusable; nothing where it can be used."""
    faults = [sample.trouble] if sample.trouble else []
    if len(sample.times_s) < 2:
        if sample.ends:
            return [*faults, "fewer than two pictures are in it"]
        slow = f"fewer than two pictures came in {sample.seconds:g} s; of a slow camera look for longer (--seconds)"
        return [*faults, slow]
    if sample.rate_hz < _MIN_HZ:
        faults.append(f"too slow: {sample.rate_hz:.2g} frames/s; nobody can be followed below {_MIN_HZ:g}")
    if is_blind(sample.sight):
        faults.append(f"{describe_sight(sample.sight)}: nothing would be confirmed, and people may be missed")
    if sample.damaged > _MAX_DAMAGED_FRACTION * (len(sample.times_s) + sample.damaged):
        faults.append(f"{sample.damaged} parts could not be decoded; use transport tcp, or a cable")
    return faults


def find_warnings(sample: SourceSample) -> list[str]:
    """Return what a person should know, or change on the camera."""
    info, found = sample.info, list(_find_time_warnings(sample))
    if info.audio:
        found.append("has sound, which nothing here reads: switch the microphone off in the camera")
    if len(sample.sizes) > 1:
        found.append("the size changes on the way; the background begins anew each time")
    if any(height < _MIN_HEIGHT_PX for _, height in sample.sizes):
        found.append("the picture is small: people far away are not found")
    if any(width * height > _MAX_PIXELS for width, height in sample.sizes):
        found.append("the picture is large: take the sub-stream, it costs less and shows as much")
    if info.orientation != "none":
        found.append(f"it is stored turned, and turned back ({info.orientation})")
    if sample.damaged:
        found.append(f"{sample.damaged} parts could not be decoded")
    return found


def _find_time_warnings(sample: SourceSample) -> Sequence[str]:
    if len(sample.times_s) < 3:
        return []
    info, found = sample.info, []
    low, middle, high = np.percentile(sample.steps_s, (5, 50, 95))
    if high - low > _MAX_STEP_SPREAD * middle:
        found.append("the rate is variable: frames are used at their own times")
    if info.rate_hz is not None and abs(sample.rate_hz - info.rate_hz) > _MAX_RATE_ERROR * info.rate_hz:
        found.append(f"names {info.rate_hz:.3g} frames/s and gives {sample.rate_hz:.3g}")
    if _MIN_HZ <= sample.rate_hz < _MIN_GOOD_HZ:
        found.append(f"slow: below {_MIN_GOOD_HZ:g} frames/s falls and quick people are missed")
    if not info.timestamps or not sample.timed:
        instead = "the nominal rate is taken" if sample.ends else "frames are stamped when they arrive"
        found.append(f"has no times of its own: {instead}")
    if info.jumps:
        found.append(f"its times jump, {info.jumps} times")
    return found
