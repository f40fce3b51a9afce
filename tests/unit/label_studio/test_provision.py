"""What provisioning does when Label Studio does not play along."""

import os
from pathlib import Path

import pytest

from backend.label_studio.provision import (
    ProvisionedReader,
    ProvisioningError,
    ReaderAccount,
    provision_readers,
    server_command,
    server_environment,
)

NOT_BLOCKED = ("ML_BLOCK_LOCAL_IP", "SSRF_PROTECTION_ENABLED")
REQUIRED = (
    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK",
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN",
)
ACCOUNT = ReaderAccount("R8", "r8@example.com", "a pass phrase", "0123456789" * 4)


def shell_that(tmp_path: Path, does: str) -> Path:
    """Make a command that stands for `label-studio`."""
    command = tmp_path / "label-studio"
    command.write_text(f"#!/bin/sh\n{does}\n")
    command.chmod(0o700)
    return command


def provision(command: Path, timeout_seconds: float = 20) -> tuple[ProvisionedReader, ...]:
    environment = {"PATH": os.defpath}
    return provision_readers(command, environment, [ACCOUNT], timeout_seconds=timeout_seconds)


class TestServerEnvironment:
    def test_lets_label_studio_reach_private_addresses_and_nobody_sign_up(
        self, tmp_path: Path
    ) -> None:
        environment = server_environment(tmp_path, "http://127.0.0.1:8080/")
        assert {environment[name] for name in NOT_BLOCKED} == {"false"}
        assert {environment[name] for name in REQUIRED} == {"true"}
        assert environment["LABEL_STUDIO_HOST"] == "http://127.0.0.1:8080"

    def test_hands_on_nothing_of_our_own(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OVERREAD_SECRET_KEY", "s" * 40)
        environment = server_environment(tmp_path, "http://127.0.0.1:8080")
        assert not [name for name in environment if name.startswith("OVERREAD")]


class TestServerCommand:
    def test_listens_where_it_is_told(self) -> None:
        command = server_command(Path("ls"), "127.0.0.1", 8123)
        assert command[:2] == ["ls", "start"]
        assert command[-4:] == ["--internal-host", "127.0.0.1", "--port", "8123"]


class TestReaderAccount:
    def test_does_not_print_its_secrets(self) -> None:
        assert ACCOUNT.password not in repr(ACCOUNT)
        assert ACCOUNT.service_token not in repr(ACCOUNT)


class TestProvisionReaders:
    def test_says_where_it_looked_for_the_command(self, tmp_path: Path) -> None:
        with pytest.raises(ProvisioningError, match="check that Label Studio is installed"):
            provision(tmp_path / "nowhere")

    def test_gives_up_on_a_shell_that_hangs(self, tmp_path: Path) -> None:
        with pytest.raises(ProvisioningError, match="timed out"):
            provision(shell_that(tmp_path, "exec sleep 30"), timeout_seconds=0.3)

    def test_shows_the_last_words_of_a_shell_that_dies(self, tmp_path: Path) -> None:
        with pytest.raises(ProvisioningError, match="database disk image is malformed"):
            provision(shell_that(tmp_path, "echo database disk image is malformed >&2; exit 1"))

    def test_passes_on_why_an_account_was_refused(self, tmp_path: Path) -> None:
        answer = 'cat >/dev/null; echo \'overread-provisioned:{"error": "ValueError: taken"}\''
        with pytest.raises(ProvisioningError, match="taken"):
            provision(shell_that(tmp_path, answer))

    def test_puts_no_secret_on_the_command_line_or_into_the_environment(
        self, tmp_path: Path
    ) -> None:
        seen = tmp_path / "seen"
        command = shell_that(tmp_path, f'(echo "$0 $@"; env) > {seen}; cat > {seen}.typed')
        with pytest.raises(ProvisioningError):
            provision(command)
        assert ACCOUNT.password not in seen.read_text()
        assert ACCOUNT.service_token not in seen.read_text()
        assert ACCOUNT.password in Path(f"{seen}.typed").read_text()
