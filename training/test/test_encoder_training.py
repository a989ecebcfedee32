"""How the encoder is trained and attacked: what is drawn is labelled rightly, and a rate costs what it has to."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from privcam_core.drawing.palette import COLORS
from privcam_core.drawing.proxy import render_subject
from privcam_core.images.environment import FILL
from privcam_edge.embedding.shrinking import INPUT
from privcam_training.encoder.backgrounds import background
from privcam_training.encoder.encoder_fitting import (
    Views,
    color_fractions_of,
    fit_bottleneck,
    map_loss,
    rate_of,
    sample_z,
)
from privcam_training.encoder.encoder_network import DIMENSIONS, FEATURES, ProxyPrediction, summarize
from privcam_training.encoder.proxy_figures import KINDS, figures
from privcam_training.encoder.scenes import compose, count_of, layout_of, middles, owners, proxies, rooms, squeeze
from privcam_training.encoder.sweep import Point, chosen

SIZE = (240, 320)


@pytest.fixture(scope="module")
def drawn_people():
    return proxies(24, 4)


def test_empty_pictures_and_full_ones_are_drawn_and_say_who_is_in_them(drawn_people) -> None:
    count = count_of(drawn_people.people)
    assert 0 in count and count.max() > 2
    seen = drawn_people.people[drawn_people.people[..., 0] >= 0]
    assert len(seen) == count.sum() and (seen[:, :2] <= 1).all()
    for colors, people in zip(drawn_people.colors, drawn_people.people, strict=True):
        assert set(people[people[:, 0] >= 0, 3] + 1) <= set(np.unique(colors))


def found(*, colors: torch.Tensor, there: int, kind: int) -> ProxyPrediction:
    """A map that is sure of one person: in which colour, and in which posture."""
    logits = torch.full((1, COLORS), -9.0)
    logits[0, there] = 9.0
    kinds = 9.0 * torch.nn.functional.one_hot(torch.tensor([[kind] * COLORS]), len(KINDS))
    return ProxyPrediction(9.0 * color_fractions_of(colors), logits, kinds.float(), torch.full((1, COLORS, 2), 0.5))


def test_a_map_costs_least_if_it_says_who_is_where_and_in_which_posture() -> None:
    people = torch.full((1, 2, 4), torch.nan)
    people[0, 0] = torch.tensor([0.3, 0.6, 1.0, 5.0])
    colors = torch.zeros(1, *INPUT, dtype=torch.uint8)
    colors[:, 20:60, 40:80] = 6
    right = float(map_loss(found(colors=colors, there=5, kind=1), colors, people))
    for wrong in (
        found(colors=colors.flip(1), there=5, kind=1),
        found(colors=colors, there=6, kind=1),
        found(colors=colors, there=5, kind=2),
    ):
        assert float(map_loss(wrong, colors, people)) > right + 1


def test_people_are_summed_over_cells_and_in_all() -> None:
    features = summarize(found(colors=torch.zeros(1, *INPUT, dtype=torch.uint8), there=3, kind=2))
    assert features.shape == (1, FEATURES)
    assert float(features[0, -1]) == pytest.approx(1, abs=0.01)
    assert features[0, -1 - len(KINDS) : -1].numpy() == pytest.approx([0, 0, 1, 0], abs=0.01)


def test_how_surely_somebody_bends_and_sways_does_not_reach_the_bottleneck() -> None:
    still = found(colors=torch.zeros(1, *INPUT, dtype=torch.uint8), there=3, kind=2)
    moved = replace(still, there=still.there * 0.1, kinds=still.kinds * 0.1, middles=still.middles + 0.1)
    assert torch.equal(summarize(moved), summarize(still))
    assert not torch.equal(summarize(replace(still, middles=still.middles + 0.3)), summarize(still))


def test_the_same_people_come_again_and_others_with_another_seed(drawn_people) -> None:
    assert np.array_equal(proxies(24, 4).visible, drawn_people.visible)
    assert not np.array_equal(proxies(24, 5).visible, drawn_people.visible)


def test_a_picture_before_a_room_is_what_the_edge_would_compose(drawn_people) -> None:
    room = np.full((24, *drawn_people.covers.shape[1:], 3), 90, np.uint8)
    pictures = compose(drawn_people.visible, drawn_people.covers, room)
    nobody, everywhere = drawn_people.covers == 0, drawn_people.covers == 255
    assert (pictures[nobody] == 90).all()
    assert np.array_equal(pictures[everywhere], drawn_people.visible[everywhere])
    assert everywhere.any()


def test_of_a_wide_camera_everybody_is_narrower_and_where_they_are_said_to_be(drawn_people) -> None:
    wide = squeeze(drawn_people, np.random.default_rng(3), 1.0)
    assert (count_of(wide.people) <= count_of(drawn_people.people)).all()
    assert (wide.covers > 0).sum() < 0.8 * (drawn_people.covers > 0).sum()
    checked = 0
    for before, colors, people in zip(drawn_people.colors, wide.colors, wide.people, strict=True):
        seen = people[people[:, 0] >= 0]
        for x, y, _, color in seen[[(seen[:, 3] == color).sum() == 1 for color in seen[:, 3]]]:
            if len(np.unique(cv2.connectedComponents((before == color + 1).astype(np.uint8))[1])) > 2:
                continue  # in pieces, or of one colour with somebody who is hidden but for a few pixels
            rows, columns = np.nonzero(colors == color + 1)
            # Whole rows and columns are left out when a picture is squeezed: a middle may move by one on each side.
            assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((x * INPUT[1], y * INPUT[0]), abs=2.0)
            checked += 1
    assert checked > 20


def test_whoever_is_behind_another_or_outside_is_not_counted() -> None:
    random = np.random.default_rng(1)
    (one,) = figures(random, 1, SIZE)
    shapes = render_subject(one.pose)
    behind, before = middles(owners([shapes, shapes], SIZE), 2)
    assert behind is None and before is not None
    assert middles(owners([shapes], (2, 2)), 1) == [None]


def test_the_place_of_somebody_is_found_in_the_layout_and_nowhere_else() -> None:
    people = np.full((2, 3, 4), np.nan, np.float32)
    people[0, 0] = 0.9, 0.1, 1, 0
    assert np.flatnonzero(layout_of(people)[0]).tolist() == [3]
    assert not layout_of(people)[1].any()


def test_rooms_hold_unknown_places_in_the_colour_that_the_edge_fills_in() -> None:
    random = np.random.default_rng(2)
    made = [background(random, [], SIZE, 0.1) for _ in range(20)]
    assert any((room == FILL).all() for room in made)
    assert any(0.01 < (room == FILL).all(axis=2).mean() < 0.99 for room in made)
    assert rooms([], 2, 1).shape == (2, *INPUT, 3)


def counted(beta: float) -> tuple[float, float]:
    """Bits, and the fraction counted rightly, of a bottleneck for features that say how many there are."""
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    count = random.integers(0, 4, 1500)
    features = random.normal(0, 0.05, (1500, FEATURES)).astype(np.float32)
    features[:, -1] = count
    people = np.full((1500, 3, 4), np.nan, np.float32)
    people[np.arange(3) < count[:, None]] = 0
    coder = fit_bottleneck(Views(features, people), beta=beta, epochs=150)
    with torch.no_grad():
        said = coder.tasks(sample_z(coder, features, 1)).count.argmax(dim=1).numpy()
    return coder.rate, float((said == count).mean())


def test_a_larger_beta_buys_fewer_bits_and_pays_with_what_z_is_good_for() -> None:
    (many, good), (few, poor) = counted(1e-3), counted(10.0)
    assert many > few and good > 0.95 > poor
    assert few < many / 3


def test_the_rate_is_nothing_for_the_prior_and_grows_with_the_distance_from_it() -> None:
    zero = torch.zeros(1, DIMENSIONS)
    assert float(rate_of(zero, zero)) == 0.0
    assert float(rate_of(zero + 1, zero)) == pytest.approx(DIMENSIONS / 2)


@pytest.mark.parametrize(
    ("count", "layout", "taken"),
    [
        ([0.94, 0.93, 0.92], [0.97, 0.95, 0.80], 1),
        ([0.94, 0.93, 0.90], [0.97, 0.95, 0.95], 1),
        ([0.94, 0.93, 0.93], [0.97, 0.95, 0.93], 2),
        ([0.90, 0.92, 0.94], [0.97, 0.90, 0.80], 0),
    ],
)
def test_the_largest_beta_is_taken_that_still_counts_and_says_where(count, layout, taken) -> None:
    points = [Point(10.0**i, 50.0, *both, kinds=0.8) for i, both in enumerate(zip(count, layout, strict=True))]
    assert chosen(points) == taken
