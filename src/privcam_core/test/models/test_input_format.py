import numpy as np
import pytest

from privcam_core.models.input_format import PictureFormat

BGR = np.array([[[10, 20, 30], [255, 0, 128]]], np.uint8)


def test_channels_first_picture_is_normalised_channel_by_channel() -> None:
    how = PictureFormat((1, 3, 1, 2), "float32", "bgr", mean=(10.0, 0.0, 0.0), std=(2.0, 1.0, 4.0))
    assert how.size == (1, 2)
    np.testing.assert_allclose(how.tensor(BGR), [[[[0, 122.5]], [[20, 0]], [[7.5, 32]]]])
    assert how.tensor(BGR).dtype == np.float32 and how.tensor(BGR).flags.c_contiguous


def test_rgb_turns_the_channels_before_it_normalises() -> None:
    how = PictureFormat((1, 1, 2, 3), "float32", "rgb", mean=(30.0, 20.0, 10.0))
    np.testing.assert_allclose(how.tensor(BGR), [[[[0, 0, 0], [98, -20, 245]]]])


def test_whole_numbers_stay_plain_pixels() -> None:
    tensor = PictureFormat((1, 1, 2, 3), "int32", "rgb").tensor(BGR)
    assert tensor.dtype == np.int32 and tensor.tolist() == [[[[30, 20, 10], [128, 0, 255]]]]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"shape": [1, 4, 8, 8]}, "input.shape"),
        ({"shape": [2, 3, 8, 8]}, "input.shape"),
        ({"type": "float64"}, "input.type"),
        ({"colours": "grey"}, "input.colours"),
        ({"std": [1, 0, 1]}, "input.std"),
    ],
)
def test_format_that_cannot_be_is_refused_with_the_field(fields: dict[str, object], complaint: str) -> None:
    whole = {"shape": [1, 3, 8, 8], "type": "float32", "colours": "bgr", **fields}
    with pytest.raises(ValueError, match=complaint):
        PictureFormat.from_manifest(whole)  # type: ignore[arg-type]
