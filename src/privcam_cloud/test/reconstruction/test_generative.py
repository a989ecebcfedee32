"""Generated people, made by a real pipeline that is small and was never trained."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from generative_scenes import START_NS, draw_face, event, scene, standing

from privcam_cloud.reconstruction.generative.generation_pipeline import GenerationPipeline, start_backend
from privcam_cloud.reconstruction.generative.generative_backend import GenerativeBackend, NotShown, Reason
from privcam_cloud.reconstruction.generative.generative_settings import GenerativeSettings
from privcam_cloud.reconstruction.generative.pose_conditioning import draw_skeletons, make_pose_conditions
from privcam_cloud.reconstruction.reconstruction_input import ReconstructionInput
from privcam_cloud.reconstruction.screen import Screen, Shown
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, Verdict

torch = pytest.importorskip("torch", reason="needs requirements/generative.txt")
tiny_diffusion = pytest.importorskip("tiny_diffusion", exc_type=ImportError, reason="needs requirements/generative.txt")

# Against a test that hangs.
HANG_LIMIT_S = 300.0


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny"
    tiny_diffusion.write_tiny_pipeline(path)
    return path


def pipeline_of(folder: Path, steps: int = 2, control: str = "") -> GenerationPipeline:
    pipeline = GenerationPipeline(GenerativeSettings(str(folder), control, steps=steps))
    torch.set_num_threads(1)
    return pipeline


@pytest.fixture
def pipeline(folder: Path) -> GenerationPipeline:
    return pipeline_of(folder)


def never() -> None:
    """Not stop the work."""


def test_only_pixels_where_people_are_differ_from_the_room(pipeline: GenerationPipeline) -> None:
    now = scene(standing(1, 90), standing(2, 200, layer=1), known=210)
    picture = pipeline.generate(now, never)
    changed = (picture.image != now.environment).any(axis=2)
    assert not changed[~picture.painted].any()
    assert changed[picture.painted].mean() > 0.9
    assert picture.scene is now


def test_same_people_in_the_same_event_look_the_same_and_in_another_they_may_not(pipeline: GenerationPipeline) -> None:
    def image(event_id: int) -> np.ndarray:
        return pipeline.generate(scene(standing(), events=(event("standing", event_id=event_id),)), never).image

    first = image(1)
    assert (image(1) == first).all()
    assert (image(2) != first).any()


def test_skeleton_is_what_the_controlnet_sees(pipeline: GenerationPipeline) -> None:
    seen: list[torch.Tensor] = []
    pipeline.painter.pipeline.controlnet.register_forward_pre_hook(
        lambda _module, _arguments, given: seen.append(given["controlnet_cond"][0]), with_kwargs=True
    )
    now, raised = scene(standing()), standing()
    raised.keypoints[9:11, 1] -= 90  # hands
    for poses in ([standing()], [raised]):
        pipeline.generate(replace(now, poses=poses), never)
        conditions = make_pose_conditions(poses, [], *now.confirmed_mask.shape)
        control = draw_skeletons(conditions or [], (256, 320), (1.0, 256 / 240))
        expected = torch.from_numpy(control[..., ::-1].copy()).permute(2, 0, 1).float() / 255
        assert torch.allclose(seen[-1], expected, atol=1e-3)
    assert not torch.equal(seen[0], seen[-1])


def test_pipeline_that_was_not_made_for_inpainting_and_a_controlnet_of_its_own_do_too(tmp_path: Path) -> None:
    plain = tiny_diffusion.write_tiny_pipeline(tmp_path / "plain", with_control=False, channels=4)
    with pytest.raises(NotShown) as raised:
        pipeline_of(plain)
    assert raised.value.reason is Reason.NO_MODEL
    picture = pipeline_of(plain, control=str(tmp_path / "plain_control")).generate(scene(standing()), never)
    assert picture.painted.any()


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_model_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotShown) as raised:
        pipeline_of(tmp_path / name)
    assert raised.value.reason is Reason.NO_MODEL
    assert str(tmp_path / name) in raised.value.detail and "docs/generative.md" in raised.value.detail


def test_weights_in_a_format_that_can_run_code_are_not_read(tmp_path: Path) -> None:
    other = tiny_diffusion.write_tiny_pipeline(tmp_path / "other")
    for weights in (other / "unet").glob("*.safetensors"):
        weights.unlink()
    torch.save({}, other / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(NotShown) as raised:
        pipeline_of(other)
    assert raised.value.reason is Reason.NO_MODEL


def test_broken_weights_paint_no_picture(pipeline: GenerationPipeline) -> None:
    next(pipeline.painter.pipeline.vae.decoder.parameters()).data.fill_(float("nan"))
    with pytest.raises(NotShown) as raised:
        pipeline.generate(scene(standing()), never)
    assert raised.value.reason is Reason.NOT_FINITE


def test_painted_face_is_not_shown(pipeline: GenerationPipeline) -> None:
    def paint_face(_module: object, _given: object, result: torch.Tensor) -> torch.Tensor:
        image = np.full((*result.shape[2:], 3), 120, np.uint8)
        draw_face(image, 120, 120, 30)  # on the chest, at the size of 320x256 px
        return torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1

    pipeline.painter.pipeline.vae.decoder.register_forward_hook(paint_face)
    with pytest.raises(NotShown) as raised:
        pipeline.generate(scene(standing()), never)
    assert raised.value.reason is Reason.REFUSED and "a face" in raised.value.detail


def test_work_is_given_up_between_two_steps(folder: Path) -> None:
    calls = []

    def check() -> None:
        calls.append(time.monotonic())
        if len(calls) == 3:
            raise NotShown(Reason.OUT_OF_TIME)

    with pytest.raises(NotShown):
        pipeline_of(folder, steps=50).generate(scene(standing()), check)
    assert len(calls) == 3


def test_too_little_memory_is_told_from_a_crash(pipeline: GenerationPipeline) -> None:
    def demand(*_arguments: object) -> None:
        torch.empty(1 << 60, dtype=torch.uint8)

    pipeline.painter.pipeline.unet.register_forward_pre_hook(demand)
    with pytest.raises(MemoryError):
        pipeline.generate(scene(standing()), never)


def omega_of(now: ReconstructionInput) -> Omega:
    environment = environment_of(now.key, encode_environment(now.environment, now.confirmed_mask), 1)
    z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
    return Omega(now.key, environment, now.poses, z, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS))


def watched(screen: Screen, until: Callable[[Shown], bool]) -> Shown:
    """Look at the screen ten times a second until it shows what is waited for."""
    end = time.monotonic() + HANG_LIMIT_S
    while True:
        displayed = screen.picture(time.monotonic())
        assert displayed is not None and time.monotonic() < end, displayed and displayed.fallback
        if until(displayed):
            return displayed
        time.sleep(0.1)


@pytest.fixture
def running() -> Iterator[list[GenerativeBackend]]:
    backends: list[GenerativeBackend] = []
    yield backends
    for backend in backends:
        backend.stop()


def test_screen_shows_the_contour_until_there_is_a_generated_picture(
    folder: Path, running: list[GenerativeBackend]
) -> None:
    # A picture is old after the period and the budget; the next scene is 90 s later.
    running.append(start_backend(GenerativeSettings(str(folder), steps=2, budget_s=60.0)))
    screen = Screen(generative=running[0])
    screen.playout.add_omega(omega_of(scene(standing())))
    first = screen.picture(time.monotonic())
    assert first is not None and (first.backend, first.fallback) == ("contour", Reason.LOADING)
    displayed = watched(screen, lambda displayed: displayed.backend == "generative")
    assert displayed.fallback is None and displayed.moment_ns == displayed.key.stamp_ns == START_NS
    assert displayed.image.shape[0] > 240 and displayed.image.shape[1] == 320  # with the status bar
    assert (displayed.image[:40] == scene().environment[:40]).all()  # the room as it is
    screen.playout.add_omega(omega_of(scene(standing(), seconds=90)))
    now = screen.picture(time.monotonic())
    assert now is not None and (now.backend, now.fallback) == ("contour", Reason.OLD)


def test_contour_goes_on_while_the_model_hangs(folder: Path, running: list[GenerativeBackend]) -> None:
    go_on, hangs = threading.Event(), threading.Event()

    def hang(*_arguments: object) -> None:
        hangs.set()
        go_on.wait(HANG_LIMIT_S)

    def make() -> GenerationPipeline:
        pipeline = pipeline_of(folder)
        pipeline.painter.pipeline.unet.register_forward_pre_hook(hang)
        return pipeline

    running.append(GenerativeBackend(make, period_s=0.1, budget_s=0.5, fresh_s=5.0))
    screen = Screen(generative=running[0])
    for second in range(3):
        screen.playout.add_omega(omega_of(scene(standing(u=100 + 20 * second), seconds=second / 5)))
        watched(screen, lambda displayed: displayed.backend == "contour")
    watched(screen, lambda displayed: displayed.fallback is Reason.OUT_OF_TIME)
    assert hangs.wait(HANG_LIMIT_S)
    before = screen.picture(time.monotonic())
    screen.playout.add_omega(omega_of(scene(standing(u=230), seconds=30)))
    after = screen.picture(time.monotonic())
    assert before and after and (before.image != after.image).any()
    go_on.set()


def test_missing_model_is_said_once_and_for_all(tmp_path: Path, running: list[GenerativeBackend]) -> None:
    running.append(start_backend(GenerativeSettings(str(tmp_path / "nothing"))))
    screen = Screen(generative=running[0])
    screen.playout.add_omega(omega_of(scene(standing())))
    displayed = watched(screen, lambda displayed: displayed.fallback is Reason.NO_MODEL)
    assert displayed.backend == "contour" and str(tmp_path / "nothing") in running[0].detail
    assert running[0].counts == {"no_model": 1}


def test_without_its_libraries_the_backend_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['diffusers'] = None\n"
        "from privcam_cloud.reconstruction.generative.generation_pipeline import GenerationPipeline\n"
        "from privcam_cloud.reconstruction.generative.generative_settings import GenerativeSettings\n"
        "GenerationPipeline(GenerativeSettings('owner/name'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=HANG_LIMIT_S
    )
    assert done.returncode == 1 and "install requirements/generative.txt" in done.stderr


def test_shown_picture_is_the_newest_that_was_painted(folder: Path, running: list[GenerativeBackend]) -> None:
    running.append(start_backend(GenerativeSettings(str(folder), steps=1, period_s=0.1, budget_s=HANG_LIMIT_S)))
    screen = Screen(generative=running[0])
    for second in range(2):
        now = scene(standing(), seconds=second)
        screen.playout.add_omega(omega_of(now))
        watched(screen, lambda displayed, key=now.key: displayed.backend == "generative" and displayed.key == key)
