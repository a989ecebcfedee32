"""Names of video sources without their secrets, for every place that prints, logs, stores or passes on a source.

Cameras take passwords in many places of a URL, and passwords contain every character. So nothing is cut out of a URL:
only its scheme and its host are kept, and the host only where no reading of the text makes it a part of a password.
"""

import re
import unicodedata
from pathlib import Path

HIDDEN = "(not shown, because it may hold a password)"
# Stand in a source for what a file of credentials has.
PLACEHOLDERS = ("{user}", "{password}")
_URL = re.compile(r"\s*([a-z][a-z0-9+.-]{0,30}):[/\\]+", re.IGNORECASE)
_URL_IN_TEXT = re.compile(r"[a-z][a-z0-9+.-]{0,30}:[/\\]+[^\s\"'<>]*", re.IGNORECASE)
# Where the host of a URL ends. Cameras also take their arguments after `;` and `&`.
_END_OF_HOST = re.compile(r"[/\\?#;&]")
_HOST = re.compile(r"(?:[\w.-]+|\[[0-9a-f:.]+(?:%\w+)?\])(?::\d{1,5})?", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]*:[0-9a-f:.]*(?:%\w+)?\])(?::\d{1,5})?", re.IGNORECASE)
# What is neither in the name of a camera nor usual in the name of a file.
_SUSPICIOUS = re.compile(r"[@?=&%:;]")
# Names of arguments whose value is a secret, or names a person.
_SECRET = re.compile(
    r"(?:^|[?&;/,\s])[\w.-]*(?:pass|pwd|pw|psw|user|usr|login|account|auth|token|secret|key|session|sid)[\w.-]*=([^?&;/,\s]*)"
)
_PERCENT = re.compile(rb"%([0-9a-f]{2})", re.IGNORECASE)
# A text may be percent-encoded more than once.
_DECODINGS = 4


class SecretInSource(ValueError):
    """A source holds a user name or a password. The message says how to do it right, and holds neither."""


def redact_source(text: str) -> str:
    """Return a source as it may be shown: a URL as scheme and host; whatever is no camera, file or URL not at all."""
    match = _URL.match(unicodedata.normalize("NFKC", text))
    if match is not None:
        return f"{match[1].lower()}://{_host(unicodedata.normalize('NFKC', text)[match.end() :])}"
    named = not _SUSPICIOUS.search(text) or (text.startswith("/dev/") and "@" not in text) or _exists(text)
    return text if named else HIDDEN


def redact_text(text: str) -> str:
    """Return a sentence, e.g. the message of a library, with every URL in it as scheme and host."""
    return _URL_IN_TEXT.sub(lambda match: redact_source(match[0]), text)


def is_url(text: str) -> bool:
    """Whether a text has the form of a URL, however many slashes follow the scheme."""
    return _URL.match(unicodedata.normalize("NFKC", text)) is not None


def require_no_secret(text: str) -> None:
    """Raise SecretInSource where a source holds a user name or a password, in any of the ways that cameras take."""
    if _holds_secret(text):
        raise SecretInSource(
            f"source {redact_source(text)}: holds a user name or a password, and every user of this machine can read a "
            "source (process list, parameters, log). Write user:password into a file of mode 600, give that file as "
            "source_credentials, and the source without both; where the camera wants them in the path or the query, "
            "write {user} and {password} there. Choose a new password: this one was visible"
        )


def _holds_secret(text: str) -> bool:
    decoded = _decode(text).casefold()
    if not is_url(decoded) and _exists(text):
        return False
    values = [value for value in _SECRET.findall(decoded) if value and value not in PLACEHOLDERS]
    return "@" in decoded or bool(values)


def _host(rest: str) -> str:
    """Return the host of what follows the scheme, or an ellipsis where it could be a part of a password."""
    rest = _decode(rest)
    authority, *tail = _END_OF_HOST.split(rest, maxsplit=1)
    if tail and "@" in tail[0]:
        # A slash in the password, or an @ behind the host. An address is no password, a name could be one.
        match = _ADDRESS.match(rest.rpartition("@")[2])
        return match[0] if match is not None else "…"
    host = authority.rpartition("@")[2]
    return host if _HOST.fullmatch(host) else "…"


def _decode(text: str) -> str:
    for _ in range(_DECODINGS):
        plain = _PERCENT.sub(lambda match: bytes.fromhex(match[1].decode()), text.encode(errors="replace"))
        decoded = unicodedata.normalize("NFKC", plain.decode(errors="replace"))
        if decoded == text:
            break
        text = decoded
    return text


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False  # longer than a path may be, or with a zero byte
