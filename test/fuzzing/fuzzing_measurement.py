"""Measures the fuzzing part of `./privcam bench`: malformed Ω that passed, and why the others were rejected."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzzing.fuzzer import Fuzzer, Result, save
from fuzzing.link_ends import Tally


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
        "covert_channels": {"offered": result.covert, "cleaned": result.cleaned},
        "peak_memory_growth_mib": round(result.grown_mib, 1),
        "seconds": round(result.seconds, 1),
        "kinds": dict(sorted(result.kinds.items())),
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
