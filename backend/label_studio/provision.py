"""Give every reader an organisation of their own inside Label Studio.

Community shows a user the projects of their own organisation only. Its API cannot make a second
organisation; `label-studio shell` can, beside a running server. Where Community forgets to ask
for the organisation, and whatever else a reader has no business with, is closed by the package
`overread_wall` that the server loads with its settings (`server_environment`).

The program that the shell runs is `overread_wall.registration`; what varies, passwords among it,
goes to its standard input as JSON and so never onto a command line, into a file or into a log.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

_TASK_LOCK_SECONDS = 3600
_PROVISION_TIMEOUT_SECONDS = 300.0
_MARKER = "overread-provisioned:"
_WALL = Path(__file__).parent / "inside"
_SHELL_LINE = "from overread_wall import registration; registration.answer(input())\n"


class ProvisioningError(RuntimeError):
    """Label Studio did not make the reader's organisation and users."""


@dataclass(frozen=True, slots=True)
class ReaderAccount:
    """What a reader needs to log in, and the system to act for them.

    Attributes
    ----------
    reader_id : str
        The reader's name in the store; names the organisation too.
    email : str
        What the reader logs in with.
    password : str
        At least 8 characters; used for a new user, or when `reset_password` is set.
    service_token : str
        40 characters: API token of the organisation's service user, chosen by the caller.
    reset_password : bool
        Whether an existing reader gets `password` too.
    shared_organisation : str or None
        Name of an organisation that several accounts with one service token share; None for one
        of the reader's own.
    """

    reader_id: str
    email: str
    password: str = field(repr=False)
    service_token: str = field(repr=False)
    reset_password: bool = False
    shared_organisation: str | None = None

    @property
    def service_email(self) -> str:
        """Name of the organisation's service user; nobody can log in with it."""
        return _service_email(self.reader_id, self.shared_organisation)


@dataclass(frozen=True, slots=True)
class ProvisionedReader:
    """Where a reader lives in Label Studio.

    Attributes
    ----------
    reader_id : str
        The reader's name in the store.
    organisation_id, user_id, service_user_id : int
        Label Studio's keys.
    """

    reader_id: str
    organisation_id: int
    user_id: int
    service_user_id: int


def server_environment(data_dir: Path, url: str) -> dict[str, str]:
    """Return the whole environment in which Label Studio's commands are run.

    It holds what Label Studio needs and nothing of the caller's own environment, so that
    neither foreign settings nor our secrets leak into it.

    Parameters
    ----------
    data_dir : Path
        Label Studio's own data folder: database, secret key, uploads.
    url : str
        Where browsers reach it.

    Returns
    -------
    dict of str to str
        For ``subprocess.run(..., env=...)``; add the variables of a PostgreSQL database to it.
    """
    return {
        "PATH": os.defpath,
        "HOME": str(data_dir.absolute()),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "LABEL_STUDIO_BASE_DATA_DIR": str(data_dir.absolute()),
        "LABEL_STUDIO_HOST": url.rstrip("/"),
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
        "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        # The ML backend and the webhook's receiver have private addresses.
        "ML_BLOCK_LOCAL_IP": "false",
        "SSRF_PROTECTION_ENABLED": "false",
        "TASK_LOCK_TTL": str(_TASK_LOCK_SECONDS),
        # The wall between readers, inside Label Studio's own process.
        "PYTHONPATH": str(_WALL),
        "DJANGO_SETTINGS_MODULE": "overread_wall.settings",
    }


def server_command(command: Path, host: str, port: int) -> list[str]:
    """Return the command line that starts Label Studio.

    Parameters
    ----------
    command : Path
        The `label-studio` executable.
    host : str
        Address to listen on.
    port : int
        Port to listen on; Label Studio silently takes the next free one when it is taken.

    Returns
    -------
    list of str
        Command and arguments.
    """
    start = [str(command), "start", "--no-browser"]
    return [*start, "--internal-host", host, "--port", str(port)]


def provision_readers(
    command: Path,
    environment: Mapping[str, str],
    accounts: Sequence[ReaderAccount],
    *,
    timeout_seconds: float = _PROVISION_TIMEOUT_SECONDS,
) -> tuple[ProvisionedReader, ...]:
    """Make organisation, reader and service user of every account, or find them.

    Parameters
    ----------
    command : Path
        The `label-studio` executable.
    environment : mapping of str to str
        `server_environment` of the same server.
    accounts : sequence of ReaderAccount
        Whom to provision; all are, or none.
    timeout_seconds : float, [s]
        How long Label Studio's shell may take; its very first start also makes the database.

    Returns
    -------
    tuple of ProvisionedReader
        In the order of `accounts`.

    Raises
    ------
    ProvisioningError
        If Label Studio cannot be run, or refuses an account.
    """
    wanted = [{**asdict(account), "service_email": account.service_email} for account in accounts]
    return _run(command, environment, {"open": wanted}, timeout_seconds)


def close_log_ins(
    command: Path,
    environment: Mapping[str, str],
    reader_ids: Sequence[str],
    *,
    timeout_seconds: float = _PROVISION_TIMEOUT_SECONDS,
) -> None:
    """Let readers log in no more; what they did stays, and provisioning opens it again.

    Parameters
    ----------
    command : Path
        The `label-studio` executable.
    environment : mapping of str to str
        `server_environment` of the same server.
    reader_ids : sequence of str
        Whose; unknown ones are fine.
    timeout_seconds : float, [s]
        How long Label Studio's shell may take.

    Raises
    ------
    ProvisioningError
        If Label Studio cannot be run.
    """
    names = [_service_email(reader_id) for reader_id in reader_ids]
    _run(command, environment, {"close": names}, timeout_seconds)


def _service_email(reader_id: str, shared_organisation: str | None = None) -> str:
    if shared_organisation is not None:
        # A reader may be called like the organisation: the plus keeps their users apart.
        return f"service+shared.{shared_organisation.casefold()}@overread.invalid"
    return f"service.{reader_id.casefold()}@overread.invalid"


def _run(
    command: Path,
    environment: Mapping[str, str],
    wanted: Mapping[str, object],
    timeout_seconds: float,
) -> tuple[ProvisionedReader, ...]:
    asked = {"marker": _MARKER, "open": [], "close": [], **wanted}
    typed = f"{_SHELL_LINE}{json.dumps(asked)}\n"
    try:
        finished = subprocess.run(  # noqa: S603 - the command is configured, not user input
            [str(command), "shell"],
            env=dict(environment),
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProvisioningError(
            f"expected `{command} shell` to run within {timeout_seconds:.0f} s ({error}); check "
            "that Label Studio is installed there"
        ) from error
    return _read_answer(finished.stdout, finished.stderr)


def _read_answer(output: str, complaints: str) -> tuple[ProvisionedReader, ...]:
    marked = [line for line in output.splitlines() if line.startswith(_MARKER)]
    if not marked:
        last = "\n".join(complaints.strip().splitlines()[-5:])
        raise ProvisioningError(f"Label Studio's shell gave no answer; its last words:\n{last}")
    answer = json.loads(marked[-1].removeprefix(_MARKER))
    if "error" in answer:
        raise ProvisioningError(
            f"Label Studio refused an account ({answer['error']}); nothing was made. Give the "
            "reader an e-mail address that no other organisation of this Label Studio uses"
        )
    return tuple(ProvisionedReader(**reader) for reader in answer["readers"])
