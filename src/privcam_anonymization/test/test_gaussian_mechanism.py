"""ε of Gaussian noise: the same as the reference library has."""

import sys
from math import log
from subprocess import run

import pytest
from dp_accounting import get_epsilon_gaussian
from hypothesis import given
from hypothesis.strategies import floats
from scipy.stats import norm

from privcam_anonymization.gaussian_mechanism import _log_tail, epsilon_of_gaussian


@given(sigma=floats(1e-3, 1e3), delta=floats(1e-12, 0.5))
def test_epsilon_is_that_of_the_reference(sigma: float, delta: float) -> None:
    assert epsilon_of_gaussian(sigma, delta) == pytest.approx(get_epsilon_gaussian(sigma, delta), rel=1e-9, abs=1e-9)


@given(floats(-30, 1e3))
def test_tail_of_the_normal_distribution_is_that_of_the_reference(x: float) -> None:
    assert _log_tail(x) == pytest.approx(float(norm.logsf(x)), rel=1e-12)


def test_more_delta_takes_less_epsilon_and_enough_takes_none() -> None:
    spent = [epsilon_of_gaussian(1.0, delta) for delta in (1e-9, 1e-5, 1e-2, 0.4)]
    assert spent == sorted(spent, reverse=True)
    assert spent[-1] == 0
    assert epsilon_of_gaussian(1e-3, 1e-5) > 1e5 > -log(1e-5)


def test_eraser_starts_without_the_libraries_that_take_longest() -> None:
    heavy = ("dp_accounting", "scipy.stats", "scipy.optimize", "sklearn", "matplotlib", "onnx")
    code = f"import sys, privcam_privacy.eraser; print(*(name for name in {heavy!r} if name in sys.modules))"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
