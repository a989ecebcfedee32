"""`./privcam check SOURCE`: opens a camera, a stream or a file for some seconds and says whether it can be used."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from privcam_core.process_protection import protect_process
from privcam_core.source_credentials import CredentialsRejected, read_credentials
from privcam_evaluation.source_check.check_report import describe, find_faults, find_warnings
from privcam_evaluation.source_check.people_check import PeopleWatch
from privcam_evaluation.source_check.source_sample import sample_source
from privcam_sources.container_source import require_readable
from privcam_sources.errors import SourceError
from privcam_sources.open_options import TRANSPORTS, OpenOptions
from privcam_sources.source_spec import parse

USABLE, UNUSABLE = 0, 1


def main(argv: Sequence[str]) -> int:
    """Check one source; return 0 if it can be used, else 1. A picture is in memory only, overwritten when looked at."""
    parser = argparse.ArgumentParser(prog="privcam check", description=__doc__)
    parser.add_argument("source", help="camera (0, /dev/v4l/by-id/…), URL of a stream or a recording, or video file")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to look, in s (default 10)")
    parser.add_argument("--source-credentials", type=Path, help="file of mode 600 with user:password of a stream")
    parser.add_argument("--transport", choices=TRANSPORTS, default="tcp", help="how an RTSP stream is carried")
    parser.add_argument("--hardware-decoding", action="store_true", help="decode with a device of this host")
    options = parser.parse_args(argv)
    if not 0 < options.seconds <= 3600:
        parser.error(f"--seconds {options.seconds:g}: needs to be above 0, and at most 3600")
    protect_process()
    try:
        given = options.source_credentials
        spec = parse(options.source, read_credentials(str(given.expanduser())) if given is not None else None)
        if spec.kind == "file":  # before the models are loaded
            require_readable(spec)
        how = OpenOptions(transport=options.transport, hardware=options.hardware_decoding)
        with PeopleWatch() as watch:
            sample = sample_source(spec, how, options.seconds, watch, _say)
    except (SourceError, CredentialsRejected) as error:
        _say(str(error))
        return UNUSABLE
    if watch.problem:
        _say(f"people were not looked for: {watch.problem}")
    for name, value in describe(sample, watch.found):
        print(f"{name:26}{value}")
    for warning in find_warnings(sample):
        print(f"{'warning':26}{warning}")
    faults = find_faults(sample)
    for fault in faults:
        print(f"{'not usable':26}{fault}")
    print("usable" if not faults else "not usable")
    return UNUSABLE if faults else USABLE


def _say(text: str) -> None:
    print(f"[check] {text}", file=sys.stderr, flush=True)
