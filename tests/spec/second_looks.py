"""When is a reader asked to look once more?

These tables are the specification; docs/reading.md prints them
(`python -m tests.spec.second_looks`). A box is ``FINDING x y width height``, in pixels; the
model's carry their score first. *Shown* is the pre-annotation of the assisted arm.
"""

import sys
from typing import NamedTuple


class Case(NamedTuple):
    """One rule: its name, what reader and model mark, what the reader saw, what follows."""

    name: str
    reader: str
    model: str
    shown: str
    asked: str


CASES = (
    Case(
        "a confident box that the reader did not mark",
        reader="",
        model="0.91 PNEUMOTHORAX 600 100 200 300",
        shown="",
        asked="The model sees a Pneumothorax (0.91) that you did not mark.",
    ),
    Case(
        "not confident enough",
        reader="",
        model="0.59 PNEUMOTHORAX 600 100 200 300",
        shown="",
        asked="",
    ),
    Case(
        "the same finding at the same place",
        reader="PNEUMOTHORAX 620 120 200 300",
        model="0.91 PNEUMOTHORAX 600 100 200 300",
        shown="",
        asked="",
    ),
    Case(
        "how far a finding extends is no strong disagreement",
        reader="ILD 100 100 300 600",
        model="0.80 ILD 120 500 200 150",
        shown="",
        asked="",
    ),
    Case(
        "the same finding elsewhere is another lesion",
        reader="NODULE_MASS 200 200 40 40",
        model="0.70 NODULE_MASS 600 200 40 40; 0.30 NODULE_MASS 200 200 40 40",
        shown="",
        asked="The model sees a Nodule/Mass (0.70) that you did not mark.",
    ),
    Case(
        "same place, other finding",
        reader="NODULE_MASS 200 200 40 40",
        model="0.80 CALCIFICATION 202 201 40 40",
        shown="",
        asked="The model sees a Calcification (0.80) where you marked Nodule/Mass.",
    ),
    Case(
        "a small finding within a large one is not the same place",
        reader="CARDIOMEGALY 300 500 400 200",
        model="0.85 CALCIFICATION 400 550 40 40; 0.90 CARDIOMEGALY 300 500 400 200",
        shown="",
        asked="The model sees a Calcification (0.85) that you did not mark.",
    ),
    Case(
        "a box without any support",
        reader="NODULE_MASS 200 200 40 40",
        model="",
        shown="",
        asked="The model sees nothing where you marked Nodule/Mass.",
    ),
    Case(
        "a low score supports a box",
        reader="NODULE_MASS 200 200 40 40",
        model="0.10 NODULE_MASS 200 200 40 40",
        shown="",
        asked="",
    ),
    Case(
        "a very low score does not",
        reader="NODULE_MASS 200 200 40 40",
        model="0.09 NODULE_MASS 200 200 40 40",
        shown="",
        asked="The model sees nothing where you marked Nodule/Mass.",
    ),
    Case(
        "another finding at the place supports a box, too",
        reader="NODULE_MASS 200 200 40 40",
        model="0.40 CALCIFICATION 202 201 40 40",
        shown="",
        asked="",
    ),
    Case(
        "assisted: a deleted box was a decision",
        reader="",
        model="0.91 PNEUMOTHORAX 600 100 200 300",
        shown="0.91 PNEUMOTHORAX 600 100 200 300",
        asked="",
    ),
    Case(
        "assisted: a renamed box was a decision",
        reader="CALCIFICATION 200 200 40 40",
        model="0.80 NODULE_MASS 200 200 40 40",
        shown="0.80 NODULE_MASS 200 200 40 40",
        asked="",
    ),
    Case(
        "assisted: a later champion finds the box again that was deleted",
        reader="",
        model="0.95 PNEUMOTHORAX 590 110 200 300",
        shown="0.70 PNEUMOTHORAX 600 100 200 300",
        asked="",
    ),
    Case(
        "assisted: a later champion sees what was not shown",
        reader="PLEURAL_EFFUSION 100 700 200 150",
        model="0.75 ATELECTASIS 600 600 200 80; 0.90 PLEURAL_EFFUSION 100 700 200 150",
        shown="0.80 PLEURAL_EFFUSION 100 700 200 150",
        asked="The model sees an Atelectasis (0.75) that you did not mark.",
    ),
    Case(
        "assisted: an accepted box has the support of what was shown",
        reader="PLEURAL_EFFUSION 100 700 200 150",
        model="",
        shown="0.80 PLEURAL_EFFUSION 100 700 200 150",
        asked="",
    ),
    Case(
        "assisted: a drawn box that the model does not see at all",
        reader="PLEURAL_EFFUSION 100 700 200 150; NODULE_MASS 200 200 40 40",
        model="0.80 PLEURAL_EFFUSION 100 700 200 150",
        shown="0.80 PLEURAL_EFFUSION 100 700 200 150",
        asked="The model sees nothing where you marked Nodule/Mass.",
    ),
    Case(
        "the gravest comes first",
        reader="CALCIFICATION 800 800 30 30",
        model="0.95 AORTIC_ENLARGEMENT 400 200 120 120; 0.65 PNEUMOTHORAX 600 100 200 300",
        shown="",
        asked="The model sees a Pneumothorax (0.65) that you did not mark; the model sees an "
        "Aortic enlargement (0.95) that you did not mark; the model sees nothing where you "
        "marked Calcification.",
    ),
    Case("nobody sees anything", reader="", model="", shown="", asked=""),
)


def as_markdown() -> str:
    """Return the tables as the documentation prints them."""
    return "\n".join(
        f"**{case.name.capitalize()}.**\n\n```\n"
        f"reader | {case.reader}\nmodel  | {case.model}\n"
        + (f"shown  | {case.shown}\n" if case.shown else "")
        + f"→ {case.asked or 'not asked'}\n```\n"
        for case in CASES
    )


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
