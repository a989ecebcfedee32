"""Reads the text of a source: a camera of this host, the URL of a stream, or a video file."""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from privcam_core.source_credentials import Credentials
from privcam_core.source_text import PLACEHOLDERS, SecretInSource, redact_source, require_no_secret
from privcam_sources.devices import is_device_name
from privcam_sources.errors import SourceError

# Schemes that this project's FFmpeg (of PyAV's wheel) can open; a test tries each.
SCHEMES = (
    *("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "rtmpt", "rtmpts", "rtp", "udp", "tcp", "tls"),
    *("mmsh", "mmst", "ftp"),
)
_URL = re.compile(r"([a-z][a-z0-9+.-]*):/", re.IGNORECASE)


@dataclass(frozen=True)
class Spec:
    """A parsed source. kind: `camera`, `stream` or `file`. target: the device, URL or path, without a secret.

    credentials: of a stream that wants them.
    """

    kind: str
    target: str
    credentials: Credentials | None = None

    @property
    def live(self) -> bool:
        """Whether it is no file of this host. A stream can turn out to be a recording when it is opened."""
        return self.kind != "file"

    @property
    def name(self) -> str:
        """The source as it may be shown: of a stream the scheme and the host."""
        return redact_source(self.target)


def parse(text: str, credentials: Credentials | None = None) -> Spec:
    """Read a source: `0`, `/dev/video0` or `/dev/v4l/by-id/…`, a URL, or the path of a video file.

    `~` is expanded. credentials: of a stream. Raises SourceError for a source with a password in it, for a scheme that
    cannot be opened, and for credentials of a source that takes none.
    """
    try:
        require_no_secret(text)
    except SecretInSource as error:
        raise SourceError(str(error)) from error
    spec = _parse(text)
    if credentials is None:
        if spec.kind == "stream" and any(placeholder in spec.target for placeholder in PLACEHOLDERS):
            raise SourceError(f"source {spec.name}: has {{user}} or {{password}} in it, but no source_credentials")
        return spec
    if spec.kind != "stream":
        raise SourceError(f"source {spec.name}: only a stream takes source_credentials; leave them out")
    return replace(spec, credentials=credentials)


def _parse(text: str) -> Spec:
    if not text:
        raise SourceError("source is empty: give a camera (0, /dev/v4l/by-id/…), a URL (rtsp://…), or a video file")
    if re.fullmatch(r"\d{1,3}", text):
        return Spec("camera", f"/dev/video{text}")
    if "\0" in text:
        raise SourceError(f"source {redact_source(text)}: has a zero byte in it")
    if text.lower().startswith("file:") and "/" not in text[:6] and not _exists(text):
        raise SourceError("source file:…: needs a path of this host: file:///folder/clip.mp4")
    url = _URL.match(text)
    if url is not None and not _exists(text):
        scheme, rest = url[1].lower(), text[url.end(1) :]
        if scheme == "file":
            return _path(_file_of(rest))
        if scheme not in SCHEMES:
            raise SourceError(
                f"source {redact_source(text)}: the scheme {scheme} cannot be opened; there are: file, "
                f"{', '.join(SCHEMES)}. A media server on this host can turn other streams into rtsp"
            )
        if not rest.startswith("://"):
            raise SourceError(
                f"source {redact_source(text)}: a URL has two slashes behind the colon: {scheme}://host/…"
            )
        _require_port(scheme + rest)
        return Spec("stream", scheme + rest)
    return _path(text)


def _require_port(url: str) -> None:
    """Raise SourceError for a URL without a host, or with a port that does not exist."""
    try:
        parts = urlsplit(url)
        good = bool(parts.hostname) and parts.port != 0
    except ValueError:  # its text can hold a password
        good = False
    if not good:
        raise SourceError(
            f"source {redact_source(url)}: is no address of a stream: needs a host, and a port from 1 to 65535 or none"
        )


def _path(text: str) -> Spec:
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise SourceError(f"source {redact_source(text)}: there is no user with this home folder") from error
    return Spec("camera" if is_device_name(path) else "file", str(path))


def _file_of(rest: str) -> str:
    """Return the path of what follows `file` in a URL. Raises SourceError where it is on another host."""
    host, slash, path = rest.removeprefix("://").partition("/") if rest.startswith("://") else ("", "/", rest[2:])
    if host not in ("", "localhost") or not path:
        raise SourceError("source file://…: needs a path of this host: file:///folder/clip.mp4")
    return os.fsdecode(unquote_to_bytes(slash + path))


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False  # longer than a path may be, or with a zero byte
