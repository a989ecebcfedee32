"""Names of video sources without their secrets, for every place that prints, logs, stores or passes on a source.

Cameras take passwords in many places of a URL, and passwords contain every character. So nothing is cut out of a URL:
only its scheme and its host are kept, and the host only where no reading of the text makes it a part of a password.
What names a secret is recognised by its consonants, so that no list has to know every spelling: when in doubt a text is
hidden.
"""

import re
import unicodedata
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

HIDDEN = "(not shown, because it may hold a password)"
# Stand in a source for what a file of credentials has.
PLACEHOLDERS = ("{user}", "{password}")
_URL = re.compile(r"\s*([a-z][a-z0-9+.-]{0,30}):[/\\]+", re.IGNORECASE)
# Up to the last @ of the line: a password may hold blanks and quotes.
_URL_IN_TEXT = re.compile(r"[a-z][a-z0-9+.-]{0,30}:[/\\]+(?:[^\n]*@\S*|\S*)", re.IGNORECASE)
_CLOSING = re.compile(r"[\"'<>)\],.!]*$")
# What is before or behind an @: `user:password@host` without a scheme.
_AROUND_AT = re.compile(r"[^\s\"'<>(]*(?:@|＠|%(?:25)*40)[^\s\"'<>)]*", re.IGNORECASE)
_VALUE_IN_TEXT = re.compile(r"([\w.%-]+)(\s*=\s*)(\"[^\"]*\"|'[^']*'|[^\s&;,\"'<>]+)")
_TOLD_IN_TEXT = re.compile(r"([\w.%-]+)(\s*[\"']?\s*:\s*)(\"[^\"]*\"|'[^']*'|[^\s&;,\"'<>]+)")
# What a header of HTTP gives a server: `Basic` and a user with a password, coded.
_AUTHORIZATION = re.compile(r"\b((?i:basic|bearer))[\s+]+(?=\S*[A-Z0-9=])[\w+/=.~-]{6,}")
# Where the host of a URL ends. Cameras also take their arguments after `;` and `&`.
_END_OF_HOST = re.compile(r"[/\\?#;&]")
_HOST = re.compile(r"(?:[\w.-]+|\[[0-9a-f:.]+(?:%\w+)?\])(?::\d{1,5})?", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]*:[0-9a-f:.]*(?:%\w+)?\])(?::\d{1,5})?", re.IGNORECASE)
# What is neither in the name of a camera nor usual in the name of a file. udev puts colons into names of devices.
_SUSPICIOUS = re.compile(r"[@?=&%:;]")
_DEVICE = re.compile(r"/dev/[\w/:.,+-]+")
# A user and a password in front of a host, without a scheme.
_USER_AT_HOST = re.compile(r"[^\s/@:]+:[^\s@]+@\S")
# Between the arguments of a URL, of a path, and of what cameras make of both.
_BETWEEN = re.compile(r"[?&;/,\s#|!]")
# `name:value` as a part of a path, but not the host and its port.
_TOLD = re.compile(r"(?:^|[?&;,\s#|!]|(?<!/)/)([\w.-]+):([^?&;/,\s]+)")
# A name of a password, without vowels and digits: password, passwd, psswrd, p4ssw0rd, passphrase, passcode, pswd, psk.
_PASSWORD_CONSONANTS = re.compile(r"ps+[wkd]|pss")
# Parts of names: of passwords in other languages, and of other secrets. The last ones name a person.
_PASSWORD_PARTS = (
    *("pw", "kennw", "geheim", "contrase", "clave", "senha", "parola", "wachtw", "haslo", "heslo", "salasana"),
    *("jelszo", "sifre", "secret"),
)
_SECRET_PARTS = ("token", "key", "auth", "bearer", "session", "sid", "ticket", "user", "usr", "login", "account")
# Whole names: as parts they are in many others.
_SECRET_NAMES = {"pas", "mdp", "cred", "credential", "pin", "otp", "sig", "sign", "signature", "hash", "jwt", "uid"}
_NO_CONSONANT = re.compile(r"[^b-df-hj-np-tv-z]")
_PERCENT = re.compile(rb"%([0-9a-f]{2})", re.IGNORECASE)
# A path may be as long as this, and more.
_MAX_SHOWN = 400
# A text may be percent-encoded more than once.
_DECODINGS = 4


class SecretInSource(ValueError):
    """A source holds a user name or a password. The message says how to do it right, and holds neither."""


def redact_source(text: str) -> str:
    """Return a source as it may be shown: a URL as scheme and host; whatever is no camera, file or URL not at all."""
    match = _URL.match(unicodedata.normalize("NFKC", text))
    if match is not None:
        return f"{match[1].lower()}://{_host(unicodedata.normalize('NFKC', text)[match.end() :])}"
    named = not _SUSPICIOUS.search(text) or _DEVICE.fullmatch(text) or _exists(text)
    return _in_one_line(text) if named else HIDDEN


def redact_text(text: str) -> str:
    """Return a sentence, e.g. the message of a library, without the secrets in it.

    URLs are shown as scheme and host, `user:password@host` and the values of names that look like a secret not at all.
    """
    return _URL_IN_TEXT.sub(_redact_url, _redact_between_urls(text))


def is_url(text: str) -> bool:
    """Whether a text has the form of a URL, however many slashes follow the scheme."""
    return _URL.match(unicodedata.normalize("NFKC", text)) is not None


def require_no_secret_word(word: str) -> None:
    """Raise SecretInSource for a word of a command line that reads like a source with a password, scheme or not."""
    decoded = _decode(word)
    if is_url(word) or _gives_secret(decoded.casefold()) or _USER_AT_HOST.search(decoded):
        require_no_secret(word)


def require_no_secret(text: str) -> None:
    """Raise SecretInSource where a source holds a user name or a password, in any of the ways that cameras take."""
    if _holds_secret(text):
        raise SecretInSource(
            f"source {redact_source(text)}: holds a user name or a password, and every user of this machine can read a "
            "source (process list, parameters, log). Write user:password into a file of mode 600, give that file as "
            "source_credentials, and the source without both; where the camera wants them in the path or the query, "
            "write {user} and {password} there. Choose a new password: this one was visible"
        )


def _in_one_line(text: str) -> str:
    """Return the name of a file without characters that would break a line of a log, and not longer than one."""
    plain = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    return plain if len(plain) <= _MAX_SHOWN else f"{plain[:_MAX_SHOWN]}…"


def _holds_secret(text: str) -> bool:
    coded = _AUTHORIZATION.search(_decode(text))
    decoded = _decode(text).casefold()
    if not is_url(decoded) and _exists(text):
        return False
    # Players write the address of a multicast group behind an @ without a user.
    return "@" in decoded.replace("://@", "://", 1) or _gives_secret(decoded) or coded is not None


def _gives_secret(decoded: str) -> bool:
    """Whether a text names a secret and has a value of it."""
    parts = decoded.split("=")
    pairs = [(_BETWEEN.split(before)[-1], _BETWEEN.split(after)[0]) for before, after in pairwise(parts)]
    given = any(value and value not in PLACEHOLDERS and _names_secret(name) for name, value in pairs)
    return given or any(_names_password(match[1]) for match in _TOLD.finditer(decoded))


def _names_secret(name: str) -> bool:
    """Whether the name of an argument looks as if its value were a secret, or named a person."""
    name = _decode(name).casefold()
    words = re.split(r"[\W_]+", name)
    return (
        _names_password(name) or any(part in name for part in _SECRET_PARTS) or any(n in words for n in _SECRET_NAMES)
    )


def _names_password(name: str) -> bool:
    name = _decode(name).casefold()
    return any(part in name for part in _PASSWORD_PARTS) or bool(
        _PASSWORD_CONSONANTS.search(_NO_CONSONANT.sub("", name))
    )


def _redact_url(match: re.Match[str]) -> str:
    closing = _CLOSING.search(match[0])
    assert closing is not None
    return redact_source(match[0][: closing.start()]) + closing[0]


def _redact_between_urls(text: str) -> str:
    """Return a text with the secrets hidden that are in no URL."""
    shown, end = [], 0
    for url in [*_URL_IN_TEXT.finditer(text), None]:
        plain = text[end : url.start() if url else len(text)]
        plain = _AROUND_AT.sub(lambda match: HIDDEN if len(match[0]) > 1 else match[0], plain)
        plain = _AUTHORIZATION.sub(lambda match: f"{match[1]} …", plain)
        plain = _VALUE_IN_TEXT.sub(lambda match: _hide_value(match, _names_secret), plain)
        plain = _TOLD_IN_TEXT.sub(lambda match: _hide_value(match, _names_password), plain)
        shown += [plain, url[0] if url else ""]
        end = url.end() if url else end
    return "".join(shown)


def _hide_value(match: re.Match[str], is_secret: Callable[[str], bool]) -> str:
    return f"{match[1]}{match[2]}…" if is_secret(match[1]) else match[0]


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
