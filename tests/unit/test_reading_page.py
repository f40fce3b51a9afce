"""What docs/reading.md says about the form is what the form does."""

import re
from pathlib import Path

from backend.domain.notes import LONGEST_NOTE
from backend.domain.predictions import SHOWN_FROM_SCORE
from backend.label_studio.reading_form import form_keys

PAGE = (Path(__file__).parents[2] / "docs" / "reading.md").read_text()


class TestReadingPage:
    def test_lists_every_key_in_the_order_of_the_form(self) -> None:
        keys = form_keys()
        wanted = [*keys.studies, *keys.findings, *keys.certainties, *keys.skip_reasons]
        told = re.findall(r"^\| `(.)` \| (.+) \|$", PAGE, re.MULTILINE)
        assert told == [(key.hotkey, key.title) for key in wanted]

    def test_states_the_limits_that_hold(self) -> None:
        assert f"{LONGEST_NOTE:,} characters are kept" in PAGE
        assert f"confidence of {SHOWN_FROM_SCORE} on" in PAGE.replace("\n", " ")
