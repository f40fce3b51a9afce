"""Agreement on each finding, by hand, by slow twins and on the published table."""

import time
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.boxes import Box, stack
from backend.domain.findings import Finding
from backend.domain.metrics.agreement import Agreement, reader_agreement
from backend.domain.metrics.bootstrap import Interval
from backend.domain.metrics.box_agreement import reader_matrix
from backend.domain.metrics.chance_corrected import gwet_ac1, krippendorff_alpha
from backend.domain.metrics.place_agreement import place_agreement
from backend.domain.reading_table import ReadingTable
from backend.formats import vinbigdata_csv
from tests.unit.domain.metrics.reading_tables import (
    EFFUSION,
    PUBLISHED,
    READERS,
    THICKENING,
    Readings,
    readings_of_few_images,
    renamed,
    square,
    table_of,
)
from tests.unit.domain.metrics.test_box_agreement import plain_matches


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def plain_counts(readings: Readings, finding: Finding, *, only_marked: bool) -> list[list[int]]:
    """Return for every image how many readers marked the finding and how many did not."""
    counts = []
    for image in sorted({image for image, _ in readings}):
        own = [marks for (other, _), marks in readings.items() if other == image]
        if len(own) >= 2 and (any(own) or not only_marked):
            present = sum(any(one is finding for one, _ in marks) for marks in own)
            counts.append([present, len(own) - present])
    return counts


def plain_f1(readings: Readings, finding: Finding, threshold: float) -> float | None:
    """Return pair F1 over all pairs of readers."""
    matches = boxes = 0
    for (left, marks), (right, others) in combinations(sorted(readings.items()), 2):
        if left[0] == right[0]:
            ours, theirs = ([box for one, box in own if one is finding] for own in (marks, others))
            matches += len(plain_matches(ours, theirs, threshold))
            boxes += len(set(ours)) + len(set(theirs))
    return 2 * matches / boxes if boxes else None


def estimates(agreement: Agreement, finding: Finding) -> dict[str, float | None]:
    found = agreement.by_finding[finding]
    return {
        "alpha": found.on_images.alpha.estimate,
        "alpha_marked": found.on_images.alpha_marked.estimate,
        "ac1": found.on_images.ac1.estimate,
        "ac1_marked": found.on_images.ac1_marked.estimate,
        "f1@0.4": found.on_boxes.f1[0.4].estimate,
        "f1@0.5": found.on_boxes.f1[0.5].estimate,
    }


class TestReaderAgreement:
    def test_equals_a_case_computed_by_hand(self) -> None:
        agreement = reader_agreement(
            table_of(
                {
                    ("a", "R1"): [(EFFUSION, square(0)), (EFFUSION, square(500))],
                    ("a", "R2"): [(EFFUSION, square(50))],  # overlaps by a third
                    ("a", "R3"): [(EFFUSION, square(0)), (THICKENING, square(0))],
                    ("b", "R1"): [],
                    ("b", "R2"): [(EFFUSION, square(0))],
                    ("c", "R1"): [],
                    ("c", "R2"): [],
                    ("d", "R1"): [(EFFUSION, square(0))],  # read once
                }
            ),
            rng(),
        )
        effusion = agreement.by_finding[EFFUSION]

        assert (agreement.images, agreement.images_marked) == (3, 2)
        assert (effusion.images_any, effusion.images_all, effusion.boxes) == (2, 1, 5)
        # Marked by three, marked by one of two, unmarked by two: 4 and 3 readings. 5 agree, by
        # chance (12 + 6) / 6: (5 - 3) / (7 - 3)
        assert effusion.on_images.alpha.estimate == pytest.approx(2 / 4)
        # Without the last image 4 and 1: 3 agree, by chance 12 / 4.
        assert effusion.on_images.alpha_marked.estimate == pytest.approx(0.0)
        # p_a = 2 / 3, share (1 + 1 / 2 + 0) / 3, chance 1 / 2
        assert effusion.on_images.ac1.estimate == pytest.approx(1 / 3)
        # Each of three finds all others on a, one finds none on b.
        assert effusion.on_images.positive.estimate == pytest.approx(3 / 4)
        # a: 4 boxes against 2 others each, matched R1-R3 above 0.4; b: 1 box against 1 other.
        assert effusion.on_boxes.f1[0.4].estimate == pytest.approx(2 * 1 / 9)
        assert effusion.on_boxes.mean_iou.estimate == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)
        # The lone thickening has two others on a.
        assert agreement.by_finding[THICKENING].on_boxes.f1[0.4].estimate == 0.0
        assert agreement.micro_on_boxes.f1[0.4].estimate == pytest.approx(2 * 1 / 11)
        assert agreement.mean_on_boxes.f1[0.4].estimate == pytest.approx((2 / 9 + 0) / 2)

    @given(readings_of_few_images)
    def test_equals_its_slow_twin(self, readings: Readings) -> None:
        agreement = reader_agreement(table_of(readings), rng(), resamples=1)

        for finding in (EFFUSION, THICKENING):
            everywhere, marked = (
                np.array(
                    plain_counts(readings, finding, only_marked=only_marked), dtype=np.int64
                ).reshape(-1, 2)
                for only_marked in (False, True)
            )
            assert estimates(agreement, finding) == pytest.approx(
                {
                    "alpha": krippendorff_alpha(everywhere),
                    "alpha_marked": krippendorff_alpha(marked),
                    "ac1": gwet_ac1(everywhere),
                    "ac1_marked": gwet_ac1(marked),
                    "f1@0.4": plain_f1(readings, finding, 0.4),
                    "f1@0.5": plain_f1(readings, finding, 0.5),
                }
            )
            found = agreement.by_finding[finding]
            assert found.images_any == (everywhere[:, 0] > 0).sum()
            assert found.images_all == ((everywhere[:, 0] > 0) & (everywhere[:, 1] == 0)).sum()

    @given(readings_of_few_images, st.permutations(READERS))
    def test_does_not_depend_on_the_names_of_readers(
        self, readings: Readings, names: list[str]
    ) -> None:
        new_name = dict(zip(READERS, names, strict=True))

        assert reader_agreement(table_of(readings), rng(), resamples=5) == reader_agreement(
            table_of(renamed(readings, new_name)), rng(), resamples=5
        )

    @given(readings_of_few_images)
    def test_is_1_when_all_mark_the_same(self, readings: Readings) -> None:
        copied = {
            (image, reader): marks for (image, _), marks in readings.items() for reader in READERS
        }
        agreement = reader_agreement(table_of(copied), rng(), resamples=5)

        full = Interval(1.0, 1.0, 1.0)
        for found in agreement.by_finding.values():
            assert found.images_any == found.images_all
            if found.boxes:
                assert found.on_images.alpha.estimate in {1.0, None}  # None: on every image
                assert found.on_images.positive == full
                assert found.on_boxes.f1 == {0.4: full, 0.5: full}
                assert found.on_boxes.mean_iou == full

    def test_counts_an_overlap_of_exactly_the_threshold_as_none(self) -> None:
        found = reader_agreement(
            table_of(
                {
                    ("a", "R1"): [(EFFUSION, Box(0, 0, 70, 100))],
                    ("a", "R2"): [(EFFUSION, Box(30, 0, 100, 100))],
                }
            ),
            rng(),
        ).micro_on_boxes
        assert found.f1[0.4].estimate == 0.0
        assert found.mean_iou.estimate == pytest.approx(0.4)

    def test_has_no_numbers_without_readings_by_two(self) -> None:
        agreement = reader_agreement(table_of({("a", "R1"): [(EFFUSION, square(0))]}), rng())

        assert agreement.images == 0
        assert agreement.micro_on_boxes.f1[0.4] == Interval(None, None, None)
        assert agreement.mean_on_images.alpha == Interval(None, None, None)


# Finding: images any, all; alpha, alpha of marked images, AC1, positive agreement; F1 at 0.4 and
# at 0.5; mean IoU. Measured on the published table by another program.
MEASURED = {
    Finding.AORTIC_ENLARGEMENT: (3067, 1744, 0.780, 0.596, 0.920, 0.815, 0.783, 0.738, 0.685),
    Finding.ATELECTASIS: (186, 18, 0.365, 0.355, 0.992, 0.368, 0.229, 0.208, 0.522),
    Finding.CALCIFICATION: (452, 57, 0.415, 0.393, 0.982, 0.424, 0.289, 0.256, 0.607),
    Finding.CARDIOMEGALY: (2300, 1297, 0.789, 0.686, 0.943, 0.815, 0.806, 0.784, 0.734),
    Finding.CONSOLIDATION: (353, 31, 0.355, 0.337, 0.985, 0.362, 0.272, 0.252, 0.633),
    Finding.ILD: (386, 71, 0.476, 0.458, 0.986, 0.483, 0.408, 0.348, 0.603),
    Finding.INFILTRATION: (613, 91, 0.438, 0.407, 0.976, 0.450, 0.337, 0.290, 0.615),
    Finding.LUNG_OPACITY: (1322, 167, 0.406, 0.329, 0.944, 0.433, 0.255, 0.216, 0.570),
    Finding.NODULE_MASS: (826, 181, 0.528, 0.488, 0.969, 0.543, 0.372, 0.350, 0.700),
    Finding.OTHER_LESION: (1134, 127, 0.356, 0.292, 0.952, 0.380, 0.233, 0.200, 0.555),
    Finding.PLEURAL_EFFUSION: (1032, 439, 0.704, 0.665, 0.971, 0.718, 0.467, 0.368, 0.521),
    Finding.PLEURAL_THICKENING: (1981, 365, 0.461, 0.337, 0.917, 0.499, 0.264, 0.190, 0.497),
    Finding.PNEUMOTHORAX: (96, 45, 0.743, 0.740, 0.998, 0.744, 0.588, 0.571, 0.702),
    Finding.PULMONARY_FIBROSIS: (1617, 633, 0.675, 0.600, 0.949, 0.699, 0.423, 0.349, 0.540),
}


@pytest.fixture(scope="module")
def published() -> ReadingTable:
    read = vinbigdata_csv.read_readings(PUBLISHED).readings
    readings = [(image, reader) for image, readers in read.items() for reader in readers]
    marks = [(*pair, box) for pair in readings for box in read[pair[0]][pair[1]]]
    return ReadingTable.of_rows(
        readings,
        [(image, reader, int(mark.finding)) for image, reader, mark in marks],
        stack([mark.box for *_, mark in marks]),
    )


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published table is not on this machine")
class TestOnThePublishedTable:
    def test_equals_what_another_program_measured(self, published: ReadingTable) -> None:
        agreement = reader_agreement(published, rng(), resamples=1)

        for finding, expected in MEASURED.items():
            found = agreement.by_finding[finding]
            on_images, on_boxes = found.on_images, found.on_boxes
            assert (
                found.images_any,
                found.images_all,
                on_images.alpha.estimate,
                on_images.alpha_marked.estimate,
                on_images.ac1.estimate,
                on_images.positive.estimate,
                on_boxes.f1[0.4].estimate,
                on_boxes.f1[0.5].estimate,
                on_boxes.mean_iou.estimate,
            ) == pytest.approx(expected, abs=6e-4)
        assert agreement.micro_on_boxes.f1[0.4].estimate == pytest.approx(0.497, abs=6e-4)
        assert agreement.micro_on_boxes.f1[0.5].estimate == pytest.approx(0.448, abs=6e-4)

    def test_gives_the_three_main_readers_their_measured_agreement(
        self, published: ReadingTable
    ) -> None:
        matrix = reader_matrix(published)
        r8, r9, r10 = (matrix.reader_ids.index(reader) for reader in ("R8", "R9", "R10"))

        found = [matrix.f1[r8, r10], matrix.f1[r8, r9], matrix.f1[r9, r10]]
        assert found == pytest.approx([0.537, 0.494, 0.492], abs=6e-4)

    # By the package kalos 0.8.0, greedy matching, lenient towards categories, marked images
    @pytest.mark.parametrize(
        ("threshold", "mean_image", "everywhere"),
        [
            (0.1, 0.4492, 0.4050),
            (0.25, 0.4256, 0.3732),
            (0.4, 0.3836, 0.3204),
            (0.5, 0.3387, 0.2696),
        ],
    )
    def test_equals_kalos(
        self, published: ReadingTable, threshold: float, mean_image: float, everywhere: float
    ) -> None:
        found = place_agreement(published, rng(), iou_threshold=threshold, resamples=1)

        # Its greedy matching takes equal overlaps in another order.
        assert found.mean_image_alpha.estimate == pytest.approx(mean_image, abs=5e-4)
        assert found.global_alpha.estimate == pytest.approx(everywhere, abs=5e-4)

    def test_takes_seconds_with_all_intervals(self, published: ReadingTable) -> None:
        started = time.process_time()

        reader_agreement(published, rng())
        place_agreement(published, rng())
        reader_matrix(published)

        assert time.process_time() - started < 15
