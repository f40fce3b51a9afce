"""Everything that is measured of a detector, as plain values."""

import json

import numpy as np
import pytest

from backend.domain.metrics.average_precision import mean_average_precision
from backend.domain.metrics.detection_report import describe_detection
from backend.domain.metrics.froc import USUAL_RATES, froc, sensitivity_at
from backend.domain.metrics.judged_marks import judge_marks
from tests.unit.domain.metrics.made_up_marks import (
    Predictions,
    Truths,
    made_up_model,
    made_up_test_set,
)

TRUTHS = made_up_test_set(1, 120)
FOUND = made_up_model(TRUTHS, 2)


def described(truths: Truths, found: Predictions, **slices: list[str]) -> dict[str, object]:
    return describe_detection(
        judge_marks(truths, found), {}, np.random.default_rng(1), slices=slices, resamples=100
    )


class TestDescribeDetection:
    def test_says_what_the_metrics_say(self) -> None:
        report = describe_detection(
            judge_marks(TRUTHS, FOUND), {}, np.random.default_rng(1), resamples=100
        )

        assert report["map40"]["estimate"] == pytest.approx(
            mean_average_precision(TRUTHS, FOUND).map
        )
        assert report["map50"]["estimate"] == pytest.approx(
            mean_average_precision(TRUTHS, FOUND, iou_threshold=0.5).map
        )
        curve = froc(TRUTHS, FOUND)
        assert [
            report["sensitivity"][f"{rate:g}"]["estimate"] for rate in USUAL_RATES
        ] == pytest.approx([sensitivity_at(curve, rate) for rate in USUAL_RATES])
        for figure in (report["map40"], report["image_auc"], report["calibration"]["d_ece"]):
            assert figure["low"] <= figure["estimate"] <= figure["high"]
        assert sum(one["lesions"] for one in report["findings"].values()) == report["lesions"]

    def test_tells_slices_apart_counts_small_ones_and_leaves_out_what_is_not_known(self) -> None:
        views = ["PA"] * 60 + ["AP"] * 50 + ["lateral"] * 5 + [""] * 5

        report = described(TRUTHS, FOUND, view=views)

        slices = report["slices"]
        assert isinstance(slices, dict)
        assert list(slices["view"]) == ["AP", "PA", "lateral"]
        assert slices["view"]["lateral"].keys() == {"images", "lesions"}
        assert slices["view"]["lateral"]["images"] == 5
        assert slices["view"]["PA"]["images"] == 60
        first = sorted(TRUTHS)[:60]
        alone = mean_average_precision(
            {image: TRUTHS[image] for image in first}, {image: FOUND[image] for image in first}
        )
        assert slices["view"]["PA"]["map40"]["estimate"] == pytest.approx(alone.map)

    @pytest.mark.parametrize(
        ("values", "told"),
        [
            (["F"] * 120, []),
            (["F"] * 110 + ["M"] * 10, ["F", "M"]),
            (["F"] * 111 + ["M"] * 9, []),
            ([""] * 100 + ["60-69"] * 10 + ["<10"] * 10, ["<10", "60-69"]),
        ],
    )
    def test_tells_slices_apart_where_two_have_enough_images(
        self, values: list[str], told: list[str]
    ) -> None:
        slices = described(TRUTHS, FOUND, by=values)["slices"]

        assert isinstance(slices, dict)
        assert list(slices["by"]) == told

    @pytest.mark.parametrize(
        ("truths", "found"),
        [
            ({}, {}),
            ({"a": []}, {"a": []}),
            (TRUTHS, {image: [] for image in TRUTHS}),
            ({image: [] for image in TRUTHS}, FOUND),
        ],
    )
    def test_is_made_of_plain_values_whatever_there_is(
        self, truths: Truths, found: Predictions
    ) -> None:
        report = described(truths, found, view=["PA"] * len(truths))

        assert json.loads(json.dumps(report, allow_nan=False)) == report
