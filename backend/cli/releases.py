"""`overread release`: datasets for the world outside."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from backend.formats.releases import ReleaseFormat
from backend.formats.verification import verify as verify_folder
from backend.opened import open_store
from backend.settings import Settings
from backend.store.datasets import Release
from backend.store.unit_of_work import Store
from backend.terminal import Steps, console, now, print_json, print_table
from backend.workflow.cut_training_set import cut_training_set
from backend.workflow.release_dataset import release_dataset

app = typer.Typer(help="Dataset releases.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Name = Annotated[str, typer.Argument(help="For example d1-yolo.")]


class UnknownReleaseError(LookupError):
    """No release has this name."""


class BrokenReleaseError(RuntimeError):
    """A release is not what its manifest says."""


@app.command()
def create(
    *,
    release_format: Annotated[
        ReleaseFormat, typer.Option("--format", help="How boxes are written.")
    ],
    dataset: Annotated[
        str | None, typer.Option(help="A dataset version, e.g. d2; a new cut if unset.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="New folder; inside the data folder if unset.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the consensus as a dataset, with splits, negatives and a manifest."""
    settings = Settings()
    store = open_store(settings)
    with store.transaction() as unit:
        version = (
            unit.datasets.get(dataset)
            if dataset
            else cut_training_set(
                unit, seed=settings.seed, now=now(), repeat_below=settings.train_repeat_below
            )
        )
    folder = output or settings.data_dir / "releases" / f"{version.name}-{release_format.value}"
    with Steps() as steps:
        steps.step(f"releasing {version.name}", len(version.images))
        release = release_dataset(
            store, version, release_format, folder, now=now(), on_image=steps.advance_by
        )
    if as_json:
        print_json(asdict(release))
    else:
        boxes = sum(len(member.clusters) for member in version.images)
        console.print(f"{release.name}: {len(version.images)} images, {boxes} boxes")
        console.print(release.uri, markup=False)


@app.command(name="list")
def list_releases(*, as_json: AsJson = False) -> None:
    """List every release."""
    with open_store().snapshot() as unit:
        found = unit.datasets.releases()
    if as_json:
        print_json([asdict(release) for release in found])
        return
    print_table(
        "Releases",
        ("name", "dataset", "format", "made", "folder"),
        [
            (
                one.name,
                one.dataset_version,
                one.format,
                f"{one.created_at:%Y-%m-%d %H:%M}",
                one.uri,
            )
            for one in found
        ],
    )


@app.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show what a release holds."""
    store = open_store()
    release = _named(store, name)
    with store.snapshot() as unit:
        version = unit.datasets.get(release.dataset_version)
    facts = {
        **asdict(release),
        "dataset_sha256": version.sha256,
        "consensus_method": version.consensus_method,
        "images": len(version.images),
        "negatives": sum(not member.clusters for member in version.images),
        "boxes": sum(len(member.clusters) for member in version.images),
    }
    if as_json:
        print_json(facts)
    else:
        print_table(f"Release {name}", ("", ""), list(facts.items()))


@app.command()
def verify(
    name: Annotated[str, typer.Argument(help="A release's name, or a folder.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Check every file and box of a release against its manifest."""
    folder = Path(name) if Path(name).is_dir() else Path(_named(open_store(), name).uri)
    report = verify_folder(folder)
    if as_json:
        print_json({"ok": report.ok, **asdict(report)})
    if not report.ok:
        raise BrokenReleaseError(
            f"{folder} is not what was released: " + "; ".join(report.problems[:20])
        )
    if not as_json:
        console.print(f"{folder} is intact: {report.checked_files} files checked")


def _named(store: Store, name: str) -> Release:
    with store.snapshot() as unit:
        found = {release.name: release for release in unit.datasets.releases()}
    if name not in found:
        raise UnknownReleaseError(
            f"no release {name!r}; there are: {', '.join(found) or 'none yet'}"
        )
    return found[name]
