"""How far somebody who rests reaches beyond their boxes."""

from privcam_privacy.presence.rest import Rest

WHOLE = (100.0, 200.0, 300.0, 260.0)
FEET = (290.0, 200.0, 300.0, 260.0)
FROM_THE_HIPS = (100.0, 200.0, 200.0, 260.0)


def rest_of(*parts):
    """Play boxes, each with its seconds, at ten frames/s."""
    rest, seconds = Rest(), 0.0
    for box, lasts_s in parts:
        for _ in range(round(lasts_s * 10)):
            seconds += 0.1
            rest.update(seconds, box, good=True)
    return rest


def reaches_over(rest, box):
    return any(r[0] <= box[0] and r[1] <= box[1] and r[2] >= box[2] and r[3] >= box[3] for r in rest.reaches)


def test_box_that_ends_at_the_hips_for_long_reaches_to_the_feet_of_a_box_of_before():
    assert not reaches_over(rest_of((FROM_THE_HIPS, 60.0)), FEET)
    assert reaches_over(rest_of((WHOLE, 0.5), (FROM_THE_HIPS, 60.0)), FEET)
    assert reaches_over(rest_of((FROM_THE_HIPS, 20.0), (WHOLE, 0.1), (FROM_THE_HIPS, 60.0)), FEET)


def test_weak_box_of_furniture_makes_a_body_no_longer_than_it_is_after_three_seconds():
    rest = rest_of((FROM_THE_HIPS, 10.0))
    rest.update(10.1, (0.0, 0.0, 600.0, 400.0), good=False)
    for step in range(40):
        rest.update(10.2 + 0.1 * step, FROM_THE_HIPS, good=True)
    assert rest.reaches == rest_of((FROM_THE_HIPS, 10.0)).reaches


def test_whoever_walks_away_takes_the_length_along():
    far = (500.0, 200.0, 540.0, 300.0)
    walked = rest_of((WHOLE, 5.0), (far, 10.0))
    assert walked.reaches == rest_of((far, 10.0)).reaches
