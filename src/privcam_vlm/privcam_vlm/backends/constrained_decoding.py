"""Constrains the output of a language model: at each token, only text that can still become a valid reply."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import regex  # type: ignore[import-untyped]  # a dependency of transformers
import torch
from transformers import LogitsProcessor, StoppingCriteria

from privcam_vlm.protocol.reply_schema import (
    GRID,
    LABELS,
    MAX_BEHAVIORS,
    MAX_CAPTION,
    MAX_NAME,
    MAX_OBJECTS,
    MAX_SUBJECTS_EACH,
)
from privcam_vlm.vlm_errors import NoReply, Reason

# The best this many tokens are tried first, then single characters.
_FIRST_TRIED = 256
# Text without escapes and without the sign for half of a character, which may become anything.
_CHARACTER = r'[^"\\\p{C}\ufffd]'
_CONFIDENCE = r"(?:0(?:\.\d{1,2})?|1(?:\.0{1,2})?)"
_COORDINATE = rf"(?:0|[1-9]\d{{0,2}}|{GRID})"


def reply_pattern(subject_ids: Sequence[int]) -> "regex.Pattern[str]":
    """Return the pattern of all replies about these subjects, in one line."""
    subject = "|".join(map(str, subject_ids))
    label = f'"(?:{"|".join(LABELS)})"'
    ids = rf"\[{_repeated(f'(?:{subject})', 1, MAX_SUBJECTS_EACH)}\]"
    behavior = _record(("label", label), ("confidence", _CONFIDENCE), ("subject_ids", ids))
    found = _record(
        ("label", f'"{_CHARACTER}{{1,{MAX_NAME}}}"'),
        ("confidence", _CONFIDENCE),
        ("subject_id", f"(?:{'|'.join(map(str, (0, *subject_ids)))})"),
        ("box", rf"\[{_repeated(_COORDINATE, 4, 4)}\]"),
    )
    behaviors = _repeated(behavior, 0, MAX_BEHAVIORS) if subject_ids else ""
    whole = _record(
        ("caption", f'"{_CHARACTER}{{1,{MAX_CAPTION}}}"'),
        ("behaviors", rf"\[{behaviors}\]"),
        ("objects", rf"\[{_repeated(found, 0, MAX_OBJECTS)}\]"),
    )
    return regex.compile(whole)


def _record(*fields: tuple[str, str]) -> str:
    inside = ", ?".join(f'"{name}": ?{value}' for name, value in fields)
    return rf"\{{{inside}\}}"


def _repeated(item: str, min_count: int, max_count: int) -> str:
    """Return a list's inside of `min_count` to `max_count` items."""
    some = rf"{item}(?:, ?{item}){{{max(min_count - 1, 0)},{max_count - 1}}}"
    return some if min_count else f"(?:{some})?"


class ConstrainedDecoder(LogitsProcessor):
    """Leaves the best token that keeps the text within the pattern, and no other. For one sequence, greedy.

    The text so far is decoded as a whole, as it will be in the end: some tokens read differently at the beginning.
    """

    def __init__(self, tokenizer: Any, pattern: "regex.Pattern[str]", prompt_length: int) -> None:
        self._tokenizer = tokenizer
        self._pattern = pattern
        self._begin = prompt_length
        self._singles = [
            ids[0] for code in range(32, 127) if len(ids := tokenizer.encode(chr(code), add_special_tokens=False)) == 1
        ]

    def text(self, written: Sequence[int]) -> str:
        """Return the text of these tokens."""
        return str(self._tokenizer.decode(written, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Return (1, vocabulary) scores in which one token is left. Raises NoReply where none fits.

        Called by transformers.
        """
        written = input_ids[0, self._begin :].tolist()
        length = len(self.text(written))
        for token in self._candidates(scores[0]):
            text = self.text([*written, token])
            # A token without text leads nowhere: the end is told by the pattern.
            if len(text) > length and self._pattern.fullmatch(text, partial=True):
                left = torch.full_like(scores, -torch.inf)
                left[0, token] = 0.0
                return left  # type: ignore[return-value]
        raise NoReply(Reason.SCHEMA, "the model has no token that would go on with a valid reply")

    def _candidates(self, scores: torch.Tensor) -> Iterator[int]:
        yield from scores.topk(min(_FIRST_TRIED, len(scores))).indices.tolist()
        order = scores[self._singles].argsort(descending=True).tolist()
        yield from (self._singles[n] for n in order)

    def is_whole(self, written: Sequence[int]) -> bool:
        """Return whether these tokens are a whole reply."""
        return self._pattern.fullmatch(self.text(written)) is not None


class ReplyStop(StoppingCriteria):
    """Ends the writing when the reply is whole or the time is over. deadline: of `time.monotonic`, in s."""

    def __init__(self, decoder: ConstrainedDecoder, prompt_length: int, deadline: float) -> None:
        self._decoder = decoder
        self._begin = prompt_length
        self._deadline = deadline

    def __call__(self, input_ids: torch.LongTensor, *_scores: Any, **_: Any) -> torch.BoolTensor:
        """Return (1,) whether to end."""
        done = time.monotonic() >= self._deadline or self._decoder.is_whole(input_ids[0, self._begin :].tolist())
        return torch.full((input_ids.shape[0],), done, dtype=torch.bool, device=input_ids.device)  # type: ignore[return-value]
