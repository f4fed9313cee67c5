from __future__ import annotations

import cv2
import numpy as np

from metrabs.synthetic.photo import PhotoStyle, encode_jpeg, take_photo

_PLAIN = PhotoStyle(
    saturation=(1, 1),
    contrast=(1, 1),
    brightness=(0.4, 0.4),
    cast=0.0,
    blur_px=(0, 0),
    grain=(0, 0),
    jpeg_quality=(95, 95),
)


def _gradient() -> np.ndarray:
    ramp = np.linspace(0.2, 0.6, 64, dtype=np.float32)
    return np.repeat(np.tile(ramp, (48, 1))[..., np.newaxis], 3, axis=2)


def test_plain_camera_keeps_the_image():
    photo = take_photo(np.random.default_rng(0), _gradient(), _PLAIN)
    assert photo.dtype == np.uint8 and photo.shape == (48, 64, 3)
    np.testing.assert_allclose(photo, 255 * _gradient(), atol=3)


def test_exposure_moves_dark_images_towards_the_wanted_brightness():
    dark = take_photo(np.random.default_rng(0), 0.4 * _gradient(), _PLAIN)
    assert dark.mean() > 1.3 * (0.4 * 255 * _gradient()).mean()


def test_grain_adds_noise_of_the_given_strength_also_to_large_images():
    style = PhotoStyle(**{**vars(_PLAIN), "grain": (0.05, 0.05)})
    flat = np.full([900, 800, 3], 0.4, np.float32)
    photo = take_photo(np.random.default_rng(1), flat, style)
    assert 0.03 * 255 < photo.std() < 0.07 * 255


def test_zero_saturation_gives_grey():
    style = PhotoStyle(**{**vars(_PLAIN), "saturation": (0, 0)})
    colorful = _gradient() * np.array([1.0, 0.5, 0.2], np.float32)
    assert np.ptp(take_photo(np.random.default_rng(2), colorful, style), axis=2).max() <= 1


def test_jpeg_decodes_to_nearly_the_same_image():
    image = take_photo(np.random.default_rng(3), _gradient(), _PLAIN)
    data = encode_jpeg(np.random.default_rng(4), image, _PLAIN)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(decoded.astype(int) - image).mean() < 2
