"""How do the readers of an image stand to one lesion?

These tables are the specification; the documentation prints them. A line of a reading is
``reader | FINDING x y width height; …``, in pixels; a line of the answer is
``FINDING | state | who marked it``.
"""

import pytest

from backend.domain.consensus.verdict import reconcile
from tests.spec.tables import answer_in, answer_of, readings_in


@pytest.mark.parametrize(
    ("readings", "answer"),
    [
        pytest.param(
            """
            R8  | CARDIOMEGALY 300 500 400 200
            R9  | CARDIOMEGALY 310 495 400 210
            R10 | CARDIOMEGALY 290 505 410 200
            """,
            "CARDIOMEGALY | unanimous | R10 R8 R9",
            id="everybody marks it",
        ),
        pytest.param(
            """
            R8  | CARDIOMEGALY 300 500 400 200
            R9  | CARDIOMEGALY 310 495 400 210
            R10 |
            """,
            "CARDIOMEGALY | majority | R8 R9",
            id="two of three mark it",
        ),
        pytest.param(
            """
            R8  |
            R9  | NODULE_MASS 200 200 40 40
            R10 |
            """,
            "NODULE_MASS | single-reader | R9",
            id="a lone mark is kept",
        ),
        pytest.param(
            """
            R8  |
            R9  |
            R10 |
            """,
            "",
            id="nobody marks anything",
        ),
        pytest.param(
            """
            R8  | NODULE_MASS 200 200 40 40
            R9  | NODULE_MASS 600 200 40 40
            """,
            """
            NODULE_MASS | single-reader | R8
            NODULE_MASS | single-reader | R9
            """,
            id="the same finding in two places is two lesions",
        ),
        pytest.param(
            """
            R8  | NODULE_MASS 200 200 40 40
            R9  | CALCIFICATION 202 201 40 40
            R10 |
            """,
            """
            CALCIFICATION | class-conflict | R9
            NODULE_MASS   | class-conflict | R8
            """,
            id="same place, different finding",
        ),
        pytest.param(
            """
            R8  | NODULE_MASS 200 200 40 40
            R9  | CALCIFICATION 202 201 40 40
            R10 | CALCIFICATION 202 203 40 40
            """,
            """
            CALCIFICATION | class-conflict | R10 R9
            NODULE_MASS   | class-conflict | R8
            """,
            id="a majority does not settle a conflict",
        ),
        pytest.param(
            """
            R8  | NODULE_MASS 200 200 40 40
            R9  | CALCIFICATION 230 200 40 40
            """,
            """
            CALCIFICATION | single-reader | R9
            NODULE_MASS   | single-reader | R8
            """,
            id="neighbours that hardly overlap are no conflict",
        ),
        pytest.param(
            """
            R8  | PLEURAL_EFFUSION 100 700 200 150; PLEURAL_THICKENING 100 700 200 150
            R9  | PLEURAL_EFFUSION 105 700 200 150; PLEURAL_THICKENING 105 700 200 150
            R10 | PLEURAL_EFFUSION 100 705 200 150
            """,
            """
            PLEURAL_EFFUSION   | unanimous | R10 R8 R9
            PLEURAL_THICKENING | majority  | R8 R9
            """,
            id="one place may show two findings",
        ),
        pytest.param(
            """
            R8  | PLEURAL_EFFUSION 100 700 200 150
            R9  | PLEURAL_EFFUSION 105 700 200 150; PLEURAL_THICKENING 105 700 200 150
            R10 | PLEURAL_THICKENING 100 705 200 150
            """,
            """
            PLEURAL_EFFUSION   | class-conflict | R8 R9
            PLEURAL_THICKENING | class-conflict | R10 R9
            """,
            id="a reader who gives both names does not settle a conflict",
        ),
        pytest.param(
            """
            R8  | ILD 100 100 200 300; ILD 110 100 200 300
            R9  | ILD 104 100 200 300
            """,
            """
            ILD | single-reader | R8
            ILD | unanimous     | R8 R9
            """,
            id="a reader has one vote on a lesion",
        ),
        pytest.param(
            """
            R8  | ILD 100 100 200 300; ILD 100 100 200 300
            R9  |
            R10 |
            """,
            "ILD | single-reader | R8",
            id="the same box twice is one box",
        ),
        pytest.param(
            "R8 | PNEUMOTHORAX 500 100 200 300",
            "PNEUMOTHORAX | single-reader | R8",
            id="one reader alone is never unanimous",
        ),
        pytest.param(
            """
            R8  | ATELECTASIS 100 600 200 80
            R9  | ATELECTASIS 100 605 200 80
            R10 |
            R11 |
            """,
            "ATELECTASIS | single-reader | R8 R9",
            id="half of the readers are no majority and need a second look",
        ),
    ],
)
def test_states(readings: str, answer: str) -> None:
    assert answer_of(reconcile("image", readings_in(readings))) == answer_in(answer)


@pytest.mark.parametrize(
    ("readers", "score", "p_true", "p_no_finding"),
    [
        # who marks the same nodule: 1 marks it, 0 does not
        pytest.param("1", 2 / 3, 0.75, 0.25, id="one of one"),
        pytest.param("0", None, None, 0.75, id="none of one"),
        pytest.param("111", 0.8, 0.9375, 0.0625, id="three of three"),
        pytest.param("110", 0.6, 0.6875, 0.3125, id="two of three"),
        pytest.param("100", 0.4, 0.3125, 0.6875, id="one of three"),
        pytest.param("000", None, None, 0.9375, id="none of three"),
    ],
)
def test_probabilities(
    readers: str, score: float | None, p_true: float | None, p_no_finding: float
) -> None:
    lines = [
        f"R{number} | {'NODULE_MASS 200 200 40 40' if mark == '1' else ''}"
        for number, mark in enumerate(readers)
    ]

    consensus = reconcile("image", readings_in("\n".join(lines)))

    assert [cluster.score for cluster in consensus.clusters] == ([score] if score else [])
    assert [cluster.p_true for cluster in consensus.clusters] == ([p_true] if p_true else [])
    assert consensus.p_no_finding == p_no_finding
