"""The steps of the chain that need torch."""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.settings import Settings
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.chain_step import AtWork, Outcomes, Step
from ml_backend.chain.calibrate import Calibrated, calibrate
from ml_backend.chain.clear_disk import clear_disk
from ml_backend.chain.cut import Cut, cut
from ml_backend.chain.describe import describe
from ml_backend.chain.evaluate import Evaluated, evaluate
from ml_backend.chain.gate import gate
from ml_backend.chain.score import score
from ml_backend.chain.shadow import shadow
from ml_backend.chain.train import Trained, train
from ml_backend.chain.workshop import Workshop


@dataclass(frozen=True, slots=True)
class NightShift:
    """Trains and scores for the chain.

    Attributes
    ----------
    settings : Settings
        Recipe, device, seed.
    force : bool
        Train even if nothing was read since the last finished run.
    """

    settings: Settings
    force: bool = False

    def training_steps(self) -> tuple[Step, ...]:
        """Return the steps shadow, cut, train, calibrate, evaluate, gate and describe.

        Returns
        -------
        tuple of Step
            In their order. A run trains one challenger: once it has passed the gate or not, the
            steps before are not done again in that run.
        """
        trained = ("cut", "train")
        return (
            Step("shadow", "settling who is in the shadow", self._shadow),
            Step("cut", "cutting a dataset version", self._cut, inputs=self._cut_from),
            Step("train", "training a challenger", self._train, self._trained_from, ("cut",)),
            Step(
                "calibrate",
                "learning what the challenger's scores mean",
                self._calibrate,
                self._calibrated_from,
                needs=trained,
            ),
            Step(
                "evaluate",
                "measuring challenger and champion",
                self._evaluate,
                _evaluated_from,
                needs=(*trained, "calibrate"),
            ),
            Step(
                "gate",
                "holding the challenger against the champion",
                self._gate,
                _gated_from,
                needs=(*trained, "calibrate", "evaluate"),
                seals=(*trained, "calibrate", "evaluate"),
            ),
            Step("describe", "clearing the disk, writing model cards", self._describe, _decided),
        )

    def scoring_step(self) -> Step:
        """Return the step that scores the unread pool with the champion.

        Returns
        -------
        Step
            It goes on where it was cut off.
        """
        return Step("score", "scoring the unread pool", self._score, inputs=_scored_by)

    def _workshop(self, at: AtWork) -> Workshop:
        return Workshop(at.store, self.settings, at.clock, at.progress, at.should_stop, at.keep)

    def _shadow(self, at: AtWork) -> Mapping[str, object]:
        return shadow(self._workshop(at))

    def _describe(self, at: AtWork) -> Mapping[str, object]:
        if "gate" in at.outcomes:  # not in that step: a kill after its decision would leave it all
            clear_disk(self._workshop(at))
        return describe(self._workshop(at))

    def _cut(self, at: AtWork) -> Mapping[str, object]:
        return cut(self._workshop(at)).as_json()

    def _cut_from(self, unit: UnitOfWork, _: Outcomes) -> Mapping[str, object]:
        return {
            **unit.nights.how_far_read(),
            "consensus": unit.nights.how_far_reconciled(),
            "seed": self.settings.seed,
        }

    def _train(self, at: AtWork) -> Mapping[str, object]:
        done = Cut.from_json(at.outcomes["cut"])
        return train(self._workshop(at), done, force=self.force).as_json()

    def _trained_from(self, _: UnitOfWork, outcomes: Outcomes) -> Mapping[str, object]:
        recipe = {
            name: value
            for name, value in self.settings.model_dump(mode="json").items()
            if name.startswith("train_") or name in {"base_weights", "seed", "device"}
        }
        return {"dataset": outcomes["cut"]["sha256"], "recipe": recipe}

    def _calibrate(self, at: AtWork) -> Mapping[str, object]:
        outcomes = at.outcomes
        trained = Trained.from_json(outcomes["train"])
        return calibrate(self._workshop(at), Cut.from_json(outcomes["cut"]), trained).as_json()

    def _calibrated_from(self, _: UnitOfWork, outcomes: Outcomes) -> Mapping[str, object]:
        return {
            "dataset": outcomes["cut"]["sha256"],
            "weights": outcomes["train"]["weights"]["sha256"],
            "false_marks_per_image": self.settings.false_marks_per_image,
        }

    def _evaluate(self, at: AtWork) -> Mapping[str, object]:
        outcomes = at.outcomes
        return evaluate(
            self._workshop(at),
            Cut.from_json(outcomes["cut"]),
            Trained.from_json(outcomes["train"]),
            Calibrated.from_json(outcomes["calibrate"]),
        ).as_json()

    def _gate(self, at: AtWork) -> Mapping[str, object]:
        outcomes = at.outcomes
        return gate(
            self._workshop(at),
            Cut.from_json(outcomes["cut"]),
            Trained.from_json(outcomes["train"]),
            Calibrated.from_json(outcomes["calibrate"]),
            Evaluated.from_json(outcomes["evaluate"]),
        ).as_json()

    def _score(self, at: AtWork) -> Mapping[str, object]:
        return score(self._workshop(at))


def _evaluated_from(unit: UnitOfWork, outcomes: Outcomes) -> Mapping[str, object]:
    champion = unit.models.champion()
    return {
        "dataset": outcomes["cut"]["sha256"],
        "weights": outcomes["train"]["weights"]["sha256"],
        "scoring": outcomes["calibrate"],
        "champion": champion and [champion.name, champion.weights_sha256],
    }


def _gated_from(_: UnitOfWork, outcomes: Outcomes) -> Mapping[str, object]:
    return {name: outcomes[name] for name in ("cut", "train", "calibrate", "evaluate")}


def _decided(_: UnitOfWork, outcomes: Outcomes) -> Mapping[str, object]:
    return {"gate": outcomes.get("gate")}  # who is judged in a later attempt is described then


def _scored_by(unit: UnitOfWork, _: Outcomes) -> Mapping[str, object]:
    serving = (unit.models.champion(), unit.models.challenger())
    return {
        what: model and model.name
        for what, model in zip(("champion", "challenger"), serving, strict=True)
    }
