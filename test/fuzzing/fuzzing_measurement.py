"""Hostile Ω against the gate and the cloud: what got through, and how the rest was refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzzing.fuzzer import Assault, Result, save
from fuzzing.link_ends import Tally


def measure_hostile(count: int, out: Path, say: Callable[[str], None], seed: int = 0) -> dict[str, Any]:
    """Offer `count` hostile Ω to the gate and as many to the cloud; return what became of them. Same seed, same Ω."""
    result = Assault(seed).run(count)
    save(result.failures, out)
    found = summary(result)
    for end in ("gate", "cloud"):
        say(f"  {end}: {found[end]['hostile']} hostile, {found[end]['passed']} passed, {found[end]['crashes']} crashes")
    return found


def summary(result: Result) -> dict[str, Any]:
    """Return the figures of an assault."""
    return {
        "gate": _figures(result.gate),
        "cloud": _figures(result.cloud),
        "valid_ones_taken_by_both": result.good,
        "smuggled": {"offered": result.smuggled, "cleaned": result.cleaned},
        "peak_memory_growth_mib": round(result.grown_mib, 1),
        "seconds": round(result.seconds, 1),
        "made": dict(sorted(result.kinds.items())),
    }


def _figures(tally: Tally) -> dict[str, Any]:
    return {
        "hostile": tally.hostile,
        "rejected": dict(tally.reasons.most_common()),
        "passed": tally.passed,
        "crashes": tally.crashes,
        "valid": tally.valid,
        "valid_but_wrong": tally.other,
    }
