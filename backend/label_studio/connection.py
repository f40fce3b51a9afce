"""HTTP to Label Studio, and what can go wrong on the way."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

_SHOWN_CHARACTERS = 300


class LabelStudioError(RuntimeError):
    """Label Studio did not do what it was asked to do."""


class LabelStudioUnreachableError(LabelStudioError):
    """Nothing answered in time; asking again later loses nothing."""


class LabelStudioRefusedError(LabelStudioError):
    """The credential is wrong, or not good enough (401, 403)."""


class LabelStudioMissingError(LabelStudioError):
    """The project, task or annotation does not exist in this organisation (404)."""


class LabelStudioConflictError(LabelStudioError):
    """What should be made is there already (409)."""


def error_of_status(asked: str, status: int | None, said: object) -> LabelStudioError:
    """Return the error of an answer that is not a success.

    Parameters
    ----------
    asked : str
        What was asked for, for the message.
    status : int or None
        HTTP status of the answer.
    said : object
        Body of the answer.

    Returns
    -------
    LabelStudioError
        Of the class that the status belongs to, saying what to check.
    """
    told = f"Label Studio answered {status} to {asked}: {str(said)[:_SHOWN_CHARACTERS]}"
    if status in {401, 403}:
        return LabelStudioRefusedError(
            f"{told}. Check that OVERREAD_SECRET_KEY is the one with which the reader was added "
            "(adding the reader again renews the organisation's token) and that Label Studio "
            "runs with LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN=true"
        )
    if status == httpx2.codes.NOT_FOUND:
        return LabelStudioMissingError(
            f"{told}. It was deleted, or belongs to the organisation of another reader"
        )
    if status == httpx2.codes.CONFLICT:
        return LabelStudioConflictError(f"{told}. It was made before")
    return LabelStudioError(f"{told}. Expected a success; Label Studio's log says more")


def error_of_silence(asked: str, url: str, cause: Exception) -> LabelStudioUnreachableError:
    """Return the error of a request that got no answer.

    Parameters
    ----------
    asked : str
        What was asked for, for the message.
    url : str
        Where Label Studio should be.
    cause : Exception
        What the transport said.

    Returns
    -------
    LabelStudioUnreachableError
        Saying what to check.
    """
    return LabelStudioUnreachableError(
        f"expected Label Studio at {url} to answer {asked} ({cause!r}); check that it runs, that "
        "OVERREAD_LABEL_STUDIO_URL points to it and that it is not overloaded"
    )


class Connection:
    """HTTP to one Label Studio server as one of its users.

    Parameters
    ----------
    base_url : str
        Where it is.
    token : str
        The user's API token; empty for nobody's.
    timeout_seconds : float, [s]
        How long an ordinary answer may take.
    """

    def __init__(self, base_url: str, token: str, *, timeout_seconds: float = 60.0) -> None:
        self.base_url = base_url.rstrip("/")
        self.token = token
        self.timeout_seconds = timeout_seconds
        self.answered_at: datetime | None = None
        """When Label Studio gave its newest answer, by its own clock, to the second."""
        headers = {"Authorization": f"Token {token}"} if token else {}
        # Without environment proxies: Label Studio is a neighbour.
        self.http = httpx2.Client(
            base_url=self.base_url, headers=headers, timeout=timeout_seconds, trust_env=False
        )

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: object = None,
        timeout_seconds: float | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON of an answer.

        A request is sent once: repeating a POST that was carried out would do it twice.

        Parameters
        ----------
        method, path : str
            For example "GET" and "/api/projects/".
        params : mapping of str to str or int, optional
            Of the query string.
        body : object, optional
            Sent as JSON.
        timeout_seconds : float, optional, [s]
            For an answer that takes longer than usual.

        Returns
        -------
        object
            Decoded JSON; None when the answer is empty.

        Raises
        ------
        LabelStudioUnreachableError
            If there is no answer in time, or one that is no JSON.
        LabelStudioError
            If the answer is not a success.
        """
        asked = f"{method} {path}"
        try:
            answer = self.http.request(
                method,
                path,
                params=params,
                json=body,
                timeout=timeout_seconds or self.timeout_seconds,
            )
        except httpx2.HTTPError as error:
            raise error_of_silence(asked, self.base_url, error) from error
        self.answered_at = _moment(answer.headers.get("Date"))
        if not answer.is_success:
            raise error_of_status(asked, answer.status_code, answer.text)
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise error_of_silence(asked, self.base_url, error) from error

    def log_in(self, email: str, password: str) -> str:
        """Log in by the form, as a browser does, and return the user's API token.

        Parameters
        ----------
        email, password : str
            What the user types.

        Returns
        -------
        str
            The token.

        Raises
        ------
        LabelStudioUnreachableError
            If there is no answer in time.
        LabelStudioRefusedError
            If the e-mail address or the password is wrong.
        """
        try:
            self.http.get("/user/login/").raise_for_status()
            form = {
                "csrfmiddlewaretoken": self.http.cookies["csrftoken"],
                "email": email,
                "password": password,
            }
            answer = self.http.post(
                "/user/login/", data=form, headers={"Referer": f"{self.base_url}/user/login/"}
            )
        except (httpx2.HTTPError, KeyError) as error:
            raise error_of_silence("a log-in", self.base_url, error) from error
        if not answer.is_redirect:
            raise LabelStudioRefusedError(
                f"Label Studio refused the log-in of {email}; check e-mail address and password"
            )
        return str(self.ask("GET", "/api/current-user/token")["token"])


def _moment(header: str | None) -> datetime | None:
    try:
        return None if header is None else parsedate_to_datetime(header)
    except ValueError:
        return None
