"""The reading form that every project uses, and the keys on it."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass

from backend.installed_files import locate
from backend.label_studio.regions import (
    CERTAINTY_TAG,
    FINDING_TAG,
    STUDY_TAG,
    UNREADABLE_TAG,
)


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
    group : str
        The heading that it stands under, for example "Lungs"; empty without one.
    """

    title: str
    hotkey: str
    colour: str | None
    group: str = ""


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
    skip_reasons : tuple of FormKey
        Why it cannot be read.
    """

    findings: tuple[FormKey, ...]
    certainties: tuple[FormKey, ...]
    studies: tuple[FormKey, ...]
    skip_reasons: tuple[FormKey, ...]

    @property
    def groups(self) -> dict[str, tuple[FormKey, ...]]:
        """The findings by the heading that they stand under, in the order of the form."""
        return {
            name: tuple(key for key in self.findings if key.group == name)
            for name in dict.fromkeys(key.group for key in self.findings)
        }


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
        skip_reasons=_keys(form, UNREADABLE_TAG),
    )


def _keys(form: ET.Element, name: str) -> tuple[FormKey, ...]:
    keys, group = [], ""
    for part in form.iterfind(f".//*[@name='{name}']/*"):
        if part.tag == "Header":
            group = part.attrib["value"]
        else:
            colour = part.get("background")
            keys.append(FormKey(part.attrib["value"], part.attrib["hotkey"], colour, group))
    return tuple(keys)
