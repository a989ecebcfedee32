"""Image-text-to-text models of real architectures, small and never trained, as folders like those of large ones.

python tiny_vlm.py FOLDER    write a LLaVA there
"""

import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    GitConfig,
    GitForCausalLM,
    GitVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

HIDDEN = 32
_SIDE, _PATCH = 32, 8
_PAD, _BEGIN, _END, _IMAGE = range(4)
_SPECIAL = ["<pad>", "<s>", "</s>", "<image>"]
_SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2}
_VISION: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "image_size": _SIDE,
    "patch_size": _PATCH,
    **_SMALL,
}
_TEXT: dict[str, Any] = {
    "vocab_size": len(_SPECIAL) + 256,
    "hidden_size": HIDDEN,
    "intermediate_size": 64,
    "max_position_embeddings": 16384,
    "pad_token_id": _PAD,
    "bos_token_id": _BEGIN,
    "eos_token_id": _END,
    **_SMALL,
}
_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def write_tiny_llava(folder: Path) -> Path:
    """Write a model whose tokens are single bytes, with its processor. Returns its folder."""
    _begin()
    vision = CLIPVisionConfig(**_VISION, projection_dim=16)
    text = LlamaConfig(
        **_TEXT,
        num_key_value_heads=2,
        initializer_range=0.5,  # else all logits of such a small model are nearly the same
    )
    LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=text, image_token_id=_IMAGE)
    ).save_pretrained(folder)
    _write_processor(folder)
    return folder


def write_tiny_git(folder: Path) -> Path:
    """Write a model that has the picture before all words, without a place for it among them. Returns its folder."""
    _begin()
    vision = GitVisionConfig(**_VISION)
    GitForCausalLM(GitConfig(vision_config=vision.to_dict(), **_TEXT)).save_pretrained(folder)
    _write_processor(folder)
    return folder


def _begin() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(2)  # one with which the LLaVA comes to an end soon


def _write_processor(folder: Path) -> None:
    LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": _SIDE}, crop_size={"height": _SIDE, "width": _SIDE}
        ),
        tokenizer=_bytes_tokenizer(),
        patch_size=_PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    ).save_pretrained(folder)


def _bytes_tokenizer() -> Any:
    tokens = [*_SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate(tokens)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=["<image>"],
    )


if __name__ == "__main__":
    write_tiny_llava(Path(sys.argv[1]))
