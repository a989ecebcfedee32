"""Measures the fuzzing part of `./privcam bench`: malformed Ω that passed, and why the others were rejected."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzzing.covert_channels import covert_capacity, offer_film, offer_poses, pose_bits
from fuzzing.fuzzer import Fuzzer, Result, save
from fuzzing.link_ends import Tally
from privcam_edge.link.budgets import MIB, POSES_RESERVE_S, Budgets

VGA = (480, 640)
# The film whose capacity is measured, beside the one that is computed for the same budgets: small, so that it is quick.
FILM_BUDGETS = Budgets(picture_mib_per_hour=2.0)
FILM_SIZE, FILM_SECONDS, FILM_RATE_HZ = (80, 100), 8 * 3600.0, 1 / 20
# More poses than the default budget lets change, for several times its reserve.
FLOOD_SUBJECTS, FLOOD_SECONDS, FLOOD_RATE_HZ = 20, 60.0, 30.0


def measure_fuzzing(count: int, out: Path, say: Callable[[str], None], seed: int = 0) -> dict[str, Any]:
    """Offer `count` malformed Ω to the gate and about as many to the cloud; return the counts for bench.json."""
    result = Fuzzer(seed).run(count)
    save(result.failures, out)
    found = summary(result)
    for end in ("gate", "cloud"):
        counts = found[end]
        say(f"  {end}: {counts['malformed']} malformed, {counts['passed']} passed, {counts['crashes']} crashes")
    return found


def summary(result: Result) -> dict[str, Any]:
    """Return the counts of one run of the fuzzer, ready for JSON."""
    return {
        "gate": _figures(result.gate),
        "cloud": _figures(result.cloud),
        "valid_ones_taken_by_both": result.good,
        "origin_attacks": {"offered": result.origin_attacks, "true_ones_after_them": result.true_ones},
        "covert_channels": {"offered": result.covert, "cleaned": result.cleaned, **_capacity()},
        "peak_memory_growth_mib": round(result.grown_mib, 1),
        "seconds": round(result.seconds, 1),
        "kinds": dict(sorted(result.kinds.items())),
    }


def _capacity() -> dict[str, Any]:
    """Return covert capacities, bits per s: computed for the default budgets, and what leaves of films and poses."""
    film = offer_film(FILM_BUDGETS, FILM_SIZE, FILM_SECONDS, FILM_RATE_HZ)
    default = covert_capacity(Budgets(), VGA, subjects=2, dimensions=48, rate_hz=10.0)
    computed = covert_capacity(FILM_BUDGETS, FILM_SIZE, subjects=0, dimensions=48, rate_hz=10.0)
    crowd = covert_capacity(Budgets(), VGA, subjects=64, dimensions=48, rate_hz=60.0)
    flood = offer_poses(Budgets(), FLOOD_SUBJECTS, FLOOD_SECONDS, FLOOD_RATE_HZ)
    spent = Budgets().poses_per_second * POSES_RESERVE_S
    reserve = 8 * FILM_BUDGETS.picture_mib_per_hour * MIB
    return {
        "default_bits_per_s": {part: round(bits) for part, bits in default.items()},
        "crowd_poses_bits_per_s": round(crowd["eraser_poses"]),
        "poses": {
            "offered": flood.offered,
            "changed": flood.changed,
            "bits_of_one": round(pose_bits(max(VGA))),
            "changed_per_s_after_the_reserve": round((flood.changed - spent) / flood.seconds, 1),
        },
        "film": {
            "pictures_offered": film.offered,
            "pictures_left": film.left,
            "pictures_allowed": film.allowed,
            "computed_bits_per_s": round(computed["eraser_pictures"]),
            "measured_bits_per_s": round((film.bits - reserve) / film.seconds),
        },
    }


def _figures(tally: Tally) -> dict[str, Any]:
    return {
        "malformed": tally.malformed,
        "rejected": dict(tally.reasons.most_common()),
        "passed": tally.passed,
        "crashes": tally.crashes,
        "valid": tally.valid,
        "valid_but_wrong": tally.other,
    }
