"""Learn the readers' skill from their votes alone, without a known truth."""

from dataclasses import replace

import numpy as np

from backend.domain.consensus.logistic import sigmoid
from backend.domain.consensus.reader_skill import (
    DIFFICULTIES,
    DIFFICULTY_SHARES,
    FINDING_PRIOR,
    READER_PRIOR,
    SKILL_PRIOR,
    USUAL_FALSE_MARKS,
    USUAL_LOGIT,
    USUAL_MARK_LOGIT,
    Array,
    Skill,
    log_chances,
    prior_skill,
    weigh,
)
from backend.domain.consensus.votes import Votes
from backend.domain.findings import Finding
from backend.domain.reading_table import Numbers

_ROUNDS = 12
_ALL_FINDINGS_PRIOR, _MARK_PRIOR, _RATE_PRIOR = 10.0, 5.0, 10.0
_FALSE_MARK_PRIOR, _READER_FALSE_MARK_PRIOR = 3.0, 5.0


def fit_skill(votes: Votes, exposures: Numbers) -> Skill:
    """Learn the readers' skill from votes alone, without a known truth.

    Parameters
    ----------
    votes : Votes
        Votes on all clusters.
    exposures : ndarray of shape (r,)
        How many images each reader has read on which anybody marked anything.

    Returns
    -------
    Skill
        Of readers without evidence, that of a typical reader.

    Notes
    -----
    Expectation-maximisation with the probabilities of `weigh`. Log-odds of reader *r* for
    finding *c* are drawn from a normal around ``finding_c + reader_r`` (variance 1/6), those
    from normals around -0.8 (variance 1/3) and 0 (variance 1/8); false marks are rates with gamma
    priors. A lesion that every reader missed is in no cluster; its expected number enters the
    skill update, so that sensitivities are not too high. Normal images, which say nothing of
    what a reader misses, do not count for a reader: an easy case mix is no merit.

    References
    ----------
    A. P. Dawid, A. M. Skene, "Maximum likelihood estimation of observer error-rates using the
    EM algorithm", Journal of the Royal Statistical Society C 28, 1979, 20-28.
    """
    patterns, weights = _distinct(votes, len(exposures))
    skill = prior_skill(len(exposures))
    real = 0.9 * np.clip(patterns.marks / patterns.readings, 0.15, 0.9)
    difficulty = np.tile(DIFFICULTY_SHARES, (len(real), 1))
    unseen = weigh(patterns, skill).unseen
    for _ in range(_ROUNDS):
        skill = _with_false_marks(patterns, weights * (1.0 - real), exposures, skill)
        skill = _with_mark_logit(patterns, weights, real, unseen, skill)
        missed = (weights * real * unseen / (1.0 - unseen))[:, None]
        seen = (weights * real)[:, None] * difficulty
        skill = _with_logits(patterns, seen, missed * _missed_difficulty(patterns, skill), skill)
        evidence = weigh(patterns, skill)
        real = sigmoid(evidence.log_odds)
        difficulty, unseen = evidence.difficulty, evidence.unseen
    share = exposures / max(exposures.sum(), 1)
    next_logit = share @ skill.logits if exposures.any() else skill.finding_logit
    return _with_information(patterns, weights, replace(skill, next_logit=next_logit))


def _distinct(votes: Votes, readers: int) -> tuple[Votes, Array]:
    """Return each pattern of votes once, with the number of clusters that have it."""
    # A sum of random 64-bit numbers names a set of readers; a collision among millions of sets
    # has a chance of 1e-7 and would do no more than swap two patterns.
    names = np.random.default_rng(0).integers(0, 2**62, (2, readers), dtype=np.int64)
    read = names[0][votes.readers]
    marked = np.where(votes.is_mark, names[1][votes.readers], 0)
    both = np.stack([read, marked], axis=1)
    sums = np.add.reduceat(both, votes.starts, axis=0) if len(votes.starts) else both
    keys = np.column_stack([votes.findings, sums])
    _, firsts, counts = np.unique(keys, axis=0, return_index=True, return_counts=True)
    order = np.argsort(firsts)
    return votes.of(firsts[order].astype(np.int64)), counts[order].astype(np.float64)


def _with_false_marks(patterns: Votes, false: Array, exposures: Numbers, skill: Skill) -> Skill:
    """Count false marks; those of a cluster are shared by its markers' rates."""
    cells = patterns.readers * len(Finding) + patterns.findings[patterns.clusters]
    rates = skill.false_marks.ravel()[cells] * patterns.is_mark
    shares = rates / patterns.total(rates)[patterns.clusters] * false[patterns.clusters]
    counts = _by_cell(cells, shares, skill.logits)
    usual = (counts.sum(axis=0) + USUAL_FALSE_MARKS * _RATE_PRIOR) / (
        exposures.sum() + _RATE_PRIOR
    )
    factor = (counts.sum(axis=1) + _READER_FALSE_MARK_PRIOR) / (
        exposures * usual.sum() + _READER_FALSE_MARK_PRIOR
    )
    expected = usual * factor[:, None]
    rate = (counts + _FALSE_MARK_PRIOR) / (exposures[:, None] + _FALSE_MARK_PRIOR / expected)
    return replace(skill, false_marks=rate / usual, false_mark_rate=usual)


def _with_mark_logit(
    patterns: Votes, weights: Array, real: Array, unseen: Array, skill: Skill
) -> Skill:
    """Fit how many clusters are real, by two Newton steps for all findings and for each."""
    cells = patterns.readers * len(Finding) + patterns.findings[patterns.clusters]
    readiness = patterns.total(skill.false_marks.ravel()[cells])
    offset = np.log1p(-unseen) - np.log(readiness)

    def step(logits: Array, groups: Numbers, centre: Array, prior: float) -> Array:
        expected = sigmoid(logits[groups] + offset)
        score = np.bincount(groups, weights * (real - expected), len(logits))
        information = np.bincount(groups, weights * expected * (1.0 - expected), len(logits))
        pull = prior / 4.0  # as so many observations, each a quarter of information at the most
        change = (score - pull * (logits - centre)) / (information + pull)
        return np.asarray(logits + np.clip(change, -1.0, 1.0))

    all_findings, found = skill.mark_logit.mean(keepdims=True), skill.mark_logit
    one_group, usual = np.zeros_like(patterns.findings), np.array([USUAL_MARK_LOGIT])
    for _ in range(2):
        all_findings = step(all_findings, one_group, usual, _ALL_FINDINGS_PRIOR)
    for _ in range(2):
        found = step(found, patterns.findings, all_findings, _MARK_PRIOR)
    return replace(skill, mark_logit=found)


def _missed_difficulty(patterns: Votes, skill: Skill) -> Array:
    """Return the weights of the difficulties of a lesion that everybody missed."""
    missed = log_chances(skill)[1]
    cells = patterns.readers * len(Finding) + patterns.findings[patterns.clusters]
    weights = np.exp(patterns.total(missed[cells])) * DIFFICULTY_SHARES
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _with_logits(patterns: Votes, seen: Array, missed: Array, skill: Skill) -> Skill:
    """Take two Newton steps on the log-odds, then move what they are drawn towards."""
    cells = patterns.readers * len(Finding) + patterns.findings[patterns.clusters]
    is_mark = patterns.is_mark[:, None]
    seen, missed = seen[patterns.clusters], missed[patterns.clusters]
    logits, information = skill.logits, skill.information
    for _ in range(2):
        chance = sigmoid(logits[:, :, None] + DIFFICULTIES).reshape(-1, len(DIFFICULTIES))[cells]
        score = (seen * (is_mark - chance) - missed * chance).sum(axis=1)
        weight = ((seen + missed) * chance * (1.0 - chance)).sum(axis=1)
        centre = skill.finding_logit + skill.reader_logit[:, None]
        gradient = _by_cell(cells, score, logits)
        information = _by_cell(cells, weight, logits)
        step = (gradient - SKILL_PRIOR * (logits - centre)) / (information + SKILL_PRIOR)
        logits = logits + np.clip(step, -1.0, 1.0)
    trust = SKILL_PRIOR * information / (SKILL_PRIOR + information)
    finding, reader = skill.finding_logit, skill.reader_logit
    for _ in range(3):
        finding = (
            (trust * (logits - reader[:, None])).sum(axis=0) + FINDING_PRIOR * USUAL_LOGIT
        ) / (trust.sum(axis=0) + FINDING_PRIOR)
        reader = (trust * (logits - finding)).sum(axis=1) / (trust.sum(axis=1) + READER_PRIOR)
    logits = np.where(information > 0, logits, finding + reader[:, None])
    return replace(
        skill,
        finding_logit=finding,
        reader_logit=reader,
        logits=logits,
        information=information,
    )


def _with_information(patterns: Votes, weights: Array, skill: Skill) -> Skill:
    """Put in what the votes tell about the log-odds when the truth is not known.

    The empirical Fisher information: the sum over clusters of the squared slope of their
    log-likelihood, in which what is not known about the truth is already averaged out.
    """
    evidence = weigh(patterns, skill)
    cells = patterns.readers * len(Finding) + patterns.findings[patterns.clusters]
    chance = sigmoid(skill.logits[:, :, None] + DIFFICULTIES).reshape(-1, len(DIFFICULTIES))
    surprise = patterns.is_mark[:, None] - chance[cells]
    slope = (evidence.difficulty[patterns.clusters] * surprise).sum(axis=1)
    slope *= sigmoid(evidence.log_odds)[patterns.clusters]
    squares = weights[patterns.clusters] * slope**2
    return replace(skill, information=_by_cell(cells, squares, skill.logits))


def _by_cell(cells: Numbers, values: Array, like: Array) -> Array:
    """Return sums per reader and finding."""
    return np.bincount(cells, values, like.size).astype(np.float64).reshape(like.shape)
