"""What a challenger is fine-tuned from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain.findings import Finding
from backend.domain.models import ModelVersion
from backend.settings import Settings
from backend.store.unit_of_work import Store
from ml_backend.live_model import WeightsTamperedError, verified_weights
from ml_backend.training.weights import find_base_weights
from ml_backend.ultralytics_settings import import_part


class DamagedWeightsError(ValueError):
    """The base weights are no checkpoint."""


@dataclass(frozen=True, slots=True)
class Start:
    """Weights to start from.

    Attributes
    ----------
    name : str
        The champion's name, or that of the base weights.
    weights : Path
        The file.
    why : str
        Why these, in words.
    """

    name: str
    weights: Path
    why: str


def choose_start(store: Store, settings: Settings) -> Start:
    """Return the champion's weights where they will do, and the base weights otherwise.

    Parameters
    ----------
    store : Store
        Knows the champion.
    settings : Settings
        What is wanted, and the base weights.

    Returns
    -------
    Start
        What to fine-tune.

    Raises
    ------
    BaseWeightsMissingError
        If there are none.
    DamagedWeightsError
        If they cannot be loaded.
    """
    with store.snapshot() as unit:
        champion = unit.models.champion()
    if settings.train_from == "base":
        return _base(settings, "OVERREAD_TRAIN_FROM is base")
    if champion is None:
        return _base(settings, "there is no champion yet")
    try:
        weights = verified_weights(champion)
    except (OSError, WeightsTamperedError) as problem:
        return _base(settings, f"champion {champion.name} cannot be used: {problem}")
    if not _knows_the_findings(weights):
        return _base(settings, f"champion {champion.name} was trained on other findings")
    return Start(champion.name, weights, _because(champion))


def _because(champion: ModelVersion) -> str:
    return f"{champion.name} is champion, and knows the same findings"


def _base(settings: Settings, why: str) -> Start:
    weights = find_base_weights(settings.base_weights, settings.weights_dir)
    try:
        _loaded(weights)
    except Exception as problem:  # unpickling damaged bytes raises whatever it meets
        raise DamagedWeightsError(
            f"{weights} is no whole checkpoint of YOLO ({problem}); download it again, or set "
            "OVERREAD_BASE_WEIGHTS to another file"
        ) from problem
    return Start(settings.base_weights, weights, why)


def _knows_the_findings(weights: Path) -> bool:
    found: dict[int, str] = dict(_loaded(weights).names)
    return found == {int(finding): finding.title for finding in Finding}


def _loaded(weights: Path) -> Any:  # noqa: ANN401 - ultralytics ships no types
    network, _ = import_part("nn.tasks").load_checkpoint(str(weights))
    return network
