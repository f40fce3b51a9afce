"""How do the readers stand to a lesion, and how sure is it?"""

from pathlib import Path

import pytest

from tests.spec.states import CASES, Case, as_markdown
from tests.spec.tables import agree, answer_in, answer_of, readings_in


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_states(case: Case) -> None:
    assert answer_of(agree(readings_in(case.readings))) == answer_in(case.answer)


def test_documentation_prints_the_tables() -> None:
    text = (Path(__file__).parents[2] / "docs" / "consensus.md").read_text(encoding="utf-8")

    assert as_markdown() in text, "print them anew: python -m tests.spec.states"


@pytest.mark.parametrize(
    ("readers", "score", "p_true", "p_no_finding"),
    [
        # who marks the same nodule, 1 marks it, 0 does not; nothing is known of the readers
        pytest.param("1", 0.224, 0.541, 0.353, id="one of one"),
        pytest.param("0", None, None, 0.769, id="none of one"),
        pytest.param("111", 0.507, 0.99, 0.01, id="three of three"),
        pytest.param("110", 0.335, 0.811, 0.184, id="two of three"),
        pytest.param("100", 0.11, 0.306, 0.676, id="one of three"),
        pytest.param("000", None, None, 0.974, id="none of three"),
    ],
)
def test_probabilities(
    readers: str, score: float | None, p_true: float | None, p_no_finding: float
) -> None:
    lines = [
        f"R{number} | {'NODULE_MASS 200 200 40 40' if mark == '1' else ''}"
        for number, mark in enumerate(readers)
    ]

    consensus = agree(readings_in("\n".join(lines)))

    assert [round(one.score, 3) for one in consensus.clusters] == ([score] if score else [])
    assert [round(one.p_true, 3) for one in consensus.clusters] == ([p_true] if p_true else [])
    assert round(consensus.p_no_finding, 3) == p_no_finding
