"""What one more reading is worth, in bits."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.acquisition.batch import Shares
from backend.domain.acquisition.confidence import binary_entropy
from backend.domain.acquisition.panels import (
    PanelRules,
    count_further,
    divide,
    first_gains,
    further_gain,
    further_gains,
    typical_sensitivity,
    vote_gain,
)
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState
from backend.domain.consensus.reader_skill import COINCIDENCE, prior_skill
from backend.domain.findings import Finding

SENSITIVITY = np.full(len(Finding), 0.6)


def gain(p_true: float, sensitivity: float) -> float:
    next_mark = p_true * sensitivity + (1 - p_true) * COINCIDENCE
    return float(vote_gain(np.array([p_true]), np.array([next_mark]))[0])


def cluster(p_true: float, finding: Finding = Finding.ILD) -> Cluster:
    score = 0.6 * p_true + COINCIDENCE * (1 - p_true)
    return Cluster(finding, Box(0, 0, 1, 1), score, p_true, ClusterState.SINGLE_READER, ())


class TestVoteGain:
    def test_is_what_a_perfect_reader_would_settle(self) -> None:
        assert gain(0.5, 1.0) == pytest.approx(
            1.0 - 0.515 * binary_entropy(np.array([0.5 / 0.515]))[0]
        )

    def test_is_the_same_by_counting_all_outcomes(self) -> None:
        p, s, e = 0.3, 0.7, COINCIDENCE
        joint = np.array([[p * s, p * (1 - s)], [(1 - p) * e, (1 - p) * (1 - e)]])
        apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)

        assert gain(p, s) == pytest.approx(float((joint * np.log2(joint / apart)).sum()))

    @given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
    def test_is_between_nothing_and_what_is_not_known(self, p_true: float, mark: float) -> None:
        found = float(vote_gain(np.array([p_true]), np.array([mark]))[0])

        assert 0.0 <= found <= binary_entropy(np.array([p_true]))[0] + 1e-9

    @given(st.floats(0.01, 0.99), st.floats(0.05, 0.9))
    def test_grows_with_the_readers_skill(self, p_true: float, sensitivity: float) -> None:
        assert gain(p_true, sensitivity) <= gain(p_true, sensitivity + 0.1) + 1e-12

    def test_is_nothing_when_the_reader_cannot_tell(self) -> None:
        assert gain(0.5, COINCIDENCE) == pytest.approx(0.0, abs=1e-12)
        assert gain(0.0, 0.5) == gain(1.0, 0.5) == 0.0


class TestFurtherGains:
    def test_add_up_by_image_and_finding(self) -> None:
        found = further_gains(
            [[], [cluster(0.4), cluster(0.4), cluster(0.9, Finding.PNEUMOTHORAX)]]
        )

        assert found[1, Finding.ILD] == pytest.approx(2 * gain(0.4, 0.6))
        assert found[1, Finding.PNEUMOTHORAX] == pytest.approx(gain(0.9, 0.6))
        assert np.count_nonzero(found) == 2
        assert further_gain([cluster(0.4), cluster(0.9)]) == pytest.approx(
            gain(0.4, 0.6) + gain(0.9, 0.6)
        )

    def test_are_nothing_where_an_adjudicator_decided(self) -> None:
        decided = replace(cluster(0.4), state=ClusterState.ADJUDICATED)

        assert further_gain([decided]) == further_gain([]) == 0.0
        assert further_gains([]).shape == (0, len(Finding))


class TestFirstGains:
    def test_are_in_the_same_unit_as_that_of_a_further_reading(self) -> None:
        probabilities = np.zeros((3, len(Finding)))
        probabilities[0, Finding.ILD] = 0.4
        probabilities[1, [Finding.ILD, Finding.PNEUMOTHORAX]] = 0.4, 0.9

        found = first_gains(probabilities, SENSITIVITY)

        assert found.tolist() == pytest.approx(
            [further_gain(marked) for marked in ([cluster(0.4)], [cluster(0.4), cluster(0.9)], [])]
        )


class TestTypicalSensitivity:
    def test_is_less_extreme_than_that_for_lesions_of_usual_difficulty(self) -> None:
        logits = np.linspace(-3.0, 3.0, len(Finding)).astype(np.float64)

        found = typical_sensitivity(logits)

        assert (np.diff(found) > 0).all()
        assert found[0] > 1 / (1 + np.exp(3.0))
        assert found[-1] < 1 / (1 + np.exp(-3.0))
        assert typical_sensitivity(prior_skill(0).next_logit).shape == (len(Finding),)


class TestCountFurther:
    @given(
        st.lists(st.floats(0.0, 5.0), max_size=9),
        st.lists(st.floats(0.0, 5.0), max_size=9),
        st.integers(0, 20),
    )
    def test_gives_out_the_most_telling_readings(
        self, first: list[float], further: list[float], size: int
    ) -> None:
        number = count_further(np.array(first), np.array(further), size=size)

        firsts = min(size, len(first) + len(further)) - number
        taken = sorted(first)[len(first) - firsts :] + sorted(further)[len(further) - number :]
        assert sum(taken) == pytest.approx(sum(sorted(first + further)[::-1][:size]))

    def test_reads_something_new_when_both_are_worth_the_same(self) -> None:
        assert count_further(np.array([1.0]), np.array([1.0]), size=1) == 0


class TestDivide:
    def test_gives_further_readings_what_they_are_worth(self) -> None:
        first, further = np.array([3.0, 2.0, 0.5, 0.5]), np.array([1.0, 0.1])

        shares = divide(Shares(), first, further, size=4)

        others = shares.quota + shares.uncertain + shares.missed
        assert shares.reread / (others + shares.reread) == pytest.approx(1 / 4)
        assert others == Shares().quota + Shares().uncertain + Shares().missed

    def test_gives_them_half_at_most_and_nothing_when_there_are_none(self) -> None:
        shares = divide(Shares(), np.zeros(4), np.ones(9), size=4)

        assert shares.reread == pytest.approx(shares.quota + shares.uncertain + shares.missed)
        assert divide(Shares(), np.ones(4), np.empty(0), size=4).reread == 0.0
        assert divide(Shares(), np.ones(4), np.ones(4), size=0) == Shares()


class TestPanelRules:
    @pytest.mark.parametrize("most", [1, 2])
    def test_asks_for_no_more_than_the_most(self, most: int) -> None:
        rules = PanelRules(most, is_adaptive=True)

        assert [rules.readings_wanted(n, 0.9) for n in range(4)] == [most] * 4
