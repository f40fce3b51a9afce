"""A real Label Studio in a folder of its own, for as long as a test session needs it."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from backend.label_studio.provision import server_command, server_environment

COMMAND = Path(__file__).parents[1] / ".venv-label-studio" / "bin" / "label-studio"

_START_SECONDS = 240.0
_STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class LabelStudioServer:
    """A running server.

    Attributes
    ----------
    base_url : str
        Where it answers.
    environment : dict of str to str
        For its other commands, provisioning above all.
    command : Path
        Its executable.
    log : Path
        What it prints.
    """

    base_url: str
    environment: dict[str, str]
    command: Path
    log: Path


def free_port() -> int:
    """Return a port of this machine on which nothing listens now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running_label_studio(folder: Path) -> Iterator[LabelStudioServer]:
    """Start Label Studio on a free port, wait until it answers, and stop it with its children."""
    if not COMMAND.exists():
        pytest.skip(f"Label Studio is not installed at {COMMAND}")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    data, log = folder / "label-studio", folder / "label-studio.log"
    data.mkdir(parents=True)
    environment = server_environment(data, url)
    with log.open("wb") as output:
        process = subprocess.Popen(
            server_command(COMMAND, "127.0.0.1", port),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_until_up(process, url, log)
            yield LabelStudioServer(url, environment, COMMAND, log)
        finally:
            _stop(process)


def _wait_until_up(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    with httpx2.Client(base_url=url, timeout=2, trust_env=False) as client:
        while time.monotonic() < deadline and process.poll() is None:
            # A taken port makes Label Studio take another one, and say so: that is not ours.
            if b"is in use" in log.read_bytes():
                break
            if _is_up(client):
                return
            time.sleep(0.5)
    raise RuntimeError(f"Label Studio did not come up at {url}:\n{log.read_text()[-2000:]}")


def _is_up(client: httpx2.Client) -> bool:
    try:
        return client.get("/health").is_success
    except httpx2.HTTPError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=_STOP_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        return
