"""The benchmark of reader quality in small: traps are seen through, injected bias is found."""

import numpy as np
import pytest

from benchmarks import reader_quality
from benchmarks.simulated_assistance import Sway


class TestReaderQualityBenchmark:
    def test_finds_an_injected_bias(self) -> None:
        found = reader_quality.automation_bias(3, images=500, sway=reader_quality.SWAYED)

        for outcome in ("sensitivity", "false_marks", "commission", "omission"):
            assert found[f"{outcome}_coverage"] >= 2 / 3, outcome
        assert found["commission_estimate"] == pytest.approx(0.3, abs=0.08)
        assert found["commission_found"] == 1.0

    def test_finds_none_where_there_is_none(self) -> None:
        found = reader_quality.automation_bias(6, images=300, sway=Sway())

        for outcome in ("sensitivity", "false_marks", "commission", "omission"):
            assert found[f"{outcome}_coverage"] >= 5 / 6, outcome
            assert found[f"{outcome}_found"] <= 1 / 6, outcome

    def test_calls_nobody_perfect_who_was_given_normal_images(self) -> None:
        found = reader_quality.case_mix(2, images=300)

        assert found["normal_only_is_estimable"] == 0.0
        assert found["normal_only_sensitivity"] < 0.7
        assert abs(found["easy_only_error"]) < found["easy_only_error_naive"]

    def test_covers_what_readers_do_on_all_images(self) -> None:
        found = reader_quality.coverage(2, images=600, adjudicated=150)

        names = [name for name in found if name.startswith("coverage")]
        assert np.mean([found[name] for name in names]) >= 0.85
