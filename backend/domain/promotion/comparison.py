"""Challenger and champion on the same test images: what differs, and how surely."""

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.metrics import bootstrap
from backend.domain.metrics.mark_calibration import CalibrationErrors
from backend.domain.metrics.quotients import Numbers
from backend.domain.metrics.resampled_marks import (
    PrecisionAreas,
    Sensitivities,
    mean_over_findings,
)
from backend.domain.metrics.shown_marks import MarksOnEmpties, is_found
from backend.domain.metrics.strata import strata_of
from backend.domain.promotion.changes import (
    CRITICAL,
    FEW_ON_EMPTIES,
    HARM_IN_CALIBRATION,
    HARM_IN_PRECISION,
    HARM_ON_EMPTIES,
    Change,
    Comparison,
    FindingChange,
    Flips,
    Harm,
)
from backend.domain.promotion.measured import MeasuredModel

RESAMPLES = 2000
FROC_RATES = (0.125, 0.5, 1.0)
"""False marks per image at which the sensitivities are compared."""

_CERTAINTY = 0.95


class IncomparableModelsError(ValueError):
    """Challenger and champion were not measured on the same images."""


def compare(
    champion: MeasuredModel,
    challenger: MeasuredModel,
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
) -> Comparison | None:
    """Hold a challenger against the champion by a paired bootstrap over images.

    Parameters
    ----------
    champion, challenger : MeasuredModel
        Both on the same images with the same truth.
    rng : numpy.random.Generator
        Source of the resamples.
    resamples : int
        How many.

    Returns
    -------
    Comparison or None
        None when the images show no lesion: then there is nothing to compare by.

    Raises
    ------
    IncomparableModelsError
        If images or lesions are not the same.

    Notes
    -----
    A resample draws images with replacement, within strata that keep rare findings in, and both
    models are measured on it: what is hard in it is hard for both. Bounds are the 5 % and 95 %
    quantiles of the differences.

    References
    ----------
    B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 16.
    """
    truth = champion.judged
    if (
        truth.image_ids != challenger.judged.image_ids
        or not np.array_equal(truth.weights, challenger.judged.weights)
        or not np.array_equal(truth.lesions.boxes, challenger.judged.lesions.boxes)
        or not np.array_equal(truth.lesions.findings, challenger.judged.lesions.findings)
    ):
        raise IncomparableModelsError(
            "challenger and champion were measured on different images; "
            "expected both on the same frozen test split: evaluate the champion again"
        )
    if not len(truth.lesions.boxes):
        return None
    figures = [_Figures(model) for model in (champion, challenger)]

    def both(counts: Numbers) -> Numbers:
        return np.stack([one(counts) for one in figures], axis=1)

    at = both(np.ones((1, truth.images)))[0]
    drawn = bootstrap.resampled(
        both, truth.images, rng, resamples=resamples, strata=strata_of(truth)
    )
    lesions = np.bincount(truth.lesions.findings, minlength=len(Finding))
    return Comparison(
        images=truth.images,
        lesions=len(truth.lesions.boxes),
        map40=_change(at[:, _MAP], drawn[:, :, _MAP]),
        by_finding={
            finding: FindingChange(
                int(lesions[finding]),
                _change(at[:, finding], drawn[:, :, finding]),
                _share(_difference(drawn[:, :, finding]) >= -HARM_IN_PRECISION),
            )
            for finding in Finding
            if lesions[finding]
        },
        sensitivity={
            rate: _change(at[:, column], drawn[:, :, column])
            for column, rate in enumerate(FROC_RATES, start=_SENSITIVITIES)
        },
        empties=_harm(at, drawn, _EMPTIES, more=FEW_ON_EMPTIES, factor=HARM_ON_EMPTIES),
        d_ece=_harm(at, drawn, _D_ECE, more=HARM_IN_CALIBRATION),
        la_ece=_harm(at, drawn, _LA_ECE, more=HARM_IN_CALIBRATION),
        critical=_flips(champion, challenger),
    )


_MAP = len(Finding)
_SENSITIVITIES = _MAP + 1
_D_ECE = _SENSITIVITIES + len(FROC_RATES)
_LA_ECE = _D_ECE + 1
_EMPTIES = _LA_ECE + 1


class _Figures:
    """All figures of one model as the columns of one statistic."""

    def __init__(self, model: MeasuredModel) -> None:
        self._areas = PrecisionAreas(model.judged)
        self._others = (
            Sensitivities(model.judged, FROC_RATES),
            CalibrationErrors(model.judged),
            MarksOnEmpties(model.judged, model.thresholds),
        )

    def __call__(self, counts: Numbers) -> Numbers:
        areas = self._areas(counts)
        others = [statistic(counts) for statistic in self._others]
        return np.column_stack([areas, mean_over_findings(areas), *others])


def _change(at: Numbers, drawn: Numbers) -> Change:
    differences = _difference(drawn)
    return Change(
        champion=float(at[0]),
        challenger=float(at[1]),
        low=float(bootstrap.quantile(differences, 1 - _CERTAINTY)),
        high=float(bootstrap.quantile(differences, _CERTAINTY)),
        standard_error=float(np.nanstd(differences)),
    )


def _harm(
    at: Numbers, drawn: Numbers, column: int, *, more: float = 0.0, factor: float = 1.0
) -> Harm | None:
    if not np.isfinite(at[:, column]).all():
        return None
    champion, challenger = drawn[:, 0, column], drawn[:, 1, column]
    rose = challenger > champion * factor + more
    is_defined = np.isfinite(champion) & np.isfinite(challenger)
    return Harm(float(at[0, column]), float(at[1, column]), _share(rose[is_defined]))


def _flips(champion: MeasuredModel, challenger: MeasuredModel) -> Flips:
    own = champion.judged.lesions.findings == CRITICAL
    before, after = (is_found(one.judged, one.thresholds)[own] for one in (champion, challenger))
    return Flips(int(own.sum()), int((before & ~after).sum()), int((after & ~before).sum()))


def _difference(drawn: Numbers) -> Numbers:
    differences = drawn[:, 1] - drawn[:, 0]
    return np.asarray(differences[np.isfinite(differences)])


def _share(happened: NDArray[np.bool_]) -> float:
    return float(happened.mean()) if len(happened) else 0.0
