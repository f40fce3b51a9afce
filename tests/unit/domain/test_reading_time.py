"""The estimate on the reader's landing page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import reading_time

LEAD_TIMES = st.lists(st.none() | st.floats(0.1, 7200.0), max_size=80)


class TestSecondsPerImage:
    @pytest.mark.parametrize(
        ("lead_times", "expected"),
        [
            ([], 45.0),
            ([10.0] * 4, 45.0),
            ([10.0] * 5, 10.0),
            ([10.0, 10.0, None, None, 10.0, 10.0], 45.0),
            ([10.0, 20.0, 30.0, 40.0, 5000.0], 30.0),
            ([100.0] * 60 + [20.0] * 50, 20.0),
        ],
        ids=["none", "four", "five", "four known", "one over lunch", "faster lately"],
    )
    def test_is_the_median_of_enough_recent_readings(
        self, lead_times: list[float | None], expected: float
    ) -> None:
        assert reading_time.seconds_per_image(lead_times) == expected


class TestMinutesLeft:
    @given(st.integers(0, 500), LEAD_TIMES)
    def test_is_zero_only_when_nothing_is_left(
        self, images: int, lead_times: list[float | None]
    ) -> None:
        minutes = reading_time.minutes_left(images, lead_times)
        assert (minutes == 0) == (images == 0)

    @given(st.integers(0, 500), LEAD_TIMES)
    def test_never_falls_when_images_are_added(
        self, images: int, lead_times: list[float | None]
    ) -> None:
        more = reading_time.minutes_left(images + 1, lead_times)
        assert more >= reading_time.minutes_left(images, lead_times)
