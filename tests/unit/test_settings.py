"""Secrets and what child processes inherit."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from backend.settings import SecretKeyError, Settings


class TestDerivedSecret:
    def test_stays_the_same_and_differs_by_purpose(self, tmp_path: Path) -> None:
        first, second = Settings(data_dir=tmp_path), Settings(data_dir=tmp_path)

        assert first.derived_secret("webhook") == second.derived_secret("webhook")
        assert first.derived_secret("webhook") != first.derived_secret("images")
        assert (tmp_path / "secret-key").stat().st_mode & 0o777 == 0o600
        assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]

    def test_is_never_made_of_an_empty_key(self, tmp_path: Path) -> None:
        (tmp_path / "secret-key").touch()

        with pytest.raises(SecretKeyError, match="restore it"):
            Settings(data_dir=tmp_path).derived_secret("webhook")


class TestAsEnvironment:
    def test_holds_these_settings_and_nothing_inherited(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OVERREAD_DATABASE_URL", "postgresql://the-real-one/overread")
        monkeypatch.setenv("OVERREAD_SECRET_KEY", "x" * 40)
        monkeypatch.setenv("SOMETHING_ELSE", "stays")
        settings = Settings(data_dir=tmp_path, database_url=SecretStr("sqlite:///demo"))
        without = settings.model_copy(update={"secret_key": None})

        environment = without.as_environment()

        assert environment["OVERREAD_DATABASE_URL"] == "sqlite:///demo"
        assert "OVERREAD_SECRET_KEY" not in environment
        assert environment["SOMETHING_ELSE"] == "stays"
