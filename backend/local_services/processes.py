"""Server processes: start, wait until healthy, stop with everything that they started."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx2

_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.3
_PORT_TRIES = 100

_given_ports: set[int] = set()
_LAST_LINES = 15


class ServiceFailedError(RuntimeError):
    """A server did not start, or ended by itself."""


class Service:
    """One server process with its log.

    Parameters
    ----------
    name : str
        For people.
    command : sequence of str
        What to run.
    environment : mapping of str to str
        Its whole environment.
    log : Path
        Where its output goes.
    health_url : str or None
        Answers 200 when the server is ready; None when it serves nothing.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        health_url: str | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._health_url = health_url
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own commands
                list(command),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process, which leads a group of its own."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def wait_until_healthy(
        self, timeout_seconds: float, *, on_wait: Callable[[], None] = lambda: None
    ) -> None:
        """Wait until the server answers.

        Parameters
        ----------
        timeout_seconds : float, [s]
            How long at most.
        on_wait : callable
            Called a few times per second meanwhile.

        Raises
        ------
        ServiceFailedError
            If it ends, or does not answer in time; the message holds the end of its log.
        """
        if self._health_url is None:
            return
        deadline = time.monotonic() + timeout_seconds
        while not _answers(self._health_url):
            if not self.is_running:
                raise ServiceFailedError(f"{self.name} ended at once. {self._last_words()}")
            if time.monotonic() > deadline:
                raise ServiceFailedError(
                    f"{self.name} did not answer at {self._health_url} within "
                    f"{timeout_seconds:.0f} s. {self._last_words()}"
                )
            on_wait()
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End the process and everything that it started; repeatable."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, sign)
            except ProcessLookupError:
                break
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        self._process.wait()

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        return f"The end of {self.log}:\n" + "\n".join(lines)


class Services:
    """Several servers that live and end together; a context that stops them all."""

    def __init__(self) -> None:
        self._services: list[Service] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for service in reversed(self._services):
            service.stop()

    def add(self, service: Service) -> Service:
        """Take charge of a server.

        Parameters
        ----------
        service : Service
            The server.

        Returns
        -------
        Service
            The same.
        """
        self._services.append(service)
        return service

    def check(self) -> None:
        """Notice a server that ended by itself.

        Raises
        ------
        ServiceFailedError
            If one did.
        """
        for service in self._services:
            if not service.is_running:
                raise ServiceFailedError(f"{service.name} ended. {service._last_words()}")  # noqa: SLF001 - same module


def free_port(wanted: int = 0, *, host: str = "127.0.0.1") -> int:
    """Return a port that nobody listens on, and that this process was not given before.

    Whoever asks for several starts servers on them later; until then the machine would give the
    same port twice.

    Parameters
    ----------
    wanted : int
        Taken when it is free; 0 asks for any.
    host : str
        Address to listen on.

    Returns
    -------
    int
        `wanted`, or another free one.
    """
    for port in (wanted, *[0] * _PORT_TRIES):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
        if port or found not in _given_ports:
            _given_ports.add(found)
            return found
    raise ServiceFailedError(f"no free port on {host}")


def is_local(url: str) -> bool:
    """Return whether a server is meant to run on this machine.

    Parameters
    ----------
    url : str
        Where it is reached.

    Returns
    -------
    bool
        Whether the host is this machine's loopback address.
    """
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=2.0).status_code == httpx2.codes.OK
    except httpx2.HTTPError:
        return False
