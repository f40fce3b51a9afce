"""Consensus in the store: all readings anew, the versions there are, and what changed."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from backend.domain.consensus.methods import OVERREAD
from backend.opened import open_store
from backend.terminal import Steps, console, now, print_json, print_table
from backend.workflow.compare_consensus import ConsensusChanges, compare_consensus
from backend.workflow.reconcile_store import ModelShare, reconcile_store

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Version = Annotated[str, typer.Argument(help="A method version: overread consensus versions.")]

_MEANINGS = {
    "images": "images compared",
    "only_before": "images that only {before} answers",
    "only_after": "images that only {after} answers",
    "clusters_before": "clusters before",
    "clusters_after": "clusters after",
    "appeared": "clusters that appeared",
    "vanished": "clusters that vanished",
    "changed_state": "clusters in another state",
    "crossed_up": "clusters that a release now takes",
    "crossed_down": "clusters that a release now leaves out",
    "moved": "clusters that moved (IoU below 0.8)",
}


def reconcile_all(method: str, with_model: str | None, *, as_json: bool) -> None:
    """Reconcile all readings of the store."""
    store = open_store()
    with Steps() as steps:
        done = reconcile_store(
            store,
            clock=now,
            method=method,
            with_model=with_model,
            on_start=lambda total: steps.step("reconciling readings", total),
            on_images=steps.advance_by,
        )
    with store.snapshot() as unit:
        states = unit.consensus.cluster_states(None if method == OVERREAD else done.method_version)
    if as_json:
        told = {key: value for key, value in asdict(done).items() if value is not None}
        print_json({**told, "clusters": states})
    else:
        print_table(
            f"Consensus on {done.images} images", ("state", "clusters"), sorted(states.items())
        )
        beside = "" if method == OVERREAD else ", beside the current answers"
        console.print(f"kept as {done.method_version}{beside}")
        if done.model is not None:
            _tell_of(done.model)


def versions(*, as_json: AsJson = False) -> None:
    """List the method versions that there are answers of."""
    with open_store().snapshot() as unit:
        found = unit.consensus.versions()
    if as_json:
        print_json([asdict(one) for one in found])
        return
    print_table(
        "Consensus versions",
        ("version", "images", "current", "first", "last"),
        [
            (
                one.method_version,
                one.images,
                one.current,
                _moment(one.first_reached_at),
                _moment(one.last_reached_at),
            )
            for one in found
        ],
    )


def diff(before: Version, after: Version, *, as_json: AsJson = False) -> None:
    """Show what changed from one method version to another."""
    with open_store().snapshot() as unit:
        changes = compare_consensus(unit, before, after)
    if as_json:
        print_json(asdict(changes))
        return
    print_table(f"From {before} to {after}", ("", "number"), _summary(changes))
    print_table(
        "Images that changed most",
        ("image", "change of p_true", "what"),
        [(one.image_id, f"{one.change:.2f}", one.sentence) for one in changes.most_changed],
    )


def _tell_of(model: ModelShare) -> None:
    """Say where a model voted and where it might not."""
    console.print(
        f"{model.version} voted on {model.images} images; {model.model_only} clusters that it "
        "alone marks are left out",
        markup=False,
    )
    for why, images in model.barred.items():
        console.print(f"{model.version} did not vote on {images} images: {why}", markup=False)


def _summary(changes: ConsensusChanges) -> list[tuple[str, object]]:
    names = {"before": changes.before, "after": changes.after}
    return [(what.format(**names), getattr(changes, key)) for key, what in _MEANINGS.items()]


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
