"""A reader's project: made, configured and connected without anybody clicking."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import LabelStudioError
from backend.label_studio.events import ACTIONS, SECRET_HEADER

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

_TAB_TITLE = "Worklist"
_TAB_ORDERING = "tasks:predictions_score"
_ML_TITLE = "Overread"
_TITLE_LENGTH = range(3, 51)


class MlBackendNotConnectedError(LabelStudioError):
    """Label Studio could not reach the ML backend; reading goes on without it."""


@dataclass(frozen=True, slots=True)
class ReadingProject:
    """How a reader's project should be.

    Attributes
    ----------
    title : str
        3 to 50 characters; the project is found again by it.
    config_xml : str
        The reading form.
    webhook_url : str
        Where Label Studio reports what happens.
    webhook_secret : str
        Sent along in the header `events.SECRET_HEADER`.
    """

    title: str
    config_xml: str
    webhook_url: str
    webhook_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MlBackend:
    """How Label Studio reaches the ML backend.

    Attributes
    ----------
    url : str
        As seen from Label Studio.
    user, password : str
        Basic authentication.
    """

    url: str
    user: str
    password: str = field(repr=False)


def ensure_reading_project(client: LabelStudioClient, wanted: ReadingProject) -> int:
    """Make a reader's project, or bring it to the wanted state.

    Served order is the predictions' score, lowest first, whichever button the reader presses:
    sampling by uncertainty for "Label All Tasks", and a first tab in the same order for the
    rest. One annotation per task, and none that is empty.

    Parameters
    ----------
    client : LabelStudioClient
        Of the reader's organisation.
    wanted : ReadingProject
        How it should be.

    Returns
    -------
    int
        Label Studio's key of the project.

    Raises
    ------
    ValueError
        If the title is too short or too long.
    LabelStudioError
        If Label Studio refuses something, for example a form that lacks a label in use.
    """
    if len(wanted.title) not in _TITLE_LENGTH:
        raise ValueError(f"expected a title of 3 to 50 characters, got {wanted.title!r}")
    with client.sdk(f'the project "{wanted.title}"') as sdk:
        project_id = _ensure_project(sdk, wanted)
        _ensure_first_tab(sdk, project_id)
        _ensure_webhook(sdk, project_id, wanted)
    return project_id


def connect_ml_backend(client: LabelStudioClient, project_id: int, wanted: MlBackend) -> None:
    """Connect the ML backend to a project, or bring the connection to the wanted state.

    Label Studio calls the ML backend's health and setup while it connects: it must be up.

    Parameters
    ----------
    client : LabelStudioClient
        Of the reader's organisation.
    project_id : int
        The project.
    wanted : MlBackend
        Where it is.

    Raises
    ------
    MlBackendNotConnectedError
        If Label Studio cannot reach it, or is refused by it.
    """
    asked = f"the ML backend of project {project_id}"
    with client.sdk(asked) as sdk:
        before = sdk.projects.get(project_id).model_version
        known = [row for row in sdk.ml.list(project=project_id) if row.title == _ML_TITLE]
    settings: dict[str, Any] = {
        "url": wanted.url,
        "title": _ML_TITLE,
        "auth_method": "BASIC_AUTH",
        "basic_auth_user": wanted.user,
        "basic_auth_pass": wanted.password,
        "is_interactive": False,
    }
    try:
        with client.sdk(asked) as sdk:
            if known:
                sdk.ml.update(int(known[0].id or 0), project=project_id, **settings)
            else:
                sdk.ml.create(project=project_id, **settings)
    except LabelStudioError as error:
        raise MlBackendNotConnectedError(
            f"expected Label Studio to reach the ML backend at {wanted.url}; start it, check user "
            "and password, and run Label Studio with ML_BLOCK_LOCAL_IP=false and "
            f"SSRF_PROTECTION_ENABLED=false if its address is private ({error})"
        ) from error
    with client.sdk(asked) as sdk:
        _undo_side_effects(sdk, project_id, before, wanted)


def _ensure_project(sdk: "LabelStudio", wanted: ReadingProject) -> int:
    settings: dict[str, Any] = {
        "label_config": wanted.config_xml.strip(),  # Label Studio strips it too
        "maximum_annotations": 1,
        "enable_empty_annotation": False,
        "sampling": "Uncertainty sampling",
        "skip_queue": "REQUEUE_FOR_OTHERS",
        "show_collab_predictions": True,
    }
    projects: Iterable[Any] = sdk.projects.list()
    same_title: list[int] = [row.id for row in projects if row.title == wanted.title]
    if not same_title:
        return int(sdk.projects.create(title=wanted.title, **settings).id or 0)
    project_id = min(same_title)
    found = sdk.projects.get(project_id)
    # Only what differs: Label Studio recalculates every task when some of these are touched.
    changes = {name: value for name, value in settings.items() if getattr(found, name) != value}
    if changes:
        sdk.projects.update(project_id, **changes)
    return project_id


def _ensure_first_tab(sdk: "LabelStudio", project_id: int) -> None:
    tabs = list(sdk.views.list(project=project_id))
    ours = [tab.id for tab in tabs if tab.data and tab.data.get("ordering") == [_TAB_ORDERING]]
    if not ours:
        data: Any = {"title": _TAB_TITLE, "ordering": [_TAB_ORDERING]}
        ours = [sdk.views.create(project=project_id, data=data).id]
    if tabs and tabs[0].id != ours[0]:
        order = [ours[0], *(tab.id for tab in tabs if tab.id != ours[0])]
        sdk.views.update_order(project=project_id, ids=order)


def _ensure_webhook(sdk: "LabelStudio", project_id: int, wanted: ReadingProject) -> None:
    settings: dict[str, Any] = {
        "url": wanted.webhook_url,
        "headers": {SECRET_HEADER: wanted.webhook_secret},
        "send_payload": True,
        "send_for_all_actions": False,
        "actions": list(ACTIONS),
        "is_active": True,
    }
    rows = sdk.webhooks.list(project=project_id)
    ours, *doubles = [row for row in rows if SECRET_HEADER in (row.headers or {})] or [None]
    if ours is None:
        sdk.webhooks.create(project=project_id, **settings)
    else:
        sdk.webhooks.update(ours.id, **settings)
    for double in doubles:
        if double is not None:
            sdk.webhooks.delete(double.id)


def _undo_side_effects(
    sdk: "LabelStudio", project_id: int, before: str | None, wanted: MlBackend
) -> None:
    # Connecting selects the live model, which makes the served order random, and registers a
    # second webhook, without credentials, that every submission of the reader would wait for.
    if sdk.projects.get(project_id).model_version != before:
        sdk.projects.update(project_id, model_version=before or "")
    for row in sdk.webhooks.list(project=project_id):
        if row.url.startswith(wanted.url) and SECRET_HEADER not in (row.headers or {}):
            sdk.webhooks.delete(row.id)
