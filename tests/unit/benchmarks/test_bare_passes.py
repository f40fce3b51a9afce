"""What is made of the seconds of bare passes and of answers."""

import pytest

from benchmarks.bare_passes import floor_moved, noise, times_the_floor


class TestTimesTheFloor:
    def test_holds_an_answer_against_the_passes_around_it(self) -> None:
        slower_and_slower = [10.0, 20.0, 40.0, 80.0]

        assert times_the_floor(slower_and_slower, [15 * 1.1, 30 * 1.1, 60 * 1.1]) == (
            pytest.approx(1.1)
        )


class TestFloorMoved:
    def test_is_nothing_on_a_quiet_machine(self) -> None:
        assert floor_moved([3.0, 3.0, 3.0]) == 0

    def test_says_how_far_it_moves_from_pass_to_pass(self) -> None:
        assert floor_moved([10.0, 12.0, 12.0, 9.0]) == pytest.approx(0.2)


class TestNoise:
    @pytest.mark.parametrize(
        ("name", "possible", "impossible"),
        [
            ("p50_vs_floor", 1.1, 0.77),
            ("cpu_vs_floor", 1.0, 0.98),
            ("throughput_vs_floor", 0.96, 1.02),
            ("throughput_vs_floor_4x16", 1.0, 1.1),
        ],
    )
    def test_names_what_a_server_cannot_do(
        self, name: str, possible: float, impossible: float
    ) -> None:
        others = {"throughput_vs_eager_torch": 2.5, "p50_vs_example": 0.1, "floor_moved": 0.01}

        assert noise({name: possible} | others) == "none seen"
        assert noise({name: impossible} | others).endswith(f"server: {name}")

    def test_says_that_the_machine_was_not_quiet(self) -> None:
        assert "moved by 20%" in noise({"p50_vs_floor": 1.5, "floor_moved": 0.2})
