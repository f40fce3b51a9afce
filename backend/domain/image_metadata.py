"""What is known of a radiograph and its patient, coarse enough to name nobody."""

from dataclasses import dataclass
from enum import StrEnum

AGE_GROUPS = (
    *("<10", "10-19", "20-29", "30-39", "40-49"),
    *("50-59", "60-69", "70-79", "80-89", "90+"),
)
"""Decades of age in years; the exact age is never kept."""


class Sex(StrEnum):
    """Sex as radiographs record it."""

    FEMALE = "F"
    MALE = "M"


class View(StrEnum):
    """From where the radiograph was taken."""

    PA = "PA"
    AP = "AP"
    LATERAL = "lateral"


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """What figures are told apart by; None where it is not known.

    Attributes
    ----------
    sex : Sex or None
        The patient's.
    age_group : str or None
        The patient's, one of `AGE_GROUPS`.
    view : View or None
        The radiograph's.
    """

    sex: Sex | None = None
    age_group: str | None = None
    view: View | None = None

    def updated(self, newer: "ImageMetadata") -> "ImageMetadata":
        """Return this with what is known better.

        Parameters
        ----------
        newer : ImageMetadata
            Counts wherever it is known.

        Returns
        -------
        ImageMetadata
            What neither knows stays unknown.

        Examples
        --------
        >>> ImageMetadata(Sex.MALE, "60-69").updated(ImageMetadata(Sex.FEMALE)).age_group
        '60-69'
        """
        return ImageMetadata(
            sex=newer.sex or self.sex,
            age_group=newer.age_group or self.age_group,
            view=newer.view or self.view,
        )


def age_group(years: int) -> str:
    """Return the decade of an age.

    Parameters
    ----------
    years : int, [year]
        From 0.

    Returns
    -------
    str
        One of `AGE_GROUPS`; from 90 on there is one group only.

    Examples
    --------
    >>> age_group(9), age_group(60), age_group(104)
    ('<10', '60-69', '90+')
    """
    return AGE_GROUPS[min(years // 10, len(AGE_GROUPS) - 1)]
