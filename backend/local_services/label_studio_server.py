"""Label Studio on this machine: installed on first use, started with the right settings."""

import subprocess
import sys
import venv
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from backend.installed_files import locate
from backend.label_studio import provision
from backend.local_services.processes import Service, ServiceFailedError

LABEL_STUDIO_VERSION = "1.23.2"
_START_SECONDS = 300.0
_PORT_TAKEN = "is in use"


class InstallationError(RuntimeError):
    """Label Studio could not be installed."""


def ensure_installed(command: Path, *, say: Callable[[str], None]) -> None:
    """Install Label Studio into a virtual environment of its own, unless it is there.

    Parameters
    ----------
    command : Path
        The `label-studio` executable, ``<environment>/bin/label-studio``.
    say : callable
        Tells people what takes long.

    Raises
    ------
    InstallationError
        If the installation fails.
    """
    environment = command.parent.parent
    unfinished = environment / "installing"
    if command.exists() and not unfinished.exists():
        return
    say(f"installing Label Studio {LABEL_STUDIO_VERSION} into {environment} (800 MB, once)")
    venv.create(environment, with_pip=True, clear=unfinished.exists())
    unfinished.touch()
    finished = subprocess.run(  # noqa: S603 - our own command
        [
            *_installer(environment),
            "--quiet",
            "-c",
            str(locate("constraints-label-studio.txt")),
            f"label-studio=={LABEL_STUDIO_VERSION}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode != 0 or not command.exists():
        raise InstallationError(
            f"Label Studio could not be installed into {environment}: "
            f"{finished.stderr.strip()[-2000:]}\nCheck the network and run the command again, "
            "or set OVERREAD_LABEL_STUDIO_COMMAND to an installed one"
        )
    unfinished.unlink()


def start(command: Path, data_dir: Path, url: str, log: Path) -> Service:
    """Start Label Studio.

    Parameters
    ----------
    command : Path
        The `label-studio` executable.
    data_dir : Path
        Its data folder.
    url : str
        Where browsers reach it; host and port are listened on.
    log : Path
        Where its output goes.

    Returns
    -------
    Service
        Not healthy yet; the very first start takes about a minute.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    address = urlsplit(url)
    return Service(
        "Label Studio",
        provision.server_command(command, address.hostname or "127.0.0.1", address.port or 8080),
        provision.server_environment(data_dir, url),
        log,
        f"{url.rstrip('/')}/health",
    )


def wait(service: Service, *, on_wait: Callable[[], None] = lambda: None) -> None:
    """Wait until Label Studio answers.

    Parameters
    ----------
    service : Service
        From `start`.
    on_wait : callable
        Called a few times per second meanwhile.

    Raises
    ------
    ServiceFailedError
        If it does not start, or another program has its port.
    """
    service.wait_until_healthy(_START_SECONDS, on_wait=on_wait)
    # When its port is taken, Label Studio moves to the next one, and somebody else answers here.
    if _PORT_TAKEN in service.log.read_text(errors="replace"):
        raise ServiceFailedError(
            "another program listens on Label Studio's port; stop it, or set "
            "OVERREAD_LABEL_STUDIO_URL to another port"
        )


def _installer(environment: Path) -> list[str]:
    """Return the quickest installer there is: uv takes a tenth of pip's time."""
    if find_spec("uv") is not None:
        return [sys.executable, "-m", "uv", "pip", "install", "--python", str(environment)]
    return [str(environment / "bin" / "python"), "-m", "pip", "install"]
