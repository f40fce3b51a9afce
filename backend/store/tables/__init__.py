"""Tables and constraints: the rules as the database states them."""

from backend.store.tables.adjudication import (
    AdjudicationDecisionRow,
    AdjudicationDeskRow,
    AdjudicationRequestRow,
    AdjudicationRow,
    AdjudicatorRow,
)
from backend.store.tables.columns import Table
from backend.store.tables.consensus import (
    AlternativeRow,
    ClusterRow,
    ConsensusReadingRow,
    ConsensusRow,
    ReaderPanelRow,
    SupporterRow,
)
from backend.store.tables.datasets import DatasetImageRow, DatasetVersionRow, ReleaseRow
from backend.store.tables.images import ImageRow
from backend.store.tables.models import (
    ModelServiceRow,
    ModelVersionRow,
    PredictedBoxRow,
    PredictionRow,
    ScoringFailureRow,
    TrainingRunRow,
)
from backend.store.tables.nights import NightLineRow, NightRunRow, NightStepRow
from backend.store.tables.people import (
    AccountRow,
    ReaderRow,
    ReadingProjectRow,
    SetAsideTaskRow,
)
from backend.store.tables.readings import ReadBoxRow, ReadingRow, WorklistEntryRow
from backend.store.tables.records import AuditEventRow, LeaseRow

__all__ = [
    "AccountRow",
    "AdjudicationDecisionRow",
    "AdjudicationDeskRow",
    "AdjudicationRequestRow",
    "AdjudicationRow",
    "AdjudicatorRow",
    "AlternativeRow",
    "AuditEventRow",
    "ClusterRow",
    "ConsensusReadingRow",
    "ConsensusRow",
    "DatasetImageRow",
    "DatasetVersionRow",
    "ImageRow",
    "LeaseRow",
    "ModelServiceRow",
    "ModelVersionRow",
    "NightLineRow",
    "NightRunRow",
    "NightStepRow",
    "PredictedBoxRow",
    "PredictionRow",
    "ReadBoxRow",
    "ReaderPanelRow",
    "ReaderRow",
    "ReadingProjectRow",
    "ReadingRow",
    "ReleaseRow",
    "ScoringFailureRow",
    "SetAsideTaskRow",
    "SupporterRow",
    "Table",
    "TrainingRunRow",
    "WorklistEntryRow",
]
