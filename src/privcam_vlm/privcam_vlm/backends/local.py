"""Runs a model in this process: any image-text-to-text model of transformers, from a folder or the hub."""

import os
import time
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.utils import logging

from privcam_core.images.environment import FILL
from privcam_core.types import arrays
from privcam_core.types.omega import Embedding
from privcam_vlm.backends.adapter import Adapter
from privcam_vlm.backends.constrained_decoding import ConstrainedDecoder, ReplyStop, reply_pattern
from privcam_vlm.protocol.prompt import Prompt
from privcam_vlm.protocol.text import clean
from privcam_vlm.vlm_errors import NoReply, Reason, Unusable
from privcam_vlm.vlm_settings import Settings

MAX_NEW_TOKENS = 1024
# Two ways to the same logits differ by rounding alone: by this fraction of their range in bfloat16.
SAME_LOGITS = 0.02
_TRIAL_SIDE = 64  # px of the grey picture with which a model is tried


class LocalBackend:
    """Loads a model and asks it. Weights are read from safetensors only, and no code that comes with a model is run.

    The picture goes in as the model's own processor wants it. With an adapter, z goes in as further embeddings right
    before those of the picture, if the architecture takes embeddings in place of words.
    """

    def __init__(self, settings: Settings) -> None:
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        # One core stays free for processes that must not wait.
        torch.set_num_threads(max((os.cpu_count() or 2) - 1, 1))
        adapter = Adapter(settings.vlm_adapter) if settings.vlm_adapter else None
        source = str(settings.folder or settings.vlm_model)
        where = {"local_files_only": settings.folder is not None, "trust_remote_code": False}
        try:
            # Which model and which revision is the operator's choice; no code of the model is run (see `where`).
            self._processor = AutoProcessor.from_pretrained(source, **where)  # type: ignore[no-untyped-call]  # nosec B615
            model: Any = AutoModelForImageTextToText.from_pretrained(  # nosec B615
                source, dtype="auto", use_safetensors=True, **where
            )
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ImportError) as error:
            raise Unusable(
                f"vlm_model {source}: is no image-text-to-text model that can be loaded: {clean(str(error))[:400]}"
            ) from error
        self._model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        self._adapter = adapter
        self._check_model(source, settings.vlm_adapter)

    @torch.inference_mode()
    def reply(self, prompt: Prompt, deadline: float) -> str:
        """Return the model's text, which has the form of a reply. See `Backend.reply`."""
        inputs = self.inputs(prompt.picture, prompt.text)
        begin = inputs["input_ids"].shape[1]
        if self._adapter is not None:
            inputs = self.with_embedding(inputs, prompt.embedding)
            begin = 0  # with embeddings as input, the output does not repeat the prompt
        decoder = ConstrainedDecoder(self._processor.tokenizer, reply_pattern(prompt.subject_ids), begin)

        written = self._model.generate(
            **inputs,
            do_sample=False,
            num_beams=1,
            max_new_tokens=MAX_NEW_TOKENS,
            logits_processor=[decoder],
            stopping_criteria=[ReplyStop(decoder, begin, deadline)],
        )[0, begin:].tolist()
        if not decoder.is_whole(written):
            over = time.monotonic() >= deadline
            raise NoReply(
                Reason.TIMEOUT if over else Reason.LENGTH,
                f"the model was still writing after {'the budget' if over else f'{MAX_NEW_TOKENS} tokens'}",
            )
        return decoder.text(written)

    def inputs(self, picture: arrays.Image, text: str) -> dict[str, Any]:
        """Return what the model takes for this picture, (H, W, 3) uint8 BGR, and text."""
        image = Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        content = [{"type": "image", "image": image}, {"type": "text", "text": text}]
        inputs = self._processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        return dict(inputs.to(self._model.device, dtype=self._model.dtype))

    def with_embedding(self, inputs: dict[str, Any], embedding: Embedding | None) -> dict[str, Any]:
        """Return the inputs with embeddings for words, and the tokens of z before the picture's; None: without z."""
        inputs = dict(inputs)
        ids = inputs.pop("input_ids")
        words = self._model.get_input_embeddings()(ids)
        if embedding is None or self._adapter is None:
            return {**inputs, "inputs_embeds": words}
        tokens = torch.from_numpy(self._adapter.tokens(embedding)).to(words)[None]
        at = int((ids[0] == self._model.config.image_token_id).nonzero()[0])
        inputs["inputs_embeds"] = torch.cat([words[:, :at], tokens, words[:, at:]], dim=1)
        for name, value in inputs.items():
            if value.shape == ids.shape:  # one number per word: whether it counts, or what kind it is
                new = value.new_full(tokens.shape[:2], int(name == "attention_mask"))
                inputs[name] = torch.cat([value[:, :at], new, value[:, at:]], dim=1)
        return inputs

    @torch.inference_mode()
    def logits(self, inputs: dict[str, Any]) -> "torch.Tensor":
        """Return the (vocabulary,) float32 logits of the first token of the reply."""
        found: torch.Tensor = self._model(**inputs).logits[0, -1].float()
        return found

    def _check_model(self, source: str, adapter_file: str) -> None:
        """Raise Unusable unless the model takes a picture with a text, and embeddings where they are to be used."""
        grey = np.full((_TRIAL_SIDE, _TRIAL_SIDE, 3), FILL, np.uint8)
        try:
            inputs = self.inputs(grey, "What do you see?")
            expected = self.logits(inputs)
        except (ValueError, LookupError, TypeError, AttributeError, ImportError) as error:
            raise Unusable(
                f"vlm_model {source}: does not take one picture with a text: {clean(str(error))[:400]}"
            ) from error
        if self._adapter is None:
            return
        if not hasattr(self._model.config, "image_token_id") or not self._same_from_embeddings(inputs, expected):
            raise Unusable(
                f"vlm_adapter {adapter_file}: {type(self._model).__name__} does not take embeddings beside a picture; "
                "leave it empty, the model then works without z"
            )
        hidden = self._model.get_input_embeddings()(inputs["input_ids"]).shape[-1]
        if self._adapter.hidden != hidden:
            raise Unusable(
                f"vlm_adapter {adapter_file}: is for embeddings of {self._adapter.hidden}, {source} has {hidden}"
            )

    def _same_from_embeddings(self, inputs: dict[str, Any], expected: "torch.Tensor") -> bool:
        """Return whether embeddings give the same result as words; not where positions depend on the words."""
        try:
            found = self.logits(self.with_embedding(inputs, None))
        except (ValueError, LookupError, TypeError, AttributeError):
            return False
        return bool((found - expected).abs().max() <= SAME_LOGITS * (expected.max() - expected.min()))
