"""What one more reading is worth, in bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.acquisition.batch import Shares
from backend.domain.acquisition.confidence import binary_entropy
from backend.domain.acquisition.panels import (
    COINCIDENCE,
    PanelRules,
    count_further,
    divide,
    vote_gain,
)
from backend.domain.consensus import reader_skill
from backend.domain.findings import Finding

SENSITIVITY = np.full(len(Finding), 0.6)


def gain(p_true: float, sensitivity: float) -> float:
    next_mark = p_true * sensitivity + (1 - p_true) * COINCIDENCE
    return float(vote_gain(np.array([p_true]), np.array([next_mark]))[0])


class TestCoincidence:
    def test_is_what_the_consensus_reckons_with(self) -> None:
        assert reader_skill.COINCIDENCE == COINCIDENCE


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
