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

    def test_tells_slices_apart_and_leaves_out_what_is_small_or_unknown(self) -> None:
        views = ["PA"] * 60 + ["AP"] * 50 + ["LL"] * 5 + [""] * 5

        report = described(TRUTHS, FOUND, view=views)

        slices = report["slices"]
        assert isinstance(slices, dict)
        assert slices["view"].keys() == {"AP", "PA"}
        assert slices["view"]["PA"]["images"] == 60
        first = sorted(TRUTHS)[:60]
        alone = mean_average_precision(
            {image: TRUTHS[image] for image in first}, {image: FOUND[image] for image in first}
        )
        assert slices["view"]["PA"]["map40"]["estimate"] == pytest.approx(alone.map)

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
