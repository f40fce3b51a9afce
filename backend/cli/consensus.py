"""`overread consensus`: the readers' common answers, in the store or on files alone."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.on_demand import group_of
from backend.domain.consensus.methods import METHODS, OVERREAD
from backend.terminal import Steps, print_json, print_skipped, print_table
from backend.workflow.reconcile_file import reconcile_file

app = typer.Typer(
    cls=group_of(
        {
            "versions": "backend.cli.consensus_in_store:versions",
            "diff": "backend.cli.consensus_in_store:diff",
        }
    ),
    help="Reconcile the readings of every image; see what changed.",
    invoke_without_command=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.callback()
def consensus(  # noqa: PLR0913 - one per option
    context: typer.Context,
    *,
    method: Annotated[
        str,
        typer.Option(
            help=f"One of {', '.join(METHODS)}. The answers of all but {OVERREAD} are kept "
            "beside the current ones, to be compared."
        ),
    ] = OVERREAD,
    with_model: Annotated[
        str | None,
        typer.Option(
            help="A model version that joins the readers, on images that are news to it; see "
            "overread models list. Without this option the readers are alone."
        ),
    ] = None,
    readings: Annotated[
        Path | None,
        typer.Option(
            "--input",
            help="Readings in the form of VinBigData's train.csv, plain or gzipped: work on files "
            "alone, without a store.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="With --input: CSV file for the common answers.")
    ] = None,
    readers_output: Annotated[
        Path | None,
        typer.Option(help="With --input: CSV file for what is known about each reader."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate the readers anew and reconcile the readings of every image.

    Without --input it works on the store. With it, on files alone: the answers go to --output,
    one row per cluster and one with class_id 14 per image, whose score is the probability of no
    finding.
    """
    if context.invoked_subcommand is not None:
        return
    if readings is None and output is None and readers_output is None:
        # Not at the top: work on files needs no database, which takes half a second to load.
        from backend.cli.consensus_in_store import reconcile_all  # noqa: PLC0415

        reconcile_all(method, with_model, as_json=as_json)
    elif with_model is not None:
        raise typer.BadParameter("a model joins the readers of the store only, not of files")
    elif readings is None or output is None:
        raise typer.BadParameter("files need both --input and --output")
    else:
        _reconcile_file(readings, output, readers_output, method=method, as_json=as_json)


def _reconcile_file(
    readings: Path, output: Path, readers_output: Path | None, *, method: str, as_json: bool
) -> None:
    """Reconcile the readings of a file."""
    with Steps() as steps:
        done = reconcile_file(
            readings,
            output,
            readers_output,
            method=method,
            on_start=steps.step,
            on_done=steps.advance_by,
        )
    if as_json:
        print_json(asdict(done))
        return
    title = f"{done.images} images, {done.readings} readings, {done.boxes} boxes"
    print_table(title, ("state", "clusters"), sorted(done.clusters.items()))
    print_skipped(done.repaired, what="repaired")
    print_skipped(done.refused)
