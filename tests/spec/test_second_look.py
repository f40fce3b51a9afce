"""When is a reader asked to look once more, and how much does it matter?"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox
from backend.domain.readings import ReadBox
from backend.domain.second_look import (
    CONFIDENT_FROM,
    WEIGHTS,
    Disagreement,
    consequence,
    reason,
    room_for_second_looks,
    strong_disagreements,
)
from tests.spec.second_looks import CASES, Case, as_markdown


def boxes_in(table: str) -> list[PredictedBox]:
    return [_box(*part.split()) for part in table.split(";") if part.strip()]


def _box(score: str, name: str, *numbers: str) -> PredictedBox:
    x, y, width, height = map(float, numbers)
    return PredictedBox(Finding[name], Box(x, y, x + width, y + height), float(score))


def marks_in(table: str) -> list[ReadBox]:
    scored = "; ".join(f"1 {part}" for part in table.split(";") if part.strip())
    return [ReadBox(box.finding, box.box) for box in boxes_in(scored)]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_second_looks(case: Case) -> None:
    found = strong_disagreements(
        marks_in(case.reader), boxes_in(case.model), shown=boxes_in(case.shown)
    )

    assert (reason(found) if found else "") == case.asked


def test_documentation_prints_the_tables() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reading.md").read_text(encoding="utf-8")

    assert as_markdown() in text, "print them anew: python -m tests.spec.second_looks"


def test_every_finding_has_a_weight() -> None:
    assert set(WEIGHTS) == set(Finding)
    assert all(0 < weight <= 1 for weight in WEIGHTS.values())


def test_a_missed_box_weighs_more_than_another_name_and_that_more_than_no_support() -> None:
    missed = strong_disagreements([], boxes_in("0.9 NODULE_MASS 0 0 40 40"))
    other = strong_disagreements(marks_in("ILD 0 0 40 40"), boxes_in("0.9 NODULE_MASS 0 0 40 40"))
    alone = strong_disagreements(marks_in("NODULE_MASS 0 0 40 40"), [])

    assert [one.kind for one in (*missed, *other, *alone)] == list(Disagreement)
    assert consequence(missed) == pytest.approx(0.9)
    assert consequence(missed) > consequence(other) > consequence(alone) > consequence([]) == 0


def test_at_most_three_reasons_are_told() -> None:
    many = "; ".join(f"0.9 NODULE_MASS {100 * place} 0 40 40" for place in range(5))

    assert reason(strong_disagreements([], boxes_in(many))).endswith("; and 2 more.")


PLACES = st.builds(
    lambda x, y, width, height: Box(x, y, x + width, y + height),
    *[st.floats(0, 800)] * 2,
    *[st.floats(5, 200)] * 2,
)
MARKS = st.lists(st.builds(ReadBox, st.sampled_from(Finding), PLACES), max_size=5)
PREDICTIONS = st.lists(
    st.builds(PredictedBox, st.sampled_from(Finding), PLACES, st.floats(0, 1)), max_size=5
)


@given(own=MARKS, predicted=PREDICTIONS, shown=PREDICTIONS)
def test_of_any_two_answers_only_strong_differences_are_told_and_each_once(
    own: list[ReadBox], predicted: list[PredictedBox], shown: list[PredictedBox]
) -> None:
    found = strong_disagreements(own, predicted, shown=shown)

    asked = [one.predicted for one in found if one.predicted]
    alone = [one.own for one in found if one.kind is Disagreement.UNSUPPORTED]
    assert all(box.score >= CONFIDENT_FROM for box in asked)
    assert all(0 <= one.consequence <= 1 for one in found)
    assert len(asked) <= len(predicted)
    assert len(alone) <= len(own)
    assert set(found) == set(strong_disagreements(own[::-1], predicted[::-1], shown=shown))
    assert not [
        one for one in strong_disagreements(own, predicted, shown=predicted) if one.predicted
    ]


@given(
    share=st.floats(0.01, 1),
    readings=st.integers(1, 500),
    asked=st.integers(0, 60),
    waiting=st.integers(0, 20),
)
def test_the_share_is_never_exceeded_by_more_than_the_first(
    share: float, readings: int, asked: int, waiting: int
) -> None:
    room = room_for_second_looks(
        share=share, readings=readings, asked=asked, worklist_size=40, waiting=waiting
    )

    if room:
        assert asked + room <= max(1, share * readings)
        assert waiting + room <= max(1, share * 40)


def test_a_share_of_nothing_switches_second_looks_off() -> None:
    none = {"asked": 0, "worklist_size": 40, "waiting": 0}

    assert room_for_second_looks(share=0, readings=100, **none) == 0
    assert room_for_second_looks(share=0.1, readings=0, **none) == 0
