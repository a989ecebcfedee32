"""`./privcam audit CLIP...`: attack what leaves the edge, and write a report of what was found.

Exit code: 0 it ran and nothing was found, 1 person pixels leak, somebody was found in what leaves, or people change it,
2 it could not run.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from privcam_audit import audit_report, clip_audit, omega_audit
from privcam_audit.acceptance_criteria import failed
from privcam_audit.clip_audit import Audit, Options
from privcam_audit.scenarios.scenario_audit import BASELINE, EVIDENCE, ScenarioOptions, audit_scenarios
from privcam_audit.scenarios.scenario_command import ALL, choose_evidence, choose_scenarios, report_scenarios
from privcam_bringup.bags.storage_file import UnusableBag
from privcam_core.models import ModelError
from privcam_core.output_folder import output_folder
from privcam_core.storage import private_folder
from privcam_core.types.identifiers import is_camera_namespace, namespace_error
from privcam_evaluation import provenance
from privcam_evaluation.clip_reader import Crop, parse_crop
from privcam_sources.errors import SourceError, SourceLost, SourceTorn

CLEAN, FOUND, UNUSABLE = 0, 1, 2
LIVE_S = 30.0
_BAGS, _BAG_RECORD = (".mcap", ".db3"), "metadata.yaml"
_CLIPS = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg")


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    _split_scenarios(options)
    if bool(options.clips) == bool(options.live):
        parser.error("give clips, or one bag, or --live CAMERA_ID")
    if options.live and not is_camera_namespace(options.live):
        parser.error(f"--live: {namespace_error(options.live)}")
    missing = [str(path) for path in options.clips if not path.exists()]
    if missing:
        parser.error(f"no such clip or bag: {', '.join(missing)}")
    bags = [path for path in options.clips if _is_bag(path)]
    if bags and len(options.clips) > 1:
        parser.error(f"{bags[0]}: is a bag, which is audited alone")
    without_raw = bool(bags or options.live)
    known = omega_audit.PARTS if without_raw else clip_audit.PARTS
    unknown = sorted(set(options.only or ()) - set(known))
    if unknown:
        parser.error(f"--only {', '.join(unknown)}: here there are {', '.join(known)}")
    only_clips = ("scenarios", "labels", "crop", "skeletons", "faces") + (() if options.live else ("seconds",))
    useless = [f"--{name}" for name in only_clips if without_raw and getattr(options, name) is not None]
    if useless:
        parser.error(f"{', '.join(useless)}: only for clips")
    if options.scenarios is not None:
        return _run_scenarios(parser, options, argv)
    parts = frozenset(options.only or known)
    began = time.monotonic()
    try:
        out: Path = options.out.absolute()
        if not out.exists():
            private_folder(out)
        audit = _audit_omega(bags, options, parts, out) if without_raw else _audit_clips(parser, options, parts, out)
        made = provenance.made(["privcam", "audit", *argv])
        values = {**audit_report.merged(audit.parts, audit.reasons), "made": made}
        audit_report.write(audit.parts, values, audit.about, out)
    except (SourceError, SourceLost, SourceTorn, UnusableBag, ModelError, ValueError, OSError) as error:
        _say(str(error))
        return UNUSABLE
    except KeyboardInterrupt:
        _say("interrupted; no report was written")
        return UNUSABLE
    _say(f"{time.monotonic() - began:.0f} s; {out / 'report.md'}")
    return FOUND if failed(values) else CLEAN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="privcam audit", description="Attack what leaves the edge, and write a report of what was found."
    )
    parser.add_argument(
        "clips", nargs="*", type=Path, metavar="CLIP", help="video files, folders of them, or one Ω bag"
    )
    parser.add_argument("--live", metavar="CAMERA_ID", help="listen to the running graph of this camera instead")
    parser.add_argument(
        "--out",
        type=output_folder,
        default=Path("out/audit"),
        help="folder for the report; it also keeps what was found in the clips, never a picture of them",
    )
    parser.add_argument("--seconds", type=_seconds, help=f"of each clip (default all), or of --live ({LIVE_S:g})")
    parser.add_argument("--only", type=_names, metavar="PART,PART", help=f"of {', '.join(clip_audit.PARTS)}")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="where people are, of one clip, instead of our own")
    parser.add_argument("--crop", type=_crop, metavar="X0,Y0,X1,Y1", help="part of the picture that is the camera's")
    parser.add_argument("--skeletons", type=Path, metavar="DIR", help="published skeletons (msraction3d/*.npz)")
    parser.add_argument("--faces", type=Path, metavar="DIR", help="pictures of faces to put in place of people")
    parser.add_argument(
        "--scenarios",
        nargs="?",
        const=ALL,
        metavar="NAME,NAME",
        help="change the clips into situations in which people could be shown, all or the named ones, and measure that",
    )
    parser.add_argument(
        "--evidence",
        metavar="KIND,KIND",
        help=f"of --scenarios: {', '.join(EVIDENCE)} (default: all three), and {BASELINE} to compare",
    )
    parser.add_argument(
        "--counterfactual",
        action="store_true",
        help="of --scenarios: run each of them a second time, with other values in people",
    )
    parser.add_argument(
        "--clips-per-scenario",
        type=int,
        choices=range(1, 1000),
        metavar="N",
        help="of --scenarios: run each of them on N of the clips, in turn over all clips (default: on all)",
    )
    parser.add_argument("--threads", type=int, default=1, choices=range(1, 65), metavar="N", help="of each model (1)")
    return parser


def _split_scenarios(options: argparse.Namespace) -> None:
    """Take a clip for a clip: `--scenarios CLIP` without names stands for all scenarios of the clip."""
    if options.scenarios not in (None, ALL) and Path(options.scenarios).exists():
        options.clips.insert(0, Path(options.scenarios))
        options.scenarios = ALL


def _run_scenarios(parser: argparse.ArgumentParser, options: argparse.Namespace, argv: Sequence[str]) -> int:
    useless = [
        f"--{name}" for name in ("only", "labels", "crop", "skeletons", "faces") if getattr(options, name) is not None
    ]
    if useless:
        parser.error(f"{', '.join(useless)}: not with --scenarios")
    try:
        out = options.out.absolute() / "scenarios"
        private_folder(out)
        chosen = ScenarioOptions(
            out,
            choose_scenarios(options.scenarios),
            choose_evidence(options.evidence) if options.evidence else EVIDENCE,
            options.seconds,
            options.counterfactual,
            options.clips_per_scenario,
            options.threads,
        )
        groups = audit_scenarios(_clips(parser, options), chosen, _say)
        leaking = report_scenarios(groups, chosen, provenance.made(["privcam", "audit", *argv]), _say)
    except (SourceError, SourceLost, SourceTorn, ModelError, ValueError, OSError) as error:
        _say(str(error))
        return UNUSABLE
    except KeyboardInterrupt:
        _say("interrupted; the report has the scenarios that were finished")
        return UNUSABLE
    _say(str(out / "report.md"))
    return FOUND if leaking else CLEAN


def _clips(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[Path]:
    """Return the clips, those of folders included."""
    paths: list[Path] = []
    for path in options.clips:
        found = sorted(p for p in path.rglob("*") if p.suffix.lower() in _CLIPS) if path.is_dir() else [path]
        if not found:
            parser.error(f"{path}: no clip in this folder ({', '.join(_CLIPS)})")
        paths += found
    return paths


def _audit_clips(
    parser: argparse.ArgumentParser, options: argparse.Namespace, parts: frozenset[str], out: Path
) -> Audit:
    paths = _clips(parser, options)
    if options.labels is not None and len(paths) != 1:
        parser.error(f"--labels: goes with one clip, not with {len(paths)}")
    for name in ("skeletons", "faces"):
        folder = getattr(options, name)
        if folder is not None and not folder.is_dir():
            parser.error(f"--{name} {folder}: no such folder")
    chosen = Options(
        out,
        parts,
        options.seconds,
        options.crop,
        options.labels,
        options.skeletons,
        options.faces,
        options.threads,
    )
    return clip_audit.audit_clips(paths, chosen, _say)


def _audit_omega(bags: Sequence[Path], options: argparse.Namespace, parts: frozenset[str], out: Path) -> Audit:
    if bags:
        return omega_audit.audit_payloads(omega_audit.payloads(bags[0]), str(bags[0]), parts, out, options.threads)
    from privcam_audit import live_audit

    seconds = options.seconds or LIVE_S
    _say(f"listening to camera {options.live} for {seconds:g} s")
    heard, topics = live_audit.listen(options.live, seconds)
    audit = omega_audit.audit_payloads(heard, f"the graph of {options.live}", parts, out, options.threads)
    return Audit([*audit.parts, topics], audit.about, audit.reasons)


def _is_bag(path: Path) -> bool:
    return path.suffix in _BAGS or (path / _BAG_RECORD).is_file()


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return seconds


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _crop(text: str) -> Crop:
    try:
        return parse_crop(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _say(text: str) -> None:
    print(f"[audit] {text}", file=sys.stderr, flush=True)
