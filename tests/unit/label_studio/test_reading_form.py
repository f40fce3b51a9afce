"""The reading form and the domain name the same things."""

import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from backend.domain.findings import NO_FINDING_NAME, Finding
from backend.domain.readings import Certainty
from backend.label_studio.regions import CERTAINTY_TAG, FINDING_TAG, IMAGE_TAG, STUDY_TAG

FORM = Path(__file__).parents[3] / "annotation_configs" / "reading.xml"
LABEL_STUDIOS_OWN = set("hkmruv")
LEAST_COLOUR_DISTANCE = 25.0  # CIE76; 2 is just noticeable side by side


@pytest.fixture(scope="module")
def form() -> ET.Element:
    return ET.fromstring(FORM.read_text())  # noqa: S314 - our own file


def named(form: ET.Element, name: str) -> ET.Element:
    (found,) = (tag for tag in form.iter() if tag.get("name") == name)
    return found


def values(tag: ET.Element) -> list[str]:
    return [child.attrib["value"] for child in tag]


def lab(colour: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """CIE L*a*b* of an sRGB colour under D65."""
    srgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    white = np.array([0.9505, 1.0, 1.089])
    ratio = np.array(to_xyz) @ linear / white
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


class TestReadingForm:
    def test_offers_exactly_the_findings_in_their_order(self, form: ET.Element) -> None:
        assert values(named(form, FINDING_TAG)) == [finding.title for finding in Finding]

    def test_offers_exactly_the_certainties(self, form: ET.Element) -> None:
        wanted = [certainty.value.capitalize() for certainty in Certainty]
        assert values(named(form, CERTAINTY_TAG)) == wanted

    def test_offers_no_finding_by_the_key_n(self, form: ET.Element) -> None:
        (choice,) = named(form, STUDY_TAG)
        assert (choice.get("value"), choice.get("hotkey")) == (NO_FINDING_NAME, "n")

    def test_shows_the_tasks_image_with_window_zoom_and_crosshair(self, form: ET.Element) -> None:
        image = named(form, IMAGE_TAG)
        assert image.get("value") == "$image"
        for control in ("zoomControl", "brightnessControl", "contrastControl", "crosshair"):
            assert image.get(control) == "true"

    def test_has_hotkeys_that_are_single_different_and_not_label_studios(
        self, form: ET.Element
    ) -> None:
        keys = [tag.attrib["hotkey"] for tag in form.iter() if "hotkey" in tag.attrib]
        assert len(keys) == len(set(keys)) == len(Finding) + len(Certainty) + 1
        assert set(keys) <= set("0123456789abcdefghijklmnopqrstuvwxyz") - LABEL_STUDIOS_OWN

    def test_has_colours_that_can_be_told_apart(self, form: ET.Element) -> None:
        colours = [label.attrib["background"] for label in named(form, FINDING_TAG)]
        distances = {
            (left, right): float(np.linalg.norm(lab(left) - lab(right)))
            for left, right in combinations(colours, 2)
        }
        closest = min(distances, key=lambda pair: distances[pair])
        assert distances[closest] > LEAST_COLOUR_DISTANCE, closest

    def test_ticks_nothing_by_itself(self, form: ET.Element) -> None:
        # A choice that is ticked from the start would make an empty task submittable.
        assert not [tag for tag in form.iter() if "selected" in tag.attrib]
