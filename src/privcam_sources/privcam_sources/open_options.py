"""How sources are opened: settings of the user, and what FFmpeg gets for each scheme."""

from dataclasses import dataclass

import av.codec.hwaccel

TRANSPORTS = ("tcp", "udp", "udp_multicast", "http", "https")
_MICRO = 10**6
# Schemes of which files of this host may make use: none that reaches beyond it.
_LOCAL_PROTOCOLS = "file,crypto,data"
# A recording of a web server whose connection drops is asked for from there on, for some seconds.
RECONNECT = {"reconnect": "1", "reconnect_delay_max": "4"}


@dataclass(frozen=True)
class OpenOptions:
    """Settings of a stream.

    transport: of RTSP, one of TRANSPORTS. open_s: until the stream has to be open. read_s: until the next frame has to
    come; segmented streams (HLS) get four times as long. hardware: decode with a device of the host where there is one.
    """

    transport: str = "tcp"
    open_s: float = 5.0
    read_s: float = 10.0
    hardware: bool = False


def ffmpeg_options(scheme: str, options: OpenOptions) -> dict[str, str]:
    """Return the options of FFmpeg for a URL of this scheme, `file` for a file of this host."""
    if scheme == "file":
        return {"protocol_whitelist": _LOCAL_PROTOCOLS}
    socket_timeout = str(round(options.read_s * _MICRO))
    if scheme in ("rtsp", "rtsps"):
        # Neither sound nor metadata of the camera is fetched. A second is enough to see what the description left out.
        return {
            "rtsp_transport": options.transport,
            "allowed_media_types": "video",
            "timeout": socket_timeout,
            "analyzeduration": str(_MICRO),
        }
    if scheme in ("http", "https"):
        # Of a live playlist that does not change any more, say so instead of asking 1000 times. The segment before the
        # last one is as far from leaving the playlist as from being asked for before it is there.
        playlists = {"m3u8_hold_counters": "20", "live_start_index": "-2", "seg_max_retry": "2"}
        return {"rw_timeout": socket_timeout, **playlists}
    if scheme in ("rtmp", "rtmps", "rtmpt", "rtmpts", "udp", "rtp"):
        return {"rw_timeout": socket_timeout, "analyzeduration": str(2 * _MICRO)}
    return {"rw_timeout": socket_timeout}


def hardware_decoder(options: OpenOptions) -> av.codec.hwaccel.HWAccel | None:
    """Return what decodes in hardware, None where that is not wanted or there is none: then software does it."""
    present = av.codec.hwaccel.hwdevices_available() if options.hardware else []
    for kind in ("cuda", "vaapi", "qsv"):
        if kind in present:
            return av.codec.hwaccel.HWAccel(kind, allow_software_fallback=True)
    return None
