"""The demonstration plays the whole loop on one machine and leaves nothing running."""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from backend.formats.verification import verify

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.label_studio,
    pytest.mark.xdist_group("end_to_end"),
    pytest.mark.timeout(1200),
]

ROOT = Path(__file__).parents[2]


def processes_in(folder: Path) -> list[str]:
    """Return the processes whose environment or command names a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if any(str(folder) in word for word in words):
            found.append(" ".join(process.cmdline()))
    return found


class TestDemo:
    def test_plays_the_whole_loop_once_and_ends(self, tmp_path: Path) -> None:
        folder = tmp_path / "demo"

        finished = subprocess.run(
            [
                sys.executable, "-m", "backend.cli", "demo", "--headless", "--json",
                "--folder", str(folder),
            ],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip

        summary = json.loads(finished.stdout)
        assert summary["images"] == 39
        assert summary["readings"] == 3 * (8 + 24)
        assert summary["consensus_boxes"] > 0
        assert 0 < summary["queued"] <= 39 - 8 - 24
        assert isinstance(summary["promoted"], bool)
        assert summary["model_version"] == ("m2" if summary["promoted"] else "m1")
        assert verify(Path(summary["release"])).ok
        assert processes_in(folder) == []
