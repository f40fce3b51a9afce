"""What a reader would have had to change."""

import pytest

from backend.domain.boxes import Box
from backend.domain.edits import Edits, edits_between
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox
from backend.domain.readings import ReadBox

ILD, NODULE = Finding.ILD, Finding.NODULE_MASS
HERE, NEAR, ROUGHLY, THERE = (
    Box(0, 0, 100, 100),
    Box(0, 0, 100, 90),
    Box(0, 0, 100, 60),
    Box(500, 500, 600, 600),
)


@pytest.mark.parametrize(
    ("shown", "read", "edits"),
    [
        ([], [], (0, 0, 0)),
        ([], [(ILD, HERE)], (1, 0, 0)),
        ([(ILD, HERE)], [], (0, 1, 0)),
        ([(ILD, HERE)], [(ILD, NEAR)], (0, 0, 0)),
        ([(ILD, HERE)], [(ILD, ROUGHLY)], (0, 0, 1)),
        ([(ILD, HERE)], [(ILD, THERE)], (1, 1, 0)),
        ([(ILD, HERE)], [(NODULE, HERE)], (1, 1, 0)),
        ([(ILD, HERE), (ILD, NEAR)], [(ILD, HERE)], (0, 1, 0)),
    ],
)
def test_edits(
    shown: list[tuple[Finding, Box]],
    read: list[tuple[Finding, Box]],
    edits: tuple[int, int, int],
) -> None:
    found = edits_between(
        [PredictedBox(finding, box, 0.5) for finding, box in shown],
        [ReadBox(finding, box) for finding, box in read],
    )

    assert found == Edits(*edits)
    assert found.total == sum(edits)
