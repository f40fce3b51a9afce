"""Gate: register the challenger, and promote it or keep the champion."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from backend.domain.models import ModelState, ModelVersion
from backend.workflow.judge_challenger import Challenge, judge_challenger, kept_verdict
from backend.workflow.promote_model import promote_model
from ml_backend.chain.calibrate import Calibrated
from ml_backend.chain.cut import Cut
from ml_backend.chain.evaluate import Evaluated
from ml_backend.chain.train import Trained
from ml_backend.chain.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Gated:
    """What the gate decided.

    Attributes
    ----------
    model_version : str
        The challenger's name.
    promoted : bool
        Whether it is champion now.
    standing : str
        "champion", "challenger" (it scores in the shadow first) or "rejected".
    reason : str
        Why, or why not.
    map40, champion_map40 : float or None
        mAP@0.4 in [0, 1] of both on the frozen test split.
    problems : tuple of str
        What a person has to mend before a challenger can be judged; none is normal.
    """

    model_version: str
    promoted: bool
    standing: str
    reason: str
    map40: float | None
    champion_map40: float | None
    problems: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return plain values.

        Returns
        -------
        dict
            For the record of the night.
        """
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Gated":
        """Return what `as_json` was made of.

        Parameters
        ----------
        values : mapping
            From the record of the night.

        Returns
        -------
        Gated
            The same.
        """
        return cls(**{**values, "problems": tuple(values.get("problems", ()))})


def gate(
    workshop: Workshop, cut: Cut, trained: Trained, calibrated: Calibrated, evaluated: Evaluated
) -> Gated:
    """Register a challenger and let it pass the gate, or turn it away; in one transaction.

    Parameters
    ----------
    workshop : Workshop
        What to work with.
    cut : Cut
        What it was trained on.
    trained : Trained
        Its weights.
    calibrated : Calibrated
        How its scores are to be read.
    evaluated : Evaluated
        How it and the champion did.

    Returns
    -------
    Gated
        What was decided.
    """
    with workshop.recorded(trained.training_run):
        version = workshop.dataset(cut.dataset_version)
        with workshop.store.snapshot() as unit:
            challenge = Challenge(
                unit.models.next_name(),
                version,
                evaluated.map40,
                evaluated.test_sha256,
                evaluated.champion,
                evaluated.comparison,
                evaluated.problems,
                evaluated.unreadable,
            )
            decision = judge_challenger(unit, challenge)
            run = unit.training_runs.get(trained.training_run)
        now = workshop.clock()
        challenger = ModelVersion(
            name=challenge.name,
            state=ModelState.CHALLENGER,
            weights_uri=str(trained.weights.path.absolute()),
            weights_sha256=trained.weights.sha256,
            created_at=now,
            dataset_version=cut.dataset_version,
            map40=evaluated.map40,
            report={**evaluated.figures, **workshop.training_report(run)},
            scoring=calibrated.scoring,
        )
        with workshop.store.transaction() as unit:
            standing = promote_model(
                unit,
                challenger,
                decision,
                kept_verdict(challenge, decision),
                shadow_images=workshop.settings.shadow_images,
                now=now,
            )
            unit.training_runs.end(
                trained.training_run,
                state="finished",
                outcome=standing.reason,
                model_version=challenger.name,
                now=now,
            )
            gated = Gated(
                challenger.name,
                promoted=standing.state is ModelState.CHAMPION,
                standing=standing.state.value,
                reason=standing.reason,
                map40=decision.challenger_map,
                champion_map40=decision.champion_map,
                problems=(standing.reason,) if evaluated.unreadable else (),
            )
            workshop.keep(unit, gated.as_json())
    return gated
