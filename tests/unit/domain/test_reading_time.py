"""Time per image without idle time, and the estimate on the reader's landing page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import reading_time

LEAD_TIMES = st.lists(st.none() | st.floats(0.1, 7200.0), max_size=80)
LUNCH = 3600.0


class TestLimit:
    @pytest.mark.parametrize(
        ("lead_times", "expected"),
        [
            ([], 180.0),
            ([100.0] * 4, 180.0),
            ([100.0] * 5, 400.0),
            ([10.0] * 5, 120.0),
            ([50.0, 50.0, 50.0, LUNCH, LUNCH], 200.0),
            ([100.0] * 60 + [50.0] * 50, 200.0),
        ],
        ids=["none", "four", "five", "a fast reader", "two lunches", "faster lately"],
    )
    def test_is_four_medians_but_never_below_two_minutes(
        self, lead_times: list[float | None], expected: float
    ) -> None:
        assert reading_time.limit_seconds(lead_times) == expected

    @given(st.lists(st.floats(5.0, 100.0), min_size=9, max_size=50), st.data())
    def test_is_hardly_moved_by_tabs_that_were_left_open(
        self, read: list[float], data: st.DataObject
    ) -> None:
        idle = data.draw(st.lists(st.just(LUNCH), max_size=len(read) // 2))
        assert reading_time.limit_seconds([*read, *idle]) <= 400.0


class TestActiveSeconds:
    @pytest.mark.parametrize(
        ("lead_time", "expected"), [(None, None), (0.0, 0.0), (180.0, 180.0), (LUNCH, 180.0)]
    )
    def test_is_the_lead_time_up_to_the_limit(
        self, lead_time: float | None, expected: float | None
    ) -> None:
        assert reading_time.active_seconds(lead_time, 180.0) == expected


class TestSecondsPerImage:
    @pytest.mark.parametrize(
        ("lead_times", "expected"),
        [
            ([], 45.0),
            ([10.0] * 4, 45.0),
            ([10.0] * 5, 10.0),
            ([10.0, 10.0, None, None, 10.0, 10.0], 45.0),
            ([10.0, 20.0, 30.0, 40.0, LUNCH], 44.0),
            ([20.0, 20.0, 20.0, 20.0, 70.0], 30.0),
            ([100.0] * 60 + [20.0] * 50, 20.0),
        ],
        ids=["none", "four", "five", "four known", "lunch", "a hard one", "faster lately"],
    )
    def test_is_the_mean_of_recent_readings_with_idle_time_cut(
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
