"""The accountant: exact for Gaussian noise, over a sliding window, never too small."""

from itertools import pairwise
from math import sqrt

import pytest
from dp_accounting import GaussianDpEvent, SelfComposedDpEvent
from dp_accounting.rdp import RdpAccountant

from privcam_anonymization.accountant import Accountant, epsilon
from privcam_anonymization.anonymizer import PoseSettings
from privcam_core.types.omega import NO_ACCOUNTING

START, FRAME = 1_700_000_000 * 10**9, 10**8


def test_composed_budget_is_just_below_the_bound_by_moments() -> None:
    orders = [1 + n / 50 for n in range(1, 1000)]
    bound = RdpAccountant(orders).compose(SelfComposedDpEvent(GaussianDpEvent(2.0), 50)).get_epsilon(1e-5)
    exact = epsilon(0.5, 50, 1e-5)
    assert 0.85 * bound < exact <= bound


def test_known_value() -> None:
    # Gaussian mechanism with sigma 1 and sensitivity 1 at delta 1e-5 (Balle and Wang 2018).
    assert epsilon(1.0, 1, 1e-5) == pytest.approx(4.377, abs=0.001)
    assert epsilon(1.0 / sqrt(7), 7, 1e-5) == pytest.approx(4.377, abs=0.001)


def test_nothing_released_costs_nothing_and_each_release_costs_more() -> None:
    accountant = Accountant(PoseSettings())
    spent = [accountant.spend(START, released=False)[0]]
    spent += [accountant.spend(START + n * FRAME, released=True)[0] for n in range(1, 5)]
    assert spent[0] == 0
    assert all(a < b for a, b in pairwise(spent))
    assert accountant.spend(START + 5 * FRAME, released=False) == (spent[-1], 1e-5)


def test_window_forgets_what_is_older() -> None:
    accountant = Accountant(PoseSettings(), window_s=2.0)
    first, _ = accountant.spend(START, released=True)
    accountant.spend(START + 10 * FRAME, released=True)
    assert accountant.spend(START + 25 * FRAME, released=False)[0] == first
    assert accountant.spend(START + 60 * FRAME, released=False)[0] == 0


def test_huge_budget_is_reported_as_it_is() -> None:
    accountant = Accountant(PoseSettings())
    for n in range(600):
        spent, _ = accountant.spend(START + n * FRAME, released=True)
    assert spent > 1e4


def test_raw_poses_have_no_budget() -> None:
    assert Accountant(PoseSettings(mode="raw")).spend(START, released=True) == (NO_ACCOUNTING, 0.0)


@pytest.mark.parametrize("wrong", [{"delta": 0.0}, {"delta": 1.0}, {"window_s": 0.0}])
def test_wrong_setting_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Accountant(PoseSettings(), **wrong)
