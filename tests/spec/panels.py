"""Is a third reader asked?

These tables are the specification; docs/queue.md prints them (`python -m tests.spec.panels`).
A line of a reading is ``reader | FINDING x y width height; …``, in pixels. Nothing is known of the
readers, so each is a typical one; the panel has at most three.
"""

import sys
from textwrap import dedent
from typing import NamedTuple


class Case(NamedTuple):
    """One rule: its name, what the readers mark, and how many readings the image is to have."""

    name: str
    readings: str
    wanted: int


CASES = (
    Case(
        "one reader is never enough",
        """
        R8 |
        """,
        2,
    ),
    Case(
        "both find nothing",
        """
        R8 |
        R9 |
        """,
        2,
    ),
    Case(
        "both mark the same",
        """
        R8 | CARDIOMEGALY 300 500 400 200
        R9 | CARDIOMEGALY 310 495 400 210
        """,
        2,
    ),
    Case(
        "only one of them marks it",
        """
        R8 | CARDIOMEGALY 300 500 400 200
        R9 |
        """,
        3,
    ),
    Case(
        "they name the same place differently",
        """
        R8 | NODULE_MASS 200 200 40 40
        R9 | CALCIFICATION 202 201 40 40
        """,
        3,
    ),
    Case(
        "they agree on one lesion and not on another",
        """
        R8 | CARDIOMEGALY 300 500 400 200
        R9 | CARDIOMEGALY 310 495 400 210; PNEUMOTHORAX 100 100 200 300
        """,
        3,
    ),
    Case(
        "they mark the same finding in different places",
        """
        R8 | NODULE_MASS 200 200 40 40
        R9 | NODULE_MASS 600 200 40 40
        """,
        3,
    ),
    Case(
        "three readers are the most, whatever they say; an adjudicator settles it",
        """
        R8  | NODULE_MASS 200 200 40 40
        R9  | CALCIFICATION 202 201 40 40
        R10 |
        """,
        3,
    ),
)


def as_markdown() -> str:
    """Return the tables as the documentation prints them."""
    return "\n".join(
        f"**{case.name.capitalize()}.**\n\n```\n{dedent(case.readings).strip()}\n"
        f"→ {case.wanted} readings\n```\n"
        for case in CASES
    )


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
