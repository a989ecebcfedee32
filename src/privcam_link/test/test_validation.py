"""What an Ω must hold beyond being well formed: its picture is the one that it says."""

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from privcam_core.images.environment import decode_environment, encode_environment, environment_of
from privcam_core.types.omega import Embedding, Environment, InvalidOmega, Omega, PrivacyReport, SyncKey, Verdict
from privcam_link.patches import Picture, encode_patch
from privcam_link.validation import Reason, Rejected, open_environment, reason_of, require_publishable

KEY = SyncKey("room1", 7, 10**18)
VALID = np.ones((6, 8), np.bool_)
VALID[2:4] = False


def picture(level: int) -> Picture:
    """A picture as it is once it has travelled: nothing lies below what is not valid."""
    return decode_environment(encode_environment(np.full((6, 8, 3), level, np.uint8), VALID))


BASE, NEW = picture(90), picture(120)
WHOLE = environment_of(KEY, encode_environment(*NEW), 3)
BASE_DIGEST = environment_of(KEY, encode_environment(*BASE), 2).digest
PATCH = replace(WHOLE, png=encode_patch(NEW, BASE), base=BASE_DIGEST)


def test_whole_picture_is_opened() -> None:
    plate, confirmed = open_environment(WHOLE)
    assert (plate[VALID] == 120).all()
    np.testing.assert_array_equal(confirmed, VALID)


def test_patch_is_opened_on_its_base_and_shows_what_the_whole_picture_shows() -> None:
    for made, whole in zip(open_environment(PATCH, BASE), open_environment(WHOLE), strict=True):
        np.testing.assert_array_equal(made, whole)


def test_patch_on_another_picture_than_its_base_has_another_digest() -> None:
    hidden = encode_patch(NEW, NEW)  # keeps every pixel
    with pytest.raises(InvalidOmega, match="digest") as rejection:
        open_environment(replace(PATCH, png=hidden), BASE)
    assert (rejection.value.field, reason_of(rejection.value)) == ("environment.sha256", Reason.DIGEST)


@pytest.mark.parametrize(
    ("environment", "base", "field"),
    [
        (replace(WHOLE, digest=sha256(WHOLE.png).digest()), None, "environment.sha256"),
        (replace(WHOLE, png=encode_environment(*BASE)), None, "environment.sha256"),
        (replace(WHOLE, png=WHOLE.png + b"!"), None, "environment.png"),
        (replace(WHOLE, png=PATCH.png), None, "environment.png"),
        (replace(PATCH, png=WHOLE.png[:-1]), BASE, "environment.png"),
        (replace(WHOLE, height=8, width=6), None, "environment.size"),
        (replace(WHOLE, confirmed_fraction=WHOLE.confirmed_fraction + 0.002), None, "environment.confirmed_fraction"),
        (WHOLE, BASE, "environment.base"),
        (PATCH, None, "environment.base"),
    ],
)
def test_picture_that_is_not_what_goes_with_it_is_refused_by_field(
    environment: Environment, base: Picture | None, field: str
) -> None:
    with pytest.raises(InvalidOmega) as rejection:
        open_environment(environment, base)
    assert rejection.value.field == field
    expected = Reason.DIGEST if field == "environment.sha256" else Reason.PICTURE
    assert reason_of(rejection.value) == expected


def test_withheld_omega_and_free_text_are_not_publishable() -> None:
    z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
    good = Omega(KEY, WHOLE, [], z, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS))
    require_publishable(good)
    with pytest.raises(Rejected, match=r"privacy: privacy\.verdict"):
        require_publishable(replace(good, privacy=PrivacyReport(0.0, 0.0, 0.0, Verdict.WITHHOLD, "motion")))
    with pytest.raises(Rejected, match=r"field: embedding\.encoder_id"):
        require_publishable(replace(good, embedding=replace(z, encoder_id="Mr Smith in bed 4")))
