"""From scores to probabilities and thresholds."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.consensus.logistic import logit, sigmoid
from backend.domain.findings import Finding
from backend.domain.metrics.calibration import expected_calibration_error
from backend.domain.predictions import SHOWN_FROM_SCORE
from backend.domain.score_calibration import Marks, ScoreCurve, Scoring, fit_scoring

NODULE, ILD = Finding.NODULE_MASS, Finding.ILD


def overconfident(rng: np.random.Generator, marks: int) -> Marks:
    """Return marks whose score is far above the share that is true."""
    scores = rng.uniform(0.01, 0.99, marks)
    return scores, rng.random(marks) < sigmoid(2 * logit(scores) - 1.5)


def fitted(marks: dict[Finding, Marks], *, images: int = 100, false_marks: float = 1.0) -> Scoring:
    return fit_scoring(marks, images=images, false_marks_per_image=false_marks)


class TestFitScoring:
    @pytest.mark.parametrize("marks", [150, 5000])
    def test_makes_scores_mean_what_they_say(self, marks: int) -> None:
        scoring = fitted({NODULE: overconfident(np.random.default_rng(1), marks)})
        scores, is_true = overconfident(np.random.default_rng(2), 20_000)
        observed = is_true.astype(np.float64)

        before = expected_calibration_error(scores, observed)
        after = expected_calibration_error(scoring.curves[NODULE].apply(scores), observed)

        assert before is not None
        assert after is not None
        assert before > 0.15
        assert after < before / 3

    def test_learns_a_rare_finding_from_the_others(self) -> None:
        common = overconfident(np.random.default_rng(1), 5000)
        rare = (np.array([0.6]), np.array([True]))

        curve = fitted({NODULE: common, ILD: rare}).curves[ILD]

        assert curve.weight == 0
        assert curve.slope == pytest.approx(2, abs=0.3)

    def test_leaves_scores_alone_when_it_knows_nothing(self) -> None:
        scoring = fitted({})

        scores = np.array([0.1, 0.9])
        assert scoring.calibrate(np.array([0, 1]), scores).tolist() == [0.1, 0.9]
        assert scoring.thresholds == {}

    @given(seed=st.integers(0, 1000), marks=st.integers(1, 400), share=st.floats(0, 1))
    def test_never_changes_a_ranking(self, seed: int, marks: int, share: float) -> None:
        rng = np.random.default_rng(seed)
        scores = rng.random(marks)

        curve = fitted({ILD: (scores, rng.random(marks) < share)}).curves[ILD]

        fine = np.asarray(np.linspace(0.001, 0.999, 500), dtype=np.float64)
        probabilities = curve.apply(fine)
        assert (np.diff(probabilities) > 0).all()
        assert ((probabilities >= 0) & (probabilities <= 1)).all()

    def test_survives_being_written_down(self) -> None:
        scoring = fitted({NODULE: overconfident(np.random.default_rng(1), 500)})

        assert Scoring.from_json(json.loads(json.dumps(scoring.as_json()))) == scoring

    @pytest.mark.parametrize("scores", [[0.0], [1.0], [0.0, 1.0]])
    def test_bears_scores_at_the_ends(self, scores: list[float]) -> None:
        marks = (np.array(scores), np.ones(len(scores), dtype=np.bool_))

        assert np.isfinite(fitted({ILD: marks}).curves[ILD].apply(np.array(scores))).all()


class TestThresholds:
    @pytest.mark.parametrize("per_image", [0.14, 1.4, 7.0])
    def test_show_no_more_false_marks_than_wanted(self, per_image: float) -> None:
        marks = {each: overconfident(np.random.default_rng(int(each)), 800) for each in Finding}

        scoring = fitted(marks, images=100, false_marks=per_image)

        false = 0
        for finding, (scores, is_true) in marks.items():
            shown = scoring.curves[finding].apply(scores) >= scoring.thresholds[finding]
            false += int((shown & ~is_true).sum())
        assert false <= per_image * 100
        assert false >= per_image * 100 * 0.5 or per_image > 5

    def test_are_cautious_about_a_finding_that_was_never_right(self) -> None:
        marks = (np.array([0.01, 0.02]), np.array([False, False]))

        scoring = fitted({ILD: marks}, false_marks=100)

        assert scoring.thresholds[ILD] >= SHOWN_FROM_SCORE


class TestScoreCurve:
    def test_is_the_score_itself_by_default(self) -> None:
        scores = np.array([0.001, 0.3, 0.999])

        np.testing.assert_allclose(ScoreCurve().apply(scores), scores)
