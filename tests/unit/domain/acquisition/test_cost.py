"""How long reading takes."""

import numpy as np
import pytest

from backend.domain.acquisition.cost import CostModel, InvalidCostError, fit_cost_model

ASSUMED = CostModel()


def readings(number: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    boxes = rng.integers(0, 5, number)
    return 20.0 + 8.0 * boxes + rng.normal(0, 2, number), boxes


class TestFitCostModel:
    def test_finds_the_times_although_some_readers_were_called_away(self) -> None:
        seconds, boxes = readings(200)
        seconds[::10] += 150.0

        fitted = fit_cost_model(seconds, boxes)

        assert fitted.seconds_per_image == pytest.approx(20.0, abs=1.5)
        assert fitted.seconds_per_box == pytest.approx(8.0, abs=0.8)
        assert (fitted.exponent, fitted.readings) == (0.5, 200)
        assert fitted.in_words.endswith("fitted to 200 timed readings")

    def test_is_assumed_before_there_is_enough(self) -> None:
        assert fit_cost_model(*readings(49)) == ASSUMED
        assert fit_cost_model(np.empty(0), np.empty(0, dtype=np.int64)) == ASSUMED
        assert ASSUMED.in_words == (
            "15 s per image and 12 s per box, assumed until 50 readings are timed"
        )

    def test_is_assumed_where_nothing_tells_boxes_from_images(self) -> None:
        seconds, boxes = readings(100)

        assert fit_cost_model(seconds, np.zeros_like(boxes)) == ASSUMED
        assert fit_cost_model(seconds, (np.arange(100) < 5).astype(np.int64)) == ASSUMED

    def test_never_says_that_boxes_save_time(self) -> None:
        _, boxes = readings(100)

        fitted = fit_cost_model(30.0 - 9.0 * boxes, boxes)

        assert (fitted.seconds_per_image >= 1.0, fitted.seconds_per_box) == (True, 0.0)


class TestCostModel:
    @pytest.mark.parametrize(
        "wrong", [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, float("nan"))]
    )
    def test_refuses_times_that_make_no_sense(self, wrong: tuple[float, float, float]) -> None:
        with pytest.raises(InvalidCostError, match="expected more than 0"):
            CostModel(*wrong)

    def test_of_exponent_zero_does_not_count(self) -> None:
        assert CostModel(exponent=0.0).divisor(np.array([0.0, 9.0])).tolist() == [1.0, 1.0]
