"""What readers write in their own words, made safe to keep and to show."""

import unicodedata

LONGEST_NOTE = 1000
"""Characters of a note that are kept."""

_ENDING = " […]"
_LINE_BREAKS = "\n\t\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_SPACES = str.maketrans(dict.fromkeys(_LINE_BREAKS, " "))


def clean_note(text: str) -> str | None:
    r"""Return a note as one line without anything invisible.

    Control and format characters (those that turn the direction of writing among them), lone
    surrogates and unassigned code points are left out; line breaks and tabs become spaces.

    Parameters
    ----------
    text : str
        As a reader's browser sent it; anything.

    Returns
    -------
    str or None
        At most `LONGEST_NOTE` characters, the last of them " […]" when it was longer; None when
        nothing is left.

    Examples
    --------
    >>> clean_note("  poor\n inspiration \x00")
    'poor inspiration'
    >>> clean_note("\u202e ")
    """
    # Cut before it is normalised, which costs time and can make text eighteen times longer.
    composed = unicodedata.normalize("NFC", text[: 4 * LONGEST_NOTE]).translate(_SPACES)
    visible = "".join(letter for letter in composed if unicodedata.category(letter)[0] != "C")
    note = " ".join(visible.split())
    is_cut = len(note) > LONGEST_NOTE or len(text) > 4 * LONGEST_NOTE
    return (note[: LONGEST_NOTE - len(_ENDING)] + _ENDING if is_cut else note) or None
