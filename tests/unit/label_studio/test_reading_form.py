"""The reading form and the domain name the same things, and the form can be used by everybody."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from backend.domain.findings import NO_FINDING_NAME, Finding
from backend.domain.readings import Certainty
from backend.domain.worklists import SkipReason
from backend.label_studio.reading_form import FormKeys, form_keys
from backend.label_studio.regions import (
    CERTAINTY_TAG,
    FINDING_TAG,
    IMAGE_TAG,
    NOTE_TAG,
    STUDY_TAG,
    UNREADABLE_TAG,
)

FORM = Path(__file__).parents[3] / "annotation_configs" / "reading.xml"
LABEL_STUDIOS_OWN = set("hkmruv")

ORDER = """
Heart and aorta | 1 Cardiomegaly, 2 Aortic enlargement
Lungs           | 3 Consolidation, 4 Infiltration, 5 Lung Opacity, 6 Atelectasis, 7 ILD
                | 8 Pulmonary fibrosis, 9 Nodule/Mass, 0 Calcification
Pleura          | q Pleural effusion, w Pleural thickening, e Pneumothorax
Anything else   | t Other lesion
"""

# Machado, Oliveira and Fernandes 2009, severity 1, on linear sRGB.
EYES = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)

# CIEDE2000; about 1 is just noticeable on large patches side by side. Fourteen colours cannot be
# far apart for an eye that sees two dimensions of colour; these are the distances reached.
ANY_TWO = {"normal": 11.5, "protan": 8.5, "deutan": 8.5, "tritan": 8.5}
SAME_GROUP = 14.0
MID_GREY = 12.0
ANY_GREY = 8.0
LIGHTEST = 86.0  # L*: Label Studio writes a box's name in white on its colour
DARKEST = 40.0  # L*: the lungs are nearly black


@pytest.fixture(scope="module")
def form() -> ET.Element:
    return ET.fromstring(FORM.read_text())  # noqa: S314 - our own file


@pytest.fixture(scope="module")
def keys() -> FormKeys:
    return form_keys()


@pytest.fixture(scope="module")
def colours(keys: FormKeys) -> list[str]:
    return [key.colour or "" for key in keys.findings]


def named(form: ET.Element, name: str) -> ET.Element:
    (found,) = (tag for tag in form.iter() if tag.get("name") == name)
    return found


def values(tag: ET.Element) -> list[str]:
    return [child.attrib["value"] for child in tag if child.tag != "Header"]


def rgb(colours: Sequence[str]) -> NDArray[np.float64]:
    return np.array([[int(one[i : i + 2], 16) / 255 for i in (1, 3, 5)] for one in colours])


def lab(srgb: NDArray[np.float64], eye: str) -> NDArray[np.float64]:
    """CIE L*a*b* under D65 of sRGB colours (n, 3) as an eye sees them."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ EYES[eye].T, 0.0, 1.0)
    ratio = seen @ TO_XYZ.T / (TO_XYZ @ np.ones(3))
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colour difference of every left with every right colour, CIE 142-2001."""
    (l1, a1, b1), (l2, a2, b2) = left[:, None].T[:, 0, :, None], right[:, None].T[:, 0, None, :]
    mean_chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1 + 0.5 * (1 - np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7)))
    c1, c2 = np.hypot(a1 * stretch, b1), np.hypot(a2 * stretch, b2)
    h1 = np.degrees(np.arctan2(b1, a1 * stretch)) % 360
    h2 = np.degrees(np.arctan2(b2, a2 * stretch)) % 360
    is_grey = c1 * c2 < 1e-9
    turn = np.where(is_grey, 0.0, (h2 - h1 + 180) % 360 - 180)
    hue_difference = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    hue = np.where(is_grey, h1 + h2, (h1 + turn / 2) % 360)
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    weight = (
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )
    by_lightness = (l2 - l1) / (
        1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2)
    )
    by_chroma = (c2 - c1) / (1 + 0.045 * chroma)
    by_hue = hue_difference / (1 + 0.015 * chroma * weight)
    rotation = -np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2)))) * (
        2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    )
    square = by_lightness**2 + by_chroma**2 + by_hue**2 + rotation * by_chroma * by_hue
    return np.asarray(np.sqrt(square), dtype=np.float64)


class TestMeasure:
    @pytest.mark.parametrize(
        ("left", "right", "expected"),
        [
            ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
            ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
            ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
            ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
            ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
        ],
    )
    def test_agrees_with_the_published_pairs(
        self, left: tuple[float, ...], right: tuple[float, ...], expected: float
    ) -> None:
        # Sharma, Wu and Dalal 2005, table 1.
        found = ciede2000(np.array([left]), np.array([right]))
        assert found.item() == pytest.approx(expected, abs=1e-4)


class TestReadingForm:
    def test_offers_exactly_the_findings(self, form: ET.Element) -> None:
        offered = values(named(form, FINDING_TAG))
        assert sorted(offered) == sorted(finding.title for finding in Finding)

    def test_follows_the_way_in_which_a_chest_film_is_read(self, keys: FormKeys) -> None:
        told = [
            f"{name:15} | " + ", ".join(f"{key.hotkey} {key.title}" for key in group)
            for name, group in keys.groups.items()
        ]
        assert told == ORDER.replace("ILD\n                | ", "ILD, ").strip().splitlines()

    def test_offers_exactly_the_certainties(self, form: ET.Element) -> None:
        wanted = [certainty.value.capitalize() for certainty in Certainty]
        assert values(named(form, CERTAINTY_TAG)) == wanted

    def test_offers_exactly_the_reasons_for_a_skip(self, form: ET.Element) -> None:
        wanted = [reason.value.capitalize() for reason in SkipReason]
        assert values(named(form, UNREADABLE_TAG)) == wanted

    def test_offers_no_finding_by_the_key_n(self, form: ET.Element) -> None:
        (choice,) = named(form, STUDY_TAG)
        assert (choice.get("value"), choice.get("hotkey")) == (NO_FINDING_NAME, "n")

    def test_has_one_note_for_the_whole_image(self, form: ET.Element) -> None:
        note = named(form, NOTE_TAG)
        assert (note.tag, note.get("maxSubmissions"), note.get("perRegion")) == (
            "TextArea",
            "1",
            None,
        )
        assert "no names" in note.attrib["placeholder"]

    def test_shows_the_tasks_image_with_window_zoom_and_crosshair(self, form: ET.Element) -> None:
        image = named(form, IMAGE_TAG)
        assert image.get("value") == "$image"
        for control in ("zoomControl", "brightnessControl", "contrastControl", "crosshair"):
            assert image.get(control) == "true"

    def test_has_hotkeys_that_are_single_different_and_not_label_studios(
        self, form: ET.Element
    ) -> None:
        keys = [tag.attrib["hotkey"] for tag in form.iter() if "hotkey" in tag.attrib]
        assert len(keys) == len(set(keys))
        assert len(keys) == len(Finding) + len(Certainty) + len(SkipReason) + 1
        assert set(keys) <= set("0123456789abcdefghijklmnopqrstuvwxyz") - LABEL_STUDIOS_OWN

    def test_ticks_nothing_by_itself(self, form: ET.Element) -> None:
        # A choice that is ticked from the start would make an empty task submittable.
        assert not [tag for tag in form.iter() if "selected" in tag.attrib]


class TestColours:
    @pytest.mark.parametrize("eye", EYES)
    def test_differ_from_one_another(self, colours: list[str], eye: str) -> None:
        seen = lab(rgb(colours), eye)
        apart = ciede2000(seen, seen)
        close = [
            (colours[i], colours[j])
            for i, j in combinations(range(len(colours)), 2)
            if apart[i, j] < ANY_TWO[eye]
        ]
        assert close == []

    @pytest.mark.parametrize("eye", EYES)
    def test_differ_more_where_findings_are_taken_for_each_other(
        self, keys: FormKeys, eye: str
    ) -> None:
        for group in keys.groups.values():
            seen = lab(rgb([key.colour or "" for key in group]), eye)
            apart = ciede2000(seen, seen) + 100 * np.eye(len(group))
            assert apart.min() >= SAME_GROUP

    @pytest.mark.parametrize("eye", EYES)
    def test_stand_out_from_the_radiograph(self, colours: list[str], eye: str) -> None:
        greys = np.full((256, 3), 1 / 255) * np.arange(256.0)[:, None]
        apart = ciede2000(lab(rgb(colours), eye), lab(greys, eye))
        assert apart[:, 128].min() >= MID_GREY
        assert apart.min() >= ANY_GREY

    def test_are_neither_lost_in_the_lungs_nor_too_light_for_white_letters(
        self, colours: list[str]
    ) -> None:
        lightness = lab(rgb(colours), "normal")[:, 0]
        assert lightness.min() >= DARKEST
        assert lightness.max() <= LIGHTEST
