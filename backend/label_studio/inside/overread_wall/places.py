"""What was marked in a task stays in that task.

Label Studio lets a reader hand an own annotation over to any task of the server, by naming it in
a change of the annotation.
"""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models.signals import pre_save
from tasks.models import Annotation, AnnotationDraft, Task


def keep_in_place(sender: Any, instance: Any, **_: object) -> None:  # noqa: ANN401 - its models
    """Refuse to save an annotation or a draft that changes its task, or names a wrong project.

    Parameters
    ----------
    sender : type
        `Annotation` or `AnnotationDraft`.
    instance : Annotation or AnnotationDraft
        As it is about to be saved.
    **_ : object
        What else Django tells.

    Raises
    ------
    PermissionDenied
        If it would move.
    """
    known = sender.objects.filter(pk=instance.pk).values_list("task_id", flat=True).first()
    if known not in {None, instance.task_id}:
        raise PermissionDenied("An annotation stays with its task.")
    named = getattr(instance, "project_id", None)
    if named is not None and not Task.objects.filter(pk=instance.task_id, project=named).exists():
        raise PermissionDenied("An annotation belongs to the project of its task.")


def watch() -> None:
    """Look at every annotation and draft before Label Studio saves it."""
    for model in (Annotation, AnnotationDraft):
        pre_save.connect(keep_in_place, sender=model, dispatch_uid=f"stays {model.__name__}")
