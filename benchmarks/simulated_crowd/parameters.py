"""The numbers that a simulated crowd is drawn with, and where the fitted ones are kept."""

import functools
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding

FITTED = Path(__file__).parent.parent / "simulated_crowd_parameters.json"
"""Written by `benchmarks/fit_simulated_crowd.py`."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CrowdParameters:
    """What there is to see, how good readers see it, and who else reads.

    Arrays run over the fourteen findings by class id, twice where a row is turned into a
    column's finding. A side is 0 for the left and 1 for the right half of the picture; each
    has two places where lesions gather. Places are (x centre, y centre, ln width, ln height),
    as shares of the picture's width and height.

    Attributes
    ----------
    abnormal_share : float
        Of all images, in [0, 1].
    image_size_mean, image_size_covariance : ndarray of shape (2,), (2, 2)
        Of ln width and ln height, in ln px.
    lesions_per_image : ndarray of shape (14,)
        Mean number on an abnormal image, those at another lesion's place not counted.
    lesion_spread : ndarray of shape (14,)
        Size parameter of the negative binomial number; infinity where one is the most.
    lesion_correlation : ndarray of shape (14, 14)
        Of the normal scores behind these numbers.
    side_change : ndarray of shape (14,)
        How often the next lesion of an image lies on the other side than the last.
    place_shares : ndarray of shape (14, 2, 2)
        Finding, side, place; sums to 1 per finding.
    place_means, place_covariances : ndarray of shape (14, 2, 2, 4), (14, 2, 2, 4, 4)
        Of each place.
    colocated : ndarray of shape (14, 14)
        How often a lesion of the row comes with one of the column at the same rectangle.
    sensitivity : ndarray of shape (14,)
        Logit of a typical good reader's chance to mark a lesion of difficulty 0.
    difficulty_sd : float
        Of a place's difficulty, shared by all readers, in logits.
    hit_correlation : float
        Of the normal scores by which a reader hits or misses an image's lesions of one finding.
    reader_sd, reader_finding_sd : float
        Of a reader's own skill, and of it by finding, in logits.
    confusion : ndarray of shape (14, 14)
        How often a hit of the row is named as the column instead.
    second_name : ndarray of shape (14, 14)
        How often a hit of the row is named as the column too.
    same_rectangle : float
        How often a reader marks two findings at one place by one rectangle.
    edge_noise : ndarray of shape (14, 4)
        Scale of each edge's error, as a share of the box's width or height.
    edge_noise_freedom : float
        Degrees of freedom of its Student t.
    reader_noise_sd : float
        Of ln of a reader's factor on the edge noise.
    size_bias_sd : float
        Of how far a reader puts every edge outwards, as a share of width or height.
    false_marks : ndarray of shape (14,)
        Mean over good readers, per reading of an abnormal image.
    false_beside_true : ndarray of shape (14,)
        Share of the false marks that only images with a lesion of the finding get.
    reader_false_sd : float
        Of ln of a reader's factor on the false marks.
    normal_false_factor : float
        The factor on the false marks on a normal image.
    bad_readers : tuple of int
        Fewest and most of them in a crowd.
    adversaries : int
        In a crowd.
    bad_sensitivity, bad_false_factor, bad_noise_factor : float
        What a bad reader's logit is raised by, and the factors on false marks and noise.
    adversary_sensitivity, adversary_false_factor : float
        The same of an adversary, who also gives random names and looks in wrong places.
    """

    abnormal_share: float
    image_size_mean: Numbers
    image_size_covariance: Numbers
    lesions_per_image: Numbers
    lesion_spread: Numbers
    lesion_correlation: Numbers
    side_change: Numbers
    place_shares: Numbers
    place_means: Numbers
    place_covariances: Numbers
    colocated: Numbers
    sensitivity: Numbers
    difficulty_sd: float
    hit_correlation: float
    reader_sd: float
    reader_finding_sd: float
    confusion: Numbers
    second_name: Numbers
    same_rectangle: float
    edge_noise: Numbers
    edge_noise_freedom: float
    reader_noise_sd: float
    size_bias_sd: float
    false_marks: Numbers
    false_beside_true: Numbers
    reader_false_sd: float
    normal_false_factor: float
    bad_readers: tuple[int, int]
    adversaries: int
    bad_sensitivity: float
    bad_false_factor: float
    bad_noise_factor: float
    adversary_sensitivity: float
    adversary_false_factor: float


SPARSE = ("colocated", "confusion", "second_name")
"""Kept as [row, column, share] triples; what is not listed is 0."""


@functools.cache
def fitted() -> CrowdParameters:
    """Return the parameters fitted on the VinBigData readings.

    Returns
    -------
    CrowdParameters
        Those in `FITTED`.
    """
    return of_json(json.loads(FITTED.read_text(encoding="utf-8"))["parameters"])


def of_json(values: dict[str, Any]) -> CrowdParameters:
    """Return parameters as they were before `to_json`.

    Parameters
    ----------
    values : dict
        One entry per attribute.

    Returns
    -------
    CrowdParameters
        The same; arrays cannot be written to.
    """
    made: dict[str, Any] = {}
    for field in fields(CrowdParameters):
        value = values[field.name]
        if field.name in SPARSE:
            value = _dense(value)
        elif field.name == "lesion_spread":
            value = [np.inf if spread is None else spread for spread in value]
        if field.type == Numbers:
            value = np.array(value, dtype=np.float64)
            value.flags.writeable = False
        made[field.name] = tuple(value) if isinstance(value, list) else value
    return CrowdParameters(**made)


def to_json(parameters: CrowdParameters) -> dict[str, Any]:
    """Return parameters as JSON can hold them.

    Parameters
    ----------
    parameters : CrowdParameters
        Any.

    Returns
    -------
    dict
        One entry per attribute, numbers to four digits.
    """
    values: dict[str, Any] = {}
    for field in fields(CrowdParameters):
        value = np.asarray(getattr(parameters, field.name))
        if field.name in SPARSE:
            rows, columns = np.nonzero(value)
            values[field.name] = [
                [int(row), int(column), float(f"{value[row, column]:.3g}")]
                for row, column in zip(rows, columns, strict=True)
            ]
        elif value.dtype.kind == "i":
            values[field.name] = value.tolist()
        else:
            values[field.name] = _rounded(value.tolist())
    return values


def _rounded(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.4g}") if np.isfinite(value) else None


def _dense(triples: list[list[float]]) -> Numbers:
    shares = np.zeros((len(Finding), len(Finding)))
    for row, column, share in triples:
        shares[int(row), int(column)] = share
    return shares
