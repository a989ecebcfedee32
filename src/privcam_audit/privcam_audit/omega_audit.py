"""Audits Ω without raw pictures: from a bag, or received from a graph."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from privcam_audit.attacks.detector_attack import DetectorAttack
from privcam_audit.audit_part import AuditPart
from privcam_audit.clip_audit import DRAWN_TEXT, Audit, detector_part
from privcam_audit.privacy_budget import budget
from privcam_bringup.bag_routes import OMEGA
from privcam_bringup.bags.bag_reader import BagReader
from privcam_bringup.bags.storage_file import UnusableBag
from privcam_core.drawing.proxy import overlay
from privcam_core.images.environment import FILL, decode_environment
from privcam_core.types.omega import InvalidOmega, Omega, PrivacyReport, Verdict
from privcam_core.types.time import NS_PER_S
from privcam_link import cdr

PARTS = ("counts", "detector", "budget")
# Anonymised frames are searched this often; every environment is searched once.
_OBSERVE_EVERY_NS = NS_PER_S // 2
# What takes raw frames, and so cannot be told from Ω.
_NEEDS_RAW = {
    "leak": "needs the clip: what a raw pixel changes cannot be seen in Ω",
    "recognition.matches": "needs photos of the people: the raw frames",
    "inversion": "needs raw pictures to train on and to compare with",
    "reid": "needs poses before and after they were anonymised",
    "environment.psnr_db": "needs the true room: the raw frames",
    "environment.confirmed_s": "needs to know when the room was empty: the raw frames",
    "interference": "needs the clip",
}
_COUNTS = """\
{frames} Ω were read, of {cameras} camera(s): {names}. {rejected} messages were no valid Ω. {subjects} subjects, up to
{max_subjects} at a time. {pictures} different environment pictures came; with {unknown} Ω the picture was not known
yet. The edge itself withheld {withheld} frames. On average {visible:.0f} % of the picture was confirmed.
"""


@dataclass
class _Camera:
    """What was heard of one camera. plate: the newest environment, (H, W, 3), its digest in `digest`."""

    reports: list[PrivacyReport] = field(default_factory=list)
    subjects: set[int] = field(default_factory=set)
    digests: set[bytes] = field(default_factory=set)
    digest: bytes = b""
    plate: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0, 3), np.uint8))
    observed_ns: int = -_OBSERVE_EVERY_NS


def payloads(bag: Path) -> Iterator[bytes]:
    """Yield the bytes of every Ω of a rosbag2 bag. Raises UnusableBag for a bag without any, and for what is no bag."""
    try:
        opened = BagReader(bag)
    except UnusableBag as error:
        raise UnusableBag(f"{bag}: {error}") from error
    with opened as reader:
        for remark in reader.remarks:
            print(f"privcam audit: {bag}: {remark}", file=sys.stderr, flush=True)
        topics = [topic for topic in reader.topics if topic.msgtype == OMEGA]
        if not any(topic.count for topic in topics):
            there = ", ".join(f"{one.name} ({one.msgtype}, {one.count})" for one in reader.topics) or "nothing"
            raise UnusableBag(f"{bag}: has no {OMEGA}; it has {there}")
        for _, _, data in reader.messages(topics):
            yield data


def audit_payloads(messages: Iterable[bytes], source: str, parts: frozenset[str], out: Path, threads: int) -> Audit:
    """Audit Ω as the messages' bytes. source: names the bag or the graph. Raises ValueError where there is no Ω."""
    attack = DetectorAttack(threads) if "detector" in parts else None
    cameras: dict[str, _Camera] = {}
    counts, max_subjects = Counter[str](), 0
    for message in messages:
        try:
            omega = cdr.decode(message)
        except InvalidOmega:
            counts["rejected"] += 1
            continue
        camera = cameras.setdefault(omega.key.camera_id, _Camera())
        counts["frames"] += 1
        counts["withheld"] += omega.privacy.verdict == Verdict.WITHHOLD
        max_subjects = max(max_subjects, len(omega.poses))
        new = _learn(camera, omega)
        if omega.environment.digest != camera.digest:
            counts["unknown"] += 1
        elif attack and (new or omega.key.stamp_ns - camera.observed_ns >= _OBSERVE_EVERY_NS):
            camera.observed_ns = omega.key.stamp_ns
            _observe(attack, omega, camera)
    if not cameras:
        raise ValueError(f"{source}: no Ω came, and {counts['rejected']} messages that are none")
    measured, reasons = [], dict(_NEEDS_RAW)
    if "counts" in parts:
        measured.append(_count(cameras, counts, max_subjects))
    if attack and counts["unknown"] < counts["frames"]:
        measured.append(_without_raw(attack.part(out)))
    elif attack:
        reasons["detector"] = "no picture of the room came"
    if "budget" in parts:
        part, reason = budget({name: camera.reports for name, camera in cameras.items()})
        measured.append(part)
        if reason:
            reasons["budget"] = reason
    about = {name: {"source": source, "frames": len(camera.reports)} for name, camera in cameras.items()}
    return Audit(measured, about, reasons)


def _learn(camera: _Camera, omega: Omega) -> bool:
    """Take note of one Ω; return whether it brought a picture that was not there before."""
    camera.reports.append(omega.privacy)
    camera.subjects.update(pose.subject_id for pose in omega.poses)
    environment = omega.environment
    if not environment.png or environment.digest == camera.digest:
        return False
    camera.plate, _ = decode_environment(environment.png)
    camera.digest = environment.digest
    camera.digests.add(environment.digest)
    return True


def _observe(attack: DetectorAttack, omega: Omega, camera: _Camera) -> None:
    # There is no raw frame; the attack gets a blank one, and what it says of raw frames is dropped below.
    blank = np.full_like(camera.plate, FILL)
    attack.observe(blank, camera.plate, overlay(camera.plate, omega.poses), clip=omega.key.camera_id)


def _count(cameras: dict[str, _Camera], counts: Counter[str], max_subjects: int) -> AuditPart:
    reports = [report for camera in cameras.values() for report in camera.reports]
    found: dict[str, Any] = {
        "frames": counts["frames"],
        "rejected": counts["rejected"],
        "withheld_frames": counts["withheld"],
        "cameras": len(cameras),
        "subjects": sum(len(camera.subjects) for camera in cameras.values()),
        "max_subjects": max_subjects,
        "environments": sum(len(camera.digests) for camera in cameras.values()),
        "frames_without_picture": counts["unknown"],
        "confirmed_fraction": float(np.mean([1 - report.withheld_fraction for report in reports])),
    }
    text = _COUNTS.format(
        frames=found["frames"],
        cameras=len(cameras),
        names=", ".join(sorted(cameras)),
        rejected=found["rejected"],
        subjects=found["subjects"],
        max_subjects=max_subjects,
        pictures=found["environments"],
        unknown=found["frames_without_picture"],
        withheld=found["withheld_frames"],
        visible=100 * found["confirmed_fraction"],
    )
    return AuditPart("What was read", {"counts": found}, text)


def _without_raw(part: AuditPart) -> AuditPart:
    """Return the detector attack without what it would say of raw frames: there were none."""
    part = detector_part(part)
    found = dict(part.values["detector"])
    for name in ("faces_in", "persons_in"):
        found[name] = {where: value for where, value in found[name].items() if where != "raw"}
    found.pop("faces_by_detector")
    diagram, *crops = part.figures
    diagram[0].unlink()
    text = (
        f"Common detectors searched the environment and the anonymised frame of {found['frames']} Ω."
        f"\n\n| found per 1000 | environment Ī | Ĩ beside the proxies |"
        f" Ĩ on a proxy |\n|---|---:|---:|---:|\n| faces, by any detector | {found['faces_in']['environment']:.1f} |"
        f" {found['faces_in']['anonymous']:.1f} | {found['faces_in']['proxies']:.1f} |\n| persons (NanoDet) |"
        f" {found['persons']:.1f} | | |\n\nThere is no raw frame to compare with, so it is not known how much the"
        " detectors would have found there, and whether what they found is a person or a piece of furniture. "
        + ("The cut-outs below show what was found.\n" if crops else "Nothing was found in any environment.\n")
        + f"\n{DRAWN_TEXT}\n"
    )
    return replace(part, values={"detector": found}, text=text, figures=crops)
