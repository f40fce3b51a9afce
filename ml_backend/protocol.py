"""The words of Label Studio's ML protocol: what a task asks for, and what an answer looks like.

Label Studio pairs the answers of `/predict` with its tasks by position and throws all of them
away when one is missing. An empty list as a task's answer stores nothing for that task and lets
the others through; an object with an empty ``result`` would be stored as "the model is sure that
there is nothing", which is something else.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox
from backend.domain.readings import Arm
from backend.label_studio.regions import FINDING_TAG, IMAGE_TAG, region_from_box

Answer: TypeAlias = dict[str, Any] | list[dict[str, Any]]
"""What `/predict` gives for one task: a prediction, or `NOTHING_TO_STORE`."""

NOTHING_TO_STORE: Answer = []

TRAINING_IS_NIGHTLY = (
    "Training does not run inside a reader's request. It runs every night; to train now: "
    "`overread retrain`."
)


EVERY_FINDING = frozenset(Finding)


class UnknownFormError(ValueError):
    """A project's form has no place for our boxes."""


class PredictRequest(BaseModel):
    """Body of `/predict`; a task may be anything, so that one odd task cannot fail the others.

    Attributes
    ----------
    tasks : list
        Label Studio's tasks.
    params : dict or None
        Holds ``context`` when a reader draws with automatic annotation switched on.
    label_config : object
        The project's form.
    """

    model_config = ConfigDict(strict=True, extra="ignore")

    tasks: list[Any]
    params: dict[str, Any] | None = None
    label_config: Any = None

    @property
    def findings(self) -> frozenset[Finding]:
        """What the project's form can show; everything when the request does not say."""
        if "label_config" not in self.model_fields_set:
            return EVERY_FINDING
        return findings_on_form(str(self.label_config))

    @property
    def is_interactive(self) -> bool:
        """Whether a reader waits for boxes that fit what was just drawn."""
        return bool((self.params or {}).get("context"))


class SetupAnswer(BaseModel):
    """Answer of `/setup`.

    Attributes
    ----------
    model_version : str
        What Label Studio stores predictions under.
    """

    model_version: str


class VersionsAnswer(BaseModel):
    """Answer of `/versions`.

    Attributes
    ----------
    versions : list of str
        The model version that serves.
    """

    versions: list[str]


class HealthAnswer(BaseModel):
    """Answer of `/health`.

    Attributes
    ----------
    status : str
        "UP", also before there is a model.
    model_version : str
        What serves; "none" before the first model.
    runtime : str
        What runs it, on what, how precisely.
    """

    status: Literal["UP"] = "UP"
    model_version: str
    runtime: str


class TrainingAnswer(BaseModel):
    """Answer of `/webhook` to "start training".

    Attributes
    ----------
    message : str
        What to do instead.
    """

    message: str = TRAINING_IS_NIGHTLY


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one task asks for.

    Attributes
    ----------
    image : object
        What the task gives as its image; None when it gives none.
    is_unassisted : bool
        Whether the reader must not see boxes.
    project_id : object
        Where in Label Studio it is.
    """

    image: object
    is_unassisted: bool
    project_id: object = None


def wanted(task: object) -> Wanted:
    """Return what a task asks for.

    Parameters
    ----------
    task : object
        One item of a request's tasks.

    Returns
    -------
    Wanted
        Without an image when the task is not what it should be.
    """
    known = task if isinstance(task, Mapping) else {}
    data = known.get("data")
    if not isinstance(data, Mapping):
        return Wanted(None, is_unassisted=False)
    return Wanted(
        data.get("image"),
        is_unassisted=data.get("arm") == Arm.UNASSISTED.value,
        project_id=known.get("project"),
    )


@lru_cache(maxsize=64)
def findings_on_form(form: str) -> frozenset[Finding]:
    """Return the findings that boxes can have on a project's form.

    Parameters
    ----------
    form : str
        Label Studio's labelling configuration.

    Returns
    -------
    frozenset of Finding
        At least one.

    Raises
    ------
    UnknownFormError
        If there is no place for one of our boxes.

    Examples
    --------
    >>> sorted(findings_on_form(
    ...     '<View><RectangleLabels name="finding" toName="image"><Label value="ILD"/>'
    ...     '</RectangleLabels></View>'
    ... ))
    [<Finding.ILD: 5>]
    """
    expected = (
        f'expected a form with <RectangleLabels name="{FINDING_TAG}" toName="{IMAGE_TAG}"> and '
        "findings as labels, as annotation_configs/reading.xml has it"
    )
    try:
        root = ET.fromstring(form)  # noqa: S314 - expat limits what entities may grow to
    except ET.ParseError as problem:
        raise UnknownFormError(
            f"the labelling configuration is no XML ({problem}); {expected}"
        ) from problem
    titles = {
        label.get("value")
        for tag in root.iter("RectangleLabels")
        if (tag.get("name"), tag.get("toName")) == (FINDING_TAG, IMAGE_TAG)
        for label in tag.iter("Label")
    }
    found = frozenset(finding for finding in Finding if finding.title in titles)
    if not found:
        raise UnknownFormError(f"the labelling configuration takes no box of ours; {expected}")
    return found


def prediction(
    boxes: Sequence[PredictedBox], width_px: int, height_px: int, model_version: str
) -> Answer:
    """Return the answer for a task whose image was seen.

    Parameters
    ----------
    boxes : sequence of PredictedBox
        What to show, by falling score; none is an answer too.
    width_px, height_px : int, [px]
        Size of the image.
    model_version : str
        Who marked them.

    Returns
    -------
    dict
        A prediction; its score is that of the surest box, 0 without boxes.
    """
    return {
        "model_version": model_version,
        "score": max((box.score for box in boxes), default=0.0),
        "result": [
            {
                **region_from_box(
                    each.box, each.finding, width_px, height_px, key=f"{model_version}-{number}"
                ),
                "score": each.score,
            }
            for number, each in enumerate(boxes)
        ],
    }


def nothing_to_suggest(model_version: str) -> Answer:
    """Return the answer to a reader who draws with automatic annotation switched on.

    Parameters
    ----------
    model_version : str
        Who has no suggestion.

    Returns
    -------
    dict
        Goes to the browser and is not stored, so an empty result claims nothing.
    """
    return {"model_version": model_version, "score": 0.0, "result": []}
