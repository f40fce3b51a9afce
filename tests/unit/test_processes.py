"""Servers are started, watched, and stopped with everything that they started."""

import sys
import time
from pathlib import Path

import psutil
import pytest

from backend.local_services.processes import (
    Service,
    ServiceFailedError,
    Services,
    free_port,
    is_local,
)

SERVER = """
import http.server, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("child", child.pid, flush=True)
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


def service(tmp_path: Path, code: str, *words: str, url: str | None = None) -> Service:
    command = [sys.executable, "-c", code, *words]
    return Service("trial", command, {}, tmp_path / "logs" / "trial.log", url)


def ends(process: psutil.Process) -> bool:
    """Return whether a killed process is gone soon, or only waits for being reaped."""
    for _ in range(200):
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


class TestFreePort:
    @pytest.mark.enable_socket
    def test_is_never_given_twice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first = free_port()
        probes = iter([first, first, free_port() + 1])
        monkeypatch.setattr(
            "socket.socket.getsockname", lambda _: ("127.0.0.1", next(probes))
        )  # as a machine does that gives what was given back

        assert free_port() != first


class TestService:
    @pytest.mark.enable_socket
    def test_is_waited_for_and_leaves_no_process_behind(self, tmp_path: Path) -> None:
        port = free_port()
        trial = service(tmp_path, SERVER, str(port), url=f"http://127.0.0.1:{port}/")

        with Services() as services:
            services.add(trial).wait_until_healthy(30.0)
            services.check()
            child = psutil.Process(int(trial.log.read_text().split()[1]))

        assert not trial.is_running
        assert ends(child)
        trial.stop()  # once more does no harm

    @pytest.mark.enable_socket
    def test_tells_its_last_words(self, tmp_path: Path) -> None:
        trial = service(
            tmp_path, "raise SystemExit('no such model')", url=f"http://127.0.0.1:{free_port()}/"
        )

        with pytest.raises(ServiceFailedError, match=r"trial ended at once(.|\n)*no such model"):
            trial.wait_until_healthy(30.0)

    def test_is_missed_when_it_ends_by_itself(self, tmp_path: Path) -> None:
        with Services() as services:
            trial = services.add(service(tmp_path, "print('out of memory')"))
            while trial.is_running:
                time.sleep(0.01)
            with pytest.raises(ServiceFailedError, match="out of memory"):
                services.check()

    def test_is_killed_when_it_does_not_listen(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("backend.local_services.processes._STOP_SECONDS", 0.3)
        trial = service(tmp_path, DEAF)
        while "deaf" not in trial.log.read_text():
            time.sleep(0.01)

        trial.stop()

        assert not trial.is_running


class TestIsLocal:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [("http://localhost:8080", True), ("http://[::1]:1", True), ("https://ls.example", False)],
    )
    def test_knows_this_machine(self, url: str, *, expected: bool) -> None:
        assert is_local(url) is expected
