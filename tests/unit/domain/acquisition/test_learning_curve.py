"""What more reading is expected to bring."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.acquisition.learning_curve import CurvePoint, NoForecastError, forecast


def points(*measured: tuple[int, float]) -> list[CurvePoint]:
    return [CurvePoint(f"m{place}", *one) for place, one in enumerate(measured, start=1)]


class TestForecast:
    def test_goes_on_as_a_clean_curve_does(self) -> None:
        def curve(n: float) -> float:
            return float(0.5 - 3.0 * n**-0.5)

        sizes = [200, 500, 800, 1100, 1400, 1700, 2000, 2300]
        found = forecast(points(*((n, curve(n)) for n in sizes)), more_images=300)

        rise = curve(2600) - curve(2300)
        assert found.low <= rise <= found.high
        assert found.gain == pytest.approx(rise, abs=0.002)
        assert found.read_images == 2300

    def test_expects_nothing_of_a_flat_curve(self) -> None:
        found = forecast(points(*((300 * k, 0.4) for k in range(1, 9))), more_images=300)

        assert found.gain < 0.001
        assert found.high < 0.003

    def test_is_less_sure_of_fewer_points(self) -> None:
        long = points((200, 0.1), (500, 0.2), (800, 0.25), (1100, 0.28), (1400, 0.30))

        few, many = forecast(long[:3], more_images=300), forecast(long, more_images=300)

        assert few.margin > 2 * many.margin

    @pytest.mark.parametrize("kind", ["power law", "saturating"])
    def test_holds_what_comes_nine_times_in_ten(self, kind: str) -> None:
        rng = np.random.default_rng(11)
        held = []
        for _ in range(40):
            end, noise = rng.uniform(0.3, 0.6), rng.uniform(0.005, 0.02)
            if kind == "power law":
                decay = rng.uniform(0.2, 1.0)
                sizes = np.append(200 + 300 * np.arange(5.0), 1700.0)
                curve = end * (1.0 - 0.8 * (sizes / 200.0) ** -decay)
            else:
                sizes = np.append(200 + 300 * np.arange(5.0), 1700.0)
                curve = end * (1.0 - 0.8 * np.exp(-sizes / rng.uniform(300, 2000)))
            seen = curve[:5] + rng.normal(0.0, noise, 5)
            found = forecast(
                points(*zip(sizes[:5].astype(int).tolist(), seen.tolist(), strict=True)),
                more_images=300,
            )
            held.append(found.low - 0.001 <= curve[5] - curve[4] <= found.high + 0.001)

        assert np.mean(held) >= 0.9

    @settings(max_examples=25)
    @given(
        st.lists(st.tuples(st.integers(1, 9000), st.floats(0.0, 1.0)), min_size=3, max_size=9),
        st.integers(1, 5000),
    )
    def test_is_in_order_whatever_was_measured(
        self, measured: list[tuple[int, float]], more: int
    ) -> None:
        try:
            found = forecast(points(*measured), more_images=more)
        except NoForecastError:
            return

        assert 0.0 <= found.low <= found.gain + 1e-9
        assert found.gain <= 1.0
        assert found.low <= found.high <= 1.0
        assert all(
            low <= high for low, high in zip(found.curve_low, found.curve_high, strict=True)
        )
        assert forecast(points(*measured)[::-1], more_images=more).gain == pytest.approx(
            found.gain
        )

    @pytest.mark.parametrize(
        ("measured", "because"),
        [
            ([], "0 of the 3 points"),
            ([(200, 0.1), (500, 0.2)], "2 of the 3 points"),
            ([(200, 0.1), (200, 0.2), (500, 0.2), (500, 0.3)], "2 of the 3 points"),
            ([(200, 0.1), (201, 0.2), (202, 0.2)], "1.2 times as many"),
        ],
    )
    def test_refuses_a_curve_that_says_too_little(
        self, measured: list[tuple[int, float]], because: str
    ) -> None:
        with pytest.raises(NoForecastError, match=because):
            forecast(points(*measured), more_images=300)
