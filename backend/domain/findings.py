"""The fourteen findings of VinDr-CXR, in the order of the published class ids."""

from enum import IntEnum

NO_FINDING_CLASS_ID = 14
"""Class id of a "No finding" row in the VinBigData tables; not a finding itself."""

NO_FINDING_NAME = "No finding"


class UnknownFindingError(ValueError):
    """A name or class id is none of the fourteen findings."""


class Finding(IntEnum):
    """A radiographic finding that a reader can mark with a box."""

    AORTIC_ENLARGEMENT = 0
    ATELECTASIS = 1
    CALCIFICATION = 2
    CARDIOMEGALY = 3
    CONSOLIDATION = 4
    ILD = 5
    INFILTRATION = 6
    LUNG_OPACITY = 7
    NODULE_MASS = 8
    OTHER_LESION = 9
    PLEURAL_EFFUSION = 10
    PLEURAL_THICKENING = 11
    PNEUMOTHORAX = 12
    PULMONARY_FIBROSIS = 13

    @property
    def title(self) -> str:
        """The published name, as it stands in the VinBigData tables and on the reading form."""
        return _TITLES[self]

    @classmethod
    def from_title(cls, title: str) -> "Finding":
        """Return the finding of a published name, whatever its case.

        Parameters
        ----------
        title : str
            For example "Nodule/Mass".

        Returns
        -------
        Finding
            The finding.

        Raises
        ------
        UnknownFindingError
            If the name is none of the fourteen.
        """
        found = _BY_TITLE.get(title.strip().casefold())
        if found is None:
            raise UnknownFindingError(
                f"{title!r} is not one of the 14 findings: {', '.join(_TITLES.values())}"
            )
        return found


_TITLES = {
    Finding.AORTIC_ENLARGEMENT: "Aortic enlargement",
    Finding.ATELECTASIS: "Atelectasis",
    Finding.CALCIFICATION: "Calcification",
    Finding.CARDIOMEGALY: "Cardiomegaly",
    Finding.CONSOLIDATION: "Consolidation",
    Finding.ILD: "ILD",
    Finding.INFILTRATION: "Infiltration",
    Finding.LUNG_OPACITY: "Lung Opacity",
    Finding.NODULE_MASS: "Nodule/Mass",
    Finding.OTHER_LESION: "Other lesion",
    Finding.PLEURAL_EFFUSION: "Pleural effusion",
    Finding.PLEURAL_THICKENING: "Pleural thickening",
    Finding.PNEUMOTHORAX: "Pneumothorax",
    Finding.PULMONARY_FIBROSIS: "Pulmonary fibrosis",
}
_BY_TITLE = {title.casefold(): finding for finding, title in _TITLES.items()}
