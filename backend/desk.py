"""From the settings to what the workflow works with, and the secrets that both sides know."""

from datetime import timedelta

from backend.domain.acquisition import strategies
from backend.label_studio import provision
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.projects import MlBackend
from backend.label_studio.reading_form import form_xml
from backend.label_studio.registrar import OrganisationEach, Registrar, SharedOrganisation
from backend.settings import Settings
from backend.workflow.add_readers import ReadingRoom
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.plan_worklists import QueueRules
from backend.workflow.route_conflicts import RoutingRules

ML_BACKEND_USER = "label-studio"
"""Name under which Label Studio signs in at the ML backend."""


def open_desk(settings: Settings) -> LabelStudioDesk:
    """Return how the workflow reaches Label Studio.

    Parameters
    ----------
    settings : Settings
        Where everything is.

    Returns
    -------
    LabelStudioDesk
        Nothing is contacted yet.
    """

    def open_client(reader_id: str) -> LabelStudioClient:
        admin = settings.label_studio_admin_token
        token = admin.get_secret_value() if admin else service_token(settings, reader_id)
        return LabelStudioClient(settings.label_studio_url, token)

    return LabelStudioDesk(
        open_client=open_client,
        backend_url=settings.backend_url,
        image_secret=settings.image_link_secret,
        link_life=timedelta(days=settings.image_link_days),
    )


def open_reading_room(settings: Settings) -> ReadingRoom:
    """Return how readers are set up in Label Studio.

    Parameters
    ----------
    settings : Settings
        Addresses and secrets.

    Returns
    -------
    ReadingRoom
        For `add_readers`.
    """
    return ReadingRoom(
        registrar=_registrar(settings),
        form=form_xml(),
        webhook_url=f"{settings.backend_url.rstrip('/')}/webhooks/label-studio",
        webhook_secret=webhook_secret(settings),
        ml_backend=MlBackend(
            settings.ml_backend_url, ML_BACKEND_USER, settings.derived_secret("ml-backend")
        ),
        open_client=open_desk(settings).open_client,
    )


def _registrar(settings: Settings) -> Registrar:
    admin = settings.label_studio_admin_token
    if admin is not None:
        return SharedOrganisation(settings.label_studio_url, admin.get_secret_value())
    return OrganisationEach(
        settings.label_studio_command,
        provision.server_environment(settings.label_studio_dir, settings.label_studio_url),
    )


def queue_rules(settings: Settings) -> QueueRules:
    """Return how the queue is filled.

    Parameters
    ----------
    settings : Settings
        Sizes, shares and seed.

    Returns
    -------
    QueueRules
        For `plan_worklists`.

    Raises
    ------
    UnknownStrategyError
        If there is no strategy of that name.
    """
    strategies.strategy(settings.queue_strategy)  # refused now rather than in the night
    return QueueRules(
        readers_per_image=settings.readers_per_image,
        worklist_size=settings.worklist_size,
        random_share=settings.random_share,
        strategy=settings.queue_strategy,
        adaptive_panels=settings.adaptive_panels,
        reservation=timedelta(days=settings.reservation_days),
        unassisted_share=settings.unassisted_share,
        gold_share=settings.gold_share,
        seed=settings.seed,
        second_look_share=settings.second_look_share if settings.second_looks else 0.0,
        second_look_quiet=timedelta(minutes=settings.second_look_quiet_minutes),
    )


def routing_rules(settings: Settings) -> RoutingRules:
    """Return how disputed images are sent to adjudicators.

    Parameters
    ----------
    settings : Settings
        Sizes and seed.

    Returns
    -------
    RoutingRules
        For `route_conflicts`.
    """
    return RoutingRules(
        readings_per_image=settings.readers_per_image,
        adaptive_panels=settings.adaptive_panels,
        adjudicators=settings.adjudicators_per_image,
        size=settings.adjudication_size,
        seed=settings.seed,
        reservation=timedelta(days=settings.reservation_days),
    )


def service_token(settings: Settings, reader_id: str) -> str:
    """Return the API token with which the system acts in a reader's organisation.

    Parameters
    ----------
    settings : Settings
        Holds the secret key.
    reader_id : str
        The reader.

    Returns
    -------
    str
        40 characters.
    """
    return settings.derived_secret(f"label-studio-service:{reader_id}")


def webhook_secret(settings: Settings) -> str:
    """Return what Label Studio sends with every event.

    Parameters
    ----------
    settings : Settings
        Holds the secret key.

    Returns
    -------
    str
        40 characters.
    """
    return settings.derived_secret("webhook")
