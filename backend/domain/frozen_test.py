"""What makes figures on the test split mean something.

No model ever learned from it, and its images are weighed, so that findings count as often as
they occur.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from backend.domain.findings import Finding
from backend.domain.images import Image

_WORTH_OF_THE_WHOLE = 20.0
"""What all images say about prevalence counts like so many that were chosen without design."""


class LearnedFromTestError(ValueError):
    """An image that a model learned from, or is to learn from, is in the test split."""


def check_never_learned_from(test: Iterable[Image], learned: Iterable[Image]) -> None:
    """Make sure that nothing of the test split was or will be learned from.

    Parameters
    ----------
    test : iterable of Image
        Every image that is or ever was in the test split.
    learned : iterable of Image
        Every image that is or ever was in the training or validation split.

    Raises
    ------
    LearnedFromTestError
        If they share an image, a patient or pixels.
    """
    frozen = list(test)
    of_id = {image.id: image for image in frozen}
    of_patient = {image.patient_key: image for image in frozen}
    of_pixels = {image.pixel_hash: image for image in frozen}
    for image in learned:
        for shared, known in (
            ("image", of_id.get(image.id)),
            ("patient", of_patient.get(image.patient_key)),
            ("pixels", of_pixels.get(image.pixel_hash)),
        ):
            if known is not None:
                raise LearnedFromTestError(
                    f"image {image.id} is or was learned from, and {known.id} of the test split "
                    f"has the same {shared}; expected a test split that no model ever learned "
                    "from: restore the splits in the table `image` from a backup"
                )


def natural_weights(
    strata: Mapping[str, Finding | None], *, test: Collection[str], undesigned: Collection[str]
) -> dict[str, float]:
    """Return how much each test image counts, so that findings occur as often as in nature.

    Parameters
    ----------
    strata : mapping of str to (Finding or None)
        For every image of the dataset version its rarest finding; None for a negative.
    test : collection of str
        Image ids of the test split.
    undesigned : collection of str
        Images that nothing about them brought into the dataset: read in another study, or drawn
        at random by the queue. They show what occurs how often.

    Returns
    -------
    dict of str to float
        From 0 on, 1 on average, for every test image.

    Notes
    -----
    An image of stratum s weighs p_s / t_s, where t_s is the stratum's share of the test split
    and p_s its natural share: that among the undesigned images, with the shares of all images
    added like twenty of them, so that few undesigned images do not rule.

    Examples
    --------
    >>> strata = {"a": Finding.ILD, "b": None, "c": None, "d": None}
    >>> natural_weights(strata, test=["a", "b"], undesigned=list(strata))
    {'a': 0.5, 'b': 1.5}
    """
    whole = Counter(strata.values())
    natural = Counter(strata[image] for image in undesigned if image in strata)
    prior = _WORTH_OF_THE_WHOLE / max(len(strata), 1)
    tested = Counter(strata[image] for image in test)
    raw = {
        stratum: (natural[stratum] + prior * whole[stratum]) / count
        for stratum, count in tested.items()
    }
    mean = sum(raw[stratum] * count for stratum, count in tested.items()) / max(len(test), 1)
    return {image: raw[strata[image]] / mean for image in sorted(test)}


def rarest_findings(findings: Mapping[str, Sequence[Finding]]) -> dict[str, Finding | None]:
    """Return the rarest finding of every image.

    Parameters
    ----------
    findings : mapping of str to sequence of Finding
        What every image of a dataset version shows.

    Returns
    -------
    dict of str to (Finding or None)
        The finding that is on the fewest images; None for a negative.
    """
    images = Counter(one for found in findings.values() for one in set(found))
    return {
        image: min(found, key=lambda one: (images[one], one)) if found else None
        for image, found in findings.items()
    }
