"""How many of the lesions readers find, whatever lesions they were given."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.metrics.judged_readings import JudgedReadings
from backend.domain.metrics.quotients import Numbers
from backend.domain.reading_table import Numbers as Integers

_USUAL_LOGIT = 0.8
_VARIANCE_OF_ALL, _VARIANCE_OF_FINDINGS = 1.0, 1.0
_VARIANCE_OF_READERS, _VARIANCE_OF_BOTH = 4.0, 0.4
"""Beforehand: of the mean log-odds, of a finding, of a reader, of a reader at a finding."""

_NODES = 7
_STEPS, _CLOSE_ENOUGH = 100, 1e-4
_NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """Share of lesions that readers find; the last column is over all findings.

    Attributes
    ----------
    estimates, lows, highs : ndarray of shape (r, 15), [unitless]
        Of a finding: of its lesions of usual difficulty and of all others, as they are common;
        over all findings: in the common mix. With the ends of the 95 % interval.
    found, lesions : ndarray of shape (r, 15)
        How many each reader found, of how many there were on the images read.
    """

    estimates: Numbers
    lows: Numbers
    highs: Numbers
    found: Integers
    lesions: Integers


def estimate_sensitivities(judged: JudgedReadings) -> Sensitivities:
    """Estimate how many of the lesions each reader finds, corrected for case mix.

    Parameters
    ----------
    judged : JudgedReadings
        Readings held against the truth.

    Returns
    -------
    Sensitivities
        A reader without lesions has what is usual in the panel, with a wide interval.

    Notes
    -----
    Reader r finds lesion l of finding c with probability ``sigmoid(x_rc + d_l)``. The
    difficulty ``d_l`` is standard normal and shared by all who read the image: what others missed
    was hard, and costs little. The log-odds ``x_rc`` are jointly normal beforehand, the sum of a
    part of the panel, of the finding, of the reader and of both, so that a reader is drawn
    towards the panel at findings of which little was seen. The difficulties are averaged out by
    Gauss-Hermite quadrature, the mode is found by expectation-maximisation with Newton steps,
    and intervals are those of the normal approximation there (Laplace; information after
    Louis), on the log-odds of the sensitivity.

    References
    ----------
    G. Rasch, "Probabilistic Models for Some Intelligence and Attainment Tests", 1960.
    T. A. Louis, "Finding the observed information matrix when using the EM algorithm", 1982.
    """
    shape = (len(judged.reader_ids), len(Finding))
    cells = judged.chance_readers * len(Finding) + judged.chance_findings
    lesions = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
    found = np.bincount(cells, judged.is_hit, shape[0] * shape[1]).astype(np.int64).reshape(shape)

    logits, covariance = _fit(judged, cells, shape)
    difficulties, shares = _difficulties()
    chances = _sigmoid(logits[:, None] + difficulties)
    by_cell = (chances @ shares).reshape(shape)
    slopes = ((chances * (1 - chances)) @ shares).reshape(shape)
    common = common_mix(judged)
    blocks = covariance.reshape(*shape, *shape)[np.arange(shape[0]), :, np.arange(shape[0])]
    own = np.sqrt(np.diagonal(blocks, axis1=1, axis2=2)) * slopes
    weighted = slopes * common
    over_all = np.sqrt(np.einsum("rc,rcd,rd->r", weighted, blocks, weighted))
    estimates = np.column_stack([by_cell, by_cell @ common])
    spread = np.column_stack([own, over_all]) / (estimates * (1 - estimates))
    centre = np.log(estimates / (1 - estimates))
    return Sensitivities(
        estimates,
        _sigmoid(centre - _NORMAL_95 * spread),
        _sigmoid(centre + _NORMAL_95 * spread),
        np.column_stack([found, found.sum(axis=1)]),
        np.column_stack([lesions, lesions.sum(axis=1)]),
    )


def common_mix(judged: JudgedReadings) -> Numbers:
    """Return the share of each finding among the lesions of all judged images.

    Parameters
    ----------
    judged : JudgedReadings
        Readings held against the truth.

    Returns
    -------
    ndarray of shape (14,), [unitless]
        They sum to 1; equal shares when there is no lesion.
    """
    counts = np.bincount(judged.lesion_findings, minlength=len(Finding)).astype(np.float64)
    return counts / counts.sum() if counts.any() else np.full(len(Finding), 1 / len(Finding))


def _difficulties() -> tuple[Numbers, Numbers]:
    """Return how much easier lesions are than usual, and how common that is."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return nodes, weights / weights.sum()


def _fit(
    judged: JudgedReadings, cells: NDArray[np.int64], shape: tuple[int, int]
) -> tuple[Numbers, Numbers]:
    """Return the log-odds of each reader and finding, and their covariance."""
    precision = np.linalg.inv(_prior_covariance(*shape))
    logits: Numbers = np.full(shape[0] * shape[1], _USUAL_LOGIT)
    for _ in range(_STEPS):
        slope, information, _ = _evidence(judged, cells, logits)
        step = np.linalg.solve(
            precision + np.diag(information), slope - precision @ (logits - _USUAL_LOGIT)
        )
        logits = np.asarray(logits + step)
        if np.abs(step).max(initial=0.0) < _CLOSE_ENOUGH:
            break
    _, information, missing = _evidence(judged, cells, logits)
    covariance = np.linalg.inv(precision + np.diag(information) - missing)
    return logits, np.asarray(covariance, dtype=np.float64)


def _prior_covariance(readers: int, findings: int) -> Numbers:
    reader, finding = np.divmod(np.arange(readers * findings), findings)
    is_reader, is_finding = reader[:, None] == reader, finding[:, None] == finding
    return np.asarray(
        _VARIANCE_OF_ALL
        + _VARIANCE_OF_FINDINGS * is_finding
        + _VARIANCE_OF_READERS * is_reader
        + _VARIANCE_OF_BOTH * (is_reader & is_finding)
    )


def _evidence(
    judged: JudgedReadings, cells: NDArray[np.int64], logits: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """Return slope and information of the log-likelihood, and what the difficulties hide of it."""
    difficulties, shares = _difficulties()
    number, is_hit = len(logits), judged.is_hit
    chances = _sigmoid(logits[cells, None] + difficulties)
    of_lesion = _sums(
        np.log(np.where(is_hit[:, None], chances, 1 - chances)),
        judged.chance_lesions,
        len(judged.lesion_findings),
    )
    weights = shares * np.exp(of_lesion - of_lesion.max(axis=1, keepdims=True, initial=-np.inf))
    weights = (weights / weights.sum(axis=1, keepdims=True))[judged.chance_lesions]
    mean = (weights * chances).sum(axis=1)
    information = (weights * chances * (1 - chances)).sum(axis=1)
    return (
        np.asarray(np.bincount(cells, is_hit - mean, number), dtype=np.float64),
        np.asarray(np.bincount(cells, information, number), dtype=np.float64),
        _hidden(judged, cells, np.sqrt(weights) * (chances - mean[:, None]), number),
    )


def _hidden(
    judged: JudgedReadings, cells: NDArray[np.int64], deviations: Numbers, number: int
) -> Numbers:
    """Return the covariance that readers of the same lesions share through its difficulty."""
    hidden = np.zeros((number, number))
    for finding in Finding:
        rows = np.flatnonzero(judged.chance_findings == finding)
        lesions, lesion = np.unique(judged.chance_lesions[rows], return_inverse=True)
        used, cell = np.unique(cells[rows], return_inverse=True)
        table = np.zeros((len(lesions), deviations.shape[1], len(used)))
        table[lesion, :, cell] = deviations[rows]
        flat = table.reshape(len(lesions) * deviations.shape[1], len(used))
        hidden[np.ix_(used, used)] += flat.T @ flat
    return hidden


def _sums(values: Numbers, groups: NDArray[np.int64], number: int) -> Numbers:
    """Return the sum of the rows of each group."""
    columns = [np.bincount(groups, column, number) for column in values.T]
    return np.stack(columns, axis=1).astype(np.float64)  # bincount of nothing gives integers


def _sigmoid(values: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-values)))
