"""A model version and its standing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from backend.domain.score_calibration import Scoring


class ModelState(StrEnum):
    """Standing of a model version; at most one is champion.

    A challenger has passed the gate and scores in the shadow of the champion; without shadow mode
    it is none for longer than a transaction.
    """

    CHALLENGER = "challenger"
    CHAMPION = "champion"
    REJECTED = "rejected"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One set of weights, where it came from and how it did.

    Attributes
    ----------
    name : str
        For example "m3"; travels with every prediction.
    state : ModelState
        Its standing.
    weights_uri : str
        Where the weights are.
    weights_sha256 : str
        Hash of the weights; a file with another hash is never loaded.
    created_at : datetime
        When it was registered; aware.
    dataset_version : str or None
        What it was trained on; None for weights that came from outside.
    map40 : float or None
        mAP@0.4 in [0, 1] on the frozen test split; None when the split held no finding.
    report : mapping
        Everything else that was measured: average precision per finding, seed, recipe.
    promoted_at : datetime or None
        When it last became champion.
    scoring : Scoring or None
        How its raw scores become probabilities, and from which on boxes are shown; None when it
        was not calibrated.
    gate : mapping or None
        What the gate said, with its reasons; None for weights that came from outside.
    shadow_since : datetime or None
        Since when it scores silently beside the champion; None when it does not.
    """

    name: str
    state: ModelState
    weights_uri: str
    weights_sha256: str
    created_at: datetime
    dataset_version: str | None = None
    map40: float | None = None
    report: Mapping[str, object] = field(default_factory=dict)
    promoted_at: datetime | None = None
    scoring: Scoring | None = None
    gate: Mapping[str, object] | None = None
    shadow_since: datetime | None = None
