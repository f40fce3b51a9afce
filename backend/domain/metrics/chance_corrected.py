"""Agreement beyond chance between readers who name a value for each unit.

A unit is whatever readers give a value to: an image of which they say whether a finding is there,
or a place of which they say what it shows. All measures are functions of *terms*, sums over the
units, so that the terms of many units may be weighted and added before the formula is applied.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from backend.domain.metrics.quotients import Numbers, quotient

Counts: TypeAlias = NDArray[np.int64]
Terms: TypeAlias = NDArray[np.float64]


def krippendorff_alpha(counts: Counts) -> float | None:
    """Return Krippendorff's alpha for nominal values.

    Parameters
    ----------
    counts : ndarray of shape (n, k), [readers]
        How many readers gave each unit each value. Units may have different numbers of readers;
        those with fewer than two say nothing.

    Returns
    -------
    float or None
        1 full agreement … 0 agreement of chance … below 0 systematic disagreement; None when
        only one value occurs or no unit has two readers.

    Notes
    -----
    With n_uc readers giving unit u value c, m_u its readers and n_c, n the sums of n_uc over
    units with two readers or more, ``alpha = (O - E) / (n - E)`` where
    ``O = sum_uc n_uc (n_uc - 1) / (m_u - 1)`` and ``E = sum_c n_c (n_c - 1) / (n - 1)``.
    It is Fleiss' kappa with a correction for few units, and allows missing readings.

    References
    ----------
    K. Krippendorff, "Computing Krippendorff's Alpha-Reliability", University of Pennsylvania,
    2011.

    Examples
    --------
    Two readers and ten images, one of the readers marks two, the other four, one in common.

    >>> both, one, none = [0, 2], [1, 1], [2, 0]
    >>> round(krippendorff_alpha(np.array([both] + 4 * [one] + 5 * [none])), 3)
    0.095
    """
    return _or_none(alpha_of(terms_of(counts).sum(axis=0)))


def gwet_ac1(counts: Counts) -> float | None:
    """Return Gwet's AC1.

    Parameters
    ----------
    counts : ndarray of shape (n, k), [readers]
        How many readers gave each unit each value, k at least 2.

    Returns
    -------
    float or None
        1 full agreement … 0 agreement of chance; None when no unit has two readers.

    Notes
    -----
    ``AC1 = (p_a - p_e) / (1 - p_e)``: p_a is the mean share of agreeing reader pairs of the
    units with two readers or more; ``p_e = sum_c s_c (1 - s_c) / (k - 1)``, s_c being the mean
    share of the unit's readers who gave value c, over all units that were read.
    Where a value is rare, p_e is small and AC1 close to 1 whatever the readers say of the rare
    cases: read it beside alpha only.

    References
    ----------
    K. L. Gwet, "Computing inter-rater reliability and its variance in the presence of high
    agreement", British Journal of Mathematical and Statistical Psychology 61, 2008, 29-48.
    """
    return _or_none(ac1_of(terms_of(counts).sum(axis=0)))


def terms_of(counts: Counts) -> Terms:
    """Return what each unit adds to the measures.

    Parameters
    ----------
    counts : ndarray of shape (..., k), [readers]
        How many readers gave the unit each value. All 0 adds nothing.

    Returns
    -------
    ndarray of shape (..., 3 k + 2)
        Terms. Those of several units, weighted or not, may be added.
    """
    readers = counts.sum(axis=-1, keepdims=True)
    is_pairable = readers >= 2
    pairs = counts * (counts - 1)
    others = np.maximum(readers - 1, 1)
    read = np.maximum(readers, 1)
    return np.concatenate(
        [
            pairs / others,
            np.where(is_pairable, counts, 0),
            counts / read,
            is_pairable,
            (pairs / others / read).sum(axis=-1, keepdims=True),
        ],
        axis=-1,
        dtype=np.float64,
    )


def alpha_of(terms: Terms) -> Numbers:
    """Return Krippendorff's alpha.

    Parameters
    ----------
    terms : ndarray of shape (..., 3 k + 2)
        Terms added over units.

    Returns
    -------
    ndarray of shape (...)
        See `krippendorff_alpha`; NaN where it is not defined.
    """
    coincidences, values, _, _, _ = _parts(terms)
    total = values.sum(axis=-1)
    chance = quotient((values * (values - 1)).sum(axis=-1), total - 1)
    return quotient(coincidences.sum(axis=-1) - chance, total - chance)


def ac1_of(terms: Terms) -> Numbers:
    """Return Gwet's AC1.

    Parameters
    ----------
    terms : ndarray of shape (..., 3 k + 2)
        Terms added over units.

    Returns
    -------
    ndarray of shape (...)
        See `gwet_ac1`; NaN where it is not defined.
    """
    _, values, shares, units, agreement = _parts(terms)
    share = quotient(shares, shares.sum(axis=-1, keepdims=True))
    chance = (share * (1 - share)).sum(axis=-1) / (values.shape[-1] - 1)
    return quotient(quotient(agreement, units) - chance, 1 - chance)


def specific_agreement_of(terms: Terms) -> Numbers:
    """Return how often a reader's value is given by another reader of the unit, for each value.

    Parameters
    ----------
    terms : ndarray of shape (..., 3 k + 2)
        Terms added over units.

    Returns
    -------
    ndarray of shape (..., k)
        In [0, 1], not corrected for chance; NaN for a value that nobody gave. For "present" it
        is the positive agreement.

    Notes
    -----
    ``sum_u n_uc (n_uc - 1) / (m_u - 1) / sum_u n_uc``, in the terms of `krippendorff_alpha`. For
    two readers it is ``2 a / (2 a + b + c)`` of the fourfold table. Units that nobody gave the
    value do not matter.

    References
    ----------
    D. V. Cicchetti, A. R. Feinstein, "High agreement but low kappa: II. Resolving the
    paradoxes", Journal of Clinical Epidemiology 43, 1990, 551-558.
    """
    coincidences, values, _, _, _ = _parts(terms)
    return quotient(coincidences, values)


def _parts(terms: Terms) -> tuple[Numbers, Numbers, Numbers, Numbers, Numbers]:
    """Return coincidences, values and shares of each value; pairable units; their agreement."""
    size = (terms.shape[-1] - 2) // 3
    return (
        terms[..., :size],
        terms[..., size : 2 * size],
        terms[..., 2 * size : 3 * size],
        terms[..., -2],
        terms[..., -1],
    )


def _or_none(number: Numbers) -> float | None:
    return float(number) if np.isfinite(number) else None
