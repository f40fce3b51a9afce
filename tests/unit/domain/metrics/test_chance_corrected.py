"""Agreement beyond chance, by the literature and by slow twins."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backend.domain.metrics.chance_corrected import (
    Counts,
    ac1_of,
    alpha_of,
    gwet_ac1,
    krippendorff_alpha,
    specific_agreement_of,
    terms_of,
)

# Krippendorff 2011, example C: four observers, twelve units, five values; "." was not observed.
OBSERVERS = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")


def counted(observers: tuple[str, ...]) -> Counts:
    """Return how many observers gave each unit each value."""
    values = sorted(set("".join(observers)) - {"."})
    units = zip(*observers, strict=True)
    return np.array([[unit.count(value) for value in values] for unit in units])


def pairs_of(unit: list[int]) -> list[tuple[int, int]]:
    """Return the values of all ordered pairs of readers of a unit."""
    values = [value for value, count in enumerate(unit) for _ in range(count)]
    return list(permutations(values, 2))


def plain_alpha(counts: Counts) -> float:
    """Return alpha through the coincidence matrix, pair by pair."""
    matrix = np.zeros((counts.shape[1], counts.shape[1]))
    for unit in counts.tolist():
        for left, right in pairs_of(unit):
            matrix[left, right] += 1 / (sum(unit) - 1)
    total, values = matrix.sum(), matrix.sum(axis=1)
    observed = (total - np.trace(matrix)) / total
    expected = (total**2 - (values**2).sum()) / total / (total - 1)
    return float(1 - observed / expected)


def plain_ac1(counts: Counts) -> float:
    """Return AC1 unit by unit."""
    agreeing, shares = [], []
    for unit in counts.tolist():
        pairs = pairs_of(unit)
        if pairs:
            agreeing.append(sum(left == right for left, right in pairs) / len(pairs))
        if sum(unit):
            shares.append([count / sum(unit) for count in unit])
    mean = np.mean(shares, axis=0)
    chance = sum(share * (1 - share) for share in mean) / (len(mean) - 1)
    return float((np.mean(agreeing) - chance) / (1 - chance))


# At most three readers and three values; many units have fewer than two readers.
many_counts = st.integers(1, 6).flatmap(
    lambda units: arrays(np.int64, (units, 3), elements=st.integers(0, 2))
)


class TestKrippendorffAlpha:
    def test_equals_the_published_example_with_missing_values(self) -> None:
        assert krippendorff_alpha(counted(OBSERVERS)) == pytest.approx(0.743, abs=5e-4)

    def test_equals_the_published_example_of_two_observers(self) -> None:
        # Krippendorff 2011, example B
        counts = counted(("aabbdcccedda", "babbbccceddd"))

        assert krippendorff_alpha(counts) == pytest.approx(0.692, abs=5e-4)

    @given(many_counts)
    def test_equals_its_slow_twin(self, counts: Counts) -> None:
        pairable = counts[counts.sum(axis=1) >= 2]
        alpha = krippendorff_alpha(counts)

        if (pairable.sum(axis=0) > 0).sum() < 2:
            assert alpha is None
        else:
            assert alpha == pytest.approx(plain_alpha(counts))

    @given(many_counts, st.permutations(range(3)))
    def test_does_not_depend_on_the_names_of_the_values(
        self, counts: Counts, order: list[int]
    ) -> None:
        assert krippendorff_alpha(counts[:, order]) == pytest.approx(krippendorff_alpha(counts))

    def test_is_1_when_all_agree_and_below_0_when_nobody_does(self) -> None:
        assert krippendorff_alpha(np.array([[3, 0], [0, 2]])) == 1.0
        assert krippendorff_alpha(np.array([[1, 1], [1, 1]])) == pytest.approx(-0.5)

    def test_is_undefined_where_only_one_value_occurs_or_nobody_read_twice(self) -> None:
        assert krippendorff_alpha(np.array([[3, 0], [3, 0]])) is None
        assert krippendorff_alpha(np.array([[1, 0], [0, 1]])) is None
        assert krippendorff_alpha(np.zeros((0, 2), dtype=np.int64)) is None


class TestGwetAc1:
    def test_equals_the_published_example_of_a_rare_value(self) -> None:
        # Gwet 2008: 118 subjects positive to both, 5 and 2 to one of two raters, none to neither.
        counts = np.array([[2, 0]] * 118 + [[1, 1]] * 7)

        assert gwet_ac1(counts) == pytest.approx(0.941, abs=5e-4)
        assert krippendorff_alpha(counts) == pytest.approx(-0.025, abs=5e-4)

    def test_counts_units_with_one_reader_for_chance_only(self) -> None:
        # The same twelve units as alpha's example; 0.775 is what irrCAC gives.
        assert gwet_ac1(counted(OBSERVERS)) == pytest.approx(0.77544, abs=5e-6)

    @given(many_counts)
    def test_equals_its_slow_twin(self, counts: Counts) -> None:
        if (counts.sum(axis=1) >= 2).any():
            assert gwet_ac1(counts) == pytest.approx(plain_ac1(counts))
        else:
            assert gwet_ac1(counts) is None

    def test_is_1_when_all_agree(self) -> None:
        assert gwet_ac1(np.array([[3, 0], [0, 2]])) == 1.0
        assert gwet_ac1(np.array([[3, 0]])) == 1.0


class TestSpecificAgreementOf:
    def test_is_that_of_the_fourfold_table(self) -> None:
        counts = np.array([[2, 0]] * 3 + [[1, 1]] * 2 + [[0, 2]] * 5)

        positive, negative = specific_agreement_of(terms_of(counts).sum(axis=0))

        assert positive == pytest.approx(2 * 3 / (2 * 3 + 2))
        assert negative == pytest.approx(2 * 5 / (2 * 5 + 2))

    def test_asks_of_every_value_whether_another_reader_gave_it(self) -> None:
        # The two marks of the first image meet one other mark in two readings each; of the
        # second image, none in one.
        counts = np.array([[2, 1], [1, 1]])

        assert specific_agreement_of(terms_of(counts).sum(axis=0))[0] == pytest.approx(
            (1 / 2 + 1 / 2 + 0) / 3
        )

    def test_is_undefined_for_a_value_that_nobody_gave(self) -> None:
        positive, negative = specific_agreement_of(terms_of(np.array([[0, 2]])).sum(axis=0))

        assert np.isnan(positive)
        assert negative == 1.0


class TestTermsOf:
    @given(many_counts, st.data())
    def test_may_be_weighted_instead_of_repeating_the_unit(
        self, counts: Counts, data: st.DataObject
    ) -> None:
        weights = data.draw(arrays(np.int64, len(counts), elements=st.integers(0, 3)))
        weighted = (weights[:, None] * terms_of(counts)).sum(axis=0)
        repeated = terms_of(np.repeat(counts, weights, axis=0)).sum(axis=0)

        for measure in (alpha_of, ac1_of, specific_agreement_of):
            assert measure(weighted) == pytest.approx(measure(repeated), nan_ok=True)

    def test_are_nothing_where_nobody_read(self) -> None:
        assert not terms_of(np.zeros((4, 2), dtype=np.int64)).any()
