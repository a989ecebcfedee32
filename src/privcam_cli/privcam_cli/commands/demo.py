"""`./privcam demo`: runs edge and cloud on real video, with real processes and a real link."""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
from cv_bridge import CvBridge
from privcam_msgs.msg import Reconstruction

from privcam_bringup import run_summary
from privcam_bringup.demo_clip import ClipError, demo_clip
from privcam_bringup.graph import START_TIMEOUT_S, Graph, free_domain, free_endpoint, free_port
from privcam_bringup.graph_observer import Observations, Observer
from privcam_bringup.launching.argument_checks import UnusableArgument, require_usable
from privcam_bringup.still_picture import Album, environment_at, raw_frame, side_by_side
from privcam_cloud.reconstruction.video_writer import VideoWriter
from privcam_core.output_folder import output_folder
from privcam_core.source_text import redact_source
from privcam_core.types.time import NS_PER_S

CAMERA_ID = "demo"
# People walk through a demo clip, and no plate of it was approved.
EVIDENCE = "transit"
# The floor of the demo clip: horizon, and height of an adult at the lower border, in picture heights. A line through
# the boxes of all walkers of the clip.
CLIP_GROUND = (-0.04, 0.28)
DISPLAY_RATE_HZ = 12.5
PROGRESS_EVERY_S = 2.0
# Port of the page of the console, or one of the next ones.
CONSOLE_PORT = 8420


def main(argv: Sequence[str]) -> int:
    """Run the demo; return the exit code."""
    parser = argparse.ArgumentParser(prog="privcam demo", description=__doc__)
    parser.add_argument(
        "--source", help="video file, rtsp:// or http:// URL, or camera index (default: fetches a clip)"
    )
    parser.add_argument("--source-credentials", type=Path, help="file of mode 600 with user:password of the stream")
    parser.add_argument(
        "--ground",
        type=float,
        nargs=2,
        metavar=("HORIZON", "STATURE"),
        help="row of the floor's horizon, and height of an adult at the lower border, in picture heights "
        "(default: those of the clip; of another source those of a camera 2.5 m high)",
    )
    parser.add_argument("--seconds", type=float, default=40.0, help="how long to run, in s (default 40)")
    parser.add_argument("--out", type=output_folder, default=Path("out/demo"), help="for results (default out/demo)")
    parser.add_argument("--composed", action="store_true", help="one process per side instead of one per node")
    parser.add_argument(
        "--params-file", type=Path, help="parameters of the edge nodes (default config/edge.param.yaml)"
    )
    parser.add_argument("--show-raw", action="store_true", help="put the raw frame into the still, on the left")
    parser.add_argument("--no-console", action="store_true", help="do not serve the page that shows the demo live")
    options = parser.parse_args(argv)
    if options.seconds <= 0:
        parser.error(f"--seconds {options.seconds:g}: needs to be above 0")
    try:
        source = options.source or str(demo_clip(_say))
        credentials = "" if options.source_credentials is None else str(options.source_credentials.absolute())
        require_usable({"source": source, "source_credentials": credentials})
    except (ClipError, UnusableArgument) as error:
        _say(str(error))
        return 1
    if Path(source).exists():
        source = str(Path(source).absolute())
    arguments = {"camera_id": CAMERA_ID, "source": source, "composed": str(options.composed).lower()}
    arguments["evidence"] = EVIDENCE
    if not options.no_console:
        arguments |= {"console": "true", "console_port": str(free_port(CONSOLE_PORT))}
    if credentials:
        arguments["source_credentials"] = credentials
    ground = options.ground or (CLIP_GROUND if options.source is None else None)
    if ground is not None:
        arguments |= {"ground_horizon": str(ground[0]), "ground_stature": str(ground[1])}
    if options.params_file is not None:
        arguments["edge_params_file"] = str(options.params_file.absolute())
    return run(arguments, options.seconds, options.out.absolute(), show_raw=options.show_raw)


def run(arguments: Mapping[str, str], seconds: float, out: Path, *, show_raw: bool) -> int:
    """Run edge and cloud for at most `seconds`, observe them, and write the results into `out`.

    arguments: of demo.launch.xml, without endpoint and record. Returns the exit code.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    source = arguments["source"]
    shown = Path(source).name if Path(source).is_file() else redact_source(source)
    arguments = {**arguments, "endpoint": free_endpoint(), "record": str(out / "bag")}
    page = f"http://127.0.0.1:{arguments['console_port']}/" if "console" in arguments else ""
    bridge, album = CvBridge(), Album()
    domain = free_domain()
    graph = Graph("demo", arguments, log=out / "graph.log", domain_id=domain)
    if graph.warning:
        _say(graph.warning)
    os.environ.update(graph.environment)
    with VideoWriter(out / "contour.mp4", DISPLAY_RATE_HZ) as video:

        def take(reconstruction: Reconstruction) -> None:
            picture = bridge.imgmsg_to_cv2(reconstruction.image, "bgr8")
            shown_s = reconstruction.display_stamp.sec + reconstruction.display_stamp.nanosec / NS_PER_S
            album.offer(shown_s, picture)
            # By the camera's clock: a busy machine shows fewer pictures, and the video must not run faster for it.
            video.write(picture, shown_s - album.pictures[0][0])

        with Observer(CAMERA_ID, domain, take) as observer, graph:
            _say(f"starting edge and cloud on {shown}")
            if page:
                _say(f"live in the browser, while the demo runs: {page}")
            observer.wait_for(lambda seen: _complete(seen, album) or not graph.running, START_TIMEOUT_S)
            if _complete(observer.seen, album):
                _watch(observer, graph, seconds)
    seen = observer.seen
    if not _complete(seen, album):
        came = f"{len(seen.frames)} Ω, {len(seen.environments)} environments and {len(album.pictures)} contour pictures"
        _say(f"from {shown} came {came}; from {graph.log}:\n{graph.errors()}")
        return 1
    take_out_bag(out / "bag", out / "omega.mcap")
    frame, picture = album.best(seen)
    left, title = environment_at(seen, frame.frame_id), "environment: confirmed background"
    if show_raw and Path(source).is_file():
        left, title = raw_frame(Path(source), frame.frame_id), "raw frame (only because of --show-raw)"
    cv2.imwrite(str(out / "still.png"), side_by_side(left, title, picture, "what the cloud shows: dynamic contour"))
    summary = {**run_summary.summarize(seen, CAMERA_ID), "evidence": arguments["evidence"], "console": page or "off"}
    notes = (
        f"Source: {shown}. Numbers by `./privcam demo`; `still.png`, `contour.mp4`, `omega.mcap` beside. "
        f"Evidence `{summary['evidence']}`: seconds of undisturbed view confirm background. This is for places where "
        "nobody stays; commission the room elsewhere."
    )
    run_summary.write(summary, "privcam demo", out, notes)
    _say(f"{summary['frames']} frames, {summary['frames_per_s']} per s, events: {summary['events'] or 'none'}")
    _say(f"results: {out}/summary.md, still.png, contour.mp4, omega.mcap")
    if graph.exit_code:
        _say(f"the graph ended with an error; from {graph.log}:\n{graph.errors()}")
        return 1
    return 0


def take_out_bag(folder: Path, target: Path) -> None:
    """Move the MCAP file of a bag to `target` and remove the rest of the folder, which only repeats its index."""
    files = sorted(folder.glob("*.mcap"))
    if files:
        files[0].replace(target)
    shutil.rmtree(folder, ignore_errors=True)


def _complete(seen: Observations, album: Album) -> bool:
    """Whether at least one Ω, one environment and one picture have arrived."""
    return bool(seen.frames and seen.environments and album.pictures)


def _watch(observer: Observer, graph: Graph, seconds: float) -> None:
    started = time.monotonic()
    while (left := seconds - (time.monotonic() - started)) > 0 and graph.running:
        graph.wait(min(left, PROGRESS_EVERY_S))
        last = observer.seen.frames[-1]
        _say(
            f"{time.monotonic() - started:4.0f} s  {len(observer.seen.frames)} frames  {last.people} people  "
            f"{last.confirmed_fraction:4.0%} of the picture confirmed  {len(observer.seen.events)} events"
        )


def _say(text: str) -> None:
    print(f"[demo] {text}", file=sys.stderr, flush=True)
