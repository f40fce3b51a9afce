"""Which of a task's annotations is the reader's answer."""

from dataclasses import replace

from backend.label_studio import skips
from backend.label_studio.tasks import AnnotationState, TaskState
from backend.store.entry_tasks import KnownTask
from backend.store.readings import KeptReading


def choose(task: TaskState, user_id: int | None) -> AnnotationState | None:
    """Return the annotation that counts: the newest of the reader, else the newest of anybody.

    Parameters
    ----------
    task : TaskState
        As Label Studio has it.
    user_id : int or None
        The reader's key in Label Studio; None while it is not known.

    Returns
    -------
    AnnotationState or None
        None when nobody answered, or whoever did skipped the image.
    """
    standing = [item for item in task.annotations if not is_skip(item)]
    return max(
        standing,
        key=lambda item: (not is_by_another(item, user_id), item.updated_at, item.id),
        default=None,
    )


def is_skip(annotation: AnnotationState) -> bool:
    """Return whether an annotation skips: by the button, or by saying nothing but the reason.

    Parameters
    ----------
    annotation : AnnotationState
        As submitted.

    Returns
    -------
    bool
        A skip is no answer.
    """
    return annotation.was_cancelled or skips.is_called_unreadable(annotation.result)


def is_by_another(annotation: AnnotationState, user_id: int | None) -> bool:
    """Return whether somebody else than the reader wrote an annotation last.

    Parameters
    ----------
    annotation : AnnotationState
        As submitted.
    user_id : int or None
        The reader's key in Label Studio.

    Returns
    -------
    bool
        False where either is not known.
    """
    return None not in {user_id, annotation.author} and annotation.author != user_id


def without_older(
    task: TaskState, current: KeptReading | None, known: KnownTask | None
) -> TaskState:
    """Return a task as if it held only what was answered after all that is known of it.

    Label Studio lost the reading that is kept: that it is missing, or that an earlier answer or
    skip stands in its place, is not the reader's doing.

    Parameters
    ----------
    task : TaskState
        As Label Studio has it.
    current : KeptReading or None
        What is kept.
    known : KnownTask or None
        What was known of the task.

    Returns
    -------
    TaskState
        With the newer annotations only.
    """
    moments = [
        None if current is None else current.receipt.annotation_updated_at,
        None if known is None else known.updated_at,
    ]
    known_until = max((one for one in moments if one is not None), default=None)
    newer = [
        item for item in task.annotations if known_until is None or item.updated_at > known_until
    ]
    return replace(task, annotations=tuple(newer))
