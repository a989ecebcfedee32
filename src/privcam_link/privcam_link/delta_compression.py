"""Ω packed against the Ω before: most of it is the same from one frame to the next.

A packed payload is one Zstandard frame whose dictionary is the plain payload of an earlier Ω, as it is. Whoever has
that one unpacks it with any Zstandard library; whoever has not asks for the plain one (`privcam_link.wire`).
"""

from collections import OrderedDict

from backports import zstd

from privcam_link.cdr import MAX_BARE_BYTES
from privcam_link.validation import Reason, Rejected

# 0.04 ms for an Ω of a kilobyte; the levels below 6 make it a tenth larger, the highest 3 % smaller in 0.14 ms.
_OPTIONS: dict[int, int] = {
    zstd.CompressionParameter.compression_level: 9,
    # Four bytes: with another reference of nearly the same bytes there would be a valid Ω that says something else.
    zstd.CompressionParameter.checksum_flag: 1,
    zstd.CompressionParameter.dict_id_flag: 0,
}
# A frame may ask for a window of 128 MiB by default; ours need 32 KiB.
_LIMITS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 16}
# An Ω may refer to one that was not the last, since some may have been lost between the two.
MAX_REFERENCES = 64


def compress(payload: bytes, reference: bytes) -> bytes:
    """Return `payload` as a Zstandard frame with `reference` as its dictionary."""
    dictionary = zstd.ZstdDict(reference, is_raw=True).as_undigested_dict
    return zstd.compress(payload, options=_OPTIONS, zstd_dict=dictionary)


def decompress(packed: bytes, reference: bytes) -> bytes:
    """Return the plain payload. Raises Rejected for anything but one whole frame of at most an Ω without picture."""
    dictionary = zstd.ZstdDict(reference, is_raw=True).as_undigested_dict
    decompressor = zstd.ZstdDecompressor(zstd_dict=dictionary, options=_LIMITS)
    try:
        payload = decompressor.decompress(packed, max_length=MAX_BARE_BYTES + 1)
    except zstd.ZstdError as error:
        raise Rejected(Reason.COMPRESSION, f"packed: {error} (limit: {MAX_BARE_BYTES} bytes)") from error
    if not decompressor.eof or decompressor.unused_data or len(payload) > MAX_BARE_BYTES:
        raise Rejected(Reason.COMPRESSION, f"packed: is not one whole frame of at most {MAX_BARE_BYTES} bytes")
    return payload


class ReferencePayloads:
    """The newest plain payloads by number, that others may be packed against. Numbers of one queue only."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, bytes] = OrderedDict()

    def keep(self, n: int, payload: bytes) -> None:
        """Remember the plain payload number n; the oldest one goes."""
        self._known[n] = payload
        while len(self._known) > MAX_REFERENCES:
            self._known.popitem(last=False)

    def get(self, n: int) -> bytes | None:
        """Return the plain payload number n, None if it is not kept."""
        return self._known.get(n)

    def clear(self) -> None:
        """Forget all of them."""
        self._known.clear()
