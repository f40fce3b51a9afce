"""Which images a model learns from, which choose its epoch, and which it never sees."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isclose

import numpy as np

from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.domain.skipped import Skipped

Shares = tuple[float, float, float]

SHARES: Shares = (0.7, 0.1, 0.2)
"""Of training, validation and test among the patients."""

RARE_SHARES: Shares = (0.5, 0.1, 0.4)
"""The same among patients with a rare finding: what can be said of it rests on few images."""

RARE_BELOW = 0.05
"""A finding of a smaller share of the patients is rare."""

WANTED_IN_TEST = 40
"""From so many test patients on, a rare finding is shared out like any other."""

_SPLITS = (Split.TRAIN, Split.VALIDATION, Split.TEST)
_LEAVES_FIRST = {split: place for place, split in enumerate(_SPLITS)}


class InvalidSharesError(ValueError):
    """The shares of the splits do not add up to one."""


class PatientInTwoSplitsError(ValueError):
    """Images of one patient are already in different splits."""


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


def assign_splits(
    members: Sequence[Member],
    *,
    seed: int,
    shares: Shares = SHARES,
    alike: Iterable[tuple[str, str]] = (),
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
    alike : iterable of (str, str)
        Pairs of image ids that are near-duplicates; their patients stay together like one.

    Returns
    -------
    dict of str to Split
        Image id to split, for every member. A split that was given before never changes, and
        new images of a known patient follow it. New patients whose images resemble those of
        several splits follow the one that a model must see least: test, then validation.

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
    positives, and every finding with several patients, reach the test split. Patients with a
    finding below `RARE_BELOW` are dealt per finding by `RARE_SHARES` until `WANTED_IN_TEST` of
    them are in the test split, which `frozen_test.natural_weights` makes up for.
    """
    if min(shares) < 0.0 or not isclose(sum(shares), 1.0):
        raise InvalidSharesError(f"expected three shares from 0 on that add up to 1, got {shares}")
    known = _known_splits(members)
    joined = _joined(members, alike)
    findings: dict[str, frozenset[Finding]] = defaultdict(frozenset)
    split_of: dict[str, Split] = {}
    for member in members:
        group = joined[member.patient_key]
        findings[group] |= member.findings
        if member.patient_key in known:
            splits = {known[member.patient_key], split_of.get(group, Split.TRAIN)}
            split_of[group] = max(splits, key=_LEAVES_FIRST.__getitem__)

    split_of |= _deal_all(findings, split_of, seed, shares)
    return {
        member.image_id: known.get(member.patient_key, split_of[joined[member.patient_key]])
        for member in members
    }


def leave_out_duplicates(
    splits: Mapping[str, Split],
    alike: Iterable[tuple[str, str]],
    *,
    learned: Collection[str] = (),
) -> list[Skipped]:
    """Return which images must take no part, because another split shows nearly the same.

    Parameters
    ----------
    splits : mapping of str to Split
        Image id to split, as allotted; pairs with other images are passed over.
    alike : iterable of (str, str)
        Pairs of image ids that are near-duplicates.
    learned : collection of str
        Images that a dataset version gave to training or validation before.

    Returns
    -------
    list of Skipped
        By image id, each image once: of every pair across splits the one in training, or else
        the one in validation, so that the test split stays whole; but the one in the test split
        where the other is in `learned`, because a model that serves may know it.
    """
    across = [
        sorted(pair, key=lambda image: (_LEAVES_FIRST[splits[image]], image))
        for pair in alike
        if splits.keys() >= set(pair) and splits[pair[0]] is not splits[pair[1]]
    ]
    reasons = {
        right: f"it is in {Split.TEST} and looks like {left}, which models have learned from"
        for left, right in across
        if splits[right] is Split.TEST and left in learned
    }
    for left, right in across:
        if right not in reasons:
            reasons.setdefault(
                left,
                f"it is in {splits[left]} and looks like {right}, which is in {splits[right]}; "
                "near-duplicates belong to one split",
            )
    return [Skipped(image, why) for image, why in sorted(reasons.items())]


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


def _joined(members: Iterable[Member], alike: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return for every patient the one who stands for all that share nearly equal images."""
    patient_of = {member.image_id: member.patient_key for member in members}
    leader = {patient: patient for patient in patient_of.values()}

    def first(patient: str) -> str:
        while leader[patient] != patient:
            leader[patient] = leader[leader[patient]]
            patient = leader[patient]
        return patient

    for left, right in alike:
        if left in patient_of and right in patient_of:
            low, high = sorted((first(patient_of[left]), first(patient_of[right])))
            leader[high] = low
    return {patient: first(patient) for patient in leader}


def _deal_all(
    findings: Mapping[str, frozenset[Finding]],
    known: Mapping[str, Split],
    seed: int,
    shares: Shares,
) -> dict[str, Split]:
    """Give every patient who has no split one: per rare finding, other positives, negatives."""
    frequency = Counter(finding for own in findings.values() for finding in own)
    rare = {one for one, count in frequency.items() if count < RARE_BELOW * len(findings)}
    rarest = {
        patient: min(own, key=lambda one: (frequency[one], one)) if own else None
        for patient, own in findings.items()
    }
    piles: dict[str, list[str]] = defaultdict(list)
    for patient, finding in rarest.items():
        piles["negative" if finding is None else finding.name * (finding in rare)].append(patient)

    dealt: dict[str, Split] = {}
    for pile in piles.values():
        taken = Counter(known[patient] for patient in pile if patient in known)
        new = [patient for patient in pile if patient not in known]
        new.sort(key=lambda patient: _place(patient, rarest[patient], frequency, seed))
        dealt |= _deal(new, taken, shares, is_rare=rarest[pile[0]] in rare)
    return dealt


def _place(
    patient: str, finding: Finding | None, frequency: Mapping[Finding, int], seed: int
) -> tuple[int, int, str, str]:
    """Return where a patient stands: by rarest finding, then by a hash of seed and patient."""
    chance = hashlib.sha256(f"{seed}:{patient}".encode()).hexdigest()
    return (0 if finding is None else frequency[finding], int(finding or 0), chance, patient)


def _deal(
    patients: Sequence[str], taken: Mapping[Split, int], shares: Shares, *, is_rare: bool
) -> dict[str, Split]:
    """Give patients one by one to the split that lacks most for its share."""
    counts = Counter(taken)
    dealt = {}
    for patient in patients:
        total = counts.total() + 1
        enriched = is_rare and counts[Split.TEST] < WANTED_IN_TEST
        lacking = [
            share * total - counts[split]
            for split, share in zip(_SPLITS, RARE_SHARES if enriched else shares, strict=True)
        ]
        dealt[patient] = _SPLITS[int(np.argmax(lacking))]
        counts[dealt[patient]] += 1
    return dealt
