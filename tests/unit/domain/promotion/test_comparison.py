"""Challenger and champion on the same images."""

import json

import numpy as np
import pytest

from backend.domain.findings import Finding
from backend.domain.metrics.average_precision import mean_average_precision
from backend.domain.metrics.judged_marks import judge_marks
from backend.domain.metrics.strata import SMALLEST, strata_of
from backend.domain.predictions import PredictedBox
from backend.domain.promotion.changes import Comparison
from backend.domain.promotion.comparison import IncomparableModelsError, compare
from backend.domain.promotion.guards import HARMED_FROM
from backend.domain.promotion.measured import MeasuredModel
from tests.unit.domain.metrics.made_up_marks import (
    Predictions,
    Truths,
    made_up_model,
    made_up_test_set,
    square,
)

TRUTHS = made_up_test_set(1, 400)
FOUND = made_up_model(TRUTHS, 1)


def measured(predictions: Predictions, truths: Truths = TRUTHS) -> MeasuredModel:
    return MeasuredModel(judge_marks(truths, predictions), dict.fromkeys(Finding, 0.4))


def compared(
    champion: Predictions, challenger: Predictions, *, resamples: int = 300
) -> Comparison:
    found = compare(
        measured(champion),
        measured(challenger),
        np.random.default_rng(1),
        resamples=resamples,
    )
    assert found is not None
    return found


class TestCompare:
    def test_measures_as_the_metric_does(self) -> None:
        champion, challenger = made_up_model(TRUTHS, 1), made_up_model(TRUTHS, 2)

        found = compared(champion, challenger)

        for own, predictions in (
            (found.map40.champion, champion),
            (found.map40.challenger, challenger),
        ):
            assert own == pytest.approx(mean_average_precision(TRUTHS, predictions).map)
        assert found.images == 400
        assert found.lesions == sum(len(rows) for rows in TRUTHS.values())
        assert found.map40.low < found.map40.difference < found.map40.high

    def test_of_a_model_with_itself_differs_in_nothing(self) -> None:
        model = made_up_model(TRUTHS, 1)

        found = compared(model, model)

        assert (found.map40.difference, found.map40.low, found.map40.high) == (0, 0, 0)
        assert found.map40.standard_error == 0
        assert {change.p_unharmed for change in found.by_finding.values()} == {1.0}
        assert (found.critical.lost, found.critical.gained) == (0, 0)
        assert found.empties is not None
        assert found.empties.p_harmed == 0

    def test_sees_a_model_that_is_much_worse(self) -> None:
        found = compared(
            made_up_model(TRUTHS, 1, sensitivity=0.9), made_up_model(TRUTHS, 2, sensitivity=0.3)
        )

        assert found.map40.high < 0
        assert found.by_finding[Finding.AORTIC_ENLARGEMENT].p_unharmed == 0
        assert all(change.high < 0 for change in found.sensitivity.values())
        assert found.critical.lost > found.critical.gained

    def test_sees_more_marks_on_images_without_findings(self) -> None:
        model = made_up_model(TRUTHS, 1)
        noisy = {
            image: [*boxes, PredictedBox(Finding.ILD, square(3000), 0.5)]
            for image, boxes in model.items()
        }

        found = compared(model, noisy)

        assert found.empties is not None
        assert found.empties.challenger == pytest.approx(found.empties.champion + 1)
        assert found.empties.p_harmed == 1

    @pytest.mark.parametrize(("marks", "is_harm"), [(2, False), (40, True)])
    def test_bears_few_marks_where_the_champion_makes_none(
        self, marks: int, *, is_harm: bool
    ) -> None:
        champion = {image: [] if not rows else FOUND[image] for image, rows in TRUTHS.items()}
        empties = [image for image, rows in TRUTHS.items() if not rows]
        challenger = champion | {
            image: [PredictedBox(Finding.ILD, square(3000), 0.5)] for image in empties[:marks]
        }

        found = compared(champion, challenger)

        assert found.empties is not None
        assert found.empties.champion == 0
        assert found.empties.challenger == pytest.approx(marks / len(empties))
        assert (found.empties.p_harmed >= HARMED_FROM) is is_harm

    def test_is_the_same_with_the_same_seed(self) -> None:
        models = made_up_model(TRUTHS, 1), made_up_model(TRUTHS, 2)

        assert compared(*models) == compared(*models)

    def test_is_less_sure_than_the_truth_is_far(self) -> None:
        """The interval of the difference covers it about as often as it says."""
        sensitivities = []
        for seed in range(40):
            truths = made_up_test_set(100 + seed, 200)
            found = compare(
                measured(made_up_model(truths, 2 * seed, sensitivity=0.7), truths),
                measured(made_up_model(truths, 2 * seed + 1, sensitivity=0.7), truths),
                np.random.default_rng(seed),
                resamples=200,
            )
            assert found is not None
            sensitivities.append(found.map40.low <= 0 <= found.map40.high)

        assert 0.75 <= np.mean(sensitivities) <= 1.0  # 90 % by design, of 40

    def test_comes_back_from_plain_values(self) -> None:
        found = compared(made_up_model(TRUTHS, 1), made_up_model(TRUTHS, 2))

        assert Comparison.from_json(json.loads(json.dumps(found.as_json()))) == found

    def test_comes_back_with_no_number_where_the_store_kept_nothing(self) -> None:
        kept = compared(made_up_model(TRUTHS, 1), made_up_model(TRUTHS, 2)).as_json()
        kept["map40"]["high"] = None

        assert np.isnan(Comparison.from_json(kept).map40.high)

    def test_has_nothing_to_say_of_images_without_lesions(self) -> None:
        nothing = measured({"a": []}, {"a": []})

        assert compare(nothing, nothing, np.random.default_rng(1)) is None

    def test_refuses_models_that_were_measured_on_different_images(self) -> None:
        some = {image: rows for image, rows in TRUTHS.items() if image > "i0010"}
        with pytest.raises(IncomparableModelsError, match="evaluate the champion again"):
            compare(
                measured(made_up_model(TRUTHS, 1)),
                measured(made_up_model(some, 2), some),
                np.random.default_rng(1),
            )


class TestStrata:
    def test_keep_rare_findings_together_and_pool_what_is_too_few(self) -> None:
        truths: Truths = {
            **{f"a{n:02}": [(Finding.ILD, square(0))] for n in range(60)},
            **{f"b{n:02}": [(Finding.PNEUMOTHORAX, square(0))] for n in range(SMALLEST)},
            **{f"c{n:02}": [(Finding.ATELECTASIS, square(0))] for n in range(SMALLEST - 1)},
            **{f"d{n:02}": [] for n in range(30)},
        }
        judged = judge_marks(truths, {image: [] for image in truths})

        strata = strata_of(judged)

        sizes = {
            letter: {
                int(strata[number])
                for number, image in enumerate(judged.image_ids)
                if image.startswith(letter)
            }
            for letter in "abcd"
        }
        assert all(len(own) == 1 for own in sizes.values())
        assert sizes["b"] == {Finding.PNEUMOTHORAX}
        assert len(set.union(*sizes.values())) == 4
