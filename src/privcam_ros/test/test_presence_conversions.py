"""The regions of presences survive as a message, and impossible ones are refused."""

from dataclasses import replace

import pytest

from privcam_core.types.omega import InvalidOmega, SyncKey
from privcam_core.types.perception import PresenceRegion
from privcam_ros.conversions import key_from_msg
from privcam_ros.presence_conversions import presences_from_msg, presences_to_msg

KEY = SyncKey("room1", 7, 1_700_000_000_000_000_000)
REGION = PresenceRegion(3, (10.0, 20.0, 50.0, 90.0), animate=True, followed=False, still_s=4.5)


def test_presences_survive_and_no_presences_too() -> None:
    message = presences_to_msg([REGION, replace(REGION, number=4, animate=False, followed=True)], KEY)
    assert key_from_msg(message.key) == KEY
    assert presences_from_msg(message) == [REGION, replace(REGION, number=4, animate=False, followed=True)]
    assert presences_from_msg(presences_to_msg([], KEY)) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"number": 0}, "regions.number"),
        ({"box": (1.0, 2.0, 1.0, 4.0)}, "regions.box"),
        ({"still_s": -1.0}, "regions.still_s"),
        ({"still_s": float("nan")}, "regions.still_s"),
    ],
)
def test_impossible_presence_is_refused(change: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidOmega, match=field):
        presences_from_msg(presences_to_msg([replace(REGION, **change)], KEY))  # type: ignore[arg-type]
