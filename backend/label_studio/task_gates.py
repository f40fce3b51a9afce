"""Who may still be given a task."""

from backend.label_studio import task_lists
from backend.label_studio.connection import Connection


def served_tasks(connection: Connection, project_id: int) -> dict[int, bool]:
    """Return which tasks there are, and which of them are still served.

    Parameters
    ----------
    connection : Connection
        To the project's organisation.
    project_id : int
        The project.

    Returns
    -------
    dict of int to bool
        Key to whether somebody may still be given it.
    """
    rows = task_lists.rows(connection, project_id, "id,is_labeled")
    return {int(row["id"]): not row["is_labeled"] for row in rows}


def reopen_task(connection: Connection, task_id: int) -> None:
    """Serve a task again, to everybody who has no annotation in it.

    Parameters
    ----------
    connection : Connection
        To the task's organisation.
    task_id : int
        Which.
    """
    connection.ask("PATCH", f"/api/tasks/{task_id}/", body={"is_labeled": False})


def keep_from(connection: Connection, task_id: int, user_id: int) -> None:
    """Never serve a task to one user, as if that user had skipped it.

    Parameters
    ----------
    connection : Connection
        To the task's organisation.
    task_id : int
        Which; others get it.
    user_id : int
        Label Studio's key of the user.
    """
    skip = {"result": [], "was_cancelled": True, "completed_by": user_id}
    connection.ask("POST", f"/api/tasks/{task_id}/annotations/", body=skip)
    # Label Studio counts the skip as an answer.
    reopen_task(connection, task_id)
