"""`overread adjudicate`: what readers dispute, and who settles it."""

from dataclasses import asdict, replace
from typing import Annotated, Any

import typer

from backend.cli import adjudicators
from backend.cli.queue import tell
from backend.desk import open_desk, routing_rules
from backend.domain.adjudication.conflicts import DisputedImage
from backend.domain.adjudication.verdict import Decision
from backend.domain.images import Split
from backend.opened import open_store
from backend.settings import Settings
from backend.store.unit_of_work import UnitOfWork
from backend.terminal import console, now, print_json, print_table
from backend.workflow import route_conflicts as routing
from backend.workflow.synchronise_adjudication import synchronise_adjudication

app = typer.Typer(help="What readers dispute, and who settles it.", no_args_is_help=True)
app.add_typer(adjudicators.app, name="adjudicators")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def route(
    *,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many wait at a time; OVERREAD_ADJUDICATION_SIZE."),
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Only tell what would be sent.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send disputed images to the adjudicators, the gravest first; withdraw what is settled."""
    settings = Settings()
    store = open_store(settings)
    rules = routing_rules(settings)
    rules = rules if limit is None else replace(rules, size=limit)
    with store.snapshot() if dry_run else store.transaction() as unit:
        report = routing.route_conflicts(unit, rules, now=now())
        is_staffed = bool(unit.adjudicators.all())
    problems, pushed = [], 0
    if not dry_run:
        synced = synchronise_adjudication(store, open_desk(settings), clock=now)
        problems, pushed = synced.problems, synced.tasks_pushed
    if as_json:
        print_json(
            {
                "sent": [_as_row(image) for image in report.sent],
                "withdrawn": report.withdrawn,
                "moved": report.moved,
                "open": report.open,
                "waiting": report.waiting,
                "tasks_pushed": pushed,
                "dry_run": dry_run,
                "problems": problems,
            }
        )
        return
    rows = [_as_row(image) for image in report.sent]
    print_table(
        "Would be sent" if dry_run else "Sent to the adjudicators",
        ("image", "test", "consequence", "why"),
        [
            (row["image"], "yes" if row["test"] else "", f"{row['consequence']:.2f}", row["why"])
            for row in rows
        ],
    )
    for image_id, reason in report.withdrawn.items():
        console.print(f"withdrawn: {image_id}, {reason}", markup=False)
    console.print(
        f"{len(rows)} images new, {report.open} wait for an adjudicator, {report.waiting} more "
        "are disputed and have no room yet"
    )
    if not is_staffed:
        console.print("nobody adjudicates yet: overread adjudicate adjudicators add NAME")
    tell(problems)


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Tell how far adjudication has come."""
    with open_store().snapshot() as unit:
        found = _status(unit)
    if as_json:
        print_json(found)
        return
    print_table("Requests", ("state", "number"), list(found["requests"].items()))
    print_table("Images", ("", "number"), list(found["images"].items()))
    print_table(
        "Waiting",
        ("image", "round", "test", "consequence", "why"),
        [
            (
                row["image"],
                row["round"],
                "yes" if row["test"] else "",
                f"{row['consequence']:.2f}",
                row["why"],
            )
            for row in found["waiting"]
        ],
    )
    for problem in found["quarantined"]:
        console.print(
            f"quarantined: {problem['image']} (task {problem['task']}): {problem['reason']}",
            markup=False,
        )


@app.command()
def show(
    image_id: Annotated[str, typer.Argument(help="The image.")], *, as_json: AsJson = False
) -> None:
    """Show every verdict that was given on an image, and what stands."""
    with open_store().snapshot() as unit:
        revisions = unit.adjudications.revisions(image_id)
        standing = unit.adjudications.standing([image_id]).get(image_id)
    rows = [
        {
            "version": kept.verdict.versions[0],
            "adjudicator": next(iter(kept.verdict.adjudicators), None),
            "state": kept.receipt.state,
            "stands": standing is not None and kept.verdict.versions[0] in standing.versions,
            "decided_at": kept.receipt.decided_at,
            "decisions": [asdict(one) for one in kept.verdict.decisions],
            "nothing_missing": kept.verdict.nothing_missing,
            "problem": kept.receipt.reason,
        }
        for kept in revisions
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        f"Verdicts on {image_id}",
        ("version", "who", "state", "stands", "act", "finding", "reason"),
        [
            (
                kept.verdict.versions[0],
                row["adjudicator"] or "",
                row["state"],
                "yes" if row["stands"] else "",
                one.act.value,
                _renamed(one),
                one.reason or "",
            )
            for kept, row in zip(revisions, rows, strict=True)
            for one in kept.verdict.decisions
        ],
    )


@app.command()
def reopen(
    image_id: Annotated[str, typer.Argument(help="The image.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; the adjudicator reads it.")],
    as_json: AsJson = False,
) -> None:
    """Take the verdict on an image back and ask again; the old verdicts stay readable."""
    settings = Settings()
    store = open_store(settings)
    with store.transaction() as unit:
        request = routing.reopen(unit, image_id, reason, routing_rules(settings), now=now())
    synced = synchronise_adjudication(store, open_desk(settings), clock=now)
    if as_json:
        print_json(
            {
                "image": image_id,
                "question": request.question,
                "tasks_pushed": synced.tasks_pushed,
                "problems": synced.problems,
            }
        )
        return
    console.print(f"{image_id} is asked again (question {request.question})", markup=False)
    tell(synced.problems)


def _status(unit: UnitOfWork) -> dict[str, Any]:
    requests = unit.adjudication_requests.all()
    standing = unit.adjudications.standing()
    complete = {image_id for image_id, verdict in standing.items() if verdict.is_complete}
    test = {image.id for image in unit.images.all().values() if image.split is Split.TEST}
    kept = [(one, unit.adjudications.current(one.key)) for one in requests]
    return {
        "requests": {
            state.value: number for state, number in unit.adjudication_requests.counts().items()
        },
        "images": {
            "with a verdict": len(standing),
            "fully adjudicated": len(complete),
            "fully adjudicated in the test split": len(complete & test),
            "in the test split": len(test),
        },
        "waiting": [
            {
                "image": one.image_id,
                "question": one.question,
                "round": one.round,
                "test": one.is_test,
                "consequence": round(one.consequence, 4),
                "why": " ".join(one.reasons),
            }
            for one in requests
            if one.state.value in {"open", "skipped"}
        ],
        "quarantined": [
            {"image": one.image_id, "task": one.task_id, "reason": verdict.receipt.reason}
            for one, verdict in kept
            if verdict is not None and verdict.receipt.state == "quarantined"
        ],
    }


def _renamed(decision: Decision) -> str:
    findings = (
        None if decision.subject is None else decision.subject.finding,
        decision.finding,
    )
    return " → ".join(dict.fromkeys(one.title for one in findings if one is not None))


def _as_row(image: DisputedImage) -> dict[str, object]:
    return {
        "image": image.image_id,
        "test": image.is_test,
        "consequence": round(image.consequence, 4),
        "kinds": [conflict.kind.value for conflict in image.conflicts],
        "why": " ".join(conflict.reason for conflict in image.conflicts),
    }
