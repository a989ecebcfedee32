"""Where the noise takes its random bytes from: the operating system, or a seed for runs that have to repeat."""

from collections.abc import Callable
from os import urandom

import numpy as np

# Returns that many random bytes.
RandomBytes = Callable[[int], bytes]

# The cryptographic generator of the kernel. Whoever knows any number of its bytes cannot compute another one.
SYSTEM: RandomBytes = urandom


def seeded(seed: int) -> RandomBytes:
    """Return a source that gives the same bytes in every run, for tests and evaluation alone.

    Whoever knows the seed can remove the noise. So no setting, parameter or environment variable leads here: a program
    that wants it has to hand it over in its own code, and no node does (`test/rules/test_imports.py`).
    """
    generator = np.random.default_rng(seed)
    return generator.bytes
