"""Label Studio and the store, brought to agree: pull what was read, push what is to be read."""

from collections.abc import Callable
from datetime import datetime

from backend.label_studio.connection import LabelStudioMissingError
from backend.store.readers import ReaderProject
from backend.store.unit_of_work import Store, StoreUnavailableError
from backend.workflow.job_lease import hold_sync_lease
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.pull_readings import pull_readings
from backend.workflow.push_worklists import push_worklist
from backend.workflow.sync_report import CLOSED, SyncReport, told
from backend.workflow.synchronise_adjudication import synchronise_adjudication

__all__ = ["SyncReport", "synchronise"]


def synchronise(
    store: Store,
    desk: LabelStudioDesk,
    *,
    clock: Callable[[], datetime],
    on_reader: Callable[[str], None] = lambda _: None,
) -> SyncReport:
    """Pull every reader's changes into the store and push the worklists out.

    One reader's trouble does not keep the others waiting, whatever it is; only a store that
    cannot be used ends the sync. Readers who have left are pulled, too: what they submitted last
    may not have been fetched.

    Parameters
    ----------
    store : Store
        The database.
    desk : LabelStudioDesk
        How to reach Label Studio.
    clock : callable
        Gives the time; aware.
    on_reader : callable
        Called with the reader id after each reader.

    Returns
    -------
    SyncReport
        What was done, and what could not be.

    Raises
    ------
    StoreUnavailableError
        If the database cannot be used.
    """
    report = SyncReport()
    with store.snapshot() as unit:
        projects = unit.readers.projects(also_of_inactive=True)
        active = {project.reader_id for project in unit.readers.projects()}
    for project in projects:
        _synchronise_reader(
            store, desk, project, report, clock=clock, is_active=project.reader_id in active
        )
        on_reader(project.reader_id)
    adjudicated = synchronise_adjudication(store, desk, clock=clock)
    report.verdicts.update(adjudicated.received)
    report.tasks_pushed += adjudicated.tasks_pushed
    report.problems += adjudicated.problems
    report.notices += adjudicated.notices
    return report


def _synchronise_reader(
    store: Store,
    desk: LabelStudioDesk,
    project: ReaderProject,
    report: SyncReport,
    *,
    clock: Callable[[], datetime],
    is_active: bool,
) -> None:
    try:
        with hold_sync_lease(store, project.reader_id, clock=clock):
            with desk.open_client(project.reader_id) as client:
                pull_readings(store, client, project, report, clock=clock)
            if is_active:
                pushed = push_worklist(store, desk, project, now=clock())
                report.tasks_pushed += pushed.tasks
    except StoreUnavailableError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the others must not wait
        if not is_active and isinstance(error, CLOSED):
            return
        report.readers_failed.append(project.reader_id)
        report.problems.append(f"{project.reader_id}: {told(error)}{_remedy(project, error)}")


def _remedy(project: ReaderProject, error: Exception) -> str:
    if not isinstance(error, LabelStudioMissingError):
        return ""
    return (
        "; if the project was deleted by hand, make it again with: "
        f"overread readers add {project.reader_id}"
    )
