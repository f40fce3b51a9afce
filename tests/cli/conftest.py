"""Runs commands as a user would, in a process of their own."""

import json
import multiprocessing
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import pytest

from backend.cli.main import main
from backend.settings import Settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left: exit code, result, and what it told people."""

    code: int
    output: str
    told: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        """The machine-readable result."""
        return json.loads(self.output)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The command `overread`, with everything in one folder."""

    data_dir: Path
    processes: ForkServerContext

    def __call__(self, *words: object, **changed: str) -> Outcome:
        environment = Settings(
            data_dir=self.data_dir,
            label_studio_url="http://127.0.0.1:1",
            backend_url="http://127.0.0.1:1",
            ml_backend_url="http://127.0.0.1:1",
        ).as_environment()
        with TemporaryDirectory() as kept:
            output, told = Path(kept, "output"), Path(kept, "told")
            process = self.processes.Process(
                target=_become_the_command,
                args=(
                    [str(word) for word in words],
                    {**environment, "COLUMNS": "200", **changed},
                    (str(output), str(told)),
                ),
            )
            process.start()
            process.join()
            assert process.exitcode is not None
            return Outcome(process.exitcode, output.read_text(), told.read_text())


def _become_the_command(
    words: list[str], environment: Mapping[str, str], streams: tuple[str, str]
) -> None:
    os.environ.clear()  # noqa: TID251 - a process of its own
    os.environ.update(environment)  # noqa: TID251
    for number, path in enumerate(streams, start=1):
        with Path(path).open("wb") as file:
            os.dup2(file.fileno(), number)
    sys.argv = ["overread", *words]
    main()


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Processes that begin where the commands' modules are imported, as that takes seconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.cli.loaded"])
    return context


@pytest.fixture
def overread(tmp_path: Path, processes: ForkServerContext) -> CommandLine:
    """The command, with an empty store."""
    return CommandLine(tmp_path / "data", processes)


def write_radiograph(path: Path, seed: int, *, width: int = 60, height: int = 80) -> None:
    """Write a small grey PNG that looks like no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    assert cv2.imwrite(str(path), pixels)
