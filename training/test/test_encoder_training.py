"""How the encoder is trained and attacked: what is drawn is labelled rightly, and a rate costs what it has to."""

import numpy as np
import pytest
import torch

from privcam_core.images import FILL
from privcam_core.proxy import render_subject
from privcam_edge.embedding.encoder import MOST
from privcam_training.encoder.backgrounds import background
from privcam_training.encoder.figures import KINDS, figures
from privcam_training.encoder.fitting import Views, drawn, fit_bottleneck, rate_of
from privcam_training.encoder.network import DIMENSIONS, FEATURES
from privcam_training.encoder.scenes import GRID, compose, hill, layout_of, middles, proxies, rooms

SIZE = (240, 320)


@pytest.fixture(scope="module")
def drawn_people():
    return proxies(24, 4)


def test_a_map_holds_as_many_as_are_counted(drawn_people) -> None:
    people = drawn_people.density.sum(axis=(1, 2, 3))
    assert np.allclose(np.minimum(people, MOST), drawn_people.count, atol=1e-4)
    assert 0 in drawn_people.count and drawn_people.count.max() > 2


def test_the_same_people_come_again_and_others_with_another_seed(drawn_people) -> None:
    assert np.array_equal(proxies(24, 4).shown, drawn_people.shown)
    assert not np.array_equal(proxies(24, 5).shown, drawn_people.shown)


def test_a_picture_before_a_room_is_what_the_edge_would_compose(drawn_people) -> None:
    room = np.full((24, *drawn_people.covers.shape[1:], 3), 90, np.uint8)
    pictures = compose(drawn_people.shown, drawn_people.covers, room)
    nobody, everywhere = drawn_people.covers == 0, drawn_people.covers == 255
    assert (pictures[nobody] == 90).all()
    assert np.array_equal(pictures[everywhere], drawn_people.shown[everywhere])
    assert everywhere.any()


def test_whoever_is_behind_another_or_outside_is_not_counted() -> None:
    random = np.random.default_rng(1)
    (one,) = figures(random, 1, SIZE)
    shapes = render_subject(one.pose)
    assert middles([shapes, shapes], SIZE)[0] is None
    assert middles([shapes, shapes], SIZE)[1] is not None
    assert middles([shapes], (2, 2)) == [None]


def test_the_place_of_somebody_is_found_in_the_layout_and_nowhere_else() -> None:
    density = np.zeros((1, len(KINDS), *GRID), np.float32)
    density[0, 1] = hill((0.9, 0.1))
    assert np.flatnonzero(layout_of(density)[0]).tolist() == [3]


def test_rooms_hold_unknown_places_in_the_colour_that_the_edge_fills_in() -> None:
    random = np.random.default_rng(2)
    made = [background(random, [], SIZE) for _ in range(20)]
    assert any((room == FILL).all() for room in made)
    assert any(0.01 < (room == FILL).all(axis=2).mean() < 0.99 for room in made)
    assert rooms([], 2, 1).shape == (2, 120, 160, 3)


def counted(beta: float) -> tuple[float, float]:
    """Bits, and the share counted rightly, of a bottleneck for features that say how many there are."""
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    count = random.integers(0, 4, 1500)
    features = random.normal(0, 0.05, (1500, FEATURES)).astype(np.float32)
    features[:, -1] = count
    density = np.zeros((1500, len(KINDS), *GRID), np.float32)
    density[:, 0, 0, 0] = count
    coder = fit_bottleneck(Views(features, density, count), beta=beta, epochs=150)
    with torch.no_grad():
        said = coder.tasks(drawn(coder, features, 1)).count.argmax(dim=1).numpy()
    return coder.rate, float((said == count).mean())


def test_a_larger_beta_buys_fewer_bits_and_pays_with_what_z_is_good_for() -> None:
    (many, good), (few, poor) = counted(1e-3), counted(10.0)
    assert many > few and good > 0.95 > poor
    assert few < many / 3


def test_the_rate_is_nothing_for_the_prior_and_grows_with_the_distance_from_it() -> None:
    zero = torch.zeros(1, DIMENSIONS)
    assert float(rate_of(zero, zero)) == 0.0
    assert float(rate_of(zero + 1, zero)) == pytest.approx(DIMENSIONS / 2)
