"""Reads a source for some seconds, and keeps the times of all frames and how well they can be seen; no picture."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privcam_core.types.arrays import FloatArray
from privcam_core.types.sight import Sight
from privcam_core.types.time import NS_PER_S, ns_from_seconds, seconds_from_ns
from privcam_evaluation.source_check.people_check import PeopleWatch
from privcam_privacy.sight.sight_monitor import SightMeasures, SightMonitor
from privcam_sources.errors import SourceEnded, SourceLost, SourceTorn
from privcam_sources.open_options import OpenOptions
from privcam_sources.source_spec import Spec
from privcam_sources.stream_info import StreamInfo
from privcam_sources.video_source import VideoSource, open_source

# People are looked for in so many pictures a second at most.
_LOOK_HZ = 5.0
# Of a recording so many frames are read, however long that is: a time lapse has few.
_MIN_FRAMES = 3


@dataclass(eq=False)
class SourceSample:
    """What was read of a source.

    opened_s: time until it was open. ends: it is a recording. seconds: how long was wanted. times_s: of each
    frame, by its own time where `timed`, else by arrival. arrivals_s: when it came, since the source was open.
    sights: of each frame. trouble: why it ended too early, empty: it did not.
    """

    info: StreamInfo
    opened_s: float
    ends: bool
    seconds: float
    times_s: list[float] = field(default_factory=list)
    arrivals_s: list[float] = field(default_factory=list)
    sizes: set[tuple[int, int]] = field(default_factory=set)
    sights: list[Sight] = field(default_factory=list)
    measures: SightMeasures | None = None
    timed: bool = True
    damaged: int = 0
    trouble: str = ""

    @property
    def steps_s(self) -> npt.NDArray[np.float64]:
        """Times between frames, s, (N-1,)."""
        return np.diff(np.array(self.times_s))

    @property
    def rate_hz(self) -> float:
        """Measured frames/s, 0 for fewer than two frames."""
        return (len(self.times_s) - 1) / (self.times_s[-1] - self.times_s[0]) if len(self.times_s) > 1 else 0.0

    @property
    def sight(self) -> Sight:
        """The judgement that held for most of the frames that were judged."""
        judged = [one for one in self.sights if one is not Sight.UNKNOWN]
        return max(set(judged), key=judged.count) if judged else Sight.UNKNOWN


def sample_source(
    spec: Spec, options: OpenOptions, seconds: float, watch: PeopleWatch, say: Callable[[str], None]
) -> SourceSample:
    """Read a source for `seconds`: of its own time a recording, of ours what is live. Raises SourceError.

    watch: gets some of the pictures. The others are overwritten with zeros at once.
    """
    began = time.monotonic()
    with closing(open_source(spec, options)) as source:
        sample = SourceSample(source.info, time.monotonic() - began, source.ends, seconds)
        say(f"{spec.name}: open after {sample.opened_s:.1f} s")
        try:
            _read(source, sample, seconds, watch)
        except SourceEnded:
            pass
        except (SourceTorn, SourceLost) as error:
            sample.trouble = str(error)
        sample.info, sample.damaged = source.info, source.damaged
    return sample


def _read(source: VideoSource, sample: SourceSample, seconds: float, watch: PeopleWatch) -> None:
    monitor, opened, due_s = SightMonitor(), time.monotonic(), 0.0
    while True:
        frame = source.read()
        arrival_s = time.monotonic() - opened
        if frame.time_ns is None and sample.times_s:
            sample.timed = False
        time_s = arrival_s if frame.time_ns is None else seconds_from_ns(frame.time_ns)
        over = (time_s if source.ends else arrival_s) > seconds
        if over and not (source.ends and len(sample.times_s) < _MIN_FRAMES):
            frame.image.fill(0)
            return
        if sample.times_s and time_s <= sample.times_s[-1]:
            time_s = sample.times_s[-1] + 1e-6  # its time and that of its arrival take turns
        sample.times_s.append(time_s)
        sample.arrivals_s.append(arrival_s)
        sample.sizes.add((frame.image.shape[1], frame.image.shape[0]))
        stamp_ns = NS_PER_S + ns_from_seconds(time_s)
        sample.sights.append(monitor.update(frame.image, stamp_ns))
        sample.measures = monitor.measures
        if time_s >= due_s:
            due_s = time_s + 1 / _LOOK_HZ
            watch.offer(stamp_ns, frame.image, wait=source.ends)
        else:
            frame.image.fill(0)


def delays_ms(sample: SourceSample) -> FloatArray:
    """Return by how much each frame came later than the quickest one, ms."""
    late = np.array(sample.arrivals_s) - np.array(sample.times_s)
    return np.asarray(1e3 * (late - late.min()), np.float32)
