"""Measures the bit rate of Ω beside that of a video of the same scene, over minutes of a looped clip."""

import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_core.types.time import NS_PER_S
from privcam_edge.edge_pipeline import EdgePipeline
from privcam_edge.link.omega_queue import OmegaQueue
from privcam_edge.link.packetizer import Packetizer
from privcam_edge.link.picture_schedule import PictureSchedule
from privcam_evaluation.bench.pipeline_gate import StreamClock, pipeline_gate
from privcam_evaluation.clip_reader import read_looped
from privcam_link import cdr
from privcam_link.wire import MAX_HAVE
from privcam_privacy.background.engine_settings import EngineSettings

CAMERA_ID = "bench"
RATE_HZ = 10.0
X264 = {"preset": "veryfast", "crf": "28"}
PROGRESS_EVERY = 300


def measure_bits(source: Path, seconds: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Return bits per second of Ω as it is sent, pictures included, and of H.264 (x264 veryfast, CRF 28).

    Counted are payloads and attachments, in the order and form in which the edge sends them to one cloud that is there
    all the time; a picture in pieces counts as one.
    """
    clock = StreamClock()
    pipeline = EdgePipeline(settings=EngineSettings(evidence="transit"), seal_clock=clock)
    gate = pipeline_gate(pipeline, CAMERA_ID)
    video, origin, people = Video(), time.time_ns() - int(seconds * NS_PER_S), 0
    with tempfile.TemporaryDirectory(prefix="privcam_bits_") as folder:
        queue = OmegaQueue(Path(folder))
        packetizer, pictures = Packetizer(queue), PictureSchedule()
        known: list[bytes] = []
        omega_bytes = picture_bytes = count = sent_pictures = 0
        for index, image in enumerate(read_looped(source, seconds, RATE_HZ)):
            video.add(image)
            key = SyncKey(CAMERA_ID, index + 1, origin + int(index / RATE_HZ * NS_PER_S))
            clock.now_ns = key.stamp_ns
            offered, seals = pipeline.process_sealed(key, image)
            omega = gate.check(cdr.encode(offered), seals)
            row = queue.put(omega)
            header, payload = packetizer.live(row)
            omega_bytes += len(payload) + len(header.encode())
            if pictures.due(omega.environment.digest):
                # What is too large to be sent unasked is asked for, by a cloud that has those before it.
                made = pictures.make(omega.environment) or pictures.make_reply(omega.environment, known[-MAX_HAVE:])
                known.append(omega.environment.digest)
                header, payload = packetizer.picture(row.n, omega, made)
                picture_bytes += len(payload) + len(header.encode())
                sent_pictures += 1
            queue.acknowledge("cloud", omega.key.stamp_ns)
            people += len(omega.poses)
            count += 1
            if count % PROGRESS_EVERY == 0:
                rate = 8 * (omega_bytes + picture_bytes) * RATE_HZ / count
                say(f"  {count / RATE_HZ:.0f} of {seconds:.0f} s: Ω {rate / 1e3:.1f} kbit/s")
        queue.close()
    total, film = 8 * (omega_bytes + picture_bytes) * RATE_HZ / count, video.bits_per_s()
    return {
        "source": source.name,
        "seconds": count / RATE_HZ,
        "people_per_frame": round(people / count, 2),
        "omega_bits_per_s": round(8 * omega_bytes * RATE_HZ / count),
        "environment_bits_per_s": round(8 * picture_bytes * RATE_HZ / count),
        "environment_pictures": sent_pictures,
        "x264_bits_per_s": round(film),
        "omega_over_x264": round(total / film, 4),
    }


class Video:
    """Encodes pictures as H.264 and counts the bytes."""

    def __init__(self) -> None:
        self._codec: av.VideoCodecContext | None = None
        self._bytes = 0
        self._frames = 0

    def add(self, image: Image) -> None:
        """Encode one picture, (H, W, 3) uint8 BGR."""
        height, width = (side // 2 * 2 for side in image.shape[:2])
        if self._codec is None:
            self._codec = av.CodecContext.create("libx264", "w")
            self._codec.width, self._codec.height, self._codec.pix_fmt = width, height, "yuv420p"
            self._codec.framerate = Fraction(RATE_HZ).limit_denominator(1001)
            self._codec.time_base = 1 / self._codec.framerate
            self._codec.options = X264
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="bgr24")
        frame.pts = self._frames
        self._frames += 1
        self._bytes += sum(packet.size for packet in self._codec.encode(frame))

    def bits_per_s(self) -> float:
        """Return the bit rate of everything that was added."""
        assert self._codec is not None
        self._bytes += sum(packet.size for packet in self._codec.encode(None))
        return 8 * self._bytes * RATE_HZ / self._frames
