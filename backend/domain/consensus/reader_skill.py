"""How well each reader sees each finding, and what a pattern of votes says about the truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.consensus.logistic import sigmoid
from backend.domain.consensus.votes import Votes
from backend.domain.findings import Finding
from backend.domain.reading_table import Numbers

Array = NDArray[np.float64]

DIFFICULTIES = np.array([-1.75, -0.8, 0.0, 0.8, 1.75])
"""How much easier a lesion may be than usual, in log-odds of being marked."""
DIFFICULTY_SHARES = np.array([0.09, 0.24, 0.34, 0.24, 0.09])
"""How common each of `DIFFICULTIES` is; they sum to 1."""

COINCIDENCE = 0.03
"""Probability that a reader marks a place because another one did so by mistake."""

USUAL_LOGIT, USUAL_MARK_LOGIT, USUAL_FALSE_MARKS = -0.8, 1.25, 0.03
"""What is thought of `Skill.finding_logit`, `mark_logit` and `false_mark_rate` beforehand."""

SKILL_PRIOR, FINDING_PRIOR, READER_PRIOR = 6.0, 3.0, 8.0
"""Inverse variances of what `logits`, `finding_logit` and `reader_logit` are drawn towards."""


@dataclass(frozen=True, slots=True)
class Skill:
    """What is known about the readers of a panel.

    Attributes
    ----------
    finding_logit : ndarray of shape (14,)
        Log-odds that a typical reader marks a lesion of usual difficulty.
    next_logit : ndarray of shape (14,)
        The same for whoever of the panel reads next: the mean over the readers, weighted by how
        much each has read.
    reader_logit : ndarray of shape (r,)
        By how much each reader's log-odds differ from that.
    logits : ndarray of shape (r, 14)
        Log-odds that each reader marks a lesion of usual difficulty.
    information : ndarray of shape (r, 14)
        What the readings tell about those, as inverse variance; 0 where they tell nothing.
    false_marks : ndarray of shape (r, 14)
        How readily each reader marks what is not there; 1 is typical.
    false_mark_rate : ndarray of shape (14,)
        Such marks of a typical reader, per reading of an image on which anybody marked anything.
    mark_logit : ndarray of shape (14,)
        Log-odds that the mark of a typical reader, who alone has read the image, is real, if
        every lesion were seen.
    case_mix : ndarray of shape (r,)
        By how much more often than usual the images that each reader was given show a lesion, as
        natural logarithm of the ratio. It is no skill, and `weigh` does not heed it.
    """

    finding_logit: Array
    next_logit: Array
    reader_logit: Array
    logits: Array
    information: Array
    false_marks: Array
    false_mark_rate: Array
    mark_logit: Array
    case_mix: Array


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the votes on each cluster say.

    Attributes
    ----------
    log_odds : ndarray of shape (k,)
        Log-odds that a lesion is there.
    visibility : ndarray of shape (k,)
        Probability in (0, 1) that a further reader of the panel marks it if it is there.
    difficulty : ndarray of shape (k, 5)
        Weights of `DIFFICULTIES` if it is there.
    unseen : ndarray of shape (k,)
        Probability that all readers of the image would have missed such a lesion.
    """

    log_odds: Array
    visibility: Array
    difficulty: Array
    unseen: Array

    @property
    def next_mark(self) -> Array:
        """Probability that a further reader of the panel marks the place."""
        real = sigmoid(self.log_odds)
        return real * self.visibility + (1.0 - real) * COINCIDENCE


def weigh(votes: Votes, skill: Skill) -> Evidence:
    """Return what votes say about the truth, given the readers' skill.

    Parameters
    ----------
    votes : Votes
        Votes on clusters.
    skill : Skill
        Of the readers that the votes refer to.

    Returns
    -------
    Evidence
        One entry per cluster.

    Notes
    -----
    With hits ``h_r`` of the image's readers, ``s_rl = sigmoid(logit_rc + d_l)`` and weights
    ``w_l`` of the difficulties,

    ``odds = exp(mark_c) sum_l w_l prod_r s_rl^h_r (1 - s_rl)^(1 - h_r)
    / (sum_{h_r = 1} false_rc e^(n - 1) (1 - e)^(m - n))``

    for n marks by m readers and the coincidence e: lesions and false marks are compared by how
    often they arise, so one mark means what it should whether one reader, three, or seventeen
    read the image, and silence of a reader who read it counts. `exp(mark_c)` is the ratio of
    both rates; rates themselves would carry the case mix that each reader was given.
    """
    seen, missed = log_chances(skill)
    cells = votes.readers * len(Finding) + votes.findings[votes.clusters]
    of_votes = np.where(votes.is_mark[:, None], seen[cells], missed[cells])
    likelihood = votes.total(of_votes) + np.log(DIFFICULTY_SHARES)
    misses = votes.total(missed[cells]) + np.log(DIFFICULTY_SHARES)
    return _evidence(votes.findings, skill, likelihood, misses, _chance_of(votes, skill, cells))


def weigh_without(votes: Votes, skill: Skill) -> Evidence:
    """Return for every vote what the other votes on its cluster say.

    Parameters
    ----------
    votes : Votes
        Votes on clusters.
    skill : Skill
        Of the readers that the votes refer to.

    Returns
    -------
    Evidence
        One entry per vote, as if its reader had not read the image; without meaning where
        nobody else marked the cluster. `visibility` is that to the reader left out.
    """
    seen, missed = log_chances(skill)
    findings = votes.findings[votes.clusters]
    cells = votes.readers * len(Finding) + findings
    of_votes = np.where(votes.is_mark[:, None], seen[cells], missed[cells])
    likelihood = votes.total(of_votes)[votes.clusters] - of_votes + np.log(DIFFICULTY_SHARES)
    misses = votes.total(missed[cells])[votes.clusters] - missed[cells] + np.log(DIFFICULTY_SHARES)
    rates = skill.false_marks.ravel()[cells] * votes.is_mark
    others = np.maximum(votes.total(rates)[votes.clusters] - rates, 1e-300)
    marks = votes.marks[votes.clusters] - votes.is_mark
    readings = votes.readings[votes.clusters] - 1.0
    chance = np.log(others) + _coincidences(marks, readings)
    found = _evidence(findings, skill, likelihood, misses, chance)
    to_reader = (found.difficulty * np.exp(seen[cells])).sum(axis=1)
    return Evidence(found.log_odds, to_reader, found.difficulty, found.unseen)


def prior_skill(readers: int) -> Skill:
    """Return what is thought of readers before anything was read.

    Parameters
    ----------
    readers : int
        How many.

    Returns
    -------
    Skill
        All typical.
    """
    shape = (readers, len(Finding))
    return Skill(
        np.full(len(Finding), USUAL_LOGIT),
        np.full(len(Finding), USUAL_LOGIT),
        np.zeros(readers),
        np.full(shape, USUAL_LOGIT),
        np.zeros(shape),
        np.ones(shape),
        np.full(len(Finding), USUAL_FALSE_MARKS),
        np.full(len(Finding), USUAL_MARK_LOGIT),
        np.zeros(readers),
    )


def uncertainty(skill: Skill) -> tuple[Array, Array]:
    """Return how uncertain the log-odds of each reader and finding are.

    Parameters
    ----------
    skill : Skill
        Of the panel.

    Returns
    -------
    alone : ndarray of shape (r, 14)
        Variances that concern the finding only.
    shared : ndarray of shape (r, 14)
        Variances that concern the reader as such, and go together over the findings.
    """
    trust = SKILL_PRIOR * skill.information / (SKILL_PRIOR + skill.information)
    of_finding = 1.0 / (trust.sum(axis=0) + FINDING_PRIOR)
    of_reader = 1.0 / (trust.sum(axis=1) + READER_PRIOR)
    prior = 1.0 / SKILL_PRIOR + of_finding + of_reader[:, None]
    drawn = 1.0 / (skill.information * prior + 1.0)
    total = prior * drawn
    shared = of_reader[:, None] * drawn**2
    return total - shared, shared


def sensitivity(logits: Array) -> Array:
    """Return the share of lesions that is marked, over all difficulties.

    Parameters
    ----------
    logits : ndarray
        Log-odds for a lesion of usual difficulty.

    Returns
    -------
    ndarray
        In (0, 1).
    """
    return np.asarray(
        sigmoid(logits[..., None] + DIFFICULTIES) @ DIFFICULTY_SHARES, dtype=np.float64
    )


def log_chances(skill: Skill) -> tuple[Array, Array]:
    """Return how probable it is that each reader marks and misses each kind of lesion.

    Parameters
    ----------
    skill : Skill
        Of the panel.

    Returns
    -------
    marked : ndarray of shape (r * 14, 5)
        Natural logarithms for marking, by reader and finding, then difficulty.
    missed : ndarray of shape (r * 14, 5)
        For missing, likewise.
    """
    logits = (skill.logits[:, :, None] + DIFFICULTIES).reshape(-1, len(DIFFICULTIES))
    return -np.logaddexp(0.0, -logits), -np.logaddexp(0.0, logits)


def _chance_of(votes: Votes, skill: Skill, cells: Numbers) -> Array:
    """Return the log of how readily exactly these marks arise where there is nothing."""
    rates = votes.total(skill.false_marks.ravel()[cells] * votes.is_mark)
    return np.asarray(np.log(rates) + _coincidences(votes.marks, votes.readings))


def _coincidences(marks: Array, readings: Array) -> Array:
    """Return the log chance that the others follow a false mark, or do not."""
    return np.asarray(
        (marks - 1.0) * np.log(COINCIDENCE) + (readings - marks) * np.log1p(-COINCIDENCE)
    )


def _evidence(
    findings: Numbers, skill: Skill, likelihood: Array, misses: Array, chance: Array
) -> Evidence:
    """Put the parts of the odds together."""
    top = likelihood.max(axis=1, keepdims=True, initial=-np.inf)
    scaled = np.exp(likelihood - top)
    total = scaled.sum(axis=1, keepdims=True)
    difficulty = scaled / total
    further = sigmoid(skill.next_logit[findings][:, None] + DIFFICULTIES)
    return Evidence(
        skill.mark_logit[findings] + (np.log(total) + top)[:, 0] - chance,
        (difficulty * further).sum(axis=1),
        difficulty,
        np.exp(misses).sum(axis=1),
    )
