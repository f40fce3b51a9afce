"""What Label Studio would hand over, made by hand."""

from datetime import datetime, timedelta
from typing import Any

from backend.domain.findings import Finding
from backend.label_studio import regions
from backend.label_studio.tasks import AnnotationState, TaskState
from tests.store.samples import HERE, NOW, THERE

TASK = 900
NO_FINDING = (regions.no_finding_item(),)
ONE_BOX = (regions.region_from_box(HERE, Finding.CARDIOMEGALY, 1000, 800, key="one"),)
TWO_BOXES = (*ONE_BOX, regions.region_from_box(THERE, Finding.ILD, 1000, 800, key="two"))
MALFORMED = ({**ONE_BOX[0], "value": {"x": 1}},)
CONTRADICTION = (*ONE_BOX, *NO_FINDING)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def annotation(
    result: tuple[Any, ...],
    minutes: float,
    *,
    key: int = 1,
    was_cancelled: bool = False,
    lead_time_seconds: float | None = 30.0,
) -> AnnotationState:
    return AnnotationState(
        id=key,
        created_at=at(0),
        updated_at=at(minutes),
        result=result,
        was_cancelled=was_cancelled,
        lead_time_seconds=lead_time_seconds,
        parent_prediction=None,
        completed_by=1,
    )


def task(
    entry: int | None, minutes: float, *annotations: AnnotationState, task_id: int = TASK
) -> TaskState:
    return TaskState(task_id, entry, at(minutes), annotations)
