"""Whether freshly trained weights can be trusted at all."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from backend.domain.dataset import DatasetImage, DatasetVersion
from backend.domain.images import Split
from backend.domain.predictions import PredictedBox
from ml_backend.detector import Detector, as_predicted_boxes, detect
from ml_backend.image_source import read_registered
from ml_backend.training.weights import StoredWeights
from ml_backend.ultralytics_settings import import_part

_COMPARED_IMAGES = 8
_TOLERANCE = 1e-3


def find_problems(
    weights: StoredWeights,
    version: DatasetVersion,
    marked: Mapping[str, Sequence[PredictedBox]],
    open_again: Callable[[], Detector],
) -> tuple[str, ...]:
    """Return why a challenger cannot be trusted.

    Parameters
    ----------
    weights : StoredWeights
        Its weights, as they were stored.
    version : DatasetVersion
        What it was trained and tested on.
    marked : mapping of str to sequence of PredictedBox
        What it marked on the test images, by image id.
    open_again : callable
        Opens the stored weights anew, with the settings that they were measured with.

    Returns
    -------
    tuple of str
        Problems, in words; none is normal.

    Raises
    ------
    WeightsTamperedError
        If the file is not the one that was stored; it is not opened then.
    """
    return tuple(
        problem
        for problem in (
            _not_finite(weights),
            learned_from_test(version),
            _reloads_differently(version.in_split(Split.TEST), marked, open_again),
        )
        if problem
    )


def learned_from_test(version: DatasetVersion) -> str:
    """Return whether a dataset version tests on what it teaches.

    Parameters
    ----------
    version : DatasetVersion
        The dataset version.

    Returns
    -------
    str
        What is shared, in words; empty when nothing is.
    """
    test = version.in_split(Split.TEST)
    learned = [*version.in_split(Split.TRAIN), *version.in_split(Split.VALIDATION)]
    for what, shared in (
        ("image", {one.image.id for one in test} & {one.image.id for one in learned}),
        (
            "patient",
            {one.image.patient_key for one in test} & {one.image.patient_key for one in learned},
        ),
        (
            "picture",
            {one.image.pixel_hash for one in test} & {one.image.pixel_hash for one in learned},
        ),
    ):
        if shared:
            return f"it learned from {len(shared)} {what}(s) of the test split"
    return ""


def _not_finite(weights: StoredWeights) -> str:
    network, _ = import_part("nn.tasks").load_checkpoint(str(weights.verified()))
    bad = [name for name, value in network.state_dict().items() if not torch.isfinite(value).all()]
    return f"{len(bad)} of its weights are not finite, {bad[0]} first" if bad else ""


def _reloads_differently(
    test: Sequence[DatasetImage],
    marked: Mapping[str, Sequence[PredictedBox]],
    open_again: Callable[[], Detector],
) -> str:
    """Return whether the stored weights mark other boxes when they are opened anew."""
    chosen = test[:_COMPARED_IMAGES]
    if not chosen:
        return ""
    again = detect(open_again(), [read_registered(member.image) for member in chosen])
    different = [
        member.image.id
        for member, found in zip(chosen, again, strict=True)
        if not _same(marked[member.image.id], as_predicted_boxes(found))
    ]
    return (
        f"opened anew, its weights mark other boxes on {len(different)} of {len(chosen)} images"
        if different
        else ""
    )


def _same(left: Sequence[PredictedBox], right: Sequence[PredictedBox]) -> bool:
    """Tell whether two answers are the same but for the last digits."""
    if len(left) != len(right):
        return False
    before, after = ([one.score for one in side] for side in (left, right))
    return bool(np.allclose(before, after, atol=_TOLERANCE))
