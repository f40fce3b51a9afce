"""Everything that is measured of a detector on a test set, with intervals, as plain values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backend.domain.findings import Finding
from backend.domain.metrics import bootstrap
from backend.domain.metrics.bootstrap import Statistic
from backend.domain.metrics.froc import USUAL_RATES, froc_of
from backend.domain.metrics.judged_marks import JudgedMarks
from backend.domain.metrics.mark_calibration import CalibrationErrors
from backend.domain.metrics.quotients import Numbers
from backend.domain.metrics.resampled_marks import (
    COCO_THRESHOLDS,
    ImageAuc,
    MeanPrecision,
    PrecisionAreas,
    Sensitivities,
)
from backend.domain.metrics.shown_marks import MarksOnEmpties
from backend.domain.metrics.strata import strata_of

_CURVE_POINTS = 100
_CURVE_ENDS_AT = 8.0
_FEWEST_IN_A_SLICE = 10
_FEWEST_SLICES = 2

Values = dict[str, Any]


def describe_detection(
    judged: JudgedMarks,
    thresholds: Mapping[Finding, float],
    rng: np.random.Generator,
    *,
    slices: Mapping[str, Sequence[str]] | None = None,
    resamples: int = 1000,
) -> Values:
    """Return what is measured of a detector on a test set.

    Parameters
    ----------
    judged : JudgedMarks
        Its marks with probabilities as scores, and the truth.
    thresholds : mapping of Finding to float
        Probability from which readers see marks of a finding.
    rng : numpy.random.Generator
        Source of the resamples.
    slices : mapping of str to sequence of str
        Name of a property to its value for every image, in the order of `judged`; an empty value
        where it is not known.
    resamples : int
        How many the intervals are made of.

    Returns
    -------
    dict
        Mean average precision at three overlaps, FROC, image-level AUC, calibration, marks on
        images without lesions, every finding, and the slices by every property of which at least
        two values have ten images each; a slice of fewer is counted without figures. A figure is
        ``{"estimate", "low", "high"}`` with a 95 % interval, each None where it is not defined.
    """
    figures: dict[str, Statistic] = {
        "map40": MeanPrecision(judged),
        "map50": MeanPrecision(judged, (0.5,)),
        "map50_95": MeanPrecision(judged, COCO_THRESHOLDS),
        "image_auc": ImageAuc(judged),
        "marks_on_empties": MarksOnEmpties(judged, thresholds),
    }
    several: dict[str, tuple[Statistic, list[str]]] = {
        "sensitivity": (Sensitivities(judged, USUAL_RATES), [f"{rate:g}" for rate in USUAL_RATES]),
        "calibration": (CalibrationErrors(judged), ["d_ece", "la_ece"]),
        "average_precision": (PrecisionAreas(judged), [finding.title for finding in Finding]),
    }
    if not judged.images:
        return {"images": 0, "lesions": 0}

    def interval(statistic: Statistic) -> bootstrap.Intervals:
        return bootstrap.percentile_intervals(
            statistic, judged.images, rng, resamples=resamples, strata=strata_of(judged)
        )

    found: Values = {
        "images": judged.images,
        "lesions": len(judged.lesions.boxes),
        "resamples": resamples,
        **{name: _figure(interval(statistic)) for name, statistic in figures.items()},
    }
    for name, (statistic, columns) in several.items():
        intervals = interval(statistic)
        found[name] = {title: _figure(intervals, at) for at, title in enumerate(columns)}
    found["froc"] = _curve(judged)
    found["findings"] = _findings(judged, found.pop("average_precision"), interval)
    found["slices"] = {
        name: _slices(judged, values, rng, resamples=resamples)
        for name, values in (slices or {}).items()
    }
    return found


def _findings(judged: JudgedMarks, precisions: Values, interval: Any) -> Values:  # noqa: ANN401
    """Return lesions, images, average precision and AUC of every finding that occurs."""
    found = {}
    for finding in Finding:
        own = judged.lesions.images[judged.lesions.findings == finding]
        if len(own):
            found[finding.title] = {
                "lesions": len(own),
                "images": len(np.unique(own)),
                "average_precision": precisions[finding.title],
                "image_auc": _figure(interval(ImageAuc(judged, finding))),
            }
    return found


def _slices(
    judged: JudgedMarks, values: Sequence[str], rng: np.random.Generator, *, resamples: int
) -> Values:
    """Return the main figures on the images of every value of a property, or nothing.

    Without two values that have enough images there is nothing to tell apart.
    """
    own = np.array(values, dtype=object)
    # The group below an age comes before the groups from one.
    ordered = sorted(set(values) - {""}, key=lambda value: (not value.startswith("<"), value))
    parts = {value: judged.on(np.asarray(own == value, dtype=np.bool_)) for value in ordered}
    large = {
        value
        for value, part in parts.items()
        if part.images >= _FEWEST_IN_A_SLICE and part.weights.any()
    }
    if len(large) < _FEWEST_SLICES:
        return {}
    return {
        value: {
            "images": part.images,
            "lesions": len(part.lesions.boxes),
            **(_main_figures(part, rng, resamples=resamples) if value in large else {}),
        }
        for value, part in parts.items()
    }


def _main_figures(part: JudgedMarks, rng: np.random.Generator, *, resamples: int) -> Values:
    figures = (MeanPrecision(part), ImageAuc(part))
    map40, auc = (
        bootstrap.percentile_intervals(
            figure, part.images, rng, resamples=resamples, strata=strata_of(part)
        )
        for figure in figures
    )
    sensitivity = bootstrap.percentile_intervals(
        Sensitivities(part, (1.0,)), part.images, rng, resamples=resamples
    )
    return {
        "map40": _figure(map40),
        "sensitivity_at_1": _figure(sensitivity, 0),
        "image_auc": _figure(auc),
    }


def _curve(judged: JudgedMarks) -> list[list[float]]:
    """Return points of the FROC curve up to eight false marks per image."""
    curve = froc_of(judged)
    ends = int(np.searchsorted(curve.false_marks_per_image, _CURVE_ENDS_AT, side="right"))
    chosen = np.unique(np.linspace(0, ends - 1, min(_CURVE_POINTS, ends)).astype(np.int64))
    points: Numbers = np.column_stack([curve.false_marks_per_image, curve.sensitivity])[chosen]
    return [[float(number) for number in point] for point in points.round(5)]


def _figure(intervals: bootstrap.Intervals, *at: int) -> dict[str, float | None]:
    one = intervals.at(*at)
    return {"estimate": one.estimate, "low": one.low, "high": one.high}
