"""How probable it is that an image shows nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.consensus.no_finding import (
    Normality,
    fit_case_mix,
    fit_normality,
    p_no_finding,
    usual_normality,
)
from backend.domain.consensus.panel import fit_panel
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.verdict import reconcile
from tests.unit.domain.consensus.crowds import (
    EFFUSION,
    Known,
    Reader,
    Readings,
    fitted_panel,
    knowns,
    read_by,
    readings_of_images,
    square,
    strange_knowns,
    table_of,
    verdict_of,
    votes_of,
)


def by_image(readings: Readings, known: Known) -> dict[str, float]:
    verdict = verdict_of(readings, known.panel())
    return dict(zip(verdict.table.image_ids, verdict.p_no_finding.tolist(), strict=True))


class TestPNoFinding:
    @given(st.one_of(knowns, strange_knowns))
    def test_rises_with_every_silent_reader(self, known: Known) -> None:
        rising = [by_image(votes_of(0, of=readers), known)["a"] for readers in range(1, 18)]

        assert all(np.diff(rising) > 0)

    def test_rises_with_every_silent_reader_beside_a_mark(self) -> None:
        known = Known(is_fitted=False)
        rising = [by_image(votes_of(1, of=readers), known)["a"] for readers in range(1, 18)]

        assert all(np.diff(rising) > 0)

    def test_falls_with_every_mark(self) -> None:
        known = Known(is_fitted=False)
        falling = [by_image(votes_of(marks, of=3), known)["a"] for marks in range(4)]

        assert all(np.diff(falling) < 0)
        assert falling[0] > 0.5
        assert falling[3] < 0.01

    @given(readings_of_images(), st.one_of(knowns, strange_knowns))
    def test_is_no_more_than_that_all_marks_are_false(
        self, readings: Readings, known: Known
    ) -> None:
        verdict = verdict_of(readings, known.panel())

        assert verdict.p_no_finding.shape == (len(verdict.table.image_ids),)
        for image, found in enumerate(verdict.p_no_finding):
            real = verdict.p_true[verdict.images == image]
            assert 0.0 < found < 1.0
            assert found <= np.prod(1.0 - real) + 1e-12

    def test_is_what_bayes_says(self) -> None:
        # Half of the images are normal, two in ten and five in ten of the others taken for it.
        table = table_of({("a", "R1"): [], ("a", "R2"): [], ("b", "R1"): []})
        nothing = np.zeros(0, dtype=np.int64)

        found = p_no_finding(table, nothing, np.zeros(0), Normality(0.5, np.array([0.2, 0.5])))

        assert found.tolist() == pytest.approx([1 / 1.1, 1 / 1.2])

    def test_multiplies_what_is_false(self) -> None:
        table = table_of({("a", "R1"): [(EFFUSION, square(0.0)), (EFFUSION, square(500.0))]})
        images = np.array([0, 0])

        found = p_no_finding(table, images, np.array([0.5, 0.2]), Normality(0.5, np.array([0.5])))

        assert found.tolist() == pytest.approx([0.5 * 0.8 / 1.5])

    def test_of_an_image_that_nobody_reads_any_more_is_what_is_usual(self) -> None:
        table = table_of({("a", "R1"): [], ("b", "R1"): []})
        some = table.readings_only(np.array([False, True]))

        found = reconcile(Survey.of(some), fitted_panel()).p_no_finding

        assert found[0] == pytest.approx(fitted_panel().normality.normal_share)
        assert found[1] > found[0]


class TestFitCaseMix:
    def test_counts_by_hand(self) -> None:
        # R1 read the one image that shows something, R2 both, R3 the other.
        table = table_of({("a", "R1"): [(EFFUSION, square(0.0))], ("a", "R2"): [],
                          ("b", "R2"): [], ("b", "R3"): []})  # fmt: skip

        found = fit_case_mix(table, np.array([0]), np.array([1.0]))

        expected = np.log(np.array([11.0 / 21, 11.0 / 22, 10.0 / 21]) / 0.5)
        assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-8)

    def test_finds_who_was_given_normal_images(self) -> None:
        marked = {(f"a{n}", name): [(EFFUSION, square(0.0))] for n in range(300) for name in "xyz"}
        normal: Readings = {(f"b{n}", name): [] for n in range(300) for name in "uvz"}

        panel = fit_panel(Survey.of(table_of({**marked, **normal})))

        mix = dict(zip(panel.reader_ids, panel.skill.case_mix.tolist(), strict=True))
        assert mix["x"] == mix["y"] > 0.2
        assert mix["u"] == mix["v"] < -1.5
        assert mix["u"] < mix["z"] < mix["x"]

    def test_of_nothing_is_nothing(self) -> None:
        survey = Survey.of(table_of({}))
        no_marks = table_of({("a", "R1"): [], ("b", "R2"): []})

        assert fit_case_mix(survey.table, survey.images, np.zeros(0)).shape == (0,)
        assert fit_case_mix(no_marks, survey.images, np.zeros(0)).tolist() == [0.0, 0.0]


class TestFitNormality:
    @pytest.mark.parametrize("normal", [0.1, 0.5, 0.9])
    def test_finds_how_common_normal_images_are(self, normal: float) -> None:
        rng = np.random.default_rng(3)
        readers = {name: Reader(2.0, 0.1) for name in "abcd"}
        crowd = read_by(rng, readers, images=400, normal=normal)

        found = fit_panel(Survey.of(table_of(crowd.readings))).normality

        true = np.mean([not lesions for lesions in crowd.lesions.values()])
        assert found.normal_share == pytest.approx(true, abs=0.08)

    def test_finds_who_takes_images_for_normal(self) -> None:
        rng = np.random.default_rng(3)
        readers = {name: Reader(2.0, 0.0) for name in "abc"} | {"blind": Reader(-2.0, 0.0)}
        survey = Survey.of(table_of(read_by(rng, readers, images=300).readings))

        found = fit_panel(survey).normality

        silence = dict(zip(survey.table.reader_ids, found.silence.tolist(), strict=True))
        assert silence.pop("blind") > 0.5
        assert max(silence.values()) < 0.2

    def test_counts_by_hand(self) -> None:
        # Of two images one is surely not normal, and R2 is silent on it.
        table = table_of({**votes_of(1, of=2), ("b", "R2"): []})

        found = fit_normality(table, np.array([0]), np.array([1.0 - 1e-12]))

        usual = usual_normality(1)
        assert found.normal_share == pytest.approx(1.0 - (1.0 + 5.0) / (2 + 10))
        assert found.silence.tolist() == pytest.approx(
            [usual.silence[0] * 10 / 11, (1.0 + usual.silence[0] * 10) / 11]
        )

    def test_of_nothing_is_usual(self) -> None:
        survey = Survey.of(table_of({}))

        found = fit_normality(survey.table, survey.images, np.zeros(0))

        assert found.normal_share == pytest.approx(usual_normality(0).normal_share)
        assert found.silence.shape == (0,)
