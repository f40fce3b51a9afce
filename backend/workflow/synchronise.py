"""Label Studio and the store, brought to agree: pull what was read, push what is to be read."""

from collections.abc import Callable
from datetime import datetime

from backend.label_studio.connection import LabelStudioError, LabelStudioMissingError
from backend.label_studio.tasks import MalformedTaskError
from backend.store.records import LeaseTakenError
from backend.store.unit_of_work import Store
from backend.workflow.job_lease import hold_sync_lease
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.pull_readings import pull_readings
from backend.workflow.push_worklists import push_worklist
from backend.workflow.sync_report import SyncReport
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

    One reader's trouble does not keep the others waiting.

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
    """
    report = SyncReport()
    with store.snapshot() as unit:
        projects = unit.readers.projects()
    for project in projects:
        try:
            with hold_sync_lease(store, project.reader_id, clock=clock):
                with desk.open_client(project.reader_id) as client:
                    pull_readings(store, client, project, report, clock=clock)
                pushed = push_worklist(store, desk, project, now=clock())
            report.tasks_pushed += pushed.tasks
        except LabelStudioMissingError as error:
            report.problems.append(
                f"{project.reader_id}: {error}; if the project was deleted by hand, make it again "
                f"with: overread readers add {project.reader_id}"
            )
        except (LabelStudioError, MalformedTaskError, LeaseTakenError) as error:
            report.problems.append(f"{project.reader_id}: {error}")
        on_reader(project.reader_id)
    adjudicated = synchronise_adjudication(store, desk, clock=clock)
    report.verdicts.update(adjudicated.received)
    report.tasks_pushed += adjudicated.tasks_pushed
    report.problems += adjudicated.problems
    return report
