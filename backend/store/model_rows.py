"""Model versions as rows and back."""

from backend.domain.models import ModelState, ModelVersion
from backend.domain.score_calibration import Scoring
from backend.store.tables import ModelVersionRow


def as_row(model: ModelVersion) -> ModelVersionRow:
    """Return a model version as a row.

    Parameters
    ----------
    model : ModelVersion
        The model version.

    Returns
    -------
    ModelVersionRow
        To be added.
    """
    return ModelVersionRow(
        name=model.name,
        state=model.state,
        weights_uri=model.weights_uri,
        weights_sha256=model.weights_sha256,
        dataset_version=model.dataset_version,
        map40=model.map40,
        report=dict(model.report),
        scoring=model.scoring and model.scoring.as_json(),
        gate=None if model.gate is None else dict(model.gate),
        created_at=model.created_at,
        promoted_at=model.promoted_at,
        shadow_since=model.shadow_since,
    )


def as_model(row: ModelVersionRow) -> ModelVersion:
    """Return a row as a model version.

    Parameters
    ----------
    row : ModelVersionRow
        The row.

    Returns
    -------
    ModelVersion
        The model version.
    """
    return ModelVersion(
        name=row.name,
        state=ModelState(row.state),
        weights_uri=row.weights_uri,
        weights_sha256=row.weights_sha256,
        created_at=row.created_at,
        dataset_version=row.dataset_version,
        map40=row.map40,
        report=dict(row.report),
        promoted_at=row.promoted_at,
        scoring=Scoring.from_json(row.scoring) if row.scoring else None,
        gate=None if row.gate is None else dict(row.gate),
        shadow_since=row.shadow_since,
    )
