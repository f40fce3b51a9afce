"""What a reader does in Label Studio, over its API: open the next task, submit, revise, skip.

The demonstration's simulated readers act through this, logged in like everybody else.
"""

from collections.abc import Sequence
from typing import Any, Self

from backend.label_studio import tasks
from backend.label_studio.connection import Connection, LabelStudioMissingError
from backend.label_studio.regions import Region
from backend.label_studio.tasks import TaskState


class ReaderSession:
    """One reader who is logged in.

    Every method raises a `LabelStudioError` when Label Studio does not do as asked.

    Parameters
    ----------
    connection : Connection
        With the reader's own token.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    def log_in(
        cls, base_url: str, email: str, password: str, *, timeout_seconds: float = 60.0
    ) -> Self:
        """Log a reader in.

        Parameters
        ----------
        base_url : str
            Where Label Studio is.
        email, password : str
            What the reader types.
        timeout_seconds : float, [s]
            How long an answer may take.

        Returns
        -------
        ReaderSession
            Acting as that reader.
        """
        form = Connection(base_url, "", timeout_seconds=timeout_seconds)
        with form.http:
            token = form.log_in(email, password)
        return cls(Connection(base_url, token, timeout_seconds=timeout_seconds))

    def close(self) -> None:
        """Close the connections."""
        self._connection.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def user_id(self) -> int:
        """Return Label Studio's key of this reader.

        Returns
        -------
        int
            Found again as `AnnotationState.completed_by`.
        """
        return int(self._connection.ask("GET", "/api/current-user/whoami")["id"])

    def next_task(self, project_id: int) -> TaskState | None:
        """Open the task that Label Studio serves next.

        Parameters
        ----------
        project_id : int
            The reader's project.

        Returns
        -------
        TaskState or None
            With the prediction that is shown; None when nothing is left to read.
        """
        try:
            answer = self._connection.ask(
                "POST",
                "/api/dm/actions",
                params={"id": "next_task", "project": project_id},
                body={"project": str(project_id)},
            )
        except LabelStudioMissingError as error:
            if "There are no tasks" in str(error):
                return None
            raise
        return tasks.task_state(answer)

    def submit(
        self,
        task: TaskState,
        result: Sequence[Region],
        *,
        lead_time_seconds: float,
        was_cancelled: bool = False,
        unique_id: str | None = None,
    ) -> int:
        """Submit a task, or skip it.

        Parameters
        ----------
        task : TaskState
            The task as `next_task` served it.
        result : sequence of dict
            Its items.
        lead_time_seconds : float, [s]
            Time taken.
        was_cancelled : bool
            Whether it is skipped.
        unique_id : str or None
            A UUID under which Label Studio keeps no second annotation, so that an answer that
            got lost can be asked for again.

        Returns
        -------
        int
            Key of the annotation.

        Raises
        ------
        LabelStudioConflictError
            If there is one under this `unique_id` already.
        """
        body: dict[str, Any] = {
            "result": list(result),
            "lead_time": lead_time_seconds,
            "was_cancelled": was_cancelled,
            "ground_truth": False,
            "parent_prediction": task.predictions[0].id if task.predictions else None,
        }
        if unique_id is not None:
            body["unique_id"] = unique_id
        path = f"/api/tasks/{task.task_id}/annotations/"
        return int(self._connection.ask("POST", path, body=body)["id"])

    def revise(self, annotation_id: int, result: Sequence[Region]) -> None:
        """Change a submitted annotation.

        Parameters
        ----------
        annotation_id : int
            Which.
        result : sequence of dict
            What it says now; a skipped one counts as submitted from then on.
        """
        self._connection.ask(
            "PATCH",
            f"/api/annotations/{annotation_id}/",
            body={"result": list(result), "was_cancelled": False},
        )

    def withdraw(self, annotation_id: int) -> None:
        """Delete a submitted annotation.

        Parameters
        ----------
        annotation_id : int
            Which.
        """
        self._connection.ask("DELETE", f"/api/annotations/{annotation_id}/")
