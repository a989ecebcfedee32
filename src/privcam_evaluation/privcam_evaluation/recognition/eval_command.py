"""`./privcam eval DIR`: evaluates the recognisers on labelled clips; writes eval.json, tables and figures."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from privcam_core.models.network_description import WrongWeights
from privcam_core.output_folder import output_folder
from privcam_evaluation import provenance
from privcam_evaluation.recognition.event_matching import ClipResult, match_events
from privcam_evaluation.recognition.labelled_clips import BadAnnotations, Clip, read_annotations
from privcam_evaluation.recognition.omega_bags import bags_of, read_bag
from privcam_evaluation.recognition.recognition_figures import calibration_figure, confusion_figure
from privcam_evaluation.recognition.scores import confusion, reliability, scores
from privcam_evaluation.recognition.vlm_recognizer import VlmRecognizer
from privcam_recognition.models import MODELS
from privcam_vlm.backends.model_process import ModelProcess
from privcam_vlm.vlm_errors import NoReply, Unusable
from privcam_vlm.vlm_settings import OPENAI, TRANSFORMERS, Settings


def main(argv: Sequence[str]) -> int:
    """Evaluate; return 0, and 1 where a clip could not be read: it is left out, and named in the report."""
    parser = argparse.ArgumentParser(prog="privcam eval", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with annotations.json and the clips that it names")
    parser.add_argument("--models", default="temporal,rules", help="of temporal,rules; the first one is the main one")
    parser.add_argument(
        "--vlm", choices=(TRANSFORMERS, OPENAI), help="judge a vision-language model too; where it runs"
    )
    parser.add_argument("--vlm-model", default="", help="its folder or hub id, or its name at the server")
    parser.add_argument("--vlm-url", default="", help="of the server, as http://127.0.0.1:8000/v1")
    parser.add_argument("--vlm-period", type=float, default=2.0, help="asked once in this, s of camera time")
    parser.add_argument("--vlm-budget", type=float, default=10.0, help="an answer that takes longer is none, s")
    parser.add_argument("--bags", type=Path, help="folder of Ω bags, made where they are missing (default: OUT/bags)")
    parser.add_argument(
        "--hold", type=float, default=0.0, help="hold the last picture of clips with a fall so long, s, with noise"
    )
    parser.add_argument("--processes", type=int, default=2, help="clips that go through the edge at the same time")
    parser.add_argument("--out", type=output_folder, default=Path("out/eval"), help="folder for the results")
    options = parser.parse_args(argv)
    names = options.models.split(",")
    if not names or set(names) - set(MODELS):
        parser.error(f"--models: {options.models!r} is not of {', '.join(MODELS)}")
    out: Path = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    try:
        labelled = read_annotations(options.folder)
        bags = bags_of(labelled, options.bags or out / "bags", processes=options.processes, held_s=options.hold)
        clips = bags.usable(labelled)
        models: dict[str, dict[str, Any]] = {}
        for name in names:
            results = [match_events(clip, read_bag(bags.paths[clip.name]), MODELS[name]()) for clip in clips]
            models[name] = scores(results)
            write(name, results, out)
        if options.vlm:
            settings = Settings(options.vlm, options.vlm_model, options.vlm_url, options.vlm_period, options.vlm_budget)
            results, failures = ask_vlm(clips, bags.paths, settings)
            models["vlm"] = {**scores(results), "model_id": settings.model_id, "no_answer": failures}
            write("vlm", results, out)
    except (BadAnnotations, WrongWeights, Unusable, NoReply) as error:
        print(f"privcam eval: {error}", file=sys.stderr)
        return 2
    made = provenance.made(["privcam", "eval", *argv])
    report = {**models[names[0]], "model": names[0], "models": models, "failed": bags.failures, "made": made}
    (out / "eval.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for name, result in models.items():
        print(f"[eval] {name}: {summary(result)}")
    print(f"[eval] results: {out / 'eval.json'}, a table and figures beside")
    if bags.failures:
        print(f"privcam eval: not evaluated, see above: {', '.join(sorted(bags.failures))}", file=sys.stderr)
    return 1 if bags.failures else 0


def ask_vlm(
    clips: Sequence[Clip], bags: dict[str, Path], settings: Settings
) -> tuple[list[ClipResult], dict[str, int]]:
    """Return the results of a vision-language model, and how often it gave no reply, by reason.

    Raises Unusable for settings that cannot work, NoReply where its process ended.
    """
    failures: Counter[str] = Counter()
    process, results = ModelProcess(settings), []
    try:
        process.wait_until_ready()
        for done, clip in enumerate(clips, start=1):
            results.append(match_events(clip, read_bag(bags[clip.name]), VlmRecognizer(settings, process, failures)))
            print(f"[eval] vlm: {done}/{len(clips)} {clip.name}", file=sys.stderr, flush=True)
    finally:
        process.kill()
    return results, dict(failures)


def write(name: str, results: Sequence[ClipResult], out: Path) -> None:
    """Write the table of all clips and the figures of one model into `out`, under its name."""
    (out / f"{name}.md").write_text(table(results), encoding="utf-8")
    confusion_figure(confusion(results), out / f"{name}_confusion.png")
    probabilities = [pair for one in results for pair in one.probabilities]
    if probabilities:
        calibration_figure(reliability(probabilities), out / f"{name}_calibration.png")


def summary(result: dict[str, Any]) -> str:
    """Return the main scores in one line."""
    falls, lies, fights = result["falls"], result["long_lies"], result["fights"]
    sources = ", ".join(
        f"{name or 'this folder'} {one['fall_seen']} seen, {one['long_lie']} lying of {one['clips']}"
        for name, one in falls["by_source"].items()
    )
    return (
        f"falls: recall {falls['recall']} of {falls['clips']}, {falls['false_alarms']} false alarms in "
        f"{falls['other_clips']} other clips ({falls['other_footage_s']} s), median delay {falls['delay_s']} s; "
        f"by source: {sources}; missed by cause: {falls['missed_by_cause']}; "
        f"long lies: {lies['recall']} of the same clips, {lies['false_alarms']} false alarms; "
        f"fights: balanced accuracy {fights['balanced_accuracy']}; ECE {result['ece']}"
    )


def table(results: Sequence[ClipResult]) -> str:
    """Return the events of every clip as a Markdown table."""
    lines = [
        "| clip | label | reported | falls reported at, s | mark, s | delay, s | long lie reported at, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in results:
        falls = ", ".join(f"{fall.reported:.1f} ({fall.confidence:.2f})" for fall in one.falls)
        mark = "" if one.fall_s is None else "–".join(f"{seconds:.1f}" for seconds in one.fall_s)
        delay = "" if one.delay_s is None else f"{one.delay_s:.1f}"
        lies = ", ".join(f"{lie.reported:.1f}" for lie in one.long_lies)
        lines.append(
            f"| {one.clip.name} | {one.true_kind} | {one.reported_kind} | {falls} | {mark} | {delay} | {lies} |"
        )
    return "\n".join(lines) + "\n"
