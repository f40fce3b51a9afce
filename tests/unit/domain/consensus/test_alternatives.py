"""What else a lesion may be, by hand, by a slow twin and from a made-up crowd."""

from dataclasses import dataclass
from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.boxes import Box, Boxes
from backend.domain.consensus.alternatives import (
    Alternatives,
    Array,
    Transfer,
    find_alternatives,
    fit_transfer,
    no_transfer,
)
from backend.domain.consensus.fusion import plain_means
from backend.domain.consensus.panel import fit_panel
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.verdict import reconcile
from backend.domain.findings import Finding
from backend.domain.overlaps import aligned_iou
from tests.unit.domain.consensus.crowds import (
    EFFUSION,
    THICKENING,
    Reader,
    Readings,
    read_by,
    readings_of_images,
    square,
    table_of,
    votes_of,
)


@dataclass(frozen=True, slots=True)
class Case:
    """Clusters with their boxes and scores, and what is known of names."""

    survey: Survey
    transfer: Transfer
    boxes: Boxes
    scores: Array

    @classmethod
    def of(cls, readings: Readings, transfer: Transfer, scores: list[float]) -> "Case":
        """Take mean boxes, and the first of the scores."""
        survey = Survey.of(table_of(readings))
        number = len(survey.groups.first_marks)
        means = plain_means(survey.table.mark_boxes, survey.groups.cluster_of_mark, number)
        return cls(survey, transfer, means, np.resize(scores, number))

    def found(self) -> Alternatives:
        """Find alternatives."""
        return find_alternatives(
            self.survey.table,
            self.survey.groups,
            self.survey.votes,
            self.transfer,
            boxes=self.boxes,
            scores=self.scores,
        )


def iou(left: Array, right: Array) -> float:
    return float(aligned_iou(left[None], right[None])[0])


def logit(chance: float, least: float = 1e-9) -> float:
    safe = min(max(chance, least), 1.0 - least)
    return log(safe / (1.0 - safe))


def plain_alternatives(case: Case) -> list[tuple[int, int, float]]:
    """Return cluster, finding and score, finding by finding."""
    survey, table = case.survey, case.survey.table
    offered = []
    for cluster, image in enumerate(survey.images):
        named = {int(survey.votes.findings[cluster])} | {
            int(table.mark_findings[mark])
            for mark in np.flatnonzero(table.mark_images == image)
            if iou(case.boxes[cluster], table.mark_boxes[mark]) > 0.55
        }
        sure = logit(case.scores[cluster], 0.005) - case.transfer.usual
        several = float(survey.votes.marks[cluster] > 1)
        for finding in set(range(14)) - named:
            own = case.transfer.coefficients[finding]
            linear = logit(case.transfer.shares[survey.votes.findings[cluster], finding])
            linear += own[0] * sure + own[1] * sure**2 / 4 + own[2] * several + own[3]
            if (chance := 1.0 / (1.0 + exp(-linear))) > 0.003:
                offered.append((cluster, finding, chance))
    kept: list[tuple[int, int, float]] = []
    for cluster, finding, chance in sorted(offered, key=lambda one: (-one[2], one[0])):
        rivals = [
            other
            for other, named, _ in kept
            if named == finding and survey.images[other] == survey.images[cluster]
        ]
        if all(iou(case.boxes[cluster], case.boxes[other]) <= 0.5 for other in rivals):
            kept.append((cluster, finding, chance))
    return sorted(kept, key=lambda one: (one[0], -one[2], one[1]))


def listed(found: Alternatives) -> list[tuple[int, int, float]]:
    columns = (found.clusters.tolist(), found.findings.tolist(), found.scores.tolist())
    return list(zip(*columns, strict=True))


@st.composite
def transfers(draw: st.DrawFn) -> Transfer:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shares = rng.choice([0.0, 0.001, 0.05, 0.3], (14, 14))
    return Transfer(shares, rng.normal(0.0, 0.5, (14, 4)), float(rng.normal()))


_scores = st.lists(st.sampled_from([0.001, 0.1, 0.5, 0.9]), min_size=1, max_size=5)


class TestFindAlternatives:
    @given(readings_of_images(), transfers(), _scores)
    def test_equals_its_slow_twin(
        self, readings: Readings, transfer: Transfer, scores: list[float]
    ) -> None:
        case = Case.of(readings, transfer, scores)

        found, expected = listed(case.found()), plain_alternatives(case)

        # Equal to the last bit but one: what is equally probable may come in either order.
        assert sorted(row[:2] for row in found) == sorted(row[:2] for row in expected)
        chances = {row[:2]: row[2] for row in expected}
        assert [row[2] for row in found] == pytest.approx([chances[row[:2]] for row in found])

    @given(readings_of_images(), transfers(), _scores)
    def test_come_by_cluster_then_falling_score(
        self, readings: Readings, transfer: Transfer, scores: list[float]
    ) -> None:
        found = listed(Case.of(readings, transfer, scores).found())

        assert found == sorted(found, key=lambda one: (one[0], -one[2]))
        assert all(0.003 < score < 1.0 for _, _, score in found)

    def test_has_none_before_anything_was_learned(self) -> None:
        assert listed(Case.of(votes_of(3, of=3), no_transfer(), [0.9]).found()) == []

    def test_does_not_offer_what_somebody_said(self) -> None:
        transfer = Transfer(np.full((14, 14), 0.2), np.zeros((14, 4)), 0.0)
        both = {("a", "R1"): [(EFFUSION, square(0.0))], ("a", "R2"): [(THICKENING, square(0.0))]}

        offered = {finding for _, finding, _ in listed(Case.of(both, transfer, [0.5]).found())}

        assert offered == set(range(14)) - {EFFUSION, THICKENING}

    def test_offers_a_finding_once_for_one_place(self) -> None:
        shares = np.zeros((14, 14))
        shares[EFFUSION, 3], shares[THICKENING, 3] = 0.1, 0.2
        transfer = Transfer(shares, np.zeros((14, 4)), 0.0)
        both = {("a", "R1"): [(EFFUSION, square(0.0))], ("a", "R2"): [(THICKENING, square(0.0))]}

        found = Case.of(both, transfer, [0.5]).found()

        assert (found.clusters.tolist(), found.findings.tolist()) == ([1], [3])
        assert found.scores.tolist() == pytest.approx([0.2])

    def test_keeps_what_is_somewhere_else(self) -> None:
        shares = np.zeros((14, 14))
        shares[EFFUSION, 3] = 0.1
        transfer = Transfer(shares, np.zeros((14, 4)), 0.0)
        far = {("a", "R1"): [(EFFUSION, square(0.0)), (EFFUSION, square(500.0))]}

        found = listed(Case.of(far, transfer, [0.5]).found())

        assert [(cluster, finding) for cluster, finding, _ in found] == [(0, 3), (1, 3)]


class TestFitTransfer:
    def test_learns_which_findings_are_taken_for_each_other(self) -> None:
        rng = np.random.default_rng(9)
        readers = {name: Reader(1.5, swapped=0.25) for name in "abcd"}
        findings = (EFFUSION, THICKENING, Finding.CARDIOMEGALY)
        survey = Survey.of(table_of(read_by(rng, readers, images=300, findings=findings).readings))

        panel = fit_panel(survey)
        verdict = reconcile(survey, panel)

        shares = panel.transfer.shares
        assert shares[EFFUSION, THICKENING] > 0.08
        assert shares[THICKENING, EFFUSION] > 0.08
        assert shares[EFFUSION, Finding.CARDIOMEGALY] < 0.02
        assert shares[Finding.CARDIOMEGALY].max() < 0.02
        offered = {
            (int(verdict.findings[cluster]), int(finding))
            for cluster, finding in zip(
                verdict.alternatives.clusters, verdict.alternatives.findings, strict=True
            )
        }
        assert {(EFFUSION, THICKENING), (THICKENING, EFFUSION)} <= offered

    def test_counts_how_others_called_a_place(self) -> None:
        # Ten images; two mark an effusion, of whom one calls half of them thickening as well.
        readings: dict[tuple[str, str], list[tuple[Finding, Box]]] = {}
        for image in range(10):
            readings[f"i{image}", "R1"] = [(EFFUSION, square(0.0))]
            readings[f"i{image}", "R2"] = [(EFFUSION, square(0.0))]
            if image < 5:
                readings[f"i{image}", "R2"].append((THICKENING, square(0.0)))
        survey = Survey.of(table_of(readings))

        found = fit_transfer(
            survey.table, survey.groups, survey.votes, np.full(len(survey.votes.clusters), 0.5)
        )

        # Tried: 10 without R2, and 5 without R1 where R2 did not say thickening; taken: 5. The
        # prior: a twentieth of how common thickening is among the 25 marks, times 10.
        assert found.shares[EFFUSION, THICKENING] == pytest.approx((5 + 10 * 0.05 * 0.2) / 25)
        assert found.usual == pytest.approx(0.0)

    def test_of_nothing_offers_next_to_nothing(self) -> None:
        survey = Survey.of(table_of({("a", "R1"): []}))

        found = fit_transfer(survey.table, survey.groups, survey.votes, np.zeros(0))

        assert found.shares.tolist() == np.zeros((14, 14)).tolist()
        assert found.coefficients.tolist() == np.zeros((14, 4)).tolist()
        assert found.usual == 0.0
