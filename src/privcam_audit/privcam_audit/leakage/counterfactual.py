"""Makes the counterfactual of a clip: the same environment, and other values in every person pixel."""

import numpy as np
import numpy.typing as npt

_HALF = np.uint8(128)


def invert_labelled(image: npt.NDArray[np.uint8], labelled: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Return a copy of a (H, W, 3) picture in which every value v in `labelled` (H, W) is (v + 128) mod 256.

    Every labelled value differs by 128 from the original, whatever it was; so what does not depend on it stays, and no
    colour of a person agrees with the counterfactual's by chance.
    """
    changed = image.copy()
    # uint8 arithmetic wraps around, which is the mod 256.
    changed[labelled] += _HALF
    return changed
