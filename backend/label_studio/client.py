"""The door to one Label Studio organisation.

Setting up projects goes through Label Studio's SDK, which takes seconds to import and is loaded
only then. Tasks, predictions and annotations go over plain HTTP: the SDK reads them into the
types of another edition and repeats failed POSTs, which would double tasks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from backend.label_studio import predictions, task_lists, task_rows
from backend.label_studio.connection import (
    Connection,
    LabelStudioError,
    error_of_silence,
    error_of_status,
)
from backend.label_studio.organisation import Organisation
from backend.label_studio.task_rows import TaskRow, UnreadableTask
from backend.label_studio.tasks import MalformedTaskError, TaskPrediction, TaskState

if TYPE_CHECKING:
    import httpx
    from label_studio_sdk import LabelStudio

_IMPORT_BATCH = 1000
_STATE_PAGE = 100
_BULK_TIMEOUT_SECONDS = 600.0
_LATE_COMMITS = timedelta(minutes=1)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class LabelStudioClient(Organisation):
    """What the system does in one organisation, as its service user.

    Every method raises a `LabelStudioError`: unreachable, refused, missing, or another one.

    Parameters
    ----------
    base_url : str
        Where Label Studio is.
    token : str
        API token of the service user.
    timeout_seconds : float, [s]
        How long an ordinary answer may take.
    """

    def __init__(self, base_url: str, token: str, *, timeout_seconds: float = 60.0) -> None:
        super().__init__(Connection(base_url, token, timeout_seconds=timeout_seconds))

    @property
    def connection(self) -> Connection:
        """For what is asked of single tasks, in modules of their own."""
        return self._connection

    def close(self) -> None:
        """Close the connections."""
        self._connection.http.close()
        if "_sdk_http" in vars(self):
            self._sdk_http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @contextmanager
    def sdk(self, asked: str) -> Iterator["LabelStudio"]:
        """Lend the SDK, its errors turned into ours; for setting up projects.

        Parameters
        ----------
        asked : str
            What is asked for, for messages.

        Yields
        ------
        LabelStudio
            It repeats nothing.
        """
        import httpx  # noqa: PLC0415 - the SDK's own
        from label_studio_sdk.core.api_error import ApiError  # noqa: PLC0415

        try:
            yield self._sdk
        except ApiError as error:
            raise error_of_status(asked, error.status_code, error.body) from error
        except httpx.HTTPError as error:
            raise error_of_silence(asked, self._connection.base_url, error) from error

    @cached_property
    def _sdk(self) -> "LabelStudio":
        from label_studio_sdk import LabelStudio  # noqa: PLC0415 - takes seconds

        return LabelStudio(  # type: ignore[no-untyped-call] # its constructor is untyped
            base_url=self._connection.base_url,
            api_key=self._connection.token,
            httpx_client=self._sdk_http,
            max_retries=0,
        )

    @cached_property
    def _sdk_http(self) -> "httpx.Client":
        import httpx  # noqa: PLC0415 - the SDK's own

        return httpx.Client(timeout=self._connection.timeout_seconds, trust_env=False)

    def import_tasks(self, project_id: int, data: Sequence[Mapping[str, Any]]) -> list[int]:
        """Make tasks.

        Not repeatable: when it breaks off, look with `known_entries` for what was made.

        Parameters
        ----------
        project_id : int
            Where.
        data : sequence of mapping
            `tasks.task_data` of each.

        Returns
        -------
        list of int
            Keys of the tasks, in the order of `data`.
        """
        made: list[int] = []
        for start in range(0, len(data), _IMPORT_BATCH):
            batch = [{"data": item} for item in data[start : start + _IMPORT_BATCH]]
            answer = self._connection.ask(
                "POST",
                f"/api/projects/{project_id}/import",
                params={"return_task_ids": "true"},
                body=batch,
                timeout_seconds=_BULK_TIMEOUT_SECONDS,
            )
            if len(answer["task_ids"]) != len(batch):
                raise LabelStudioError(
                    f"expected {len(batch)} tasks to be made, got {len(answer['task_ids'])}"
                )
            made += answer["task_ids"]
        return made

    def known_entries(self, project_id: int) -> dict[tuple[int, str], int]:
        """Return which worklist entries have a task.

        Parameters
        ----------
        project_id : int
            Where.

        Returns
        -------
        dict of (int, str) to int
            `task_rows.tasks_of_entries` of all tasks; one that is not as we made it counts not.
        """
        return task_rows.tasks_of_entries(self.all_tasks(project_id))

    def all_tasks(self, project_id: int) -> list[TaskRow]:
        """Return every task without what was done in it; one that is missing was deleted.

        Takes a second per thousand tasks.

        Parameters
        ----------
        project_id : int
            Where.

        Returns
        -------
        list of TaskRow
            By id.
        """
        return task_lists.all_tasks(self._connection, project_id)

    def changed_tasks(
        self,
        project_id: int,
        since: datetime | None,
        *,
        on_unreadable: Callable[[UnreadableTask], None] | None = None,
    ) -> Iterator[TaskState]:
        """Yield the tasks on which something was made, changed, skipped or deleted.

        Parameters
        ----------
        project_id : int
            Where.
        since : datetime or None
            Greatest `updated_at` of the states got so far; a minute before it is looked at
            again. None for all tasks.
        on_unreadable : callable, optional
            Called with every task that cannot be read, and the rest go on.

        Yields
        ------
        TaskState
            Oldest change first; a task that changes meanwhile comes twice.

        Raises
        ------
        MalformedTaskError
            If a task cannot be read and nobody wants to know which.
        """
        edge = since - _LATE_COMMITS if since else _BEGINNING
        seen = set[tuple[int, datetime | None]]()
        for state in task_lists.changed_since(self._connection, project_id, edge, _STATE_PAGE):
            if (state.task_id, state.updated_at) in seen:
                continue
            seen.add((state.task_id, state.updated_at))
            if isinstance(state, TaskState):
                yield state
            elif on_unreadable is None:
                raise MalformedTaskError(state.why)
            else:
                on_unreadable(state)

    def task_state(self, project_id: int, task_id: int) -> TaskState | None:
        """Return one task as it now stands.

        Parameters
        ----------
        project_id, task_id : int
            Which; the single-task address is avoided, since it may call the ML backend.

        Returns
        -------
        TaskState or None
            None when it was deleted.

        Raises
        ------
        MalformedTaskError
            If it cannot be read.
        """
        found = task_lists.one(self._connection, project_id, task_id)
        if isinstance(found, UnreadableTask):
            raise MalformedTaskError(found.why)
        return found

    def set_predictions(
        self, project_id: int, version: str, shown: Sequence[TaskPrediction]
    ) -> None:
        """Set what is shown and in which order; both change at once, at the very end.

        Repeatable. Versions that were shown within the last hours stay beside the new one,
        because a reader may have one open; older ones are deleted.

        Parameters
        ----------
        project_id : int
            Where.
        version : str
            A name that stands for these predictions in this order.
        shown : sequence of TaskPrediction
            One for every task that is open; a task without one is served last.

        Raises
        ------
        LabelStudioError
            If Label Studio dropped some of them; the old order then stays.
        """
        predictions.replace(self._connection, project_id, version, shown)

    def update_task_data(self, task_id: int, data: Mapping[str, Any]) -> None:
        """Replace a task's data, for example when its image link expires.

        Parameters
        ----------
        task_id : int
            Which.
        data : mapping
            `tasks.task_data`, whole.
        """
        self._connection.ask("PATCH", f"/api/tasks/{task_id}/", body={"data": dict(data)})

    def delete_tasks(self, project_id: int, task_ids: Sequence[int]) -> None:
        """Delete tasks with their annotations; repeatable.

        Parameters
        ----------
        project_id : int
            Where.
        task_ids : sequence of int
            Which; unknown ones are fine.
        """
        if task_ids:
            selected = {"all": False, "included": list(task_ids)}
            self._connection.ask(
                "POST",
                "/api/dm/actions",
                params={"id": "delete_tasks", "project": project_id},
                body={"selectedItems": selected},
                timeout_seconds=_BULK_TIMEOUT_SECONDS,
            )
