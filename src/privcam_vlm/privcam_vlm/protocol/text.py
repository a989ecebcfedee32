"""Cleans text of a model or a server before it is displayed or logged."""

import unicodedata

# Of a server's own words no more than this goes into a log, in characters.
MAX_SAID = 200


def clean(text: str) -> str:
    """Return the text in one line: without control, format, private and unassigned characters and half surrogates.

    Format characters would let a text run backwards, or hide a part of it.
    """
    spaced = " ".join(text.split())
    return "".join(c for c in spaced if unicodedata.category(c)[0] != "C").strip()


def said(text: str) -> str:
    """Return the beginning of what a server said, for a log."""
    # Cut first: it may be megabytes.
    return clean(text[: 4 * MAX_SAID])[:MAX_SAID]
