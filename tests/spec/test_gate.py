"""When does a challenger become the champion?"""

from pathlib import Path

import pytest

from backend.domain.promotion.changes import Comparison
from backend.domain.promotion.decision import decide, error_at_look
from backend.domain.promotion.guards import Outcome, mcnemar
from backend.domain.promotion.verdicts import Circumstances, Verdict
from tests.spec.gate import CASES, CHAMPION_MAP, Case, as_markdown


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_gate(case: Case) -> None:
    decision = decide(case.comparison(), case.facts())

    assert decision.verdict.value == case.verdict
    assert decision.passed is decision.verdict.passes
    assert decision.reason.endswith(".")
    assert "m2" in decision.reason or "two cannot be compared" in decision.reason
    assert decision.champion_map == (None if case.comparison() is None else CHAMPION_MAP)


def test_every_verdict_is_in_the_table() -> None:
    assert {case.verdict for case in CASES} == set(Verdict)


def test_documentation_prints_the_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "retraining.md").read_text(encoding="utf-8")

    assert as_markdown() in text, "print it anew: python -m tests.spec.gate"


def test_says_in_numbers_why() -> None:
    decision = decide(*_asked("better"))

    assert decision.reason == (
        "m2 passes against m1: it is better. On 1,500 test images with 2,000 lesions mAP@0.4 is "
        "0.350 against 0.300: +0.050, with 95 % certainty not below +0.020, nor above +0.080 "
        "(allowed: not below -0.020)."
    )


def test_names_what_does_harm() -> None:
    decision = decide(*_asked("better, 2 of 40 pneumothoraces lost"))

    assert decision.reason.startswith(
        "m1 stays: m2 does harm. Of 40 Pneumothorax lesions, 2 that were shown to readers would "
        "be lost and 0 gained; that is too many. On 1,500"
    )


def test_says_how_many_images_would_tell_and_who_may_decide_meanwhile() -> None:
    decision = decide(*_asked("perhaps worse by more than 0.02"))

    assert decision.reason.endswith(
        "About 3,400 such images could tell. A person may decide: overread models promote m2 "
        "--reason TEXT."
    )


def test_does_not_judge_a_finding_of_few_lesions() -> None:
    [check, of_boxes] = [
        check for check in decide(*_asked("better")).checks if check.outcome is Outcome.NOT_JUDGED
    ]

    assert of_boxes.name == "calibration of boxes"
    assert check.sentence == "Too few lesions to judge alone, 30 are needed: Atelectasis (29)."


def test_holds_the_next_ones_against_real_gains_only() -> None:
    assert decide(*_asked("no champion yet")).best_map == 0.05
    assert decide(*_asked("better")).best_map == 0.35
    by_chance = Case("", "", 0.305, (-0.01, 0.02), best=0.3)
    assert decide(by_chance.comparison(), by_chance.facts()).best_map == 0.3
    unknown = Case("", "", 0.285, (-0.018, 0.001))
    assert decide(unknown.comparison(), unknown.facts()).best_map == CHAMPION_MAP
    worse = Case("", "", 0.2, (-0.2, -0.1), best=0.3)
    assert decide(worse.comparison(), worse.facts()).best_map == 0.3


def test_asks_for_more_certainty_at_every_look() -> None:
    assert [error_at_look(look) for look in (1, 2, 5)] == [0.01, 0.005, 0.002]


@pytest.mark.parametrize(
    ("lost", "gained", "p"), [(0, 0, 1.0), (1, 0, 0.5), (2, 0, 0.25), (3, 2, 0.5), (4, 1, 0.1875)]
)
def test_losses_are_held_against_gains(lost: int, gained: int, p: float) -> None:
    assert mcnemar(lost, gained) == p


def _asked(name: str) -> tuple[Comparison | None, Circumstances]:
    [case] = [case for case in CASES if case.name == name]
    return case.comparison(), case.facts()
