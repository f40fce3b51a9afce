"""Runs commands as a user would, in a process of their own."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

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

    def __call__(self, *words: object, **changed: str) -> Outcome:
        environment = Settings(
            data_dir=self.data_dir,
            label_studio_url="http://127.0.0.1:1",
            backend_url="http://127.0.0.1:1",
            ml_backend_url="http://127.0.0.1:1",
        ).as_environment()
        finished = subprocess.run(
            [sys.executable, "-m", "backend.cli", *(str(word) for word in words)],
            env={**environment, "COLUMNS": "200", **changed},
            capture_output=True,
            text=True,
            check=False,
        )
        return Outcome(finished.returncode, finished.stdout, finished.stderr)


@pytest.fixture
def overread(tmp_path: Path) -> CommandLine:
    """The command, with an empty store."""
    return CommandLine(tmp_path / "data")


def write_radiograph(path: Path, seed: int, *, width: int = 60, height: int = 80) -> None:
    """Write a small grey PNG that looks like no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    assert cv2.imwrite(str(path), pixels)
