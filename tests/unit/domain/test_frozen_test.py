"""What makes figures on the test split mean something."""

from dataclasses import replace

import pytest

from backend.domain.findings import Finding
from backend.domain.frozen_test import (
    LearnedFromTestError,
    check_never_learned_from,
    natural_weights,
    rarest_findings,
)
from backend.domain.images import Image


def image(name: str) -> Image:
    return Image(name, "test", f"/{name}", "0", f"pixels-{name}", 9, 9, f"patient-{name}")


class TestCheckNeverLearnedFrom:
    def test_passes_what_is_apart(self) -> None:
        check_never_learned_from([image("a")], [image("b"), image("c")])

    @pytest.mark.parametrize(
        ("changed", "shared"),
        [
            ({"id": "a"}, "image"),
            ({"patient_key": "patient-a"}, "patient"),
            ({"pixel_hash": "pixels-a"}, "pixels"),
        ],
    )
    def test_names_what_is_shared(self, changed: dict[str, str], shared: str) -> None:
        with pytest.raises(
            LearnedFromTestError, match=f"a of the test split has the same {shared}"
        ):
            check_never_learned_from([image("a")], [replace(image("b"), **changed)])  # type: ignore[arg-type]


class TestNaturalWeights:
    def test_restore_the_prevalence_that_enrichment_took_away(self) -> None:
        strata = {f"r{number}": Finding.PNEUMOTHORAX for number in range(10)}
        negatives: dict[str, Finding | None] = {f"n{number}": None for number in range(990)}
        test = [f"r{number}" for number in range(4)] + [f"n{number}" for number in range(96)]

        weights = natural_weights(
            {**strata, **negatives}, test=test, undesigned=[*strata, *negatives]
        )

        rare = sum(weights[one] for one in test if one.startswith("r"))
        assert rare / sum(weights.values()) == pytest.approx(0.01)  # 4 % of the test split
        assert sum(weights.values()) == pytest.approx(len(test))

    def test_follow_the_images_that_were_not_chosen_for_what_they_show(self) -> None:
        chosen: dict[str, Finding | None] = {f"c{number}": Finding.ILD for number in range(500)}
        drawn: dict[str, Finding | None] = {
            f"d{number}": Finding.ILD if number < 50 else None for number in range(500)
        }
        test = [*list(chosen)[:100], *list(drawn)[:10], *list(drawn)[-90:]]

        weights = natural_weights({**chosen, **drawn}, test=test, undesigned=list(drawn))

        ill = sum(weights[one] for one in test if weights[one] == weights["c0"])
        assert ill / sum(weights.values()) == pytest.approx(0.1, abs=0.02)

    def test_of_an_empty_test_split_are_none(self) -> None:
        assert natural_weights({"a": None}, test=[], undesigned=["a"]) == {}


class TestRarestFindings:
    def test_are_those_on_the_fewest_images(self) -> None:
        shown = {
            "a": [Finding.ILD, Finding.ILD, Finding.NODULE_MASS],
            "b": [Finding.NODULE_MASS],
            "c": [],
        }

        assert rarest_findings(shown) == {
            "a": Finding.ILD,
            "b": Finding.NODULE_MASS,
            "c": None,
        }
