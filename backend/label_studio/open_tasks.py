"""Tasks that somebody may have open: whether they are begun, and how they are served no more.

Label Studio tells nobody which tasks are locked, and its Data Manager's queue, into which the
readers' link leads, locks none. What it does tell is who saved a draft.
"""

from collections.abc import Sequence
from contextlib import suppress

from backend.label_studio.connection import Connection, LabelStudioMissingError


def has_draft(connection: Connection, task_id: int) -> bool:
    """Return whether somebody began to mark a task and did not submit.

    Parameters
    ----------
    connection : Connection
        To the project's organisation.
    task_id : int
        Which; False when it does not exist.

    Returns
    -------
    bool
        Label Studio saves a draft a moment after every change.
    """
    return bool(connection.ask("GET", f"/api/tasks/{task_id}/drafts"))


def stop_serving(connection: Connection, task_ids: Sequence[int]) -> None:
    """Serve tasks to nobody any more; who has one open can still submit it.

    Parameters
    ----------
    connection : Connection
        To the project's organisation.
    task_ids : sequence of int
        Which; unknown ones are fine.
    """
    _set_labeled(connection, task_ids, is_labeled=True)


def serve_again(connection: Connection, task_ids: Sequence[int]) -> None:
    """Serve tasks again, whether they were taken off or not.

    Parameters
    ----------
    connection : Connection
        To the project's organisation.
    task_ids : sequence of int
        Which; unknown ones are fine.
    """
    _set_labeled(connection, task_ids, is_labeled=False)


def _set_labeled(connection: Connection, task_ids: Sequence[int], *, is_labeled: bool) -> None:
    for task_id in task_ids:
        with suppress(LabelStudioMissingError):
            connection.ask("PATCH", f"/api/tasks/{task_id}/", body={"is_labeled": is_labeled})
