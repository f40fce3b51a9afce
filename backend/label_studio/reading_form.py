"""The reading form that every project uses, and the keys on it."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass

from backend.installed_files import locate
from backend.label_studio.regions import CERTAINTY_TAG, FINDING_TAG, STUDY_TAG


@dataclass(frozen=True, slots=True)
class FormKey:
    """Something that is chosen on the reading form by a key.

    Attributes
    ----------
    title : str
        What it says, for example the name of a finding.
    hotkey : str
        The key to press.
    colour : str or None
        Of a finding's boxes, as ``#rrggbb``; None for what has no boxes.
    """

    title: str
    hotkey: str
    colour: str | None


@dataclass(frozen=True, slots=True)
class FormKeys:
    """Every key of the reading form.

    Attributes
    ----------
    findings : tuple of FormKey
        The fourteen, in the order of the form.
    certainties : tuple of FormKey
        How sure the reader is of a box.
    studies : tuple of FormKey
        What is said of the whole image: "No finding".
    """

    findings: tuple[FormKey, ...]
    certainties: tuple[FormKey, ...]
    studies: tuple[FormKey, ...]


def form_xml() -> str:
    """Return the reading form.

    Returns
    -------
    str
        Label Studio's labelling configuration.
    """
    return locate("annotation_configs/reading.xml").read_text()


def form_keys() -> FormKeys:
    """Return what can be chosen on the reading form, and by which keys.

    Returns
    -------
    FormKeys
        In the order of the form.
    """
    form = ET.fromstring(form_xml())  # noqa: S314 - our own file
    return FormKeys(
        findings=_keys(form, FINDING_TAG),
        certainties=_keys(form, CERTAINTY_TAG),
        studies=_keys(form, STUDY_TAG),
    )


def _keys(form: ET.Element, name: str) -> tuple[FormKey, ...]:
    return tuple(
        FormKey(choice.attrib["value"], choice.attrib["hotkey"], choice.get("background"))
        for choice in form.findall(f".//*[@name='{name}']/*")
    )
