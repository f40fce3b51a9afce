"""What is known about readers, and about those of whom nothing is."""

import numpy as np
import pytest

from backend.domain.consensus.fusion import usual_precision
from backend.domain.consensus.no_finding import usual_normality
from backend.domain.consensus.panel import fit_panel, prior_panel
from backend.domain.consensus.peer_calibration import no_calibration
from backend.domain.consensus.reader_skill import prior_skill
from backend.domain.consensus.survey import Survey
from tests.unit.domain.consensus.crowds import fitted_panel, table_of, verdict_of, votes_of


class TestOf:
    def test_gives_readers_in_the_order_asked_for(self) -> None:
        panel = fitted_panel()
        asked = ("R9", "R1")
        rows = [panel.reader_ids.index(reader) for reader in asked]

        found = panel.of(asked)

        assert found.reader_ids == asked
        assert np.array_equal(found.skill.logits, panel.skill.logits[rows])
        assert np.array_equal(found.skill.reader_logit, panel.skill.reader_logit[rows])
        assert np.array_equal(found.skill.information, panel.skill.information[rows])
        assert np.array_equal(found.skill.false_marks, panel.skill.false_marks[rows])
        assert np.array_equal(found.precision.reader_factor, panel.precision.reader_factor[rows])
        assert np.array_equal(found.precision.bias, panel.precision.bias[rows])
        assert np.array_equal(found.normality.silence, panel.normality.silence[rows])

    def test_takes_a_stranger_for_a_typical_reader(self) -> None:
        panel = fitted_panel()

        found = panel.of(["stranger", "R1"])

        assert found.skill.logits[0].tolist() == panel.skill.finding_logit.tolist()
        assert found.skill.reader_logit[0] == 0.0
        assert found.skill.information[0].tolist() == [0.0] * 14
        assert found.skill.false_marks[0].tolist() == [1.0] * 14
        assert found.precision.reader_factor[0] == 1.0
        assert found.precision.bias[0].tolist() == [0.0] * 4
        assert found.normality.silence[0] == usual_normality(1).silence[0]

    def test_leaves_what_concerns_no_reader(self) -> None:
        panel = fitted_panel()

        found = panel.of(["stranger"])

        assert found.calibration is panel.calibration
        assert found.transfer is panel.transfer
        assert found.normality.normal_share == panel.normality.normal_share
        assert np.array_equal(found.skill.mark_logit, panel.skill.mark_logit)

    def test_of_nobody_is_empty(self) -> None:
        found = fitted_panel().of([])

        assert found.skill.logits.shape == (0, 14)
        assert found.precision.bias.shape == (0, 4)


class TestPriorPanel:
    def test_takes_everybody_for_typical(self) -> None:
        found = prior_panel().of(["R1", "R2"])

        assert np.array_equal(found.skill.logits, prior_skill(2).logits)
        assert np.array_equal(found.precision.bias, usual_precision(2).bias)

    @pytest.mark.parametrize(
        ("marks", "readers", "low", "high"),
        [(1, 1, 0.5, 0.9), (1, 3, 0.0, 0.5), (2, 3, 0.5, 0.99), (3, 3, 0.9, 1.0)],
    )
    def test_makes_of_votes_what_one_would_say(
        self, marks: int, readers: int, low: float, high: float
    ) -> None:
        assert low <= verdict_of(votes_of(marks, of=readers)).p_true[0] < high

    def test_makes_little_of_one_mark_by_seventeen(self) -> None:
        found = [verdict_of(votes_of(marks, of=17)).p_true[0] for marks in (1, 9, 17)]

        assert found[0] < 0.05
        assert found[1] > 0.95
        assert found[2] > 0.99


class TestFitPanel:
    def test_of_nothing_is_the_prior(self) -> None:
        found = fit_panel(Survey.of(table_of({("a", "R1"): [], ("a", "R2"): []})))

        assert found.reader_ids == ("R1", "R2")
        assert found.skill.logits == pytest.approx(prior_skill(2).logits)
        assert found.skill.next_logit == pytest.approx(prior_skill(2).next_logit)
        assert found.precision.reader_factor.tolist() == [1.0, 1.0]
        assert found.calibration.next_mark.tolist() == no_calibration().next_mark.tolist()
        assert found.calibration.same_place == pytest.approx(no_calibration().same_place)

    def test_of_one_image_stays_close_to_the_prior(self) -> None:
        readings = votes_of(2, of=3)

        found = verdict_of(readings, fit_panel(Survey.of(table_of(readings))))

        assert found.p_true == pytest.approx(verdict_of(readings).p_true, abs=0.1)
        assert found.scores == pytest.approx(verdict_of(readings).scores, abs=0.1)

    def test_ranks_bad_readers_last(self) -> None:
        panel = fitted_panel()

        order = [panel.reader_ids[row] for row in np.argsort(panel.skill.reader_logit)]

        assert order[0] == "R7"
        assert order[-1] == "R9"
        assert order.index("R2") < 4
        assert panel.reader_ids[np.argmax(panel.precision.reader_factor)] == "R7"
