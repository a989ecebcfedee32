"""The backend that loads a model, with small models of real architectures that were never trained."""

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from vlm_examples import ENCODER, Z, omega, query, text

from privcam_vlm.backends.adapter import Adapter
from privcam_vlm.protocol.reply import parse_reply
from privcam_vlm.vlm_errors import NoReply, Reason, Unusable
from privcam_vlm.vlm_settings import Settings

if sys.version_info < (3, 11):
    pytest.skip("transformers 5 needs Python 3.11", allow_module_level=True)

import torch
from tiny_vlm import HIDDEN, write_tiny_git, write_tiny_llava

from privcam_vlm.backends.constrained_decoding import ConstrainedDecoder, reply_pattern
from privcam_vlm.backends.local import LocalBackend

if TYPE_CHECKING:
    from privcam_core.types.omega import Omega

# A byte a token and no training: some 300 steps of a model of two layers.
BUDGET_S = 60.0


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llava(tmp_path_factory.mktemp("llava"))


def load(folder: Path, adapter: Path | None = None) -> LocalBackend:
    settings = Settings("transformers", str(folder), vlm_adapter=str(adapter or ""))
    backend = LocalBackend(settings)
    torch.set_num_threads(1)
    return backend


def write_adapter(path: Path, *, tokens: int = 2, hidden: int = HIDDEN, values: int = len(Z), seed: int = 1) -> Path:
    random = np.random.default_rng(seed)
    weight = random.normal(0, 1, (tokens, hidden, values)).astype(np.float32)
    np.savez(path, weight=weight, bias=np.zeros((tokens, hidden), np.float32), encoder_id=np.array(ENCODER))
    return path


def ask(backend: LocalBackend, one: "Omega", budget_s: float = BUDGET_S) -> str:
    return backend.reply(query(one), time.monotonic() + budget_s)


def test_model_that_was_never_trained_still_writes_a_reply_of_the_agreed_form(llava: Path) -> None:
    one = omega(ids=(3, 5))
    written = ask(load(llava), one)
    # Form is all that can be held while it writes; that a box is not turned round only shows in the end.
    assert reply_pattern((3, 5)).fullmatch(written)
    try:
        assert parse_reply(written, one).caption
    except NoReply as error:
        assert error.reason is Reason.SCHEMA, error


def test_same_query_gets_the_same_reply(llava: Path) -> None:
    backend = load(llava)
    assert ask(backend, omega()) == ask(backend, omega())


def test_picture_and_text_both_reach_the_model(llava: Path) -> None:
    backend = load(llava)
    asked = query(omega())
    with torch.inference_mode():
        base = backend.logits(backend.inputs(asked.picture, asked.text))
        other_picture = backend.logits(backend.inputs(255 - asked.picture, asked.text))
        other_text = backend.logits(backend.inputs(asked.picture, asked.text + " Now."))
    assert (base - other_picture).abs().max() > 1e-3
    assert (base - other_text).abs().max() > 1e-3


def test_model_that_writes_for_longer_than_the_budget_is_stopped(llava: Path) -> None:
    backend = load(llava)
    began = time.monotonic()
    with pytest.raises(NoReply) as raised:
        ask(backend, omega(), budget_s=1e-3)
    assert raised.value.reason is Reason.TIMEOUT
    assert time.monotonic() - began < 10.0


# z as embeddings


def test_embeddings_of_the_same_words_are_the_same_to_the_model(llava: Path) -> None:
    backend = load(llava)
    asked = query(omega())
    with torch.inference_mode():
        inputs = backend.inputs(asked.picture, asked.text)
        assert torch.equal(backend.logits(inputs), backend.logits(backend.with_embedding(inputs, None)))


def test_z_changes_what_the_model_says_and_another_z_changes_it_otherwise(llava: Path, tmp_path: Path) -> None:
    backend = load(llava, write_adapter(tmp_path / "adapter.npz"))
    asked = query(omega())
    with torch.inference_mode():
        inputs = backend.inputs(asked.picture, asked.text)
        without = backend.logits(inputs)
        with_z = backend.logits(backend.with_embedding(inputs, omega().embedding))
        with_other = backend.logits(backend.with_embedding(inputs, omega(z=bytes([200, 1, 2, 3])).embedding))
    assert (without - with_z).abs().max() > 1e-3
    assert (with_z - with_other).abs().max() > 1e-3


def test_z_stands_right_before_the_picture(llava: Path, tmp_path: Path) -> None:
    backend = load(llava, adapter := write_adapter(tmp_path / "adapter.npz"))
    asked = query(omega())
    with torch.inference_mode():
        inputs = backend.inputs(asked.picture, asked.text)
        longer = backend.with_embedding(inputs, omega().embedding)
        words = backend.with_embedding(inputs, None)["inputs_embeds"]
    at = len("user: ")  # a byte a token
    assert torch.equal(longer["inputs_embeds"][0, :at], words[0, :at])
    assert torch.equal(longer["inputs_embeds"][0, at + 2 :], words[0, at:])
    tokens = Adapter(adapter).tokens(omega().embedding)
    assert np.allclose(longer["inputs_embeds"][0, at : at + 2].numpy(), tokens)
    assert longer["attention_mask"].shape == longer["inputs_embeds"].shape[:2]
    assert longer["attention_mask"].all()


def test_model_answers_with_z_too(llava: Path, tmp_path: Path) -> None:
    backend = load(llava, write_adapter(tmp_path / "adapter.npz"))
    assert reply_pattern((3,)).fullmatch(ask(backend, omega()))


def test_z_of_another_encoder_or_length_is_refused(llava: Path, tmp_path: Path) -> None:
    backend = load(llava, write_adapter(tmp_path / "adapter.npz"))
    for one in (omega(encoder="other/2"), omega(z=b"\1\2\3")):
        with pytest.raises(NoReply) as raised:
            ask(backend, one)
        assert raised.value.reason is Reason.ADAPTER


def test_architecture_without_a_place_for_embeddings_works_without_an_adapter_and_refuses_one(tmp_path: Path) -> None:
    folder = write_tiny_git(tmp_path / "git")
    assert reply_pattern((3,)).fullmatch(ask(load(folder), omega()))
    with pytest.raises(Unusable, match="GitForCausalLM does not take embeddings beside a picture"):
        load(folder, write_adapter(tmp_path / "adapter.npz"))


def test_adapter_for_embeddings_of_another_length_is_refused(llava: Path, tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=f"is for embeddings of 7, .* has {HIDDEN}"):
        load(llava, write_adapter(tmp_path / "adapter.npz", hidden=7))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"weight": np.zeros((2, 3), np.float32)}, "are not"),
        ({"bias": np.zeros((2, 4), np.float32)}, "are not"),
        ({"weight": np.zeros((2, 3, 4))}, "float32"),
        ({"weight": np.full((2, 3, 4), np.nan, np.float32)}, "not finite"),
        ({"encoder_id": np.array(7)}, "encoder_id a text"),
        ({"encoder_id": np.array({"a": 1}, dtype=object)}, "no npz"),
        ({"weight": np.zeros((65, 3, 4), np.float32), "bias": np.zeros((65, 3), np.float32)}, "more than"),
    ],
)
def test_adapter_file_that_is_none_is_refused(
    tmp_path: Path, change: dict[str, "np.typing.NDArray[np.generic]"], complaint: str
) -> None:
    right = {
        "weight": np.zeros((2, 3, 4), np.float32),
        "bias": np.zeros((2, 3), np.float32),
        "encoder_id": np.array(ENCODER),
    }
    np.savez(tmp_path / "adapter.npz", **{**right, **change})  # type: ignore[arg-type]
    with pytest.raises(Unusable, match=complaint):
        Adapter(tmp_path / "adapter.npz")


def test_adapter_that_is_missing_or_no_npz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.npz").write_text("not an adapter")
    for name in ("nowhere.npz", "note.npz"):
        with pytest.raises(Unusable, match=name):
            Adapter(tmp_path / name)


# What cannot be loaded


def test_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="is no image-text-to-text model"):
        load(tmp_path)


def test_model_whose_weights_are_not_safetensors_is_refused(llava: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(llava, folder)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(Unusable, match="is no image-text-to-text model"):
        load(folder)


def test_model_without_a_chat_template_is_refused(llava: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mute"
    shutil.copytree(llava, folder)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(Unusable, match="does not take one picture with a text"):
        load(folder)


# The form


def test_pattern_takes_what_the_parser_takes_and_every_beginning_of_it() -> None:
    pattern = reply_pattern((3, 15))
    right = text(behaviors=[{"label": "fall", "confidence": 0.75, "subject_ids": [3, 15]}])
    assert pattern.fullmatch(right)
    for end in range(1, len(right)):
        assert pattern.fullmatch(right[:end], partial=True), right[:end]
        assert not pattern.fullmatch(right[:end]), right[:end]


@pytest.mark.parametrize(
    "begun",
    [
        "Here",
        '{"mood',
        '{"caption": ""',
        '{"caption": "line\n',
        '{"caption": "a\\',
        '{"caption": "a", "behaviors": [{"label": "dancing',
        '{"caption": "a", "behaviors": [{"label": "fall", "confidence": 2',
        '{"caption": "a", "behaviors": [{"label": "fall", "confidence": 1, "subject_ids": []',
        '{"caption": "a", "behaviors": [{"label": "fall", "confidence": 1, "subject_ids": [4',
    ],
)
def test_pattern_refuses_a_beginning_that_leads_nowhere(begun: str) -> None:
    assert reply_pattern((3, 15)).fullmatch(begun, partial=True) is None


def test_pattern_of_an_empty_room_has_no_behaviours() -> None:
    pattern = reply_pattern(())
    assert pattern.fullmatch('{"caption": "Nobody.", "behaviors": [], "objects": []}')
    assert pattern.fullmatch('{"caption": "Nobody.", "behaviors": [{', partial=True) is None


def test_guide_takes_the_best_token_that_fits(llava: Path) -> None:
    tokenizer = load(llava)._processor.tokenizer
    decoder = ConstrainedDecoder(tokenizer, reply_pattern((3,)), 0)
    written = tokenizer.encode('{"caption": "a", "behaviors": [{"label": "', add_special_tokens=False)
    scores = torch.zeros(1, len(tokenizer))
    wanted, better = (tokenizer.encode(letter, add_special_tokens=False)[0] for letter in "lx")
    scores[0, better], scores[0, wanted] = 9.0, 5.0  # no label begins with x, lying and loitering with l
    assert int(decoder(torch.tensor([written]), scores).argmax()) == wanted
