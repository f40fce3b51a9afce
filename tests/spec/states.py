"""How do the readers of an image stand to one lesion?

These tables are the specification; docs/consensus.md prints them (`python -m tests.spec.states`).
A line of a reading is ``reader | FINDING x y width height; …``, in pixels; a line of the answer
is ``FINDING | state | who marked it``.
"""

import sys
from textwrap import dedent
from typing import NamedTuple


class Case(NamedTuple):
    """One rule: its name, what the readers mark, and what follows."""

    name: str
    readings: str
    answer: str


CASES = (
    Case(
        "everybody marks it",
        """
        R8  | CARDIOMEGALY 300 500 400 200
        R9  | CARDIOMEGALY 310 495 400 210
        R10 | CARDIOMEGALY 290 505 410 200
        """,
        "CARDIOMEGALY | unanimous | R10 R8 R9",
    ),
    Case(
        "two of three mark it",
        """
        R8  | CARDIOMEGALY 300 500 400 200
        R9  | CARDIOMEGALY 310 495 400 210
        R10 |
        """,
        "CARDIOMEGALY | majority | R8 R9",
    ),
    Case(
        "a lone mark is kept",
        """
        R8  |
        R9  | NODULE_MASS 200 200 40 40
        R10 |
        """,
        "NODULE_MASS | single-reader | R9",
    ),
    Case(
        "nobody marks anything",
        """
        R8  |
        R9  |
        R10 |
        """,
        "",
    ),
    Case(
        "the same finding in two places is two lesions",
        """
        R8  | NODULE_MASS 200 200 40 40
        R9  | NODULE_MASS 600 200 40 40
        """,
        """
        NODULE_MASS | single-reader | R8
        NODULE_MASS | single-reader | R9
        """,
    ),
    Case(
        "same place, different finding",
        """
        R8  | NODULE_MASS 200 200 40 40
        R9  | CALCIFICATION 202 201 40 40
        R10 |
        """,
        """
        CALCIFICATION | class-conflict | R9
        NODULE_MASS   | class-conflict | R8
        """,
    ),
    Case(
        "a majority does not settle a conflict",
        """
        R8  | NODULE_MASS 200 200 40 40
        R9  | CALCIFICATION 202 201 40 40
        R10 | CALCIFICATION 202 203 40 40
        """,
        """
        CALCIFICATION | class-conflict | R10 R9
        NODULE_MASS   | class-conflict | R8
        """,
    ),
    Case(
        "neighbours that hardly overlap are no conflict",
        """
        R8  | NODULE_MASS 200 200 40 40
        R9  | CALCIFICATION 230 200 40 40
        """,
        """
        CALCIFICATION | single-reader | R9
        NODULE_MASS   | single-reader | R8
        """,
    ),
    Case(
        "one place may show two findings",
        """
        R8  | PLEURAL_EFFUSION 100 700 200 150; PLEURAL_THICKENING 100 700 200 150
        R9  | PLEURAL_EFFUSION 105 700 200 150; PLEURAL_THICKENING 105 700 200 150
        R10 | PLEURAL_EFFUSION 100 705 200 150
        """,
        """
        PLEURAL_EFFUSION   | unanimous | R10 R8 R9
        PLEURAL_THICKENING | majority  | R8 R9
        """,
    ),
    Case(
        "a reader who gives both names does not settle a conflict",
        """
        R8  | PLEURAL_EFFUSION 100 700 200 150
        R9  | PLEURAL_EFFUSION 105 700 200 150; PLEURAL_THICKENING 105 700 200 150
        R10 | PLEURAL_THICKENING 100 705 200 150
        """,
        """
        PLEURAL_EFFUSION   | class-conflict | R8 R9
        PLEURAL_THICKENING | class-conflict | R10 R9
        """,
    ),
    Case(
        "a reader has one vote on a lesion",
        """
        R8  | ILD 100 100 200 300; ILD 110 100 200 300
        R9  | ILD 104 100 200 300
        """,
        """
        ILD | single-reader | R8
        ILD | unanimous     | R8 R9
        """,
    ),
    Case(
        "the same box twice is one box",
        """
        R8  | ILD 100 100 200 300; ILD 100 100 200 300
        R9  |
        R10 |
        """,
        "ILD | single-reader | R8",
    ),
    Case(
        "one reader alone is never unanimous",
        "R8 | PNEUMOTHORAX 500 100 200 300",
        "PNEUMOTHORAX | single-reader | R8",
    ),
    Case(
        "half of the readers are no majority and need a second look",
        """
        R8  | ATELECTASIS 100 600 200 80
        R9  | ATELECTASIS 100 605 200 80
        R10 |
        R11 |
        """,
        "ATELECTASIS | single-reader | R8 R9",
    ),
)


def as_markdown() -> str:
    """Return the tables as the documentation prints them."""
    return "\n".join(
        f"**{case.name.capitalize()}.**\n\n```\n{_plain(case.readings)}\n"
        f"→ {_plain(case.answer).replace(chr(10), chr(10) + '→ ') or 'nothing'}\n```\n"
        for case in CASES
    )


def _plain(table: str) -> str:
    return dedent(table).strip()


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
