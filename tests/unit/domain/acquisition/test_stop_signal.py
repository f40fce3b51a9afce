"""Whether the learning curve has flattened."""

import numpy as np
import pytest

from backend.domain.acquisition.learning_curve import CurvePoint, forecast
from backend.domain.acquisition.stop_signal import HiddenFindings, StopSignal

RISING = ((1500, 0.22), (3000, 0.28), (6000, 0.335), (12000, 0.385))
NIGHTS = range(1000, 11000, 500)


def signal(*measured: tuple[int, float], more_images: int) -> StopSignal:
    points = tuple(CurvePoint(f"m{place}", *one) for place, one in enumerate(measured))
    return StopSignal(
        hidden=HiddenFindings(0, 0, 0),
        points=points,
        forecast=forecast(points, more_images=more_images),
        as_many_again=forecast(points, more_images=points[-1].read_images),
        no_forecast_because=None,
        has_same_test=True,
        readings_per_image=2.0,
        seconds_per_reading=45.0,
    )


class TestIsFlat:
    @pytest.mark.parametrize("more_images", [10, 300, 12_000])
    def test_is_not_said_of_a_rising_curve_however_short_the_step(self, more_images: int) -> None:
        found = signal(*RISING, more_images=more_images)

        assert not found.is_flat
        assert "flattened" not in found.sentences()[1]

    @pytest.mark.parametrize("more_images", [10, 300, 12_000])
    def test_is_said_of_one_that_has_come_to_an_end(self, more_images: int) -> None:
        noise = np.random.default_rng(0).normal(0.0, 0.004, len(NIGHTS))
        values = [0.4 - 0.2 * np.exp((1000 - size) / 1000) for size in NIGHTS] + noise

        found = signal(*zip(NIGHTS, values.tolist(), strict=True), more_images=more_images)

        assert found.is_flat
        assert "Even as many images again (10,500) would bring +0.00" in found.sentences()[1]

    def test_takes_more_than_three_points(self) -> None:
        flat = [(size, 0.4) for size in (100, 1000, 10_000, 100_000)]

        assert not signal(*flat[:3], more_images=300).is_flat
        assert signal(*flat, more_images=300).is_flat
