"""Writes the generated tables of docs/results.md from the JSON files of `bench`, `audit` and `eval`.

python -m results_table FILE...            write the tables; files are named bench.json, report.json, eval.json
python -m results_table --check FILE...    write nothing; fail if a table is out of date
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from privcam_audit.acceptance_criteria import summary
from privcam_bringup.launching.resources import resource

Values = Mapping[str, Any]
# Cells of a row: what was measured, and its value.
Cells = tuple[str, str]

# File name -> name of the place in the document.
PLACES = {"bench.json": "bench", "report.json": "audit", "eval.json": "eval"}


class BadResults(ValueError):
    """A result file cannot be made into a table. The text names the file and what is missing."""


def provenance(made: Values) -> str:
    """Return where a result comes from, as a sentence in italics. made: the `made` block of a result file."""
    machine = made["machine"]
    revision = made["revision"] or "outside of a git checkout"
    return (
        f"*Generated. `{made['command']}`, {made['date']}, revision {revision}; {machine['cores']} cores, "
        f"{machine['processor']}, {machine['memory_gib']} GiB.*"
    )


def bench_tables(values: Values) -> Iterator[str]:
    """Yield a table for each part of `./privcam bench` that is in the file."""
    for part, made in values["made"].items():
        if part in BENCH_PARTS:
            yield f"{provenance(made)}\n\n{_table(('what', 'value'), BENCH_PARTS[part](values))}"


def audit_tables(values: Values) -> Iterator[str]:
    """Yield the table of `./privcam audit`: its own summary, with the targets."""
    clips = ", ".join(values["clips"])
    rows = [
        (
            row.what,
            row.value or "not measured",
            row.criterion or "–",
            {True: "yes", False: "**no**", None: "–"}[row.reached],
        )
        for row in summary(values)
    ]
    yield f"{provenance(values['made'])} Clips: {clips}.\n\n{_table(('what', 'value', 'target', 'reached'), rows)}"


def eval_tables(values: Values) -> Iterator[str]:
    """Yield the table of `./privcam eval`: one column for each model."""
    models: Mapping[str, Values] = values["models"]
    rows = [(what, *(cell(model) for model in models.values())) for what, cell in EVAL_ROWS]
    yield f"{provenance(values['made'])}\n\n{_table(('what', *models), rows)}"


def _speed(values: Values) -> list[Cells]:
    latency, engine, stages = values["latency_ms"], values["privacy_engine_vga"], values["stages"]
    return [
        ("source, picture, frames", f"{values['source']}, {_size(values['picture'])}, {values['frames']}"),
        (
            "graph ÷ one plain loop, frames/s",
            f"{values['frames_per_s']} ÷ {values['loop_frames_per_s']} = {values['graph_over_loop']}",
        ),
        ("capture to cloud at the clip's rate: p50, p95", f"{latency['p50']}, {latency['p95']} ms"),
        ("frames/s and skipped frames at the clip's rate", f"{values['live_frames_per_s']}, {values['live_skipped']}"),
        ("median ms of each stage", ", ".join(f"{name} {stage['median_ms']}" for name, stage in stages.items())),
        ("privacy engine alone, VGA: median, p95", f"{engine['median_ms']}, {engine['p95_ms']} ms"),
    ]


def _frame_cost(values: Values) -> list[Cells]:
    rows = []
    for name, situation in values["frame_cost"]["situations"].items():
        need, all_frames = situation["by_need"], situation["every_frame"]
        line = f"{name}, {_size(need['picture'])}, {need['people_per_frame']} people"
        rows.append(
            (
                f"{line}: processor ms a frame; with everything in every frame",
                f"{need['ms_per_frame']}; {all_frames['ms_per_frame']} ({situation['saving']} times)",
            )
        )
        rows.append(
            (f"{name}: ÷ its networks; processor s an hour", f"{need['over_networks']}; {need['processor_s_per_hour']}")
        )
        rows.append(
            (f"{name}: stages, ms", ", ".join(f"{stage} {value}" for stage, value in need["stages_ms"].items()))
        )
    return rows


def _gateway(values: Values) -> list[Cells]:
    gateway = values["gateway"]
    load = ", a busy loop on each core beside" if gateway["beside_load"] else ""
    slowed = f", each network {gateway['network_repeats']} times" if gateway["network_repeats"] > 1 else ""
    what = f"{len(gateway['rooms'])} rooms in one gateway, at most {gateway['rate_hz']:g} frames/s{load}{slowed}"
    return [
        (f"{what}: cores; frames lost for their age", f"{gateway['edge_cores']}; {gateway['overwritten']}"),
        *(
            (
                f"{name}: Ω/s; capture to report p50, p95",
                f"{room['omega_per_s']}; {room['p50_ms']}, {room['p95_ms']} ms",
            )
            for name, room in gateway["rooms"].items()
        ),
    ]


def _device(values: Values) -> list[Cells]:
    device = values["device"]
    rows = [
        ("machine, runtime, providers", f"{device['machine']}, {device['runtime']}, {', '.join(device['providers'])}")
    ]
    for network, providers in device["networks"].items():
        cells = "; ".join(
            f"{provider} {row['median_ms']} ms" + ("" if provider == "cpu" else f" ({row['times_cpu']} times as fast)")
            for provider, row in providers.items()
        )
        rows.append((f"{network}: median ms a call", cells))
    return rows


def _bits(values: Values) -> list[Cells]:
    bits = values["bits"]
    omega = bits["omega_bits_per_s"] + bits["environment_bits_per_s"]
    return [
        ("source, s, people per frame", f"{bits['source']}, {bits['seconds']}, {bits['people_per_frame']}"),
        ("Ω ÷ x264", f"{bits['omega_over_x264']}: {omega / 1e3:.0f} ÷ {bits['x264_bits_per_s'] / 1e3:.0f} kbit/s"),
        ("of these pictures of the environment", f"{bits['environment_bits_per_s'] / 1e3:.1f} kbit/s"),
    ]


def _cameras(values: Values) -> list[Cells]:
    cameras = values["cameras"]
    return [
        ("cameras that one core keeps up with", str(cameras["cameras_per_core"])),
        ("frames/s and people of each", f"{cameras['rate_hz']:g}, {cameras['people']}"),
        *(
            (
                f"{step['cameras']} cameras: p95, pictures/s each, cores",
                f"{step['latency_p95_ms']} ms, {step['pictures_per_s_and_camera']}, {step['cpu']}",
            )
            for step in cameras["steps"]
        ),
    ]


def _recovery(values: Values) -> list[Cells]:
    return [
        row
        for name in ("recovery", "recovery_composed")
        if name in values
        for row in _one_recovery(name.replace("_", ", "), values[name])
    ]


def _one_recovery(name: str, values: Values) -> list[Cells]:
    rows = [(f"{name}: {node}, longest of {values['runs']}", _seconds(s)) for node, s in values["seconds"].items()]
    wiped = values["frame_memory_wiped_ms"]
    return [*rows, (f"{name}: frame memory wiped after", "never" if wiped is None else f"{wiped:.0f} ms")]


def _link_outage(values: Values) -> list[Cells]:
    rows = []
    for name, one in values["link_outage"].items():
        line = f"{name}, line down for {one['outage_s']:g} s"
        counts = (one[key] for key in ("sent", "recorded", "duplicated", "out_of_order"))
        times = (one[key] for key in ("first_new_s", "back_to_live_s", "backlog_kept_s"))
        rows.append((f"{line}: sent, recorded, twice, out of order", ", ".join(map(str, counts))))
        rows.append((f"{line}: first new Ω, live again, backlog on disk", ", ".join(map(str, times)) + " s"))
    return rows


def _fuzzing(values: Values) -> list[Cells]:
    fuzzing = values["fuzzing"]
    ends = [
        (f"{end}: malformed, passed, crashes", ", ".join(str(fuzzing[end][key]) for key in _FUZZING_COUNTS))
        for end in ("gate", "cloud")
    ]
    return [*ends, ("peak memory growth", f"{fuzzing['peak_memory_growth_mib']} MiB")]


def _hostile_camera(values: Values) -> list[Cells]:
    hostile = values["hostile_camera"]
    added = ", ".join(f"{attack} {value:+.0f}" for attack, value in hostile["added_ms"].items())
    return [
        (f"{hostile['cameras']} cameras at {hostile['rate_hz']:g} frames/s, ms added to p95 by each attack", added),
        ("pictures of theirs that were lost", str(hostile["pictures_lost"])),
    ]


_FUZZING_COUNTS = ("malformed", "passed", "crashes")
BENCH_PARTS: dict[str, Callable[[Values], list[Cells]]] = {
    "speed": _speed,
    "frame_cost": _frame_cost,
    "gateway": _gateway,
    "device": _device,
    "bits": _bits,
    "cameras": _cameras,
    "hostile_camera": _hostile_camera,
    "recovery": _recovery,
    "link_outage": _link_outage,
    "fuzzing": _fuzzing,
}
EVAL_ROWS: tuple[tuple[str, Callable[[Values], str]], ...] = (
    ("clips", lambda model: str(model["clips"])),
    ("falls found: recall, of", lambda model: f"{model['falls']['recall']}, {model['falls']['clips']}"),
    ("missed", lambda model: ", ".join(model["falls"]["missed"]) or "none"),
    (
        "false alarms in clips without a fall, of",
        lambda model: f"{model['falls']['false_alarms']}, {model['falls']['other_clips']}",
    ),
    ("false alarms beside a fall", lambda model: str(model["falls"]["false_alarms_beside_a_fall"])),
    ("delay, median and worst", lambda model: f"{model['falls']['delay_s']}, {model['falls']['delay_s_worst']} s"),
    ("fights: balanced accuracy", lambda model: str(model["fights"]["balanced_accuracy"])),
    ("expected calibration error of a fall", lambda model: str(model["ece"])),
    ("ms for a subject and frame", lambda model: str(model["ms_per_subject"])),
)
TABLES: dict[str, Callable[[Values], Iterator[str]]] = {
    "bench": bench_tables,
    "audit": audit_tables,
    "eval": eval_tables,
}


def content_of(path: Path) -> tuple[str, str]:
    """Return (place in the document, its new content) for a result file. Raises BadResults, OSError."""
    place = PLACES.get(path.name)
    if place is None:
        raise BadResults(f"{path}: is none of {', '.join(PLACES)}")
    try:
        content = "\n\n".join(TABLES[place](json.loads(path.read_text(encoding="utf-8"))))
    except json.JSONDecodeError as error:
        raise BadResults(f"{path}: is not JSON: {error}") from error
    except (KeyError, TypeError) as error:
        raise BadResults(f"{path}: has no {error}; was it written by another version?") from error
    if not content:
        raise BadResults(f"{path}: holds no part that has a table")
    return place, content


def with_content(text: str, place: str, content: str) -> str:
    """Return the document's text with `content` between the two marks of a place. Raises BadResults without marks."""
    begin, end = f"<!-- results: {place} -->", f"<!-- end of results: {place} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise BadResults(f"docs/results.md has no place for it: needs the lines {begin} and {end}")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m results_table", description="Write the generated tables of docs/results.md."
    )
    parser.add_argument("files", nargs="+", type=Path, help="bench.json, report.json, eval.json")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a table is out of date")
    options = parser.parse_args(argv)
    try:
        document = resource("pyproject.toml").parent / "docs" / "results.md"
        text = document.read_text(encoding="utf-8")
        changed = text
        for file in options.files:
            changed = with_content(changed, *content_of(file))
    except (LookupError, OSError, BadResults) as error:
        sys.stderr.write(f"results: {error}\n")
        return 1
    if options.check:
        return int(changed != text)
    document.write_text(changed, encoding="utf-8")
    return 0


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _size(picture: Sequence[int]) -> str:
    return f"{picture[0]}×{picture[1]}"


def _seconds(value: float | None) -> str:
    return "not back" if value is None else f"{value} s"


if __name__ == "__main__":
    sys.exit(main())
