"""What goes wrong on the way to Label Studio, and what the message says."""

import subprocess
import sys

import pytest

from backend.label_studio.connection import (
    LabelStudioConflictError,
    LabelStudioError,
    LabelStudioMissingError,
    LabelStudioRefusedError,
    LabelStudioUnreachableError,
    error_of_silence,
    error_of_status,
)


class TestErrorOfStatus:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (401, LabelStudioRefusedError),
            (403, LabelStudioRefusedError),
            (404, LabelStudioMissingError),
            (409, LabelStudioConflictError),
            (400, LabelStudioError),
            (500, LabelStudioError),
            (None, LabelStudioError),
        ],
    )
    def test_has_the_class_of_the_status_and_names_the_request(
        self, status: int | None, kind: type[LabelStudioError]
    ) -> None:
        error = error_of_status("GET /api/tasks/", status, "because")
        assert type(error) is kind
        assert "GET /api/tasks/" in str(error)
        assert "because" in str(error)

    def test_cuts_a_page_of_html_short(self) -> None:
        assert len(str(error_of_status("GET /", 500, "<p>" * 10_000))) < 1000


class TestErrorOfSilence:
    def test_names_the_setting_to_check(self) -> None:
        error = error_of_silence("GET /", "http://127.0.0.1:8080", TimeoutError())
        assert isinstance(error, LabelStudioUnreachableError)
        assert "OVERREAD_LABEL_STUDIO_URL" in str(error)


class TestClientModule:
    def test_does_not_load_the_sdk_before_it_is_needed(self) -> None:
        program = (
            "import sys, backend.label_studio.client, backend.label_studio.projects\n"
            "print('label_studio_sdk' in sys.modules)"
        )
        loaded = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        assert loaded.stdout.strip() == "False"
