"""What lesions there are, estimated from those that two readers of three agree on."""

import numpy as np

from backend.domain.findings import Finding
from backend.domain.reading_table import ReadingTable
from benchmarks.simulated_crowd.pairs import Integers
from benchmarks.simulated_crowd.parameters import Numbers

FINDINGS = len(Finding)
ROUNDS = 60
"""Of EM."""
FLOOR = np.diag([1e-4, 1e-4, 4e-3, 4e-3])
"""What every covariance is drawn towards."""


def spread(table: ReadingTable, counts: Numbers) -> Numbers:
    """Return the negative binomial size of the number of lesions; infinity for one at most.

    Parameters
    ----------
    table : ReadingTable
        Readings of three readers each.
    counts : ndarray of shape (images, 14)
        Lesions that two readers agree on, by image and finding.

    Returns
    -------
    ndarray of shape (14,)
        Above 0.

    Notes
    -----
    It is the same of the lesions that are seen as of all of them, if each is seen by chance.
    """
    mean, variance = counts.mean(axis=0), counts.var(axis=0)
    keys = np.stack([table.mark_images, table.mark_readers, table.mark_findings])
    drawn, repeats = np.unique(keys, axis=1, return_counts=True)
    several = np.bincount(drawn[2], repeats > 1, FINDINGS) / np.bincount(drawn[2])
    is_one = (several < 0.01) | (variance <= mean * 1.01)
    return np.where(is_one, np.inf, mean**2 / np.maximum(variance - mean, 1e-9))


def correlation(counts: Numbers) -> Numbers:
    """Return approximate tetrachoric correlations, made positive definite.

    Parameters
    ----------
    counts : ndarray of shape (images, 14)
        Lesions that two readers agree on, by image and finding.

    Returns
    -------
    ndarray of shape (14, 14)
        Correlations of the normal scores behind their presence.
    """
    there = (counts > 0).astype(np.float64)
    both = there.T @ there + 0.5
    only = there.T @ (1 - there) + 0.5
    neither = (1 - there).T @ (1 - there) + 0.5
    odds = both * neither / (only * only.T)
    values, vectors = np.linalg.eigh(np.cos(np.pi / (1 + np.sqrt(odds))))
    made = (vectors * np.maximum(values, 0.05)) @ vectors.T
    scale = np.sqrt(np.diag(made))
    return np.asarray(made / np.outer(scale, scale), dtype=np.float64)


def relative(boxes: Numbers, sizes: Numbers) -> Numbers:
    """Return boxes as centre and ln of the sides, in shares of the picture.

    Parameters
    ----------
    boxes : ndarray of shape (n, 4), [px]
        Boxes.
    sizes : ndarray of shape (n, 2), [px]
        Width and height of the image of each.

    Returns
    -------
    ndarray of shape (n, 4)
        Centre in shares, ln of width and height in shares.
    """
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / sizes
    return np.hstack([centres, np.log((boxes[:, 2:] - boxes[:, :2]) / sizes)])


def mixture(places: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return shares, means and covariances of two Gaussians on each side, by EM.

    Parameters
    ----------
    places : ndarray of shape (n, 4)
        As `relative` returns them, of one finding.

    Returns
    -------
    shares : ndarray of shape (2, 2)
        By side and place; sums to 1.
    means : ndarray of shape (2, 2, 4)
        Of each.
    covariances : ndarray of shape (2, 2, 4, 4)
        Of each.
    """
    right = places[:, 0] > 0.5
    group = right * 2 + (places[:, 1] > np.median(places[:, 1]))
    weights = np.eye(4)[group] * 0.9 + 0.025
    sided = np.stack([~right, ~right, right, right], axis=1)
    shares, means = np.zeros(4), np.zeros((4, 4))
    covariances = np.zeros((4, 4, 4))
    for _ in range(ROUNDS):
        weights = weights * sided
        weights /= weights.sum(axis=1, keepdims=True)
        totals = weights.sum(axis=0) + 1e-9
        shares = totals / totals.sum()
        means = (weights.T @ places + 2 * places.mean(axis=0)) / (totals[:, None] + 2)
        away = places[:, None] - means
        covariances = np.einsum("nk,nki,nkj->kij", weights, away, away)
        covariances = (covariances + 5 * FLOOR) / (totals[:, None, None] + 5)
        inside = np.einsum("nki,kij,nkj->nk", away, np.linalg.inv(covariances), away)
        logs = np.log(shares) - inside / 2 - np.linalg.slogdet(covariances)[1] / 2
        weights = np.exp(logs - logs.max(axis=1, keepdims=True)) + 1e-12
    shares[shares < 1e-3] = 0.0
    shares /= shares.sum()
    return shares.reshape(2, 2), means.reshape(2, 2, 4), covariances.reshape(2, 2, 4, 4)


def side_changes(places: Numbers, findings: Integers, images: Integers) -> Numbers:
    """Return how often the next lesion of an image lies on the other side.

    Parameters
    ----------
    places : ndarray of shape (n, 4)
        As `relative` returns them.
    findings, images : ndarray of shape (n,)
        Of each.

    Returns
    -------
    ndarray of shape (14,)
        In (0, 1), by finding.
    """
    order = np.lexsort((findings, images))
    key = (images * 100 + findings)[order]
    side = places[order, 0] > 0.5
    is_next = key[1:] == key[:-1]
    of = findings[order][1:][is_next]
    changed = (side[1:] != side[:-1])[is_next]
    counts = np.bincount(of, minlength=FINDINGS)
    return (np.bincount(of, changed, FINDINGS) + 2.5) / (counts + 5)
