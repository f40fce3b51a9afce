"""`overread sync`: Label Studio and the store, brought to agree or compared."""

from dataclasses import asdict
from typing import Annotated

import typer

from backend.desk import open_desk
from backend.opened import open_store
from backend.settings import Settings
from backend.store.unit_of_work import Store
from backend.terminal import Steps, console, now, print_json
from backend.workflow.check_adjudication import check_adjudication
from backend.workflow.check_sync import SyncFinding, check_sync
from backend.workflow.sync_report import SyncReport
from backend.workflow.synchronise import synchronise

_NOBODY_READS = "nobody reads in Label Studio yet; add a reader: overread readers add NAME"


class SyncFailedError(RuntimeError):
    """Nothing could be exchanged with Label Studio."""


class PersonNeededError(RuntimeError):
    """Label Studio and the store disagree in a way that only a person can mend."""


def sync(
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Change nothing; say where both disagree, and end with 1 if a person is needed.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Bring Label Studio and the store to agree, both ways."""
    settings = Settings()
    store = open_store(settings)
    with store.snapshot() as unit:
        projects = len(unit.readers.projects(also_of_inactive=True))
        readers = {project.reader_id for project in unit.readers.projects()}
    if not readers:
        console.print(_NOBODY_READS)
    if check:
        _check(store, settings, projects, as_json=as_json)
    else:
        report = _sync(store, settings, projects, as_json=as_json)
        _expect_contact(readers, report)


def _sync(store: Store, settings: Settings, projects: int, *, as_json: bool) -> SyncReport:
    with Steps() as steps:
        steps.step("synchronising readers", projects)
        report = synchronise(
            store, open_desk(settings), clock=now, on_reader=lambda _: steps.advance_by()
        )
    if as_json:
        counted = {"received": dict(report.received), "verdicts": dict(report.verdicts)}
        print_json({**asdict(report), **counted})
    else:
        _tell(report)
    return report


def _expect_contact(readers: set[str], report: SyncReport) -> None:
    if readers and readers <= set(report.readers_failed):
        raise SyncFailedError(
            "no reader's project could be reached; nothing is lost, and the next sync catches up. "
            "See: overread doctor"
        )


def _tell(report: SyncReport) -> None:
    for kind, number in sorted(report.received.items()):
        console.print(f"{number} {kind}")
    for kind, number in sorted(report.verdicts.items()):
        console.print(f"{number} {kind} by adjudicators")
    console.print(f"{report.tasks_pushed} tasks pushed, {report.tasks_lost} were deleted there")
    if report.readings_kept:
        console.print(f"{report.readings_kept} readings are lost in Label Studio and kept here")
    for problem in report.problems:
        console.print(f"problem: {problem}", markup=False)
    for notice in report.notices:
        console.print(f"look at: {notice}", markup=False)


def _check(store: Store, settings: Settings, projects: int, *, as_json: bool) -> None:
    with Steps() as steps:
        steps.step("comparing readers' projects with the store", projects)
        desk = open_desk(settings)
        findings = check_sync(store, desk, clock=now, on_reader=lambda _: steps.advance_by())
        findings += check_adjudication(store, desk)
    needed = sum(finding.remedy is not None for finding in findings)
    if as_json:
        print_json({"needs_person": needed, "findings": [asdict(one) for one in findings]})
    else:
        for finding in findings:
            _show(finding)
    if needed:
        raise PersonNeededError(f"{needed} findings need a person; nothing was changed")


def _show(finding: SyncFinding) -> None:
    mark = "[green]ok[/]  " if finding.remedy is None else "[red]mend[/]"
    console.print(f"{mark} {finding.reader_id}, {finding.what}: ", end="")
    console.print(finding.state, markup=False)
    if finding.remedy:
        console.print(f"     -> {finding.remedy}", markup=False)
