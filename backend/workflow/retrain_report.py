"""What came of a retrain."""

from dataclasses import asdict, dataclass
from typing import Any

from backend.domain.nights import NightRecord, StepState
from backend.domain.skipped import Skipped

_TRAINING = ("cut", "train", "calibrate", "evaluate", "gate")
_STANDINGS = {"champion": "is champion now", "challenger": "scores in the shadow now"}


@dataclass(frozen=True, slots=True)
class RetrainReport:
    """What came of a retrain.

    Attributes
    ----------
    dataset_version : str or None
        What was trained on; None when nothing could be cut.
    model_version : str or None
        The challenger; None when nothing was trained.
    promoted : bool
        Whether it is champion now.
    reason : str
        Why, or why not.
    standing : str or None
        "champion", "challenger" when it scores in the shadow first, or "rejected"; None without
        a challenger.
    map40, champion_map40 : float or None
        mAP@0.4 in [0, 1] of both on the frozen test split.
    skipped : tuple of Skipped
        Training images that could not be read.
    """

    dataset_version: str | None
    model_version: str | None
    promoted: bool
    reason: str
    standing: str | None = None
    map40: float | None = None
    champion_map40: float | None = None
    skipped: tuple[Skipped, ...] = ()

    @classmethod
    def of(cls, record: NightRecord) -> "RetrainReport":
        """Return what the training steps of a run came to.

        Parameters
        ----------
        record : NightRecord
            The run.

        Returns
        -------
        RetrainReport
            Also when nothing was trained.
        """
        steps = {step.name: step for step in record.steps if step.name in _TRAINING}
        left: dict[str, dict[str, Any]] = {
            name: dict(step.outcome)
            for name, step in steps.items()
            if step.state is StepState.DONE
        }
        gate = left.get("gate", {})
        ended_early = [step.message for step in steps.values() if step.state is not StepState.DONE]
        return cls(
            dataset_version=left.get("cut", {}).get("dataset_version"),
            model_version=gate.get("model_version"),
            promoted=bool(gate.get("promoted")),
            reason=gate.get("reason") or next(iter(ended_early), ""),
            standing=gate.get("standing"),
            map40=gate.get("map40"),
            champion_map40=gate.get("champion_map40"),
            skipped=tuple(
                Skipped(each["what"], each["why"])
                for each in left.get("train", {}).get("skipped", [])
            ),
        )

    def sentence(self) -> str:
        """Return the report for people.

        Returns
        -------
        str
            One sentence.
        """
        if self.model_version is None:
            on = f" on {self.dataset_version}" if self.dataset_version else ""
            return f"nothing trained{on}: {self.reason}"
        standing = _STANDINGS.get(self.standing or "", "was turned away")
        return (
            f"{self.model_version}, trained on {self.dataset_version}, {standing}: {self.reason}"
        )

    def as_json(self) -> dict[str, object]:
        """Return the report as plain values.

        Returns
        -------
        dict
            For `--json`.
        """
        return asdict(self)
