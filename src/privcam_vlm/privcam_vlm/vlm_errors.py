"""Errors: a query without a usable reply, with the reason that is counted, and a backend that cannot work."""

from enum import Enum


class Reason(str, Enum):
    """Why a query has no usable reply."""

    TIMEOUT = "timeout"  # the model did not finish within the budget
    LATE = "late"  # it finished, but after the budget
    CONNECTION = "connection"  # the server cannot be reached
    HTTP = "http"  # the server answered with an error
    PROTOCOL = "protocol"  # the server's reply is not a chat completion, or is too large
    ADAPTER = "adapter"  # z is not what the adapter was made for
    JSON = "json"  # the reply is not one JSON value
    SCHEMA = "schema"  # a field is missing, unknown, of another type, out of range or said twice
    LABEL = "label"  # a behaviour that is not in the list
    SUBJECT = "subject"  # a subject that is not in the Ω
    LENGTH = "length"  # a text or a list longer than allowed
    CRASH = "crash"  # anything else


class NoReply(Exception):
    """A query has no usable reply. `reason` is the counted code, `text` says what was wrong."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(f"{reason.value}: {text}")
        self.reason = reason
        self.text = text


class Unusable(ValueError):
    """The backend cannot work with what it was given. The message says what, where and what to do."""
