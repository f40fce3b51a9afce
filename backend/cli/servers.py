"""`overread up`, `serve` and `demo`: the servers of one machine."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from pydantic import SecretStr

from backend.cli.readers import new_reader
from backend.demo import loop, sample, stage
from backend.local_services.processes import Services, free_port
from backend.local_services.stack import start_all
from backend.opened import open_store
from backend.settings import Settings
from backend.terminal import Steps, console, print_json, print_table
from backend.workflow.add_readers import AddedReader, NewReader

_WATCH_SECONDS = 2.0
_DEMO_PASSWORD = "overread-demo"  # noqa: S105 - of a server that only this machine reaches
_DEMO_WORKLIST = 24
_DEMO_IMAGE_SIZE_PX = 416
_DEMO_EPOCHS = 6
_DEMO_BATCH_SIZE = 8

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def serve() -> None:
    """Serve the backend: readers' pages, images, webhooks, API."""
    # Imported here, because a web server is nothing that other commands should wait for.
    import uvicorn  # noqa: PLC0415

    from backend.api.access_log import log_config  # noqa: PLC0415
    from backend.api.app import create_app  # noqa: PLC0415

    settings = Settings()
    open_store(settings).close()
    uvicorn.run(
        create_app(settings),
        host=settings.backend_host,
        port=settings.backend_port,
        log_config=log_config(settings.log_level),
    )


def up(
    *,
    with_nightly: Annotated[
        bool, typer.Option("--nightly/--no-nightly", help="Schedule the nightly job.")
    ] = True,
) -> None:
    """Start Label Studio (when local), backend, ML backend and the nightly job, until Ctrl-C."""
    settings = Settings()
    open_store(settings).close()
    with _stopped_by_signals(), Services() as services:
        start_all(services, settings, with_nightly=with_nightly, say=console.print)
        console.print(f"readers sign in at {settings.backend_url}; Ctrl-C stops everything")
        _watch(services)


def demo(
    *,
    headless: Annotated[
        bool, typer.Option(help="Play the whole loop once with simulated readers, then end.")
    ] = False,
    folder: Annotated[
        Path, typer.Option(help="Everything of the demonstration is kept here.")
    ] = Path("overread-demo"),
    as_json: AsJson = False,
) -> None:
    """Show everything on this machine with the sample radiographs and simulated readers."""
    settings = _demo_settings(folder)
    store = open_store(settings)
    with _stopped_by_signals(), Services() as services:
        start_all(services, settings, with_nightly=False, say=console.print)
        with Steps() as steps:
            stage.prepare(store, settings, steps)
            loop.run_command(settings, "score", "--json")
            steps.step("setting up three simulated readers in Label Studio", 1)
            readers = stage.set_up_readers(store, settings, _demo_reader(settings))
            steps.advance_by()
            queued = loop.fill(store, settings)
            if headless:
                loop.read_everything(store, settings, readers, steps)
                _show_summary(loop.close_the_loop(store, settings, steps), as_json=as_json)
        if not headless:
            _show_links(settings, readers, queued)
            _watch(services)


def _demo_settings(folder: Path) -> Settings:
    """Return settings that keep the demonstration apart from any real work."""
    ports = {
        name: free_port(wanted)
        for name, wanted in (("backend", 8090), ("label_studio", 8080), ("ml_backend", 9090))
    }
    return Settings(
        data_dir=folder.absolute(),
        database_url=SecretStr(f"sqlite:///{folder.absolute() / 'overread.sqlite3'}"),
        detector="yolo",
        backend_host="127.0.0.1",
        ml_backend_host="127.0.0.1",
        backend_url=f"http://127.0.0.1:{ports['backend']}",
        backend_port=ports["backend"],
        label_studio_url=f"http://127.0.0.1:{ports['label_studio']}",
        label_studio_data_dir=None,
        ml_backend_url=f"http://127.0.0.1:{ports['ml_backend']}",
        ml_backend_port=ports["ml_backend"],
        worklist_size=_DEMO_WORKLIST,
        adaptive_panels=False,  # in one go: nobody waits for a night to ask a third reader
        base_weights=str(sample.WEIGHTS),
        train_image_size_px=_DEMO_IMAGE_SIZE_PX,
        train_epochs=_DEMO_EPOCHS,
        train_batch_size=_DEMO_BATCH_SIZE,
    )


def _demo_reader(settings: Settings) -> Callable[[str], NewReader]:
    def make(name: str) -> NewReader:
        return new_reader(settings, name, email=None, password=_DEMO_PASSWORD)

    return make


def _show_summary(summary: loop.Summary, *, as_json: bool) -> None:
    if as_json:
        print_json(summary.as_json())
    else:
        print_table("The whole loop, once", ("", ""), list(summary.as_json().items()))


def _show_links(
    settings: Settings, readers: list[tuple[NewReader, AddedReader]], queued: int
) -> None:
    print_table(
        f"{queued} sample radiographs wait to be read",
        ("reader", "e-mail", "password"),
        [(new.reader_id, new.email, new.password) for new, _ in readers],
    )
    console.print(f"\nReaders sign in at      {settings.backend_url}")
    for new, added in readers:
        console.print(f"or go straight to       {added.stream_url}   ({new.reader_id})")
    console.print("\nThe readers are simulated; read in their place. Ctrl-C stops everything.")


def _watch(services: Services) -> None:
    while True:
        services.check()
        time.sleep(_WATCH_SECONDS)


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let Ctrl-C and a polite kill end the block, with everything in it cleaned up."""

    def stop(_: int, __: FrameType | None) -> None:
        for sign in before:  # a second Ctrl-C would leave servers behind
            signal.signal(sign, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {sign: signal.signal(sign, stop) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        console.print("stopped")
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
