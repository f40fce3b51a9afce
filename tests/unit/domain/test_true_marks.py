"""Which marks are true."""

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.metrics.true_marks import true_marks
from backend.domain.predictions import PredictedBox

BOX, ASIDE = Box(0, 0, 10, 10), Box(50, 50, 60, 60)


def test_the_surest_mark_takes_a_true_box_and_the_rest_are_false() -> None:
    ild, nodule = Finding.ILD, Finding.NODULE_MASS
    marks = true_marks(
        {"a": [(ild, BOX)], "b": []},
        {
            "a": [
                PredictedBox(ild, BOX, 0.4),
                PredictedBox(ild, Box(0, 0, 10, 9), 0.8),
                PredictedBox(nodule, BOX, 0.9),
            ],
            "b": [PredictedBox(ild, ASIDE, 0.6)],
        },
    )

    scores, is_true = marks[ild]
    assert scores.tolist() == [0.8, 0.6, 0.4]
    assert is_true.tolist() == [True, False, False]
    assert marks[nodule][1].tolist() == [False]
    assert len(marks[Finding.PNEUMOTHORAX][0]) == 0
