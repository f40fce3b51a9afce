"""Whether readers are kept apart, found out by trying what a reader could try."""

from collections.abc import Sequence

import httpx2

from backend.label_studio.connection import Connection, error_of_silence, error_of_status

_AS_READER = {"X-Overread-Act-As": "reader"}
"""What the wall inside Label Studio looks for; see `overread_wall.door`."""

_REFUSED = {httpx2.codes.FORBIDDEN, httpx2.codes.NOT_FOUND}


def gaps(connection: Connection, other_projects: Sequence[int]) -> tuple[str, ...]:
    """Return what a reader could get at that is not theirs to get at.

    Nothing is changed: where an account could be moved, it is moved to where it is.

    Parameters
    ----------
    connection : Connection
        As the service user of one reader's organisation; it is asked for a reader's rights only.
    other_projects : sequence of int
        Projects of other readers; a few of them do.

    Returns
    -------
    tuple of str
        One sentence each; none when blinding is enforced.

    Raises
    ------
    LabelStudioError
        If Label Studio does not answer, or not to this token.
    """
    me = connection.ask("GET", "/api/current-user/whoami")
    account = {"active_organization": me["active_organization"]}
    found = []
    if not _refuses(connection, "PATCH", f"/api/users/{me['id']}/", body=account):
        found.append("a reader can move the own account into another reader's organisation")
    if not _refuses(connection, "GET", "/api/webhooks/"):
        found.append("a reader can see and change how the own project is set up")
    for project in other_projects:
        paths = (f"/api/tasks/?project={project}", f"/api/dm/project/?project={project}")
        if not all(_refuses(connection, "GET", path) for path in paths):
            found.append(f"another reader's tasks (project {project}) are answered")
    return tuple(found)


def _refuses(connection: Connection, method: str, path: str, *, body: object = None) -> bool:
    try:
        answer = connection.http.request(method, path, json=body, headers=_AS_READER)
    except httpx2.HTTPError as error:
        raise error_of_silence(f"{method} {path}", connection.base_url, error) from error
    if not answer.is_success and answer.status_code not in _REFUSED:
        raise error_of_status(f"{method} {path}", answer.status_code, answer.text)
    return answer.status_code in _REFUSED
