"""A real Label Studio in a folder of its own, for as long as a test session needs it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

from backend.label_studio import provision
from backend.local_services import label_studio_server
from backend.local_services.processes import Service, Services, free_port

COMMAND = Path(__file__).parents[1] / ".venv-label-studio" / "bin" / "label-studio"
SQLITE: Mapping[str, str] = MappingProxyType({})


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
def running_label_studio(
    folder: Path, database: Mapping[str, str] = SQLITE
) -> Iterator[LabelStudioServer]:
    """Start Label Studio on a free port, wait until it answers, and stop it with its children.

    `database` holds the variables of a PostgreSQL database; without them it keeps SQLite.
    """
    if not COMMAND.exists():
        pytest.fail("Label Studio is not installed; run: make .venv-label-studio/installed")
    port = free_port(0)
    url, data = f"http://127.0.0.1:{port}", folder / "label-studio"
    data.mkdir(parents=True)
    environment = {**provision.server_environment(data, url), **database}
    command = provision.server_command(COMMAND, "127.0.0.1", port)
    log = folder / "label-studio.log"
    with Services() as services:
        service = services.add(Service("Label Studio", command, environment, log, f"{url}/health"))
        label_studio_server.wait(service)
        yield LabelStudioServer(url, environment, COMMAND)
