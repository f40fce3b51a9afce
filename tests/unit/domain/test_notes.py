"""Whatever a browser sends as a note, what is kept is short, visible and one line."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.notes import LONGEST_NOTE, clean_note


class TestCleanNote:
    @pytest.mark.parametrize(
        ("written", "kept"),
        [
            ("poor inspiration", "poor inspiration"),
            ("  two\n\nlines\there ", "two lines here"),
            ("nul\x00 and bell\x07", "nul and bell"),
            ("\x1b[31mred\x1b[0m", "[31mred[0m"),
            ("turned \u202eround", "turned round"),
            ("zero\u200bwidth\ufeff", "zerowidth"),
            ("lone \ud800 half", "lone half"),
            ("cafe\u0301", "caf\u00e9"),
            ("Lungenödem 肺水腫 ♥", "Lungenödem 肺水腫 ♥"),
            ("<script>alert(1)</script>", "<script>alert(1)</script>"),
            (" \n\u200b\x00", None),
            ("", None),
        ],
    )
    def test_keeps_what_is_visible(self, written: str, kept: str | None) -> None:
        assert clean_note(written) == kept

    @pytest.mark.parametrize("length", [LONGEST_NOTE + 1, 5 * LONGEST_NOTE, 2_000_000])
    def test_cuts_what_is_too_long_and_says_so(self, length: int) -> None:
        note = clean_note("x" * length)
        assert note is not None
        assert len(note) == LONGEST_NOTE
        assert note.endswith("x […]")

    @given(st.text(st.characters(exclude_categories=())))
    def test_never_keeps_anything_else(self, written: str) -> None:
        note = clean_note(written)
        if note is not None:
            assert 0 < len(note) <= LONGEST_NOTE
            assert not [one for one in note if unicodedata.category(one)[0] == "C"]
            assert clean_note(note) == note
            note.encode()
