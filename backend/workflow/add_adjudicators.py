"""Give adjudicators what they need: one organisation, one project, a log-in each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from backend.formats.names import EXPECTED_NAME, is_safe
from backend.label_studio import adjudication_form, projects
from backend.label_studio.provision import ReaderAccount
from backend.store.adjudicators import AdjudicationDesk, Adjudicator
from backend.store.records import AuditEvent
from backend.store.unit_of_work import Store
from backend.workflow.add_readers import ReadingRoom
from backend.workflow.synchronise_adjudication import DESK

ORGANISATION = "Adjudication"
"""Name of the organisation and of its project."""


class AdjudicatorNameError(ValueError):
    """An adjudicator's name cannot be used."""


@dataclass(frozen=True, slots=True)
class NewAdjudicator:
    """An adjudicator to add, or to bring back to the wanted state.

    Attributes
    ----------
    adjudicator_id : str
        Pseudonym.
    email : str
        What the adjudicator logs in with.
    password : str
        For the log-in.
    keep_password : bool
        Whether an adjudicator who is there already keeps the old password.
    """

    adjudicator_id: str
    email: str
    password: str = field(repr=False)
    keep_password: bool = False


def add_adjudicators(
    store: Store,
    room: ReadingRoom,
    adjudicators: Sequence[NewAdjudicator],
    *,
    service_token: str,
    now: datetime,
) -> str:
    """Add adjudicators; repeatable.

    Parameters
    ----------
    store : Store
        The database.
    room : ReadingRoom
        How Label Studio is set up.
    adjudicators : sequence of NewAdjudicator
        Whom to add.
    service_token : str
        40 characters; how the system acts in the adjudicators' organisation.
    now : datetime
        The time; aware.

    Returns
    -------
    str
        The link that opens the worklist of all adjudicators.

    Raises
    ------
    AdjudicatorNameError
        If a name could not be part of a file name or link.
    """
    for one in adjudicators:
        if not is_safe(one.adjudicator_id):
            raise AdjudicatorNameError(
                f"{one.adjudicator_id!r} cannot name an adjudicator; {EXPECTED_NAME}"
            )

    provisioned = room.registrar.register(
        [
            ReaderAccount(
                reader_id=one.adjudicator_id,
                email=one.email,
                password=one.password,
                service_token=service_token,
                reset_password=not one.keep_password,
                shared_organisation=ORGANISATION,
            )
            for one in adjudicators
        ]
    )
    with room.open_client(DESK) as client:
        project_id = projects.ensure_reading_project(
            client,
            projects.ReadingProject(
                title=ORGANISATION,
                config_xml=adjudication_form.form_xml(),
                webhook_url=room.webhook_url,
                webhook_secret=room.webhook_secret,
            ),
        )
        stream_url = client.stream_url(project_id)

    with store.transaction() as unit:
        before = unit.adjudicators.desk()
        is_same = before is not None and before.project_id == project_id
        if not is_same:
            unit.adjudication_requests.forget_tasks()
        unit.adjudicators.set_desk(
            AdjudicationDesk(
                provisioned[0].organisation_id,
                project_id,
                before.synced_until if before is not None and is_same else None,
            )
        )
        unit.adjudicators.put(
            [
                Adjudicator(one.adjudicator_id, one.email, home.user_id)
                for one, home in zip(adjudicators, provisioned, strict=True)
            ],
            now=now,
        )
        for one in adjudicators:
            subject = f"adjudicator:{one.adjudicator_id}"
            unit.records.note(AuditEvent(now, "system", "add adjudicator", subject, {}))
    return stream_url
