"""z is computed anew only where the anonymous frame changed."""

import numpy as np

from privcam_edge.embedding.encoder import BottleneckEncoder
from privcam_edge.embedding.shrinking import INPUT, shrink
from privcam_edge.embedding.still_encoder import StillEncoder

ROOM = np.full((480, 640, 3), 90, np.uint8)


def with_figure(x: int) -> np.ndarray:
    picture = ROOM.copy()
    picture[200:400, x : x + 60] = 200
    return picture


def test_same_frame_has_the_same_z_and_another_one_another() -> None:
    encoder = StillEncoder(BottleneckEncoder(seed=1))
    first, same, other, again = (encoder.encode(picture) for picture in (ROOM, ROOM, with_figure(300), ROOM))
    assert same is first
    assert other.data != first.data
    # The noise is drawn anew: it was another frame in between.
    assert again.data != first.data


def test_frame_in_the_size_of_the_network_is_taken_as_it_is() -> None:
    small = shrink(with_figure(100))
    assert small.shape[:2] == INPUT
    assert shrink(small) is small
    whole, shrunk = (BottleneckEncoder(seed=3).encode(picture) for picture in (with_figure(100), small))
    assert whole.data == shrunk.data
