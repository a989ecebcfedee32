"""A ControlNet inpainting pipeline of the real classes, small and never trained, as a folder like that of a large one.

python tiny_diffusion.py FOLDER    write it there
"""

import json
import sys
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionControlNetInpaintPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

# What byte-level tokenizers call the end of a word.
_END = "</w>"
_WIDTH = 32
# Channels at the picture's full size down to an eighth of it, where the latents are, as in large pipelines.
_NARROW = (8, 8, 16, 16)


def write_tiny_pipeline(folder: Path, *, with_control: bool = True, channels: int = 9) -> Path:
    """Write the pipeline. channels: of the UNet's input; 9 is made for inpainting, 4 is not. Returns its folder."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    blocks = {"block_out_channels": (_WIDTH, _WIDTH), "norm_num_groups": 8}
    attention = {"layers_per_block": 1, "cross_attention_dim": _WIDTH, "attention_head_dim": 4}
    controlnet = ControlNetModel(
        in_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        conditioning_embedding_out_channels=_NARROW,
        **blocks,
        **attention,
    )
    # A ControlNet begins with zeros, which would have no effect.
    for parameter in controlnet.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    pipeline = StableDiffusionControlNetInpaintPipeline(
        vae=AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=4,
            block_out_channels=_NARROW,
            norm_num_groups=4,
        ),
        text_encoder=_text_encoder(),
        tokenizer=_tokenizer(folder.with_name(f"{folder.name}_words")),
        unet=UNet2DConditionModel(
            in_channels=channels,
            out_channels=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            **blocks,
            **attention,
        ),
        controlnet=controlnet,
        scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)
    if not with_control:
        (folder / "controlnet").rename(folder.with_name(f"{folder.name}_control"))
        index = folder / "model_index.json"
        content = json.loads(index.read_text(encoding="utf-8"))
        del content["controlnet"]
        index.write_text(json.dumps(content), encoding="utf-8")
    return folder


def _text_encoder() -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=1000,
            hidden_size=_WIDTH,
            intermediate_size=37,
            num_hidden_layers=1,
            num_attention_heads=4,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        )
    )


def _tokenizer(folder: Path) -> CLIPTokenizer:
    """Return a tokenizer that knows single letters."""
    letters = [chr(code) for code in range(33, 127)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(letter + _END for letter in letters)]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=77)


if __name__ == "__main__":
    print(write_tiny_pipeline(Path(sys.argv[1])))
