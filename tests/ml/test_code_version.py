"""Which state of the code a model version names."""

import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from ml_backend.chain.code_version import code_version


class TestCodeVersion:
    def test_is_that_of_the_package_where_there_is_no_checkout(self, tmp_path: Path) -> None:
        assert code_version(tmp_path) == version("overread")

    @pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
    def test_is_the_commit_and_whether_files_differ_from_it(self, tmp_path: Path) -> None:
        def git(*arguments: str) -> str:
            who = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
            command = ["git", "-C", str(tmp_path), *who, *arguments]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout

        git("init")
        (tmp_path / "code.py").write_text("1\n")
        git("add", "code.py")
        git("commit", "-m", "first")
        commit = git("rev-parse", "HEAD").strip()

        assert code_version(tmp_path) == commit
        (tmp_path / "code.py").write_text("2\n")
        assert code_version(tmp_path) == f"{commit}-dirty"
