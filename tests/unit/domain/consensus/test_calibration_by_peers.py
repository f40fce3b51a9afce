"""Both probabilities: every vote counts for a lesion, and peers say how much."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.consensus.logistic import logit, sigmoid
from backend.domain.consensus.panel import fit_panel
from backend.domain.consensus.peer_calibration import (
    Array,
    Probabilities,
    calibrate,
    fit_calibration,
    no_calibration,
)
from backend.domain.consensus.reader_skill import Skill, prior_skill, weigh
from backend.domain.consensus.surroundings import Surroundings
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.verdict import reconcile
from backend.domain.consensus.votes import Votes
from backend.domain.findings import Finding
from backend.domain.overlaps import aligned_iou
from tests.unit.domain.consensus.crowds import (
    EFFUSION,
    READERS,
    Known,
    Reader,
    Readings,
    knowns,
    read_by,
    square,
    strange_knowns,
    table_of,
    votes_of,
)


def votes_on(markers: Sequence[Collection[int]], *, of: int, finding: int = EFFUSION) -> Votes:
    """Return the votes of some readers on as many clusters as there are sets of markers."""
    number = len(markers)
    return Votes(
        np.full(number, finding),
        np.arange(number) * of,
        np.repeat(np.arange(number), of),
        np.tile(np.arange(of), number),
        np.array([[reader in some for reader in range(of)] for some in markers]).ravel(),
    )


def alone(number: int) -> Surroundings:
    """Describe as many clusters, nothing else on their images."""
    return Surroundings(np.zeros((number, 5)), np.zeros(number), np.zeros((number, 17)))


def probabilities(known: Known, votes: Votes) -> Probabilities:
    panel = known.panel()
    return calibrate(votes, panel.skill, panel.calibration, alone(len(votes.findings)))


def subsets(of: int) -> list[frozenset[int]]:
    sizes = range(1, of + 1)
    return [frozenset(some) for size in sizes for some in combinations(range(of), size)]


def assert_rises_with_every_vote(known: Known, finding: int) -> None:
    """Assert it for every vote by which a subset of five readers can grow."""
    some = subsets(5)
    found = probabilities(known, votes_on(some, of=5, finding=finding))

    row = {markers: number for number, markers in enumerate(some)}
    for markers, number in row.items():
        for reader in set(range(5)) - markers:
            more = row[markers | {reader}]
            assert found.p_true[more] >= found.p_true[number] - 1e-9, (set(markers), reader)
            assert found.score[more] >= found.score[number] - 1e-9, (set(markers), reader)


def assert_rises_in_turn(known: Known, order: Sequence[int]) -> None:
    """Assert it for the votes of some of seventeen readers, one after the other."""
    markers = [order[:marks] for marks in range(1, len(order) + 1)]
    found = probabilities(known, votes_on(markers, of=17))

    assert (np.diff(found.p_true) >= -1e-9).all()
    assert (np.diff(found.score) >= -1e-9).all()


class TestCalibrate:
    @given(knowns, st.sampled_from(Finding))
    def test_rises_with_every_vote(self, known: Known, finding: Finding) -> None:
        assert_rises_with_every_vote(known, finding)

    @given(strange_knowns, st.sampled_from(Finding))
    def test_rises_with_every_vote_of_adversaries(self, known: Known, finding: Finding) -> None:
        assert_rises_with_every_vote(known, finding)

    @given(knowns, st.permutations(range(17)))
    def test_rises_with_every_vote_of_seventeen(self, known: Known, order: list[int]) -> None:
        assert_rises_in_turn(known, order)

    @given(strange_knowns, st.permutations(range(17)))
    def test_rises_with_each_of_the_first_eight_votes_with_adversaries(
        self, known: Known, order: list[int]
    ) -> None:
        # Beyond eight not all subsets of the votes are tried.
        assert_rises_in_turn(known, order[:8])

    @given(knowns, st.sets(st.integers(0, 16), min_size=1), st.sampled_from(Finding))
    def test_falls_with_every_silent_typical_reader(
        self, known: Known, markers: set[int], finding: Finding
    ) -> None:
        panel = known.panel()
        typical = panel.of([*READERS, "new", "newer"])
        by_17, by_18, by_19 = (
            calibrate(
                votes_on([markers], of=readers, finding=finding),
                typical.skill,
                typical.calibration,
                alone(1),
            )
            for readers in (17, 18, 19)
        )

        assert by_19.p_true[0] <= by_18.p_true[0] <= by_17.p_true[0]
        assert by_19.score[0] <= by_18.score[0] <= by_17.score[0]

    @given(st.one_of(knowns, strange_knowns), st.sets(st.integers(0, 16), min_size=1))
    def test_are_probabilities(self, known: Known, markers: set[int]) -> None:
        found = probabilities(known, votes_on([markers], of=17))

        assert 0.0 < found.score[0] < 1.0
        assert 0.0 < found.p_true[0] < 1.0

    def test_are_what_the_votes_say_before_anything_was_learned(self) -> None:
        votes, skill = votes_on([{0}, {0, 1}], of=3), prior_skill(3)
        evidence = weigh(votes, skill)

        found = calibrate(votes, skill, no_calibration(), alone(2))

        assert found.p_true == pytest.approx(sigmoid(evidence.log_odds))
        # Nine of ten marks of a lesion overlap its box enough.
        assert found.score == pytest.approx(0.9 * evidence.next_mark)

    def test_take_a_vote_that_would_count_against_for_silence(self) -> None:
        liar = prior_skill(3)
        logits, false_marks = liar.logits.copy(), liar.false_marks.copy()
        logits[2], false_marks[2] = -8.0, 1000.0
        liar = replace(liar, logits=logits, false_marks=false_marks)

        found = calibrate(votes_on([{0, 1}, {0, 1, 2}], of=3), liar, no_calibration(), alone(2))

        assert found.p_true[1] == pytest.approx(found.p_true[0])
        assert found.score[1] == pytest.approx(found.score[0])

    def test_learn_from_surroundings(self) -> None:
        plain, near = alone(2), alone(2)
        near.overlaps[1, 0] = 1.0
        calibration = no_calibration()
        next_mark = calibration.next_mark.copy()
        next_mark[EFFUSION, 5 + 15 + 1] = 2.0
        calibration = replace(calibration, next_mark=next_mark)
        votes, skill = votes_on([{0}, {0}], of=3), prior_skill(3)

        same = calibrate(votes, skill, calibration, plain).score
        other = calibrate(votes, skill, calibration, near).score

        assert same[0] == same[1] == other[0] < other[1]

    def test_trust_marks_less_where_a_reader_is_given_normal_images(self) -> None:
        calibration = no_calibration()
        being_real = calibration.being_real.copy()
        being_real[EFFUSION, -2] = 1.0
        calibration = replace(calibration, being_real=being_real)
        skill = replace(prior_skill(3), case_mix=np.array([0.5, 0.0, -2.0]))
        votes = votes_on([{0, 1}, {0, 1, 2}], of=3)

        found = calibrate(votes, skill, calibration, alone(2)).p_true
        usual = calibrate(votes, prior_skill(3), calibration, alone(2)).p_true

        # Whoever marks it: what counts is the lowest case mix of who read the image.
        assert logit(found) == pytest.approx(logit(usual) - 2.0)


CROWD = {
    "a": Reader(1.5, 0.1),
    "b": Reader(1.0, 0.2),
    "c": Reader(0.5, 0.4),
    "d": Reader(0.0, 0.6),
    "e": Reader(-1.0, 1.5),
}


class TestFitCalibration:
    def test_predicts_who_was_hidden(self) -> None:
        # Three readers to an image, of whom each is hidden on a third of the images.
        rng = np.random.default_rng(8)
        readings = read_by(rng, CROWD, images=500).readings
        hidden = {}
        for image in sorted({image for image, _ in readings}):
            readers = sorted(reader for other, reader in readings if other == image)
            hidden[image] = readers[int(image[1:]) % 3]
        seen = {pair: marks for pair, marks in readings.items() if hidden[pair[0]] != pair[1]}
        survey = Survey.of(table_of(seen))

        verdict = reconcile(survey, fit_panel(survey))

        table = survey.table
        marked = []
        for image, finding, box in zip(
            verdict.images, verdict.findings, verdict.boxes, strict=True
        ):
            name = table.image_ids[image]
            others = [one for named, one in readings[name, hidden[name]] if named == finding]
            ious = [aligned_iou(box[None], np.array([one]))[0] for one in others]
            marked.append(max(ious, default=0.0) > 0.4)
        share = survey.votes.marks / survey.votes.readings
        rate = np.mean(marked)
        brier = np.mean((verdict.scores - marked) ** 2)
        assert brier < np.mean((share - marked) ** 2) - 0.05
        assert brier < rate * (1.0 - rate) - 0.02
        assert np.mean(verdict.scores) == pytest.approx(rate, abs=0.05)
        sure = verdict.scores > np.median(verdict.scores)
        for half in (sure, ~sure):
            assert np.mean(verdict.scores[half]) == pytest.approx(
                np.mean(marked, where=half), abs=0.06
            )

    def test_never_lets_a_silent_reader_speak_for_a_mark(self) -> None:
        # Those who are given few lesions agree more, which must not count for a mark.
        mark = [(EFFUSION, square(0.0))]
        readings: Readings = {
            (f"{group}{number}", name): mark if name in marking else []
            for number in range(60)
            for group, read_by, marking in (
                ("a", "wxz", "wxz"),
                ("b", "uvy", "u"),
                ("c", "wx", ""),
            )
            for name in read_by
        }
        survey = Survey.of(table_of(readings))
        skill = _skill(survey)
        mixes = [-1.0 if name in "wxz" else 1.0 for name in survey.table.reader_ids]
        opposite = replace(skill, case_mix=np.array(mixes))

        found = fit_calibration(
            survey.table, survey.groups, survey.votes, opposite, survey.by_others
        )

        assert found.next_mark[:, -2].tolist() == [0.0] * 14
        assert found.being_real[:, -2].tolist() == [0.0] * 14

    def test_learns_how_exactly_a_place_is_met(self) -> None:
        exact = read_by(np.random.default_rng(1), dict.fromkeys("abc", Reader(3.0)), images=100)
        # Boxes of 60 to 110 px, moved by 35 px to either side by one of three readers.
        moved = {
            (image, reader): [
                (finding, box._replace(x_min=box.x_min + 35.0, x_max=box.x_max + 35.0))
                if reader == "c"
                else (finding, box)
                for finding, box in marks
            ]
            for (image, reader), marks in exact.readings.items()
        }

        near, far = (_same_place(Survey.of(table_of(one))) for one in (exact.readings, moved))

        assert near.min() > 0.95
        assert far.max() < near.min()

    def test_learns_nothing_from_single_marks(self) -> None:
        survey = Survey.of(table_of(votes_of(1, of=1, box=square(0.0))))

        found = fit_calibration(
            survey.table, survey.groups, survey.votes, _skill(survey), survey.by_others
        )

        assert not found.next_mark.any()
        assert not found.being_real.any()
        assert found.same_place == pytest.approx(np.full(14, 0.9))


def _skill(survey: Survey) -> Skill:
    return prior_skill(len(survey.table.reader_ids))


def _same_place(survey: Survey) -> Array:
    found = fit_calibration(
        survey.table, survey.groups, survey.votes, _skill(survey), survey.by_others
    )
    return found.same_place
