from itertools import combinations
from math import dist

from privcam_core.drawing.palette import color

FILL = 128


def test_colour_is_a_function_of_the_subject_id_alone():
    first = [color(subject) for subject in range(1, 50)]
    color.cache_clear()
    assert [color(subject) for subject in reversed(range(1, 50))] == first[::-1]


def test_colours_of_a_ward_of_eight_are_well_apart():
    assert min(dist(a, b) for a, b in combinations([color(subject) for subject in range(1, 9)], 2)) > 40


def test_no_two_of_the_first_24_colours_are_equal():
    assert len({color(subject) for subject in range(1, 25)}) == 24


def test_every_colour_is_clearly_lighter_than_the_neutral_fill():
    for subject in (*range(1, 200), 2**32 - 1):
        blue, green, red = color(subject)
        assert 0.114 * blue + 0.587 * green + 0.299 * red > FILL + 20


def test_no_subject_has_the_red_of_an_alarm():
    for subject in range(1, 200):
        blue, green, red = color(subject)
        assert not (red > 1.5 * green and red > 1.5 * blue)
