"""A stream whose picture froze before the encoder, against a live one, through real encoders."""

import io
from collections.abc import Iterable, Iterator
from itertools import islice, repeat

import av
import cv2
import numpy as np
import pytest

from privcam_privacy.sight.repetition import Repetition

SHAPE = (240, 320)
FPS = 10
LIVE_FRAMES, FROZEN_FRAMES = 80, 150
FROZEN_S = 10.0
# Encoder, its options, and frames between two whole pictures.
ENCODERS = [("libx264", {"crf": "23"}, 10), ("libx264", {"crf": "30"}, 20), ("mpeg4", {"qscale": "5"}, 12)]


def room() -> np.ndarray:
    random = np.random.default_rng(3)
    coarse = np.kron(random.integers(20, 235, (15, 20, 1)), np.ones((16, 16, 3))).astype(np.float32)
    texture = cv2.resize(random.normal(0, 6, (120, 160)).astype(np.float32), SHAPE[::-1])
    return np.asarray(cv2.GaussianBlur(coarse, (0, 0), 1.0) + texture[..., None])


def live(noise: float = 2.0) -> Iterator[np.ndarray]:
    """Yield the room as a camera with noise sees it, without end."""
    random, picture = np.random.default_rng(1), room()
    while True:
        yield np.clip(picture + random.normal(0, noise, SHAPE)[..., None], 0, 255).astype(np.uint8)


def freeze(frames: Iterator[np.ndarray], dither: float = 0.0) -> Iterator[np.ndarray]:
    """Yield the beginning of a stream, and then its last frame again and again."""
    yield from islice(frames, LIVE_FRAMES - 1)
    last, random = next(frames), np.random.default_rng(2)
    for _ in range(FROZEN_FRAMES + 1):
        yield np.clip(np.rint(last + random.normal(0, dither, SHAPE)[..., None]), 0, 255).astype(np.uint8)


def encode(frames: Iterable[np.ndarray], codec: str, options: dict[str, str], group: int) -> list[np.ndarray]:
    """Return the frames after an encoder and its decoder."""
    data = io.BytesIO()
    with av.open(data, "w", format="matroska") as file:
        stream = file.add_stream(codec, rate=FPS, options=options)
        stream.height, stream.width, stream.pix_fmt, stream.gop_size = *SHAPE, "yuv420p", group
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        file.mux(stream.encode())
    with av.open(io.BytesIO(data.getvalue())) as file:
        return [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)]


def compress(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the frames as a camera sends them that changes between four qualities of its JPEGs."""
    random = np.random.default_rng(4)
    for frame in frames:
        _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, int(random.choice((60, 70, 80, 90)))])
        yield np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def same_s(frames: Iterable[np.ndarray]) -> list[float]:
    """Return after each frame for how long nothing new came."""
    repetition, seconds = Repetition(), []
    for number, frame in enumerate(frames):
        repetition.update(np.ascontiguousarray(frame[::2, ::2, 1]), 10**18 + number * 10**9 // FPS)
        seconds.append(repetition.same_s)
    return seconds


@pytest.mark.parametrize(("codec", "options", "group"), ENCODERS)
def test_a_picture_that_froze_before_the_encoder_is_noticed_and_a_still_room_is_not(
    codec: str, options: dict[str, str], group: int
) -> None:
    frozen = same_s(encode(freeze(live()), codec, options, group))
    assert max(frozen[:LIVE_FRAMES]) <= group / FPS + 1
    assert max(frozen) >= FROZEN_S
    still = islice(live(), LIVE_FRAMES + FROZEN_FRAMES)
    assert max(same_s(encode(still, codec, options, group))) <= group / FPS + 1


def test_a_frozen_picture_is_noticed_through_jpegs_of_changing_quality_and_a_still_room_is_not() -> None:
    assert max(same_s(compress(freeze(live())))) >= FROZEN_S
    assert max(same_s(compress(islice(live(), LIVE_FRAMES + FROZEN_FRAMES)))) <= 1.0


def test_less_noise_than_the_camera_has_hides_no_frozen_picture_and_as_much_does() -> None:
    assert max(same_s(freeze(live(), dither=0.7))) >= FROZEN_S
    # A limit: a frozen picture with all the noise of a live one is a live picture of another scene.
    assert max(same_s(freeze(live(), dither=2.0))) <= 1.0


def test_a_loop_of_recorded_frames_is_noticed() -> None:
    recorded = list(islice(live(), 5 * FPS))
    assert max(same_s(frame for loop in repeat(recorded, 4) for frame in loop)) >= FROZEN_S


def test_a_lamp_and_a_crowd_do_not_make_the_noise_of_a_still_room_look_like_copies() -> None:
    frames, random = live(), np.random.default_rng(6)
    dark = (frame // 4 for frame in islice(live(), 3))
    crowd = [np.roll(next(frames), int(shift), axis=1) for shift in random.integers(0, 320, 60)]
    seconds = same_s([*dark, *crowd, *islice(live(), 150)])
    assert max(seconds) <= 1.0


def test_a_small_body_that_moves_before_a_wall_without_noise_is_new() -> None:
    def walk() -> Iterator[np.ndarray]:
        for number in range(150):
            picture = room().clip(0, 255).astype(np.uint8)
            picture[100:160, 2 * number : 2 * number + 20] = 255 - picture[100:160, 2 * number : 2 * number + 20]
            yield picture

    assert max(same_s(walk())) <= 1.0
