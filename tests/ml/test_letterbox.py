"""The frame that a detector sees."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.formats.image_cache import resize
from ml_backend.letterbox import letterbox
from tests.ml.conftest import radiograph

SIDES = st.integers(1, 400)


class TestLetterbox:
    @given(height_px=SIDES, width_px=SIDES, longest_px=st.sampled_from([64, 128, 320]))
    def test_leads_back_to_the_image(self, height_px: int, width_px: int, longest_px: int) -> None:
        frame = letterbox(radiograph(0, height_px, width_px), longest_px)
        shown_width, shown_height = (round(side * frame.scale) for side in (width_px, height_px))
        corners = np.array([[0, 0, shown_width, shown_height]], dtype=np.float64) + np.array(
            [frame.left_px, frame.top_px] * 2
        )

        (box,) = frame.to_image(corners)

        assert frame.pixels.shape[0] % 32 == frame.pixels.shape[1] % 32 == 0
        assert max(frame.pixels.shape) == longest_px
        half_a_frame_pixel = 0.51 / frame.scale
        np.testing.assert_allclose(box, [0, 0, width_px, height_px], atol=half_a_frame_pixel)

    def test_leaves_pixels_of_the_right_size_alone(self) -> None:
        image = radiograph(0, 64, 64)

        np.testing.assert_array_equal(letterbox(image, 64).pixels, image)

    def test_cuts_boxes_at_the_edge_of_the_image(self) -> None:
        frame = letterbox(radiograph(0, 64, 32), 64)

        boxes = frame.to_image(np.array([[-10.0, -10, 100, 100]]))

        assert boxes.tolist() == [[0, 0, 32, 64]]

    def test_takes_no_boxes(self) -> None:
        assert letterbox(radiograph(), 64).to_image(np.empty((0, 4))).shape == (0, 4)


class TestResize:
    @pytest.mark.parametrize(("height_px", "width_px"), [(2, 2), (200, 100)])
    def test_keeps_the_mean_grey_value(self, height_px: int, width_px: int) -> None:
        image = radiograph(0, height_px, width_px)

        assert abs(resize(image, 50).mean() - image.mean()) < 25
