from pathlib import Path

import pytest

from privcam_core.models import ModelError
from privcam_core.models.manifest import cache_folder, load_manifest

OWN = """
models:
  nanodet:
    task: person_detection
    license: MIT
    file: mine.onnx
    sha256: {digest}
    input: {{shape: [1, 3, 64, 64], type: float32, colours: bgr}}
"""


def test_default_models_name_their_package_licence_and_hashes(tmp_path: Path) -> None:
    manifest = load_manifest(tmp_path)
    assert {"nanodet", "movenet_lightning", "movenet_thunder", "selfie", "face_short", "face_full"} < set(
        manifest.names
    )
    for name in manifest.names:
        entry = manifest.entry(name)
        assert entry.package is not None and entry.license and entry.task and entry.outputs and entry.tolerance > 0


def test_unknown_model_is_answered_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'yolo'.*nanodet, movenet_lightning"):
        load_manifest(tmp_path).entry("yolo")


def test_users_manifest_replaces_a_default_model_by_a_file_relative_to_itself(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(OWN.format(digest="a" * 64))
    manifest = load_manifest(tmp_path)
    entry = manifest.entry("nanodet")
    assert entry.package is None and entry.files[0].path == str(tmp_path / "mine.onnx") and entry.license == "MIT"
    assert manifest.entry("selfie").package is not None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (OWN.format(digest="12ab"), "model nanodet: sha256 of .*mine.onnx: '12ab' is not 64"),
        (OWN.format(digest="a" * 64).replace("bgr", "bgra"), "input.colours: 'bgra'"),
        (OWN.format(digest="a" * 64).replace("    input:", "    inptu:"), "model nanodet: 'input' is missing"),
        ("models: [", "cannot be read as a model manifest"),
        ("packages: {p: {registry: ftp, name: a, version: 1}}", "'ftp' is neither npm nor pypi"),
    ],
)
def test_broken_manifest_is_refused_with_its_path_and_the_wrong_part(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "models.yaml").write_text(text)
    with pytest.raises(ModelError, match=complaint) as caught:
        load_manifest(tmp_path)
    assert str(tmp_path / "models.yaml") in str(caught.value)


def test_cache_folder_is_the_given_one_then_the_variable_then_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIVCAM_MODELS", "/somewhere")
    assert cache_folder(tmp_path) == tmp_path
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("PRIVCAM_MODELS")
    assert cache_folder() == Path.home() / ".cache" / "privcam" / "models"
