"""A second look as regions, and the answer as boxes of both sets."""

from dataclasses import replace

import pytest

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox
from backend.domain.readings import Certainty, Origin, ReadBox
from backend.label_studio import second_look
from backend.label_studio.results import boxes_from_result

SIZE = 1000, 800
OWN = ReadBox(Finding.CARDIOMEGALY, Box(100, 300, 500, 600), Certainty.POSSIBLE, id=7)
MODELS = PredictedBox(Finding.NODULE_MASS, Box(700, 100, 760, 150), 0.8, id=7)


class TestResultOfSecondLook:
    def test_left_as_it_is_keeps_both_sets_exactly(self) -> None:
        shown = second_look.result_of_second_look([OWN], [MODELS], *SIZE)

        read = boxes_from_result(shown, second_look.shown_regions([OWN], [MODELS]), *SIZE)

        assert read.boxes == (
            replace(OWN, id=None, origin=Origin.ACCEPTED, own_box_id=7),
            ReadBox(MODELS.finding, MODELS.box, None, Origin.ACCEPTED, predicted_box_id=7),
        )
        assert (read.deleted, read.contradiction) == ((), None)

    def test_emptied_accounts_for_both_sets(self) -> None:
        read = boxes_from_result([], second_look.shown_regions([OWN], [MODELS]), *SIZE)

        assert [(box.own_box_id, box.predicted_box_id) for box in read.deleted] == [
            (7, None),
            (None, 7),
        ]
        assert {box.origin for box in read.deleted} == {Origin.DELETED}

    def test_tells_the_sets_apart(self) -> None:
        own, certainty, source, models = second_look.result_of_second_look([OWN], [MODELS], *SIZE)

        assert own["id"] == certainty["id"] != source["id"] == models["id"]
        assert source["from_name"] != models["from_name"] == own["from_name"]
        assert (own["meta"]["text"], models["meta"]["text"]) == (["yours"], ["the model's"])
        assert "score" not in own
        assert models["score"] == 0.8

    def test_needs_boxes_that_are_kept(self) -> None:
        with pytest.raises(ValueError, match="save the reading first"):
            second_look.result_of_second_look([replace(OWN, id=None)], [], *SIZE)
