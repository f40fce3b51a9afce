"""Which images need an adjudicator, and why?

These tables are the specification; docs/adjudication.md prints them
(`python -m tests.spec.adjudication`). A line of a reading is as in `tests.spec.states`; a line of
the answer is ``kind | findings``, the gravest first. Nothing is known of the readers.
"""

import sys
from textwrap import dedent
from typing import NamedTuple

from backend.domain.adjudication.severity import SEVERITY, Severity


class Case(NamedTuple):
    """One rule: its name, what the readers mark, and what follows."""

    name: str
    readings: str
    answer: str


CASES = (
    Case(
        "what all agree on needs nobody",
        """
        R8  | CARDIOMEGALY 300 500 400 200
        R9  | CARDIOMEGALY 310 495 400 210
        R10 | CARDIOMEGALY 290 505 410 200
        """,
        "",
    ),
    Case(
        "nothing was marked",
        """
        R8  |
        R9  |
        """,
        "",
    ),
    Case(
        "one reading is no dispute",
        "R8 | PNEUMOTHORAX 500 100 200 300",
        "",
    ),
    Case(
        "same place, different finding",
        """
        R8  | NODULE_MASS 200 200 40 40
        R9  | CALCIFICATION 202 201 40 40
        R10 | CALCIFICATION 202 203 40 40
        """,
        "class-conflict | CALCIFICATION NODULE_MASS",
    ),
    Case(
        "a lone serious finding is not passed over",
        """
        R8  |
        R9  | NODULE_MASS 200 200 40 40
        R10 |
        """,
        "lone-mark | NODULE_MASS",
    ),
    Case(
        "a lone minor finding is looked at while it is doubtful",
        """
        R8  |
        R9  | CALCIFICATION 200 200 40 40
        R10 |
        """,
        "lone-mark | CALCIFICATION",
    ),
    Case(
        "a lone minor finding that four others do not see is left alone",
        """
        R8  |
        R9  | CALCIFICATION 200 200 40 40
        R10 |
        R11 |
        R12 |
        """,
        "",
    ),
    Case(
        "more or less extent of one finding",
        """
        R8  | PLEURAL_THICKENING 100 100 100 400
        R9  | PLEURAL_THICKENING 100 110 100 130
        R10 | PLEURAL_THICKENING 100 100 100 380
        """,
        "extent | PLEURAL_THICKENING",
    ),
    Case(
        "a majority within a larger box of the same finding is a dispute over extent",
        """
        R8  | CONSOLIDATION 100 100 300 300
        R9  | CONSOLIDATION 100 100 100 100
        R10 | CONSOLIDATION 105 100 100 100
        """,
        """
        lone-mark | CONSOLIDATION
        extent | CONSOLIDATION CONSOLIDATION
        """,
    ),
    Case(
        "readers who each see something else agree on little",
        """
        R8  | CALCIFICATION 100 100 60 60
        R9  | PLEURAL_THICKENING 300 300 200 60
        R10 | CALCIFICATION 600 600 60 60
        """,
        """
        lone-mark | CALCIFICATION
        lone-mark | CALCIFICATION
        lone-mark | PLEURAL_THICKENING
        low-agreement | CALCIFICATION CALCIFICATION PLEURAL_THICKENING
        """,
    ),
)


def severities() -> str:
    """Return the table of severities as the documentation prints it."""
    rows = [
        f"| {severity.name.lower()} | {severity.value} | "
        + ", ".join(finding.title for finding in sorted(SEVERITY) if SEVERITY[finding] is severity)
        + " |"
        for severity in sorted(Severity, reverse=True)
    ]
    return "\n".join(["| severity | weight | findings |", "|---|---|---|", *rows, ""])


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
    sys.stdout.write(f"{severities()}\n{as_markdown()}")
