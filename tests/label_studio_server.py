"""A real Label Studio in a folder of its own, for as long as a test session needs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from backend.label_studio.provision import server_environment
from backend.local_services import label_studio_server
from backend.local_services.processes import Services, free_port

COMMAND = Path(__file__).parents[1] / ".venv-label-studio" / "bin" / "label-studio"


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
    """

    base_url: str
    environment: dict[str, str]
    command: Path


@contextmanager
def running_label_studio(folder: Path) -> Iterator[LabelStudioServer]:
    """Start Label Studio on a free port, wait until it answers, and stop it with its children."""
    if not COMMAND.exists():
        pytest.fail("Label Studio is not installed; run: make .venv-label-studio/installed")
    url = f"http://127.0.0.1:{free_port(0)}"
    data = folder / "label-studio"
    with Services() as services:
        service = services.add(
            label_studio_server.start(COMMAND, data, url, folder / "label-studio.log")
        )
        label_studio_server.wait(service)
        yield LabelStudioServer(url, server_environment(data, url), COMMAND)
