"""Figures under resampling, against images that are really copied."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.findings import Finding
from backend.domain.metrics.average_precision import mean_average_precision
from backend.domain.metrics.bootstrap import Statistic, percentile_intervals, resampled
from backend.domain.metrics.froc import froc, sensitivity_at
from backend.domain.metrics.judged_marks import JudgedMarks, judge_marks
from backend.domain.metrics.mark_calibration import CalibrationErrors
from backend.domain.metrics.quotients import Numbers
from backend.domain.metrics.resampled_marks import (
    ImageAuc,
    MeanPrecision,
    PrecisionAreas,
    Sensitivities,
    mean_over_findings,
)
from backend.domain.metrics.shown_marks import MarksOnEmpties, is_found
from backend.domain.predictions import PredictedBox
from tests.unit.domain.metrics.made_up_marks import (
    Predictions,
    Truths,
    evaluations,
    made_up_model,
    made_up_test_set,
    square,
)

RATES = (0.25, 0.5, 1.0)


def copied(
    truths: Truths, predictions: Predictions, counts: list[int]
) -> tuple[Truths, Predictions]:
    """Return every image as often as it is counted."""
    names = [
        (image, f"{image}-{copy:03}")
        for image, count in zip(sorted(truths), counts, strict=True)
        for copy in range(count)
    ]
    return (
        {copy: truths[image] for image, copy in names},
        {copy: predictions[image] for image, copy in names},
    )


def at(statistic: Statistic, counts: list[int]) -> Numbers:
    return np.asarray(statistic(np.array([counts], dtype=np.float64))[0])


class TestPrecisionAreas:
    @given(evaluations, st.data())
    def test_equals_average_precision_of_the_copied_images(
        self, evaluation: tuple[Truths, Predictions], data: st.DataObject
    ) -> None:
        counts = [data.draw(st.integers(0, 3)) for _ in evaluation[0]]
        # Equal scores are ranked image by image, so that copies would come in another order.
        truths, predictions = evaluation[0], untied(evaluation[1])

        areas = at(PrecisionAreas(judge_marks(truths, predictions)), counts)

        quality = mean_average_precision(*copied(truths, predictions, counts))
        assert {
            finding: float(areas[finding]) for finding in Finding if np.isfinite(areas[finding])
        } == pytest.approx(quality.by_finding, abs=1e-9)

    def test_on_the_images_as_they_are_is_average_precision(self) -> None:
        truths = made_up_test_set(1, 200)
        predictions = made_up_model(truths, 2)
        judged = judge_marks(truths, predictions)

        quality = mean_average_precision(truths, predictions)
        mean = at(MeanPrecision(judged), [1] * 200)

        assert float(mean) == pytest.approx(quality.map)

    def test_of_more_hits_than_fit_into_one_block_are_the_same(self) -> None:
        truths: Truths = {f"i{n:04}": [(Finding.ILD, square(0))] for n in range(1300)}
        predictions = made_up_model(truths, 2, false_marks=2)
        judged = judge_marks(truths, predictions)

        mean = at(MeanPrecision(judged), [1] * 1300)
        sensitivity = at(Sensitivities(judged, RATES), [1] * 1300)

        curve = froc(truths, predictions)
        assert float(mean) == pytest.approx(mean_average_precision(truths, predictions).map)
        assert sensitivity.tolist() == pytest.approx([sensitivity_at(curve, x) for x in RATES])


class TestSensitivities:
    @given(evaluations, st.data())
    def test_equal_froc_of_the_copied_images(
        self, evaluation: tuple[Truths, Predictions], data: st.DataObject
    ) -> None:
        truths, predictions = evaluation
        counts = [data.draw(st.integers(0, 3)) for _ in truths]

        found = at(Sensitivities(judge_marks(truths, predictions), RATES), counts)

        curve = froc(*copied(truths, predictions, counts))
        if curve.lesions and curve.images:
            assert found.tolist() == pytest.approx([sensitivity_at(curve, x) for x in RATES])
        else:
            assert np.isnan(found).all()


class TestImageAuc:
    @given(evaluations, st.data())
    def test_is_the_share_of_pairs_in_the_right_order(
        self, evaluation: tuple[Truths, Predictions], data: st.DataObject
    ) -> None:
        truths, predictions = evaluation
        counts = [data.draw(st.integers(0, 3)) for _ in truths]

        found = float(at(ImageAuc(judge_marks(truths, predictions)), counts))

        images, marks = copied(truths, predictions, counts)
        score = {image: max((one.score for one in marks[image]), default=0.0) for image in images}
        pairs = [
            (score[sick] > score[well]) + (score[sick] == score[well]) / 2
            for sick in images
            for well in images
            if images[sick] and not images[well]
        ]
        assert found == pytest.approx(np.mean(pairs)) if pairs else np.isnan(found)


class TestCalibrationErrors:
    def test_equal_a_case_computed_by_hand(self) -> None:
        truths: Truths = {"a": [(Finding.ILD, square(0)), (Finding.ILD, square(500))]}
        predictions: Predictions = {
            "a": [
                PredictedBox(Finding.ILD, square(0), 0.85),  # true, IoU 1
                PredictedBox(Finding.ILD, square(520), 0.85),  # true, IoU 80 / 120
                PredictedBox(Finding.ILD, square(900), 0.25),  # false
                PredictedBox(Finding.ILD, square(900), 0.01),  # does not count
            ]
        }

        d_ece, la_ece = at(CalibrationErrors(judge_marks(truths, predictions)), [1])

        assert d_ece == pytest.approx((abs(1.7 - 2) + 0.25) / 3)
        assert la_ece == pytest.approx((abs(1.7 - 1 - 2 / 3) + 0.25) / 3)

    def test_are_not_there_without_marks(self) -> None:
        judged = judge_marks({"a": []}, {"a": []})

        assert np.isnan(at(CalibrationErrors(judged), [1])).all()


class TestShownMarks:
    def test_count_from_each_findings_own_threshold(self) -> None:
        truths: Truths = {"a": [(Finding.ILD, square(0))], "b": []}
        predictions: Predictions = {
            "a": [PredictedBox(Finding.ILD, square(0), 0.2)],
            "b": [
                PredictedBox(Finding.ILD, square(0), 0.2),
                PredictedBox(Finding.NODULE_MASS, square(0), 0.24),
            ],
        }
        judged = judge_marks(truths, predictions)

        assert is_found(judged, {Finding.ILD: 0.1}).tolist() == [True]
        assert is_found(judged, {}).tolist() == [False]
        assert at(MarksOnEmpties(judged, {Finding.ILD: 0.1}), [1, 1]) == 1.0
        assert at(MarksOnEmpties(judged, {}), [1, 1]) == 0.0


class TestResampled:
    @pytest.mark.parametrize(
        "statistic",
        [PrecisionAreas, lambda judged: Sensitivities(judged, RATES), ImageAuc, CalibrationErrors],
    )
    def test_do_not_depend_on_how_many_resamples_are_made_at_once(
        self, statistic: Callable[[JudgedMarks], Statistic]
    ) -> None:
        truths = made_up_test_set(5, 60)
        own = statistic(judge_marks(truths, made_up_model(truths, 6)))
        drawn = resampled(own, 60, np.random.default_rng(1), resamples=20)

        again: list[Numbers] = []

        def keep(counts: Numbers) -> Numbers:
            again.extend(own(row[None])[0] for row in counts)
            return np.zeros(len(counts))

        resampled(keep, 60, np.random.default_rng(1), resamples=20)

        np.testing.assert_allclose(drawn, np.array(again))

    def test_draw_within_strata(self) -> None:
        strata = np.array([0] * 30 + [1] * 5)

        drawn = resampled(
            lambda counts: counts, 35, np.random.default_rng(1), resamples=200, strata=strata
        )

        assert (drawn[:, :30].sum(axis=1) == 30).all()
        assert (drawn[:, 30:].sum(axis=1) == 5).all()
        assert len(np.unique(drawn[:, 30])) > 2

    def test_have_an_interval_around_the_figure(self) -> None:
        truths = made_up_test_set(5, 300)
        judged = judge_marks(truths, made_up_model(truths, 6))

        interval = percentile_intervals(
            lambda counts: mean_over_findings(PrecisionAreas(judged)(counts)),
            300,
            np.random.default_rng(1),
            resamples=300,
        ).at()

        assert interval.low is not None
        assert interval.estimate is not None
        assert interval.high is not None
        assert 0 < interval.low < interval.estimate < interval.high < 1


def untied(predictions: Predictions) -> Predictions:
    """Return the marks with scores of which no two are equal."""
    return {
        image: [
            PredictedBox(one.finding, one.box, one.score - 0.01 * number - 0.001 * place)
            for place, one in enumerate(boxes)
        ]
        for number, (image, boxes) in enumerate(sorted(predictions.items()))
    }
