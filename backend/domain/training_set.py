"""Which images a model learns from, how often, and which ones it never sees."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, isclose

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.images import Split

_SPLITS = (Split.TRAIN, Split.VALIDATION, Split.TEST)


class InvalidSharesError(ValueError):
    """The shares of the splits do not add up to one."""


class PatientInTwoSplitsError(ValueError):
    """Images of one patient are already in different splits."""


class NothingToLearnError(ValueError):
    """No training image shows a finding."""


@dataclass(frozen=True, slots=True)
class Member:
    """One image that is to be in a dataset version.

    Attributes
    ----------
    image_id, patient_key : str
        Which image, of which patient.
    findings : frozenset of Finding
        What the consensus shows; nothing makes it a negative.
    split : Split or None
        The split that it was given before; None when it is new.
    """

    image_id: str
    patient_key: str
    findings: frozenset[Finding]
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class TrainingList:
    """The images that one training run sees.

    Attributes
    ----------
    image_ids : tuple of str
        One entry per showing, by image id; an image with rare findings comes several times.
    positives : int
        How many different images with findings are on it; all that there are.
    repeats : int
        How many entries are repetitions.
    negatives_kept, negatives_left_out : int
        How many images without findings are on it, and how many are not.
    """

    image_ids: tuple[str, ...]
    positives: int
    repeats: int
    negatives_kept: int
    negatives_left_out: int


def assign_splits(
    members: Sequence[Member],
    *,
    seed: int,
    shares: tuple[float, float, float] = (0.7, 0.1, 0.2),
) -> dict[str, Split]:
    """Allot every image to training, validation or test, patient by patient.

    Parameters
    ----------
    members : sequence of Member
        All images, old and new, in any order.
    seed : int
        Decides, with the patient keys, which patients go where.
    shares : tuple of float
        Wanted shares of training, validation and test among the patients.

    Returns
    -------
    dict of str to Split
        Image id to split, for every member. A split that was given before never changes, and
        new images of a known patient follow it.

    Raises
    ------
    InvalidSharesError
        If a share is negative or they do not add up to one.
    PatientInTwoSplitsError
        If a patient's images are already in different splits.

    Notes
    -----
    Patients with and without findings are allotted apart. Each group is put in the order of
    the rarest finding, within one finding in an order that a hash of seed and patient key
    gives, and dealt out one by one to the split that lacks most for its share. So also few
    positives, and every finding with several patients, reach the test split.
    """
    if min(shares) < 0.0 or not isclose(sum(shares), 1.0):
        raise InvalidSharesError(f"expected three shares from 0 on that add up to 1, got {shares}")
    known = _known_splits(members)
    findings: dict[str, frozenset[Finding]] = defaultdict(frozenset)
    for member in members:
        findings[member.patient_key] |= member.findings

    split_of = dict(known)
    for is_positive in (True, False):
        group = [patient for patient, own in findings.items() if bool(own) is is_positive]
        new = [patient for patient in group if patient not in known]
        taken = Counter(known[patient] for patient in group if patient in known)
        split_of |= _deal(_by_rarest_finding(new, findings, seed), taken, shares)
    return {member.image_id: split_of[member.patient_key] for member in members}


def repeat_factors(
    finding_sets: Sequence[Collection[Finding]], *, threshold: float = 0.05
) -> NDArray[np.float64]:
    """Return how often each image should be shown, so that rare findings are seen enough.

    Parameters
    ----------
    finding_sets : sequence of collection of Finding
        What each of n images shows.
    threshold : float
        Findings on a smaller share of the images than this are repeated.

    Returns
    -------
    ndarray of shape (n,), [unitless]
        From 1 on; 1 for an image without findings.

    Notes
    -----
    With f_c the share of images that show c, ``r_c = max(1, sqrt(threshold / f_c))``, and an
    image's factor is the highest of its findings.

    References
    ----------
    A. Gupta, P. Dollar, R. Girshick, "LVIS: A dataset for large vocabulary instance
    segmentation", CVPR 2019.

    Examples
    --------
    >>> images = [{Finding.PNEUMOTHORAX}] + [set()] * 79
    >>> repeat_factors(images)[:2]
    array([2., 1.])
    """
    images = Counter(finding for findings in finding_sets for finding in set(findings))
    of_finding = {
        finding: max(1.0, (threshold * len(finding_sets) / count) ** 0.5)
        for finding, count in images.items()
    }
    return np.array(
        [
            max((of_finding[finding] for finding in findings), default=1.0)
            for findings in finding_sets
        ],
        dtype=np.float64,
    )


def draw_training_list(
    findings_by_image: Mapping[str, Collection[Finding]],
    *,
    rng: np.random.Generator,
    threshold: float = 0.05,
    negatives_per_positive: float = 1.5,
) -> TrainingList:
    """Draw which images a training run sees, and how often.

    Parameters
    ----------
    findings_by_image : mapping of str to collection of Finding
        Image id to what it shows, for the whole training split, in any order.
    rng : numpy.random.Generator
        Source of chance; the caller keeps its seed.
    threshold : float
        See `repeat_factors`; the shares are taken over the whole training split.
    negatives_per_positive : float
        At most so many images without findings are kept per image with findings.

    Returns
    -------
    TrainingList
        The list, and what was repeated and left out.

    Raises
    ------
    NothingToLearnError
        If no image shows a finding.

    Notes
    -----
    A factor of 2.3 means two showings, and a third with probability 0.3.
    """
    image_ids = sorted(findings_by_image)
    factors = repeat_factors([findings_by_image[one] for one in image_ids], threshold=threshold)
    positives = [one for one in image_ids if findings_by_image[one]]
    negatives = [one for one in image_ids if not findings_by_image[one]]
    if not positives:
        raise NothingToLearnError(
            f"none of {len(image_ids)} training images shows a finding; "
            "expected at least one: have more images read before training"
        )
    kept = min(len(negatives), floor(negatives_per_positive * len(positives)))
    chosen = {*positives, *rng.choice(negatives, size=kept, replace=False).tolist()}
    showings = np.floor(factors + rng.random(len(image_ids))).astype(int).tolist()
    drawn = tuple(
        image_id
        for image_id, times in zip(image_ids, showings, strict=True)
        if image_id in chosen
        for _ in range(times)
    )
    return TrainingList(
        image_ids=drawn,
        positives=len(positives),
        repeats=len(drawn) - len(chosen),
        negatives_kept=kept,
        negatives_left_out=len(negatives) - kept,
    )


def _known_splits(members: Iterable[Member]) -> dict[str, Split]:
    """Return the split of every patient who has one."""
    known: dict[str, Split] = {}
    for member in members:
        if member.split is not None and (
            known.setdefault(member.patient_key, member.split) is not member.split
        ):
            raise PatientInTwoSplitsError(
                f"images of patient {member.patient_key} are in {known[member.patient_key]} "
                f"and in {member.split}; expected one split per patient"
            )
    return known


def _by_rarest_finding(
    patients: Iterable[str], findings: Mapping[str, frozenset[Finding]], seed: int
) -> list[str]:
    """Sort patients by their rarest finding, then by a hash of seed and patient."""
    frequency = Counter(finding for own in findings.values() for finding in own)

    def place(patient: str) -> tuple[tuple[int, int], str, str]:
        rarest = min(((frequency[one], int(one)) for one in findings[patient]), default=(0, 0))
        return rarest, hashlib.sha256(f"{seed}:{patient}".encode()).hexdigest(), patient

    return sorted(patients, key=place)


def _deal(
    patients: Sequence[str], taken: Mapping[Split, int], shares: Sequence[float]
) -> dict[str, Split]:
    """Give patients one by one to the split that lacks most for its share."""
    counts = Counter(taken)
    dealt = {}
    for patient in patients:
        total = counts.total() + 1
        lacking = [
            share * total - counts[split] for split, share in zip(_SPLITS, shares, strict=True)
        ]
        dealt[patient] = _SPLITS[int(np.argmax(lacking))]
        counts[dealt[patient]] += 1
    return dealt
