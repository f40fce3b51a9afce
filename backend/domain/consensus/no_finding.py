"""How probable it is that an image shows none of the findings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.reading_table import Numbers, ReadingTable

Array = NDArray[np.float64]

_IMAGES_PRIOR, _USUAL_NORMAL, _USUAL_SILENCE = 10.0, 0.5, 0.3
_CASE_MIX_PRIOR, _LARGEST_CASE_MIX = 20.0, 2.0


@dataclass(frozen=True, slots=True)
class Normality:
    """How common normal images are, and how often readers take others for normal.

    Attributes
    ----------
    normal_share : float
        Of all images, in (0, 1).
    silence : ndarray of shape (r,)
        Probability in (0, 1) that each reader marks nothing on an image that is not normal.
    """

    normal_share: float
    silence: Array


def usual_normality(readers: int) -> Normality:
    """Return what is thought before anything was read.

    Parameters
    ----------
    readers : int
        How many.

    Returns
    -------
    Normality
        Half of the images normal, and three in ten of the others taken for normal.
    """
    return Normality(_USUAL_NORMAL, np.full(readers, _USUAL_SILENCE))


def fit_normality(table: ReadingTable, images: Numbers, p_true: Array) -> Normality:
    """Learn how common normal images are and how often others are taken for normal.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.
    images : ndarray of shape (k,)
        The image of every cluster.
    p_true : ndarray of shape (k,)
        Probability that each cluster is real.

    Returns
    -------
    Normality
        Drawn towards `usual_normality` by ten images.
    """
    number, everybody = len(table.image_ids), len(table.reader_ids)
    abnormal = 1.0 - _all_false(images, p_true, number)
    read = np.unique(table.reading_images)
    readings = table.reading_images * everybody + table.reading_readers
    is_silent = ~np.isin(readings, table.mark_images * everybody + table.mark_readers)
    weights = abnormal[table.reading_images]
    silent = np.bincount(table.reading_readers, weights * is_silent, everybody)
    seen = np.bincount(table.reading_readers, weights, everybody)
    return Normality(
        float(1.0 - (abnormal.sum() + _IMAGES_PRIOR / 2) / (len(read) + _IMAGES_PRIOR)),
        (silent + _USUAL_SILENCE * _IMAGES_PRIOR) / (seen + _IMAGES_PRIOR),
    )


def fit_case_mix(table: ReadingTable, images: Numbers, real: Array) -> Array:
    """Learn how often the images that each reader was given show a lesion.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.
    images : ndarray of shape (k,)
        The image of every cluster.
    real : ndarray of shape (k,)
        Probability that each cluster is real, so far.

    Returns
    -------
    ndarray of shape (r,)
        See `reader_skill.Skill.case_mix`; in [-2, 2], drawn towards 0 by twenty images.
    """
    if not len(images):
        return np.zeros(len(table.reader_ids))
    likely = np.minimum(real, 1.0 - 1e-9)
    shows = (1.0 - _all_false(images, likely, len(table.image_ids)))[table.reading_images]
    usual = shows.mean()
    readings = np.bincount(table.reading_readers, minlength=len(table.reader_ids))
    seen = np.bincount(table.reading_readers, shows, len(readings))
    ratio = (seen + _CASE_MIX_PRIOR * usual) / (readings + _CASE_MIX_PRIOR) / usual
    return np.asarray(np.clip(np.log(ratio), -_LARGEST_CASE_MIX, _LARGEST_CASE_MIX))


def p_no_finding(
    table: ReadingTable, images: Numbers, p_true: Array, normality: Normality
) -> Array:
    """Return how probable it is that each image shows no finding.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.
    images : ndarray of shape (k,)
        The image of every cluster.
    p_true : ndarray of shape (k,)
        Probability that each cluster is real.
    normality : Normality
        Of the table's readers, in their order.

    Returns
    -------
    ndarray of shape (i,)
        In (0, 1), one per image of the table.

    Notes
    -----
    All that was marked must be false, and what was not marked must not be there: the product
    of ``1 - p_true`` times ``n / (n + (1 - n) prod_r silence_r)`` over the image's readers, the
    probability that an image is normal on which all of them are silent; n is the share of
    normal images. It rises with every reader who marks nothing.
    """
    number, normal = len(table.image_ids), normality.normal_share
    logs = np.log(normality.silence)[table.reading_readers]
    all_silent = np.exp(np.bincount(table.reading_images, logs, number))
    nothing_missed = normal / (normal + (1.0 - normal) * all_silent)
    return np.asarray(_all_false(images, p_true, number) * nothing_missed)


def _all_false(images: Numbers, p_true: Array, number: int) -> Array:
    """Return the product of ``1 - p_true`` over the clusters of each image."""
    return np.asarray(np.exp(np.bincount(images, np.log1p(-p_true), number)), dtype=np.float64)
