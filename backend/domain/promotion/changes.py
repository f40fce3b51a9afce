"""What differs between challenger and champion, as numbers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import nan
from typing import Any

from backend.domain.findings import Finding

CRITICAL = Finding.PNEUMOTHORAX
"""The finding of which no lesion that is shown today may be lost lightly."""

HARM_IN_PRECISION = 0.05
"""So much average precision a finding may not lose."""

HARM_ON_EMPTIES = 1.05
"""By more than this factor, and `FEW_ON_EMPTIES` on top, the marks on images without a lesion may
not grow."""

FEW_ON_EMPTIES = 0.05
"""So many marks per image without a lesion are borne whatever the champion shows: a factor of none
is none, and a champion without any could be replaced only by another without any."""

HARM_IN_CALIBRATION = 0.01
"""By so much a calibration error may not grow."""


@dataclass(frozen=True, slots=True)
class Change:
    """A figure of both models.

    Attributes
    ----------
    champion, challenger : float
        The figure of each.
    low, high : float
        With 95 % certainty each, challenger minus champion is not below, and not above.
    standard_error : float
        Of that difference.
    """

    champion: float
    challenger: float
    low: float
    high: float
    standard_error: float

    @property
    def difference(self) -> float:
        """Challenger minus champion."""
        return self.challenger - self.champion


@dataclass(frozen=True, slots=True)
class FindingChange:
    """Average precision of one finding in both models.

    Attributes
    ----------
    lesions : int
        How many the test images show.
    precision : Change
        Average precision.
    p_unharmed : float
        Share of the resamples in which it did not fall by more than `HARM_IN_PRECISION`.
    """

    lesions: int
    precision: Change
    p_unharmed: float


@dataclass(frozen=True, slots=True)
class Flips:
    """Lesions of the critical finding that only one of the models shows to readers.

    Attributes
    ----------
    lesions : int
        All of them.
    lost, gained : int
        Shown by the champion only, by the challenger only.
    """

    lesions: int
    lost: int
    gained: int


@dataclass(frozen=True, slots=True)
class Harm:
    """A figure that must not rise much.

    Attributes
    ----------
    champion, challenger : float
        The figure of each.
    p_harmed : float
        Share of the resamples in which it rose by more than is allowed.
    """

    champion: float
    challenger: float
    p_harmed: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both models on the same images.

    Attributes
    ----------
    images, lesions : int
        How many they were measured on.
    map40 : Change
        Mean average precision at IoU 0.4.
    by_finding : mapping of Finding to FindingChange
        Of every finding that occurs.
    sensitivity : mapping of float to Change
        By false marks per image.
    empties : Harm or None
        Marks that readers see per image without a lesion; None where every image has one.
    d_ece, la_ece : Harm or None
        Calibration errors; None where one of the models marked nothing.
    critical : Flips
        Of the critical finding.
    """

    images: int
    lesions: int
    map40: Change
    by_finding: Mapping[Finding, FindingChange]
    sensitivity: Mapping[float, Change]
    empties: Harm | None
    d_ece: Harm | None
    la_ece: Harm | None
    critical: Flips

    def as_json(self) -> dict[str, Any]:
        """Return plain values.

        Returns
        -------
        dict
            What `from_json` reads.
        """
        return {
            **asdict(self),
            "by_finding": {
                str(int(finding)): asdict(change) for finding, change in self.by_finding.items()
            },
            "sensitivity": {f"{rate:g}": asdict(one) for rate, one in self.sensitivity.items()},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Comparison":
        """Return what `as_json` wrote down.

        Parameters
        ----------
        values : mapping
            Plain values.

        Returns
        -------
        Comparison
            The same.
        """
        return cls(
            images=values["images"],
            lesions=values["lesions"],
            map40=_change(values["map40"]),
            by_finding={
                Finding(int(finding)): FindingChange(
                    one["lesions"], _change(one["precision"]), one["p_unharmed"]
                )
                for finding, one in values["by_finding"].items()
            },
            sensitivity={float(rate): _change(one) for rate, one in values["sensitivity"].items()},
            empties=_harm(values["empties"]),
            d_ece=_harm(values["d_ece"]),
            la_ece=_harm(values["la_ece"]),
            critical=Flips(**values["critical"]),
        )


def _change(values: Mapping[str, float | None]) -> Change:
    """Return a change; a store keeps nothing for a number that is none."""
    return Change(**{name: nan if one is None else one for name, one in values.items()})


def _harm(values: Mapping[str, float] | None) -> Harm | None:
    return None if values is None else Harm(**values)
