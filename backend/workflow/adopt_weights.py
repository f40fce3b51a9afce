"""Register weights that were trained elsewhere."""

import hashlib
from datetime import datetime
from pathlib import Path

from backend.domain.models import ModelState, ModelVersion
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.crown_model import crown_model


def adopt_weights(
    store: UnitOfWork, weights: Path, weights_dir: Path, *, origin: str, now: datetime
) -> ModelVersion:
    """Register a weights file as a model version and make it champion; repeatable.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    weights : Path
        The file; it is copied.
    weights_dir : Path
        Where the weights of model versions are kept.
    origin : str
        Where it comes from, for the record.
    now : datetime
        The time; aware.

    Returns
    -------
    ModelVersion
        The model version of these weights.
    """
    content = weights.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    for known in store.models.all():
        if known.weights_sha256 == sha256:
            return known

    weights_dir.mkdir(parents=True, exist_ok=True)
    kept = weights_dir / f"{sha256}.pt"
    partial = kept.with_suffix(".partial")
    partial.write_bytes(content)
    partial.rename(kept)
    name = store.models.next_name()
    store.models.add(
        ModelVersion(
            name=name,
            state=ModelState.CHALLENGER,
            weights_uri=str(kept.absolute()),
            weights_sha256=sha256,
            created_at=now,
            report={"origin": origin},
        )
    )
    crown_model(
        store, store.models.get(name), reason=origin, now=now, actor="system", action="adopt"
    )
    return store.models.get(name)
