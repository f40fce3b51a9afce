"""May a challenger leave the shadow?"""

import numpy as np

from backend.domain.promotion.shadow import ShadowImage, ShadowVerdict, judge_shadow


def judged(images: list[ShadowImage], *, wanted: int = 30) -> ShadowVerdict:
    return judge_shadow(
        images, wanted=wanted, challenger="m2", champion="m1", rng=np.random.default_rng(1)
    )


def alike(number: int, champion: float, challenger: float, *, blind: bool) -> list[ShadowImage]:
    return [
        ShadowImage(blind, champion + place % 2, challenger + place % 2) for place in range(number)
    ]


class TestJudgeShadow:
    def test_waits_for_enough_images(self) -> None:
        verdict = judged(alike(29, 1.0, 0.0, blind=True))

        assert verdict.passed is None
        assert verdict.reason == "m2 scores in the shadow of m1: 29 of 30 images are read."

    def test_lets_a_challenger_serve_that_spares_work(self) -> None:
        verdict = judged(alike(30, 1.0, 0.5, blind=True))

        assert verdict.passed
        assert "m2 replaces m1: on 30 images that were read without boxes" in verdict.reason
        assert "1.00 boxes per image of m2, against 1.50 of m1 (-0.50" in verdict.reason

    def test_turns_away_one_that_makes_more(self) -> None:
        verdict = judged(alike(30, 0.5, 1.0, blind=True))

        assert verdict.passed is False
        assert verdict.reason.startswith("m1 stays: ")

    def test_lets_one_serve_that_makes_neither_more_nor_less(self) -> None:
        assert judged(alike(30, 1.0, 1.0, blind=True)).passed

    def test_believes_readers_without_boxes_more_when_there_are_enough(self) -> None:
        leaning = alike(200, 0.0, 2.0, blind=False)

        assert judged(leaning + alike(25, 1.0, 0.5, blind=True)).passed
        assert judged(leaning + alike(5, 1.0, 0.5, blind=True)).passed is False

    def test_ends_at_once_when_shadow_mode_is_switched_off(self) -> None:
        assert judged([], wanted=0).passed
