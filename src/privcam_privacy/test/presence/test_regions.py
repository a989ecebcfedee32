"""The region of a presence is what is seen of it, else where it may be."""

from privcam_core.types.perception import PresenceRegion
from privcam_privacy.presence.patch import Patch
from privcam_privacy.presence.presence import Presence
from privcam_privacy.presence.regions import presence_regions


def _cells(rows: slice, columns: slice) -> Patch:
    return Patch.rectangle((rows, columns))


def test_region_of_a_presence_that_is_not_seen_is_all_of_its_cells() -> None:
    presence = Presence(5, _cells(slice(10, 20), slice(30, 50)), animate=True, still_s=3.0)
    assert presence_regions([presence]) == [PresenceRegion(5, (60.0, 20.0, 100.0, 40.0), True, False, 3.0)]


def test_region_of_a_presence_that_is_seen_is_what_is_seen() -> None:
    presence = Presence(1, _cells(slice(0, 40), slice(0, 60)), animate=True, followed=True)
    presence.now = _cells(slice(4, 8), slice(2, 10))
    assert presence_regions([presence]) == [PresenceRegion(1, (4.0, 8.0, 20.0, 16.0), True, True, 0.0)]


def test_presence_without_cells_has_no_region() -> None:
    assert presence_regions([Presence(1, Patch.nothing(), animate=False)]) == []
