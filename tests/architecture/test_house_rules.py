"""Rules of the house that no linter knows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path for package in ("backend", "ml_backend") for path in (ROOT / package).rglob("*.py")
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))
ARCHITECTURE = ROOT / "docs" / "architecture.md"
VAGUE = re.compile(r"^_?(util|utils|helper|helpers|common|misc|base|core|manager|stuff)s?$")
LONGEST = 300


def imported_by(program: str, heavy: str) -> list[str]:
    """Return which of some packages a fresh process has loaded after a program."""
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{program}\nimport sys\nprint(*sorted({heavy!r}.split() & sys.modules.keys()))",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return result.stdout.split()


def walk(package: str) -> str:
    return (
        f"import importlib, pkgutil, {package} as package\n"
        "for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "    if not found.name.endswith('__main__'):  # that one runs\n"
        "        importlib.import_module(found.name)\n"
    )


def overread(word: str) -> str:
    return (
        "from typer.testing import CliRunner\n"
        "from backend.cli.main import app\n"
        f"assert CliRunner().invoke(app, [{word!r}]).exit_code == 0\n"
    )


def named(paths: list[Path]) -> list[object]:
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


@pytest.mark.parametrize("module", named(MODULES))
class TestModule:
    def test_has_a_name_that_says_what_it_owns(self, module: Path) -> None:
        parts = [*module.relative_to(ROOT).parts[:-1], module.stem]
        assert not [part for part in parts if VAGUE.match(part)]

    def test_fits_on_a_few_screens(self, module: Path) -> None:
        assert len(module.read_text().splitlines()) <= LONGEST

    def test_opens_with_a_sentence(self, module: Path) -> None:
        assert re.match(r'r?"""[^\n]+\.("""|\n)', module.read_text())


class TestTests:
    def test_open_with_a_sentence(self) -> None:
        silent = [path for path in TESTS if not path.read_text().startswith('"""')]
        assert silent == []


class TestImports:
    def test_of_the_domain_load_nothing_heavy(self) -> None:
        heavy = "torch ultralytics sqlalchemy fastapi label_studio_sdk pandas pydantic PIL"
        assert imported_by(walk("backend.domain"), heavy) == []

    def test_of_every_backend_module_load_no_torch(self) -> None:
        assert imported_by(walk("backend"), "torch torchvision ultralytics") == []

    def test_of_the_help_load_nothing_slow(self) -> None:
        slow = "torch ultralytics label_studio_sdk ensemble_boxes numba pandas uvicorn fastapi"
        assert imported_by(overread("--help"), slow) == []

    def test_of_a_command_leave_the_others_alone(self) -> None:
        assert imported_by(overread("--version"), "sqlalchemy numpy httpx2 alembic PIL") == []


class TestArchitecturePage:
    @pytest.mark.skipif(not ARCHITECTURE.exists(), reason="docs/architecture.md is not there")
    def test_names_directories_that_exist(self) -> None:
        rows = re.findall(r"^\| `([^`]+)` \|", ARCHITECTURE.read_text(), flags=re.MULTILINE)

        assert rows
        assert [row for row in rows if not (ROOT / row).is_dir()] == []
