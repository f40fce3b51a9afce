"""The adjudication form, and a request as its task."""

import xml.etree.ElementTree as ET
from dataclasses import replace

from backend.domain.adjudication.request import CandidateBox, Choice, Request
from backend.domain.findings import Finding
from backend.label_studio import adjudication_form
from backend.label_studio.adjudication_form import (
    ACT_TAG,
    CANDIDATE_TAG,
    NOTHING_MISSING,
    REASON_TAG,
)
from backend.label_studio.reading_form import form_keys
from backend.label_studio.regions import FINDING_TAG, STUDY_TAG
from tests.store.adjudication_samples import request
from tests.store.samples import HERE, THERE

FORM = ET.fromstring(adjudication_form.form_xml())  # noqa: S314 - our own file
LABEL_STUDIO_KEYS = set("hkmruv[]")


def options(control: str) -> list[ET.Element]:
    return FORM.findall(f".//*[@name='{control}']/*")


def saved(asked: Request) -> Request:
    return replace(asked, id=12)


class TestForm:
    def test_has_exactly_the_findings(self) -> None:
        labels = [one.attrib["value"] for one in options(FINDING_TAG)]

        assert sorted(labels) == sorted(finding.title for finding in Finding)

    def test_has_the_order_keys_and_colours_of_the_reading_form(self) -> None:
        shown = [
            (one.get("value"), one.get("hotkey"), one.get("background"))
            for one in options(FINDING_TAG)
        ]

        known = [(key.title, key.hotkey, key.colour) for key in form_keys().findings]
        assert shown == known

    def test_has_no_key_twice_and_none_of_label_studio(self) -> None:
        keys = [
            one.get("hotkey")
            for control in (FINDING_TAG, ACT_TAG, STUDY_TAG)
            for one in options(control)
        ]

        assert len(set(keys)) == len(keys)
        assert not LABEL_STUDIO_KEYS & set(keys)

    def test_offers_every_choice_and_demands_one_for_each_box(self) -> None:
        act = FORM.find(f".//Choices[@name='{ACT_TAG}']")
        assert act is not None

        assert {one.get("value") for one in options(ACT_TAG)} == {one.value for one in Choice}
        assert (act.get("perRegion"), act.get("required")) == ("true", "true")
        assert act.get("whenTagName") == FINDING_TAG
        assert [one.get("value") for one in options(STUDY_TAG)] == [NOTHING_MISSING]
        assert FORM.find(f".//TextArea[@name='{REASON_TAG}']") is not None
        assert FORM.find(f".//RectangleLabels[@name='{CANDIDATE_TAG}']") is not None


class TestTask:
    def test_names_no_reader_and_offers_each_candidate_once(self) -> None:
        twice = (CandidateBox("Reader A", Finding.ILD, HERE),) * 2
        asked = saved(
            replace(request(), candidates=(*twice, CandidateBox("Model", Finding.ILD, THERE)))
        )

        data = adjudication_form.task_data(asked, image_url="http://x/a.png")

        assert data["entry"] == 12
        assert data["image_id"] == "a"
        assert [one["value"] for one in data["candidates"]] == ["Reader A: ILD", "Model: ILD"]
        assert len({one["background"] for one in data["candidates"]}) == 2
        assert "One place, two names." in data["brief"]

    def test_escapes_what_people_wrote(self) -> None:
        asked = request()
        loud = replace(asked.proposal[0], remark="<script>alert(1)</script>")

        text = adjudication_form.brief(replace(asked, proposal=(loud,), reasons=("<b>now</b>",)))

        assert "<script>" not in text
        assert "&lt;script&gt;" in text
        assert "&lt;b&gt;now" in text

    def test_shows_what_is_to_settle_first_and_readers_boxes_locked(self) -> None:
        shown = adjudication_form.prediction(
            saved(request()), task_id=5, rank=0, width_px=1000, height_px=800
        )

        assert [(one["id"], one["from_name"]) for one in shown.result] == [
            ("c0", FINDING_TAG),
            ("c1", FINDING_TAG),
            ("c1", ACT_TAG),
            ("k0", CANDIDATE_TAG),
        ]
        assert shown.result[2]["value"]["choices"] == ["Leave"]
        assert shown.result[3]["readonly"] is True
        assert shown.result[3]["value"]["rectanglelabels"] == ["Reader A: Cardiomegaly"]

    def test_gives_seven_readers_and_the_model_different_colours(self) -> None:
        names = [*(f"Reader {letter}" for letter in "ABCDEFG"), "Model"]

        assert len({adjudication_form.colour(name) for name in names}) == len(names)
