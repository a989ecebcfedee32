"""The acceptance criteria of an audit: its summary table, the cases that miss a criterion, and the verdict."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]

# Person pixels that may leak in mode `adaptive`, as a fraction of all labelled ones.
LEAK = 1e-5
# How far above chance subjects may be named from anonymised poses.
CHANCE_POINTS = 0.05
# How much worse than from raw poses behaviour may be named from anonymised ones.
BEHAVIOUR_POINTS = 0.03
# Lowest PSNR of the environment outside of people.
PSNR_DB = 35.0
# Longest time until an empty room is confirmed.
CONFIRMED_S = 10.0
# Beyond this an ε tells two persons apart almost surely.
MEANS_LITTLE = 10.0
# Fractions that are equal but for rounding.
_SLACK = 1e-9


@dataclass(frozen=True)
class Row:
    """One line of the summary. value: as it is shown, "" if it was not measured. criterion: "" where there is none.

    reached: None where there is no criterion, or no value.

    key: dotted, in report.json.
    """

    what: str
    key: str
    value: str
    criterion: str
    reached: bool | None


def at(values: Values, key: str) -> Any:
    """Return the value at a dotted key, None if there is none."""
    found: Any = values
    for name in key.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def summary(values: Values) -> list[Row]:
    """Return the lines of the summary table, those with a criterion first."""
    number, percent = "{:.1f}".format, _percent
    rows = [
        _row(values, "Person pixels that leak, mode `adaptive`", "leak.adaptive", _fraction, "≤ 1 in 100 000",
             lambda v: v <= LEAK),
        _row(values, "Person pixels that leak, mode `locked`", "leak.locked", _fraction, "0", lambda v: v == 0),
        _row(values, "Faces found in the environment picture, per 1000 frames", "detector.faces", number, "0",
             lambda v: v == 0),
        _row(values, "Persons found in the environment picture, per 1000 frames", "detector.persons", number, "0",
             lambda v: v == 0),
        _row(values, "Frames that stay the same byte by byte with other people", "interference.fraction", percent,
             "100 %", lambda v: v == 1),
        _row(values, "Picture of the room outside people, PSNR", "environment.psnr_db", "{:.1f} dB".format, "≥ 35 dB",
             lambda v: v >= PSNR_DB),
        _row(values, "Empty room confirmed to 99 % after", "environment.confirmed_s", "{:.1f} s".format, "≤ 10 s",
             lambda v: v <= CONFIRMED_S),
    ]  # fmt: skip
    chance, raw = at(values, "reid.chance"), at(values, "reid.behaviour.raw")
    limit = "chance + 5 points" if chance is None else f"≤ {_percent(chance + CHANCE_POINTS)} (chance + 5 points)"
    rows.append(
        _row(values, "People named rightly from anonymised poses", "reid.canonical", percent, limit,
             lambda v: v <= chance + CHANCE_POINTS + _SLACK)
    )  # fmt: skip
    limit = "raw − 3 points" if raw is None else f"≥ {_percent(raw - BEHAVIOUR_POINTS)} (raw − 3 points)"
    rows.append(
        _row(values, "Behaviour named rightly from anonymised poses", "reid.behaviour.canonical", percent, limit,
             lambda v: v >= raw - BEHAVIOUR_POINTS - _SLACK)
    )  # fmt: skip

    def of(windows: str) -> Callable[[Any], str]:
        return lambda matches: f"{matches} of {at(values, f'recognition.{windows}')}"

    comparisons = (
        ("For comparison: people named rightly from raw poses", "reid.raw", percent),
        ("For comparison: person pixels that leak, mode `mask_only`", "leak.mask_only", _fraction),
        ("For comparison: whole picture blurred", "leak.blur", _fraction),
        ("For comparison: whole picture pixelated", "leak.pixelate", _fraction),
        ("Faces found in anonymised frames beside the drawn figures, per 1000", "detector.faces_in.anonymous", number),
        ("Faces of the people recognised in what leaves, windows", "recognition.matches", of("windows")),
        ("For comparison: faces of strangers, windows", "recognition.control_matches", of("control_windows")),
        ("Persons computed back from z and P, PSNR", "inversion.psnr_db", "{:.2f} dB".format),
        ("Persons computed back from z alone, PSNR", "inversion.z_psnr_db", "{:.2f} dB".format),
        ("For comparison: always the mean picture", "inversion.mean_picture_psnr_db", "{:.2f} dB".format),
        ("Budget of the poses in 60 s, ε", "budget.epsilon", epsilon_text),
        ("and its δ", "budget.delta", "{:g}".format),
        ("Budget if somebody is seen for all of the 60 s, ε", "budget.full_window_epsilon", epsilon_text),
    )
    return rows + [_row(values, what, key, show, "", None) for what, key, show in comparisons]


def losing(values: Values) -> list[str]:
    """Return a sentence for each case that misses its criterion."""
    lines = []
    for name, clip in (at(values, "leak.clips") or {}).items():
        for mode, limit in (("adaptive", LEAK), ("locked", 0.0)):
            leak = clip.get(mode)
            if leak and leak["fraction"] is not None and leak["fraction"] > limit:
                lines.append(
                    f"{name}, `{mode}`: {leak['leaked_pixels']} of {leak['labelled_pixels']} person pixels leak"
                    f" ({_fraction(leak['fraction'])}), in {leak['leaking_frames']} of {leak['frames']} frames, the"
                    f" worst is frame {leak['worst_frame']};"
                    f" {_fraction(leak['exposed_fraction'])} may show a person's colour."
                )
    for key, what in (
        ("faces", "face(s) per 1000 frames were found in the environment picture"),
        ("persons", "person(s) per 1000 frames were found in the environment picture"),
    ):
        found = at(values, f"detector.{key}")
        if found:
            lines.append(f"{found:.1f} {what}.")
    for name, clip in (at(values, "interference.clips") or {}).items():
        if clip["identical"] < clip["frames"]:
            lines.append(
                f"{name}: {clip['frames'] - clip['identical']} of {clip['frames']} frames differ with other people,"
                f" first with {clip['first_difference'][0]} in frame {clip['first_difference'][1]}."
            )
    for name, clip in (at(values, "environment.clips") or {}).items():
        if clip["psnr_db"] is not None and clip["empty_s"] >= 1 and clip["psnr_db"] < PSNR_DB:
            lines.append(f"{name}: the environment picture has {clip['psnr_db']} dB, less than {PSNR_DB:g} dB.")
        late = clip["confirmed_s"] is None if clip["empty_s"] >= CONFIRMED_S else False
        if late or (clip["confirmed_s"] or 0) > CONFIRMED_S:
            reached = f"after {clip['confirmed_s']} s" if not late else f"never, {clip['best_fraction']:.1%} at most"
            lines.append(f"{name}: the empty room is confirmed to 99 % {reached} ({clip['empty_s']} s of it seen).")
    for name, data in (at(values, "reid.datasets") or {}).items():
        for kind, how in (("canonical", "learnt from them"), ("transferred", "learnt from raw poses")):
            if data[kind] > data["chance"] + CHANCE_POINTS + _SLACK:
                lines.append(
                    f"{name}: {_percent(data[kind])} of the people are named rightly from anonymised poses ({how}),"
                    f" chance is {_percent(data['chance'])}."
                )
        named = data["behaviour"]
        if named and named["canonical"] < named["raw"] - BEHAVIOUR_POINTS - _SLACK:
            lines.append(
                f"{name}: behaviour is named rightly from {_percent(named['canonical'])} of the anonymised poses, and"
                f" from {_percent(named['raw'])} of the raw ones."
            )
    return lines


def failed(values: Values) -> bool:
    """Return whether people's pixels leak, somebody is found in what leaves, or people change it."""
    leak, same = at(values, "leak.adaptive"), at(values, "interference.fraction")
    found = at(values, "detector.faces"), at(values, "detector.persons")
    return (leak is not None and leak > LEAK) or any(found) or (same is not None and same < 1)


def epsilon_text(epsilon: float) -> str:
    """Return ε for people, with a word where it is too large to mean anything."""
    return f"{epsilon:.2g}" if epsilon <= MEANS_LITTLE else f"{epsilon:,.0f}: guarantees nothing"


def _percent(fraction: float) -> str:
    # Four digits: 99.99 % of the frames are not all of them.
    return f"{100 * fraction:.4g} %"


def _fraction(fraction: float) -> str:
    return (
        "0" if fraction == 0 else f"{100 * fraction:.3g} %" if fraction >= 0.01 else f"{1e5 * fraction:.3g} in 100 000"
    )


def _row(
    values: Values, what: str, key: str, show: Callable[[Any], str], criterion: str, holds: Callable[[Any], bool] | None
) -> Row:
    value = at(values, key)
    return Row(
        what,
        key,
        "" if value is None else show(value),
        criterion,
        holds(value) if holds and value is not None else None,
    )
