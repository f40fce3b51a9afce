"""What votes say, by hand and by a slow twin; and who sees what, on made-up crowds."""

from collections.abc import Mapping
from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
from hypothesis import given

from backend.domain.consensus.reader_skill import (
    COINCIDENCE,
    DIFFICULTIES,
    SKILL_PRIOR,
    USUAL_LOGIT,
    USUAL_MARK_LOGIT,
    Skill,
    prior_skill,
    sensitivity,
    uncertainty,
    weigh,
    weigh_without,
)
from backend.domain.consensus.skill_learning import fit_skill
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.votes import Votes
from backend.domain.findings import Finding
from tests.unit.domain.consensus.crowds import (
    EFFUSION,
    THICKENING,
    Known,
    Reader,
    Readings,
    read_by,
    readings_of_images,
    strange_knowns,
    table_of,
)

SHARES = (0.09, 0.24, 0.34, 0.24, 0.09)
FEW = (EFFUSION, THICKENING, Finding.CARDIOMEGALY)


def plain_sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + exp(-logit))


def votes_on_one(*marked: bool, finding: Finding = EFFUSION) -> Votes:
    """Return the votes of as many readers on one cluster."""
    number = len(marked)
    return Votes(
        np.array([finding]),
        np.array([0]),
        np.zeros(number, dtype=np.int64),
        np.arange(number),
        np.array(marked),
    )


def p_true(*marked: bool) -> float:
    """Return how probable typical readers make a lesion."""
    return plain_sigmoid(float(weigh(votes_on_one(*marked), prior_skill(len(marked))).log_odds[0]))


def plain_evidence(
    skill: Skill, finding: int, voted: Mapping[int, bool]
) -> tuple[float, list[float], float]:
    """Return log-odds, weights of the difficulties and P(all miss it), reader by reader."""
    marked = [reader for reader, is_mark in voted.items() if is_mark]
    likelihoods, unseen = [], 0.0
    for share, difficulty in zip(SHARES, DIFFICULTIES, strict=True):
        likelihood, missed = share, share
        for reader, is_mark in voted.items():
            seen = plain_sigmoid(skill.logits[reader, finding] + difficulty)
            likelihood *= seen if is_mark else 1.0 - seen
            missed *= 1.0 - seen
        likelihoods.append(likelihood)
        unseen += missed
    false = sum(skill.false_marks[reader, finding] for reader in marked)
    chance = (
        false
        * COINCIDENCE ** (len(marked) - 1)
        * (1.0 - COINCIDENCE) ** (len(voted) - len(marked))
    )
    total = sum(likelihoods)
    odds = exp(skill.mark_logit[finding]) * total / chance
    return log(odds), [one / total for one in likelihoods], unseen


def visibility(logit: float, weights: list[float]) -> float:
    return sum(
        weight * plain_sigmoid(logit + difficulty)
        for weight, difficulty in zip(weights, DIFFICULTIES, strict=True)
    )


def voted_on(votes: Votes, cluster: int) -> dict[int, bool]:
    rows = votes.clusters == cluster
    readers, is_mark = votes.readers[rows].tolist(), votes.is_mark[rows].tolist()
    return dict(zip(readers, is_mark, strict=True))


def drawn(readings: Readings, known: Known) -> tuple[Votes, Skill]:
    survey = Survey.of(table_of(readings))
    return survey.votes, known.panel().of(survey.table.reader_ids).skill


class TestWeigh:
    @given(readings_of_images(), strange_knowns)
    def test_equals_its_slow_twin(self, readings: Readings, known: Known) -> None:
        votes, skill = drawn(readings, known)

        found = weigh(votes, skill)

        for cluster, finding in enumerate(votes.findings.tolist()):
            expected = plain_evidence(skill, finding, voted_on(votes, cluster))
            log_odds, difficulty, unseen = expected
            assert found.log_odds[cluster] == pytest.approx(log_odds)
            assert found.difficulty[cluster] == pytest.approx(difficulty)
            assert found.unseen[cluster] == pytest.approx(unseen)
            further = visibility(skill.next_logit[finding], difficulty)
            assert found.visibility[cluster] == pytest.approx(further)
            real = plain_sigmoid(log_odds)
            assert found.next_mark[cluster] == pytest.approx(
                real * further + (1.0 - real) * COINCIDENCE
            )

    def test_of_a_sole_typical_reader_is_what_a_mark_means_times_seeing_it(self) -> None:
        seen = float(sensitivity(np.array(USUAL_LOGIT)))

        found = weigh(votes_on_one(True), prior_skill(1))

        assert found.log_odds[0] == pytest.approx(USUAL_MARK_LOGIT + log(seen))

    def test_of_readers_without_difficulty_is_a_product(self) -> None:
        # Readers so sharp that difficulty does not matter: seen 1, missed e^-20.
        skill = replace(prior_skill(2), logits=np.full((2, 14), 20.0))

        found = weigh(votes_on_one(True, True), skill)

        # Either of the two erred, and the other followed.
        expected = USUAL_MARK_LOGIT - log(2 * COINCIDENCE)
        assert found.log_odds[0] == pytest.approx(expected, abs=1e-6)

    @pytest.mark.parametrize(
        ("marks", "readers", "low", "high"),
        [(1, 1, 0.5, 0.9), (1, 3, 0.0, 0.5), (2, 3, 0.5, 0.95), (3, 3, 0.9, 1.0)],
    )
    def test_of_typical_readers_means_what_one_would_say(
        self, marks: int, readers: int, low: float, high: float
    ) -> None:
        assert low <= p_true(*[True] * marks, *[False] * (readers - marks)) < high

    def test_of_seventeen_rises_with_every_mark(self) -> None:
        rising = [p_true(*[True] * marks, *[False] * (17 - marks)) for marks in range(1, 18)]

        assert rising[:10] == sorted(set(rising[:10]))
        assert rising[10:] == sorted(rising[10:])
        assert rising[0] < 0.03
        assert rising[-1] > 0.999

    def test_falls_with_every_silent_reader(self) -> None:
        falling = [p_true(True, *[False] * silent) for silent in range(10)]

        assert falling == sorted(set(falling), reverse=True)

    def test_believes_the_one_who_marks_nothing_false(self) -> None:
        skill = prior_skill(2)
        false_marks = skill.false_marks * [[0.1], [10.0]]
        skill = replace(skill, false_marks=false_marks)

        careful = weigh(votes_on_one(True, False), skill).log_odds[0]
        careless = weigh(votes_on_one(False, True), skill).log_odds[0]

        assert careful - careless == pytest.approx(log(100.0))

    def test_of_nothing_is_nothing(self) -> None:
        votes, skill = drawn({("a", "R1"): []}, Known(is_fitted=False))

        assert weigh(votes, skill).log_odds.shape == (0,)
        assert weigh_without(votes, skill).log_odds.shape == (0,)


class TestWeighWithout:
    @given(readings_of_images(), strange_knowns)
    def test_equals_its_slow_twin(self, readings: Readings, known: Known) -> None:
        votes, skill = drawn(readings, known)

        found = weigh_without(votes, skill)

        rows = zip(votes.clusters.tolist(), votes.readers.tolist(), strict=True)
        for row, (cluster, reader) in enumerate(rows):
            finding = int(votes.findings[cluster])
            others = {who: did for who, did in voted_on(votes, cluster).items() if who != reader}
            if any(others.values()):
                log_odds, difficulty, unseen = plain_evidence(skill, finding, others)
                assert found.log_odds[row] == pytest.approx(log_odds)
                assert found.difficulty[row] == pytest.approx(difficulty)
                assert found.unseen[row] == pytest.approx(unseen)
                to_reader = visibility(skill.logits[reader, finding], difficulty)
                assert found.visibility[row] == pytest.approx(to_reader)


class TestSensitivity:
    def test_of_seeing_one_of_usual_difficulty_is_a_half_at_even_odds(self) -> None:
        assert sensitivity(np.array([0.0]))[0] == pytest.approx(0.5)


MANY = {
    "best": Reader(2.5, 0.05),
    "good": Reader(1.2, 0.15),
    "usual": Reader(0.6, 0.2),
    "weak": Reader(-0.3, 0.3),
    "worst": Reader(-1.2, 1.5),
}


def fitted(readings: Readings) -> tuple[tuple[str, ...], Skill]:
    survey = Survey.of(table_of(readings))
    return survey.table.reader_ids, fit_skill(survey.votes, survey.exposures)


@pytest.fixture(scope="module")
def crowd() -> tuple[tuple[str, ...], Skill]:
    """Five readers of known skill, who read 600 images, three readers to each."""
    rng = np.random.default_rng(11)
    return fitted(read_by(rng, MANY, images=600, findings=FEW).readings)


class TestFitSkill:
    def test_puts_readers_in_their_order(self, crowd: tuple[tuple[str, ...], Skill]) -> None:
        names, skill = crowd

        order = np.argsort(-skill.reader_logit)

        assert [names[row] for row in order] == list(MANY)
        false = dict(zip(names, skill.false_marks[:, EFFUSION], strict=True))
        assert false.pop("worst") > 3.0 * max(false.values())

    def test_knows_how_sure_it_is(self, crowd: tuple[tuple[str, ...], Skill]) -> None:
        names, skill = crowd

        variance = np.sum(uncertainty(skill), axis=0)[:, list(FEW)]
        what_votes_cannot_tell = 0.9**2
        true = np.array([MANY[name].logit for name in names])[:, None]
        errors = np.abs(skill.logits[:, list(FEW)] - true) / np.sqrt(
            variance + what_votes_cannot_tell
        )
        assert errors.max() < 2.0
        assert (variance < 1.0 / SKILL_PRIOR).all()

    def test_does_not_ask_for_names_or_numbers_of_readers(self) -> None:
        rng = np.random.default_rng(4)
        readings = read_by(rng, MANY, images=100, findings=FEW).readings
        names, skill = fitted(readings)
        turned = {name: f"{9 - number}" for number, name in enumerate(sorted(MANY))}
        others, same = fitted(
            {(image, turned[who]): own for (image, who), own in readings.items()}
        )

        rows = [others.index(turned[name]) for name in names]
        assert same.logits[rows] == pytest.approx(skill.logits, abs=1e-9)
        assert same.false_marks[rows] == pytest.approx(skill.false_marks, abs=1e-9)
        assert same.mark_logit == pytest.approx(skill.mark_logit, abs=1e-9)

    def test_does_not_take_an_easy_case_mix_for_skill(self) -> None:
        rng = np.random.default_rng(5)
        readings = dict(read_by(rng, MANY, images=200, findings=FEW).readings)
        normal: Readings = {
            (f"n{image}", who): [] for image in range(500) for who in ("idle", "lazy", "weak")
        }

        names, skill = fitted({**readings, **normal})
        _, without = fitted(readings)

        idle = names.index("idle")
        assert skill.reader_logit[idle] == 0.0
        assert skill.logits[idle].tolist() == pytest.approx(skill.finding_logit.tolist())
        assert skill.information[idle].tolist() == [0.0] * 14
        assert skill.false_marks[idle] == pytest.approx(np.ones(14))
        # Nor does it change those who read more than normal images.
        rows = [names.index(name) for name in sorted(MANY)]
        assert skill.logits[rows] == pytest.approx(without.logits)

    def test_keeps_the_typical_reader_where_there_is_no_evidence(
        self, crowd: tuple[tuple[str, ...], Skill]
    ) -> None:
        _, skill = crowd
        never = Finding.PNEUMOTHORAX

        assert skill.information[:, never].tolist() == [0.0] * 5
        assert skill.logits[:, never] == pytest.approx(
            skill.finding_logit[never] + skill.reader_logit
        )

    def test_finds_the_adversary(self) -> None:
        rng = np.random.default_rng(6)
        readers = {name: Reader(1.0, 0.2) for name in "abcd"} | {"liar": Reader(-5.0, 2.0)}

        names, skill = fitted(read_by(rng, readers, images=300, findings=FEW).readings)

        liar = names.index("liar")
        assert np.argmin(skill.reader_logit) == liar
        assert skill.logits[liar, EFFUSION] < -1.0
        assert (
            skill.false_marks[liar, EFFUSION]
            > 3.0 * np.delete(skill.false_marks[:, EFFUSION], liar).max()
        )

    def test_of_nothing_is_the_prior(self) -> None:
        _, skill = fitted({("a", "R1"): [], ("a", "R2"): []})

        prior = prior_skill(2)
        assert skill.logits == pytest.approx(prior.logits)
        assert skill.false_marks == pytest.approx(prior.false_marks)
        assert skill.false_mark_rate == pytest.approx(prior.false_mark_rate)
        assert skill.mark_logit == pytest.approx(prior.mark_logit)
        assert skill.information.tolist() == prior.information.tolist()
