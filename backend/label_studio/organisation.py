"""What a Label Studio organisation says of itself: users, webhooks, how projects stand."""

from dataclasses import dataclass
from datetime import datetime

from backend.label_studio import task_lists
from backend.label_studio.connection import Connection


@dataclass(frozen=True, slots=True)
class ProjectState:
    """How a project stands.

    Attributes
    ----------
    tasks : int
        How many tasks it has, ours or not.
    asked_at : datetime or None
        When it stood so, by Label Studio's clock, to the second; None when it did not say.
    """

    tasks: int
    asked_at: datetime | None


class Organisation:
    """One organisation, asked as its service user.

    Parameters
    ----------
    connection : Connection
        To the server, with the service user's token.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def project_state(self, project_id: int) -> ProjectState:
        """Return how a project stands: that it exists, and how many tasks it has.

        Parameters
        ----------
        project_id : int
            Which.

        Returns
        -------
        ProjectState
            With the time by Label Studio's clock.
        """
        number = task_lists.count_all(self._connection, project_id)
        return ProjectState(tasks=number, asked_at=self._connection.answered_at)

    def users(self) -> dict[int, str]:
        """Return the users of the organisation.

        Returns
        -------
        dict of int to str
            E-mail address by Label Studio's key.
        """
        answer = self._connection.ask("GET", "/api/users/")
        return {int(row["id"]): str(row["email"]) for row in answer}

    def webhook_urls(self, project_id: int) -> set[str]:
        """Return where Label Studio reports changes of a project to.

        Parameters
        ----------
        project_id : int
            Which.

        Returns
        -------
        set of str
            Of webhooks that are switched on.
        """
        answer = self._connection.ask("GET", "/api/webhooks/", params={"project": project_id})
        return {str(row["url"]) for row in answer if row["is_active"]}

    def stream_url(self, project_id: int) -> str:
        """Return the link under which the reader gets one task after the other.

        Parameters
        ----------
        project_id : int
            The reader's project.

        Returns
        -------
        str
            For the browser.
        """
        tabs = self._connection.ask("GET", "/api/dm/views", params={"project": project_id})
        tab = f"tab={tabs[0]['id']}&" if tabs else ""
        return f"{self._connection.base_url}/projects/{project_id}/data?{tab}labeling=1"
