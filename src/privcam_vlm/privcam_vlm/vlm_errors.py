"""Why there is no answer, as it is counted, and why a backend cannot work at all."""

from enum import Enum


class Reason(str, Enum):
    """Why a question has no answer that can be used."""

    TIMEOUT = "timeout"  # the model did not finish within the budget
    LATE = "late"  # it finished, but after the budget
    CONNECTION = "connection"  # the server cannot be reached
    HTTP = "http"  # the server answered with an error
    PROTOCOL = "protocol"  # the server's answer is not a chat completion, or is too large
    ADAPTER = "adapter"  # z is not what the adapter was made for
    JSON = "json"  # the answer is not one JSON value
    SCHEMA = "schema"  # a field is missing, unknown, of another type, out of range or said twice
    LABEL = "label"  # a behaviour that is not in the list
    SUBJECT = "subject"  # a subject that is not in the Ω
    LENGTH = "length"  # a text or a list longer than allowed
    CRASH = "crash"  # anything else


class NoAnswer(Exception):
    """A question has no usable answer. `reason` is the counted code, `text` says what was wrong."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(f"{reason.value}: {text}")
        self.reason = reason
        self.text = text


class Unusable(ValueError):
    """The backend cannot work with what it was given. The message says what, where and what to do."""
