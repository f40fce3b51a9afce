"""Which images to read next, in which order, and why."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from math import floor, isfinite

import numpy as np

from backend.domain.findings import Finding

SMALLEST_AUDITED_BATCH = 10
"""From this size on, a wanted random share is at least one image."""


class InvalidBatchError(ValueError):
    """The candidates, or what is asked of the batch, make no sense."""


class Channel(StrEnum):
    """The part of the criterion that chose an image."""

    UNCERTAIN = "uncertain"
    RANDOM = "random"
    COLD_START = "cold-start"
    GOLD = "gold"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that could be read next.

    Attributes
    ----------
    image_id, patient_key : str
        Which image, of which patient.
    uncertainty : float or None
        How unsure the model is, from 0 on; None when no model has scored the image.
    top_finding : Finding or None
        The finding of the model's box with the highest score; None without boxes.
    top_score : float or None
        That box's score in [0, 1].
    """

    image_id: str
    patient_key: str
    uncertainty: float | None
    top_finding: Finding | None = None
    top_score: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One image of a batch, and why it is there.

    Attributes
    ----------
    image_id : str
        The image.
    rank : int
        Place in the queue, from 1; lower is read sooner.
    score : float
        Its uncertainty; 0 when no model has scored it.
    channel : Channel
        What chose it.
    reason : str
        The same as a sentence for people.
    """

    image_id: str
    rank: int
    score: float
    channel: Channel
    reason: str


def choose_batch(
    candidates: Sequence[Candidate],
    *,
    size: int,
    random_share: float,
    rng: np.random.Generator,
) -> tuple[Choice, ...]:
    """Return the next images to read.

    Parameters
    ----------
    candidates : sequence of Candidate
        Every image that could be read, in any order; none is normal.
    size : int
        How many images are wanted.
    random_share : float
        Share in [0, 1] of the batch that is drawn uniformly from all candidates, rounded; at
        least one image when it is above 0 and the batch has 10 images or more.
    rng : numpy.random.Generator
        Source of chance; the same seed and candidates give the same batch.

    Returns
    -------
    tuple of Choice
        By rank, at most one image per patient, and as many as wanted unless there are fewer
        patients.

    Raises
    ------
    InvalidBatchError
        If the size or the share is out of range, an image comes twice, or an uncertainty is
        not a finite number from 0 on.

    Notes
    -----
    The random images are drawn first, from the whole pool, so that they are a fair sample of
    it whatever the model thinks; they stand at random ranks among the others. The others are
    taken by falling uncertainty (equal ones by image id), then images that no model has
    scored, in random order.
    """
    _check(candidates, size=size, random_share=random_share)
    pool = sorted(candidates, key=lambda candidate: candidate.image_id)
    patients = len({candidate.patient_key for candidate in pool})
    total = min(size, patients)

    shuffled = [pool[position] for position in rng.permutation(len(pool)).tolist()]
    audits = list(islice(_one_per_patient(shuffled), _audits(total, random_share)))
    others = _others(shuffled, without={candidate.patient_key for candidate in audits})

    audit_places = set(rng.choice(total, size=len(audits), replace=False).tolist())
    audited, chosen = iter(audits), iter(others)
    return tuple(
        explain(next(audited), rank=place + 1, is_audit=True)
        if place in audit_places
        else explain(next(chosen), rank=place + 1)
        for place in range(total)
    )


def explain(candidate: Candidate, *, rank: int, is_audit: bool = False) -> Choice:
    """Return a chosen image with the reason.

    Parameters
    ----------
    candidate : Candidate
        The image.
    rank : int
        Its place in the queue, from 1.
    is_audit : bool
        Whether it was drawn at random.

    Returns
    -------
    Choice
        What it is worth now.
    """
    if is_audit:
        channel = Channel.RANDOM
        reason = "Drawn at random from all unread images, so that the figures stay unbiased."
    elif candidate.uncertainty is None:
        channel = Channel.COLD_START
        reason = "Drawn at random, because no model has scored this image yet."
    elif candidate.top_finding is None or candidate.top_score is None:
        channel = Channel.UNCERTAIN
        reason = "Next by uncertainty; the model marks nothing here."
    else:
        channel = Channel.UNCERTAIN
        top = f"{candidate.top_finding.title} {candidate.top_score:.2f}"
        reason = f"Among the images that the model is least sure of: {top}."
    return Choice(
        image_id=candidate.image_id,
        rank=rank,
        score=candidate.uncertainty or 0.0,
        channel=channel,
        reason=reason,
    )


def _check(candidates: Sequence[Candidate], *, size: int, random_share: float) -> None:
    """Raise if a batch cannot be chosen."""
    if size < 0:
        raise InvalidBatchError(f"expected a batch size from 0 on, got {size}")
    if not 0.0 <= random_share <= 1.0:
        raise InvalidBatchError(f"expected a random share in [0, 1], got {random_share}")
    if len({candidate.image_id for candidate in candidates}) != len(candidates):
        raise InvalidBatchError("an image is twice among the candidates; expected each once")
    for candidate in candidates:
        score = candidate.uncertainty
        if score is not None and not (isfinite(score) and score >= 0.0):
            raise InvalidBatchError(
                f"image {candidate.image_id} has uncertainty {score}; "
                "expected a number from 0 on, or None when no model has scored it"
            )


def _audits(total: int, random_share: float) -> int:
    """Return how many images of a batch are drawn at random."""
    rounded = floor(total * random_share + 0.5)
    if random_share > 0.0 and total >= SMALLEST_AUDITED_BATCH:
        return max(1, rounded)
    return rounded


def _others(shuffled: Sequence[Candidate], *, without: set[str]) -> Iterator[Candidate]:
    """Yield scored images by falling uncertainty, then unscored ones as they are shuffled."""
    scored = [
        (-candidate.uncertainty, candidate.image_id, candidate)
        for candidate in shuffled
        if candidate.uncertainty is not None
    ]
    unscored = [candidate for candidate in shuffled if candidate.uncertainty is None]
    ranked = [candidate for *_, candidate in sorted(scored, key=lambda row: row[:2])]
    left = (one for one in [*ranked, *unscored] if one.patient_key not in without)
    return _one_per_patient(left)


def _one_per_patient(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """Yield the first image of every patient."""
    seen = set()
    for candidate in candidates:
        if candidate.patient_key not in seen:
            seen.add(candidate.patient_key)
            yield candidate
