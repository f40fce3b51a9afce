"""`overread queue`: what is read next, and why."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from backend.cli import queue_signal
from backend.desk import open_desk, queue_rules
from backend.domain.acquisition.cost import CostModel
from backend.domain.acquisition.strategies import STRATEGIES
from backend.opened import open_store
from backend.settings import Settings
from backend.store.unit_of_work import Store
from backend.terminal import console, now, print_json, print_table
from backend.workflow.gather_evidence import gather_cost
from backend.workflow.list_skipped import list_skipped
from backend.workflow.plan_worklists import QueueRules, plan_worklists
from backend.workflow.reorder_worklists import reorder_worklists
from backend.workflow.show_queue import QueueRow, planned_queue, show_queue
from backend.workflow.synchronise import synchronise
from backend.workflow.top_up_worklists import top_up_worklists

app = typer.Typer(help="What is read next, and why.", no_args_is_help=True)
app.command()(queue_signal.signal)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def show(*, as_json: AsJson = False) -> None:
    """Show the open images in the order in which they are read."""
    settings = Settings()
    store = open_store(settings)
    with store.snapshot() as unit:
        rows = show_queue(unit)
        cost = gather_cost(unit)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_queue("Queue", rows, cost)
    queue_signal.tell(queue_signal.weigh(store, settings))


@app.command()
def skipped(*, as_json: AsJson = False) -> None:
    """Show the images that readers set aside, and why."""
    with open_store().snapshot() as unit:
        rows = list_skipped(unit)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_table(
        "Set aside",
        ("image", "reader", "cannot be read because", "note"),
        [(row.image_id, row.reader, row.reason or "", row.note or "") for row in rows],
    )


@app.command()
def refill(
    *,
    size: Annotated[
        int | None, typer.Option(min=1, help="At most so many images; else until lists are full.")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help=f"How images are chosen: {', '.join(STRATEGIES)}."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be chosen; change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Choose what is read next, top up and re-order the worklists, push them to Label Studio."""
    settings = Settings() if strategy is None else Settings(queue_strategy=strategy)
    rules = queue_rules(settings)
    store = open_store(settings)
    if dry_run:
        show_plan(store, rules, size, as_json=as_json)
        return
    topped_up = top_up_worklists(store, rules, clock=now, size=size)
    entries, asked_again = topped_up.entries, topped_up.second_looks
    desk = open_desk(settings)
    changed = reorder_worklists(store, desk, rules, clock=now)
    report = synchronise(store, desk, clock=now)
    problems = list(dict.fromkeys([*changed.problems, *report.problems]))
    if as_json:
        print_json(
            {
                "entries": len(entries),
                "second_looks": len(asked_again),
                "left_out": topped_up.left_out,
                "pushed": report.tasks_pushed,
                "reordered": changed.reordered,
                "withdrawn": changed.withdrawn,
                "problems": problems,
            }
        )
    else:
        images = len({entry.image_id for entry in entries})
        console.print(f"{len(entries)} new entries for {images} images")
        if asked_again:
            console.print(f"{len(asked_again)} readings come back for a second look")
        if topped_up.left_out:
            console.print(
                f"{topped_up.left_out} more were read, skipped or asked for while this was chosen"
            )
        if changed.reordered or changed.withdrawn:
            console.print(
                f"{changed.reordered} open entries got another place, {changed.withdrawn} that "
                "nobody needs any more were taken off"
            )
        console.print(f"{report.tasks_pushed} tasks pushed to Label Studio")
        if not entries:
            console.print(
                "every worklist is full, or there is nothing left to read, or nobody "
                "reads yet; see: overread readers list"
            )
        tell([*problems, *report.notices])


def show_plan(store: Store, rules: QueueRules, size: int | None, *, as_json: bool) -> None:
    """Show what would be chosen.

    Parameters
    ----------
    store : Store
        The database; nothing is written.
    rules : QueueRules
        How images are chosen.
    size : int or None
        At most so many images.
    as_json : bool
        Whether a program reads it.
    """
    with store.snapshot() as unit:
        plan = plan_worklists(unit, rules, now=now(), size=size)
    rows = planned_queue(plan.entries)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_queue(f"Would be chosen by {rules.strategy}", rows, plan.question.cost)
    console.print("dry run: nothing was changed")


def print_queue(title: str, rows: Sequence[QueueRow], cost: CostModel) -> None:
    """Print images that are to be read, for people.

    Parameters
    ----------
    title : str
        Above the table.
    rows : sequence of QueueRow
        By rank.
    cost : CostModel
        How long reading takes.
    """
    print_table(
        title,
        ("rank", "image", "score", "channel", "top finding", "expected s", "readers", "why"),
        [
            (
                row.rank,
                row.image_id,
                f"{row.score:.3f}",
                row.channel,
                row.top_finding,
                None if row.expected_seconds is None else round(row.expected_seconds),
                ", ".join(row.readers),
                row.reason,
            )
            for row in rows
        ],
    )
    if rows:
        seconds = [(row.expected_seconds or 0.0) * len(row.readers) for row in rows]
        unknown = sum(row.expected_seconds is None for row in rows)
        minutes = round(sum(seconds) / 60)
        console.print(
            f"about {minutes} minute{'' if minutes == 1 else 's'} of reading"
            + (f", and {unknown} images that no model has scored" if unknown else "")
            + f"; {cost.in_words}"
        )


def tell(problems: Sequence[str]) -> None:
    """Tell people what could not be done.

    Parameters
    ----------
    problems : sequence of str
        One sentence each.
    """
    for problem in problems:
        console.print(f"problem: {problem}", markup=False)
