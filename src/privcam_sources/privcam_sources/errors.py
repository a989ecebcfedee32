"""What can happen to a source of frames."""


class SourceError(RuntimeError):
    """The source cannot be opened. The message names the source and the remedy."""


class SourceEnded(Exception):
    """The recording is at its end."""


class SourceTorn(Exception):
    """The recording breaks off before its end: it is truncated or damaged. The message counts what was read."""


class SourceLost(Exception):
    """A camera or stream gives no frames any more."""
