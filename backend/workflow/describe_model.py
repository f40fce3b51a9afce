"""Gather everything that is known of a model version: its model card."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from backend.domain.dataset import DatasetImage, DatasetVersion
from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.domain.models import ModelVersion
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.name_model import find_model

LIMITS = (
    "For research and for preparing annotations. Not a medical device.",
    "Every box is to be confirmed by a radiologist.",
    "Figures hold for images and readers like those named here.",
    "Figures that others publish hold for other labels; they cannot be compared with these.",
)


def describe_model(store: UnitOfWork, name: str) -> dict[str, Any]:
    """Return the model card of a model version.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    name : str
        Its name, or an alias.

    Returns
    -------
    dict
        Plain values: data, readers, consensus, recipe, versions, weights, figures, verdict,
        service, and who decided what.
    """
    model = find_model(store, name)
    report = dict(model.report)
    return {
        **describe_standing(store, model),
        "made_at": model.created_at.isoformat(),
        "weights": {"sha256": model.weights_sha256, "origin": report.get("origin")},
        "map40": model.map40,
        "detection": report.get("detection"),
        "calibration": report.get("calibration"),
        "test_images_adjudicated": report.get("test_images_adjudicated"),
        "data": _data(store, model),
        "training": {
            "started_from": report.get("started_from"),
            "why": report.get("why"),
            "recipe": report.get("recipe"),
            "versions": report.get("versions"),
        },
        "thresholds": _thresholds(model),
        "limits": list(LIMITS),
    }


def describe_standing(store: UnitOfWork, model: ModelVersion) -> dict[str, Any]:
    """Return the part of a model card that changes after it was made.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    model : ModelVersion
        Whose.

    Returns
    -------
    dict
        Plain values: state, verdict, service, and who decided what.
    """
    return {
        "name": model.name,
        "state": model.state.value,
        "shadow_since": model.shadow_since and model.shadow_since.isoformat(),
        "gate": model.gate and dict(model.gate),
        "service": [
            {
                "from": one.began_at.isoformat(),
                "to": one.ended_at and one.ended_at.isoformat(),
                "by": one.actor,
                "reason": one.reason,
            }
            for one in store.model_history.service(model.name)
        ],
        "decisions": [
            {
                "at": event.at.isoformat(),
                "by": event.actor,
                "what": event.action,
                "why": event.detail.get("why") or event.detail.get("origin"),
            }
            for event in store.records.events(f"model:{model.name}")
        ],
    }


def _thresholds(model: ModelVersion) -> dict[str, float] | None:
    if model.scoring is None:
        return None
    return {finding.title: value for finding, value in sorted(model.scoring.thresholds.items())}


def _data(store: UnitOfWork, model: ModelVersion) -> dict[str, Any] | None:
    """Return what the model version learned from and was tested on."""
    if model.dataset_version is None:
        return None
    version = store.datasets.get(model.dataset_version)
    return {
        "dataset_version": version.name,
        "sha256": version.sha256,
        "cut_at": version.created_at.isoformat(),
        "consensus_method": version.consensus_method,
        "splits": {split.value: _split(version.in_split(split)) for split in Split},
        "sources": _counted(member.image.source for member in version.images),
        "readers": _readers(version),
    }


def _split(members: tuple[DatasetImage, ...]) -> dict[str, Any]:
    boxes = Counter(cluster.finding for member in members for cluster in member.clusters)
    images = Counter(
        finding for member in members for finding in {one.finding for one in member.clusters}
    )
    return {
        "images": len(members),
        "patients": len({member.image.patient_key for member in members}),
        "without_findings": sum(not member.clusters for member in members),
        "adjudicated": sum(member.is_adjudicated for member in members),
        "findings": {
            finding.title: {"images": images[finding], "boxes": boxes[finding]}
            for finding in Finding
            if boxes[finding]
        },
    }


def _readers(version: DatasetVersion) -> dict[str, int]:
    """Return how many images each reader read, by pseudonym."""
    return _counted(reader for member in version.images for reader in member.readers)


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
