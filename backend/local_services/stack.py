"""Label Studio, backend, ML backend and the nightly job of one machine, started in order."""

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from backend.local_services import label_studio_server
from backend.local_services.processes import Service, Services, is_local
from backend.settings import Settings

_START_SECONDS = 120.0


def start_all(
    services: Services,
    settings: Settings,
    *,
    with_nightly: bool,
    say: Callable[[str], None],
) -> None:
    """Start every server that is meant to run here, and wait until all are healthy.

    Parameters
    ----------
    services : Services
        Takes charge of them.
    settings : Settings
        Where they listen.
    with_nightly : bool
        Whether the nightly job is scheduled as well.
    say : callable
        Tells people what happens.
    """
    logs = settings.data_dir / "logs"
    label_studio = None
    if is_local(settings.label_studio_url):
        label_studio_server.ensure_installed(settings.label_studio_command, say=say)
        say("starting Label Studio (the very first start takes about a minute)")
        label_studio = services.add(
            label_studio_server.start(
                settings.label_studio_command,
                settings.label_studio_dir,
                settings.label_studio_url,
                logs / "label-studio.log",
            )
        )
    say("starting the backend and the ML backend")
    ours = [
        services.add(_own(settings, "backend", "serve", f"{settings.backend_url}/health", logs))
    ]
    if find_spec("torch") is not None or settings.detector == "scripted":
        url = f"{settings.ml_backend_url}/health"
        ours.append(services.add(_own(settings, "ML backend", "serve-ml", url, logs)))
        if with_nightly:
            schedule = ("nightly", "--schedule", settings.nightly_schedule)
            services.add(_own(settings, "nightly job", schedule, None, logs))
    else:
        say("the ML backend is left out: it needs pip install 'overread[ml]'")
    for service in ours:
        service.wait_until_healthy(_START_SECONDS)
    if label_studio is not None:
        label_studio_server.wait(label_studio, on_wait=services.check)


def own_command(*arguments: str) -> list[str]:
    """Return the command line of another process of this program.

    Parameters
    ----------
    *arguments : str
        After `overread`.

    Returns
    -------
    list of str
        Runs in the same Python.
    """
    return [sys.executable, "-m", "backend.cli", *arguments]


def _own(
    settings: Settings,
    name: str,
    arguments: str | tuple[str, ...],
    health_url: str | None,
    logs: Path,
) -> Service:
    words = (arguments,) if isinstance(arguments, str) else arguments
    log = logs / f"{name.replace(' ', '-')}.log"
    return Service(name, own_command(*words), settings.as_environment(), log, health_url)
