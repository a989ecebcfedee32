"""Maps z to embeddings of a language model with a linear map that was learned elsewhere and comes as a file."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from privcam_core.types.omega import MAX_EMBEDDING_VALUES, Embedding
from privcam_vlm.vlm_errors import NoReply, Reason, Unusable

MAX_TOKENS = 64


class Adapter:
    """Maps z to T tokens: `weight` @ z + `bias`.

    The file is an npz with `weight` (T, hidden, len z) and `bias` (T, hidden), both float32, and `encoder_id`, the name
    of the encoder that it was learned for: the numbers of another one mean something else.
    """

    def __init__(self, path: str | Path) -> None:
        where = f"vlm_adapter {path}"
        try:
            with np.load(path, allow_pickle=False) as file:
                weight, bias, encoder_id = (file[name] for name in ("weight", "bias", "encoder_id"))
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise Unusable(f"{where}: is no npz with weight, bias and encoder_id: {error}") from error
        if weight.ndim != 3 or bias.shape != weight.shape[:2] or 0 in weight.shape:
            raise Unusable(
                f"{where}: weight {weight.shape} and bias {bias.shape} are not (T, hidden, len z) and (T, hidden)"
            )
        if weight.shape[0] > MAX_TOKENS or weight.shape[2] > MAX_EMBEDDING_VALUES:
            raise Unusable(f"{where}: {weight.shape} is more than {MAX_TOKENS} tokens or {MAX_EMBEDDING_VALUES} values")
        if weight.dtype != np.float32 or bias.dtype != np.float32 or encoder_id.dtype.kind != "U" or encoder_id.ndim:
            raise Unusable(f"{where}: weight and bias have to be float32, encoder_id a text")
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise Unusable(f"{where}: has values that are not finite")
        self._weight, self._bias = weight, bias
        self._encoder_id = str(encoder_id)

    @property
    def hidden(self) -> int:
        """Length of a token's embedding."""
        return int(self._bias.shape[1])

    def tokens(self, embedding: Embedding) -> npt.NDArray[np.float32]:
        """Return z as (T, hidden) float32. Raises NoReply for the z of another encoder or of another length."""
        if embedding.encoder_id != self._encoder_id:
            text = f"z is of encoder {embedding.encoder_id!r}, the adapter is for {self._encoder_id!r}"
            raise NoReply(Reason.ADAPTER, text)
        z = embedding.values().reshape(-1)
        if len(z) != self._weight.shape[2]:
            raise NoReply(Reason.ADAPTER, f"z has {len(z)} values, the adapter is for {self._weight.shape[2]}")
        return np.asarray(self._weight @ z + self._bias, np.float32)
