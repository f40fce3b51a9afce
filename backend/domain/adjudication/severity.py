"""How much depends on a finding being there or not."""

from enum import IntEnum

from backend.domain.findings import Finding


class Severity(IntEnum):
    """What a patient risks when a finding is missed; the number is its weight."""

    MINOR = 1
    MODERATE = 2
    SERIOUS = 3
    CRITICAL = 4


SEVERITY = {
    Finding.PNEUMOTHORAX: Severity.CRITICAL,
    Finding.AORTIC_ENLARGEMENT: Severity.SERIOUS,
    Finding.ATELECTASIS: Severity.SERIOUS,
    Finding.CONSOLIDATION: Severity.SERIOUS,
    Finding.NODULE_MASS: Severity.SERIOUS,
    Finding.PLEURAL_EFFUSION: Severity.SERIOUS,
    Finding.CARDIOMEGALY: Severity.MODERATE,
    Finding.ILD: Severity.MODERATE,
    Finding.INFILTRATION: Severity.MODERATE,
    Finding.LUNG_OPACITY: Severity.MODERATE,
    Finding.OTHER_LESION: Severity.MODERATE,
    Finding.PULMONARY_FIBROSIS: Severity.MODERATE,
    Finding.CALCIFICATION: Severity.MINOR,
    Finding.PLEURAL_THICKENING: Severity.MINOR,
}
"""Orders work, not patients: critical may need treatment within the hour, serious within days,
moderate is followed up, minor is mostly a trace of something old."""
