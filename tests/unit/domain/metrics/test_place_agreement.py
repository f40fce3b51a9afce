"""Agreement on what is where, by hand, by a slow twin and beside published numbers."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.boxes import pairwise_iou
from backend.domain.metrics.bootstrap import Interval
from backend.domain.metrics.chance_corrected import krippendorff_alpha
from backend.domain.metrics.place_agreement import MISSING, place_agreement, places
from backend.domain.reading_table import ReadingTable
from tests.unit.domain.metrics.reading_tables import (
    EFFUSION,
    READERS,
    THICKENING,
    Readings,
    readings_of_few_images,
    renamed,
    square,
    table_of,
)

NEVER = Interval(None, None, None)


def plain_places(table: ReadingTable, threshold: float) -> list[set[int]]:
    """Return the marks of every place, pair by pair."""
    ranked = []
    for one, other in combinations(range(len(table.mark_images)), 2):
        iou = float(pairwise_iou(table.mark_boxes[[one]], table.mark_boxes[[other]])[0, 0])
        is_mixed = bool(table.mark_findings[one] != table.mark_findings[other])
        if table.mark_images[one] == table.mark_images[other] and iou > threshold:
            ranked.append((is_mixed, -iou, one, other))
    groups = [{mark} for mark in range(len(table.mark_images))]
    for *_, one, other in sorted(ranked):
        left = next(group for group in groups if one in group)
        right = next(group for group in groups if other in group)
        if not {table.mark_readers[mark] for mark in left} & {
            table.mark_readers[mark] for mark in right
        }:
            groups.remove(right)
            left |= right
    return groups


def plain_alphas(readings: Readings, *, only_marked: bool) -> tuple[float, float | None] | None:
    """Return the mean alpha of the images and the alpha of all places."""
    table = table_of(readings)
    groups = plain_places(table, 0.25)
    alphas, everywhere = [], []
    for image, _ in enumerate(table.image_ids):
        readers = [
            reader
            for own, reader in zip(table.reading_images, table.reading_readers, strict=True)
            if own == image
        ]
        here = [group for group in groups if table.mark_images[min(group)] == image]
        if len(readers) < 2 or (only_marked and not here):
            continue
        units = []
        for group in here or [set()]:
            said = {table.mark_readers[mark]: table.mark_findings[mark] for mark in group}
            values = [said.get(reader, MISSING) for reader in readers]
            units.append([values.count(value) for value in range(MISSING + 1)])
        alpha = krippendorff_alpha(np.array(units))
        alphas.append(1.0 if alpha is None else alpha)
        everywhere += units
    return (float(np.mean(alphas)), krippendorff_alpha(np.array(everywhere))) if alphas else None


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


class TestPlaces:
    def test_join_marks_of_one_finding_before_those_of_two(self) -> None:
        table = table_of(
            {
                ("a", "R1"): [(EFFUSION, square(0)), (THICKENING, square(20))],
                ("a", "R2"): [(EFFUSION, square(20))],
            }
        )
        # Rows: effusion of R1, effusion of R2, thickening of R1 on the same rectangle.
        assert places(table).tolist() == [0, 0, 2]

    def test_join_marks_of_two_findings(self) -> None:
        table = table_of(
            {("a", "R1"): [(EFFUSION, square(0))], ("a", "R2"): [(THICKENING, square(20))]}
        )
        assert places(table).tolist() == [0, 0]

    def test_hold_no_two_marks_of_a_reader(self) -> None:
        table = table_of(
            {
                ("a", "R1"): [(EFFUSION, square(0)), (EFFUSION, square(50))],
                ("a", "R2"): [(EFFUSION, square(25))],
                ("a", "R3"): [(EFFUSION, square(40))],
            }
        )
        # From left to right R1, R2, R3, R1. The last two join, then R2; R1 is there already.
        assert places(table, iou_threshold=0.4).tolist() == [0, 1, 1, 1]

    @given(readings_of_few_images, st.sampled_from([0.0, 0.25, 0.5]))
    def test_equal_their_slow_twin(self, readings: Readings, threshold: float) -> None:
        table = table_of(readings)
        place_of = places(table, iou_threshold=threshold)

        expected = {min(group): group for group in plain_places(table, threshold)}
        found = {first: set(np.flatnonzero(place_of == first)) for first in set(place_of.tolist())}
        assert found == expected


class TestPlaceAgreement:
    def test_equals_a_case_computed_by_hand(self) -> None:
        agreement = place_agreement(
            table_of(
                {
                    ("a", "R1"): [(EFFUSION, square(0)), (EFFUSION, square(500))],
                    ("a", "R2"): [(THICKENING, square(20)), (EFFUSION, square(500))],
                    ("b", "R1"): [(EFFUSION, square(0))],
                    ("b", "R2"): [(EFFUSION, square(0))],
                    ("c", "R1"): [],
                    ("c", "R2"): [],
                    ("d", "R1"): [(EFFUSION, square(0))],  # read once
                }
            ),
            rng(),
        )

        # Image a: of 3 E and 1 T, one unit agrees: alpha = (2 - 2) / (4 - 2) = 0. Image b: 1.
        assert agreement.mean_image_alpha.estimate == pytest.approx((0 + 1) / 2)
        # Both: of 5 E and 1 T two of three units agree: (4 - 4) / (6 - 4).
        assert agreement.global_alpha.estimate == pytest.approx(0.0)
        assert agreement.finding_alpha.estimate == pytest.approx(0.0)
        assert agreement.presence_alpha == NEVER  # every place is marked by everybody
        assert (agreement.images, agreement.places) == (2, 3)

    def test_counts_an_unmarked_image_as_agreement_if_it_counts(self) -> None:
        table = table_of(
            {
                ("a", "R1"): [(EFFUSION, square(0)), (EFFUSION, square(500))],
                ("a", "R2"): [],
                ("b", "R1"): [],
                ("b", "R2"): [],
            }
        )
        everywhere = place_agreement(table, rng(), only_marked_images=False)
        marked = place_agreement(table, rng())

        # Image a: two E and two missing, nothing agrees, by chance (2 + 2) / 3: -1 / 2. Image b: 1
        assert marked.mean_image_alpha.estimate == pytest.approx(-0.5)
        assert everywhere.mean_image_alpha.estimate == pytest.approx((-0.5 + 1) / 2)
        # Two E and four missing, two agree, by chance (2 + 12) / 5.
        assert everywhere.global_alpha.estimate == pytest.approx((2 - 2.8) / (6 - 2.8))
        # An unmarked image is no place on which presence could be agreed.
        assert everywhere.presence_alpha.estimate == pytest.approx(-0.5)
        assert (everywhere.images, everywhere.places) == (2, 2)
        assert (marked.images, marked.places) == (1, 2)

    @pytest.mark.parametrize("only_marked", [False, True])
    @given(readings=readings_of_few_images)
    def test_equals_its_slow_twin(self, readings: Readings, *, only_marked: bool) -> None:
        found = place_agreement(
            table_of(readings), rng(), only_marked_images=only_marked, resamples=1
        )

        expected = plain_alphas(readings, only_marked=only_marked)
        if expected is None:
            assert (found.mean_image_alpha, found.global_alpha, found.images) == (NEVER, NEVER, 0)
        else:
            assert found.mean_image_alpha.estimate == pytest.approx(expected[0])
            assert found.global_alpha.estimate == pytest.approx(expected[1])

    @given(readings_of_few_images, st.permutations(READERS))
    def test_does_not_depend_on_the_names_of_readers(
        self, readings: Readings, names: list[str]
    ) -> None:
        new_name = dict(zip(READERS, names, strict=True))

        assert place_agreement(table_of(readings), rng(), resamples=5) == place_agreement(
            table_of(renamed(readings, new_name)), rng(), resamples=5
        )

    @given(readings_of_few_images)
    def test_is_1_when_all_mark_the_same(self, readings: Readings) -> None:
        copied = {
            (image, reader): marks for (image, _), marks in readings.items() for reader in READERS
        }
        found = place_agreement(table_of(copied), rng(), resamples=5)

        if found.images:
            assert found.mean_image_alpha == Interval(1.0, 1.0, 1.0)
            # None where only one finding occurs.
            assert found.global_alpha.estimate in {1.0, None}
