"""A loss that trusts a box as far as the consensus does."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml_backend.training.recipe import ConsensusWeights, Recipe
from tests.ml.conftest import dataset_version

torch = pytest.importorskip("torch")
if find_spec("ultralytics") is None:  # not importorskip: it would import with telemetry on
    pytest.skip("needs the extra `ml`", allow_module_level=True)

from ml_backend.training import fit as fitting  # noqa: E402
from ml_backend.training.consensus_loss import WEIGHTS  # noqa: E402
from ml_backend.training.dataset_folder import BOX_WEIGHTS, write_dataset_folder  # noqa: E402
from ml_backend.training.devices import training_devices  # noqa: E402
from ml_backend.training.weighted_trainer import LostLabelsError  # noqa: E402
from ml_backend.ultralytics_settings import import_part  # noqa: E402

NETWORKS = ["yolo26n.yaml", "yolo11n.yaml", "yolov8n.yaml"]


class StoppedError(Exception):
    """The first batch is through."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = tmp_path_factory.mktemp("images")
    version = dataset_version(images, images=9)
    return write_dataset_folder(
        version, ["i0", "i1", "i2", "i3", "i3"], images / "d1", image_size_px=64
    ).path


@pytest.fixture(params=["yolo26n.yaml", "yolov8n.yaml"])
def base_weights(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = import_part("nn.tasks").DetectionModel(request.param, nc=14, verbose=False)
    path = tmp_path / "base.pt"
    torch.save({"model": network, "train_args": {}}, path)
    return path


@pytest.fixture
def weigh(folder: Path) -> Iterator[Callable[[float], None]]:
    """Give every box of the training list the same weight."""
    file = folder / BOX_WEIGHTS
    before = file.read_text()

    def to(weight: float) -> None:
        weights = {name: [weight for _ in own] for name, own in json.loads(before).items()}
        file.write_text(json.dumps(weights))

    yield to
    file.write_text(before)


def first_batch(
    folder: Path, base_weights: Path, consensus_weights: ConsensusWeights, **changed: float
) -> tuple[dict[str, float], Any]:
    """Return the losses of the first batch, and the trainer that computed them."""
    recipe = Recipe(
        epochs=1, image_size_px=64, batch=5, seed=1, consensus_weights=consensus_weights
    )
    recipe = replace(recipe, **changed)  # type: ignore[arg-type]
    trainer = fitting._trainer(folder, base_weights, recipe, training_devices("cpu"), recipe.batch)

    def stop(at: Any) -> None:  # noqa: ANN401 - ultralytics ships no types
        raise StoppedError

    def listen(at: Any) -> None:  # noqa: ANN401 - ultralytics ships no types
        criterion = getattr(at.model, "criterion", None) or at.model.init_criterion()
        at.model.criterion = criterion
        getattr(criterion, "one2one", criterion).assigner.register_forward_hook(
            lambda _, __, result: setattr(at, "sum_of_targets", float(result[2].sum()))
        )

    trainer.add_callback("on_train_start", listen)
    trainer.add_callback("on_train_batch_end", stop)
    with pytest.raises(StoppedError):
        trainer.train()
    return {name: float(value) for name, value in trainer.loss_items.items()}, trainer


class TestFirstBatch:
    @pytest.mark.parametrize("variant", ["soft", "earl"])
    def test_has_the_stock_losses_when_every_box_is_certain(
        self,
        folder: Path,
        base_weights: Path,
        weigh: Callable[[float], None],
        variant: ConsensusWeights,
    ) -> None:
        weigh(1.0)
        stock, _ = first_batch(folder, base_weights, "off")

        weighted, trainer = first_batch(folder, base_weights, variant)

        assert weighted == stock
        assert len(trainer.train_loader.dataset) == 5  # with the repeat

    @pytest.mark.parametrize("base_weights", ["yolo26n.yaml"], indirect=True)
    def test_keeps_weights_with_their_boxes_in_collages(
        self, folder: Path, base_weights: Path, weigh: Callable[[float], None]
    ) -> None:
        weigh(1.0)
        stock, _ = first_batch(folder, base_weights, "off", mosaic=1.0)

        weighted, _ = first_batch(folder, base_weights, "soft", mosaic=1.0)

        assert weighted == stock

    def test_asks_for_half_the_score_where_half_is_certain(
        self, folder: Path, base_weights: Path, weigh: Callable[[float], None]
    ) -> None:
        weigh(1.0)
        sure, _ = first_batch(folder, base_weights, "soft")
        weigh(0.5)
        unsure, trainer = first_batch(folder, base_weights, "soft")

        # With t the targets and S their sum, the box terms are sum(loss t) / max(S, 1); t is
        # halved everywhere, so they become sum(loss t / 2) / max(S / 2, 1).
        criterion = trainer.model.criterion
        assigner = getattr(criterion, "one2one", criterion).assigner
        assert set(assigner.of_anchors.unique().tolist()) == {0.5, 1.0}  # assigned; background
        total = 2 * trainer.sum_of_targets
        factor = 0.5 * max(total, 1.0) / max(total / 2, 1.0)
        third = "dfl_loss" if "dfl_loss" in sure else "l1_loss"
        assert unsure["box_loss"] == pytest.approx(factor * sure["box_loss"], rel=1e-4)
        assert unsure[third] == pytest.approx(factor * sure[third], rel=1e-4)
        assert unsure["cls_loss"] != pytest.approx(sure["cls_loss"], rel=1e-3)

    def test_halves_the_box_losses_where_losses_are_weighted(
        self, folder: Path, base_weights: Path, weigh: Callable[[float], None]
    ) -> None:
        weigh(1.0)
        sure, _ = first_batch(folder, base_weights, "earl")
        weigh(0.5)
        unsure, _ = first_batch(folder, base_weights, "earl")

        third = "dfl_loss" if "dfl_loss" in sure else "l1_loss"
        assert unsure["box_loss"] == pytest.approx(sure["box_loss"] / 2, rel=1e-4)
        assert unsure[third] == pytest.approx(sure[third] / 2, rel=1e-4)
        assert 0.5 * sure["cls_loss"] < unsure["cls_loss"] < sure["cls_loss"]


class TestLoss:
    """The derivation, against sums written out by hand on one made-up batch."""

    @pytest.mark.parametrize("network_name", NETWORKS)
    def test_is_the_formula(self, network_name: str) -> None:
        from ml_backend.training.consensus_loss import (  # noqa: PLC0415 - after the skip
            EarlLoss,
            SoftTargetLoss,
        )

        torch.manual_seed(0)
        network = import_part("nn.tasks").DetectionModel(network_name, nc=14, verbose=False)
        network.args = import_part("cfg").get_cfg()
        network.train()
        images = torch.rand(2, 3, 64, 64)
        outputs = network(images)
        outputs = outputs.get("one2many", outputs)
        weights = torch.tensor([0.5, 0.9, 0.7])
        batch = {
            "batch_idx": torch.tensor([0.0, 0.0, 1.0]),
            "cls": torch.tensor([[3.0], [5.0], [0.0]]),
            "bboxes": torch.tensor(
                [[0.3, 0.3, 0.4, 0.4], [0.7, 0.7, 0.3, 0.5], [0.5, 0.5, 0.6, 0.6]]
            ),
            WEIGHTS: weights,
        }
        soft, earl = SoftTargetLoss(network), EarlLoss(network)
        seen: dict[str, Any] = {}
        for name, loss in (("soft", soft), ("earl", earl)):
            inner = loss.assigner.inner

            def spy(*given: Any, name: str = name, inner: Any = inner, **options: Any) -> Any:  # noqa: ANN401
                seen[name] = inner(*given, **options)
                return seen[name]

            loss.assigner.inner = Spy(spy)

        found = {"soft": soft.loss(outputs, batch)[1], "earl": earl.loss(outputs, batch)[1]}

        scores = outputs["scores"].detach().permute(0, 2, 1)
        _, _, targets, positive, box_of_anchor = seen["soft"]
        of_image = torch.tensor([[0.5, 0.9], [0.7, 0.0]])
        q = torch.where(positive, of_image.gather(1, box_of_anchor), 1.0)[..., None]
        entropy = torch.nn.functional.binary_cross_entropy_with_logits
        gain = network.args.cls
        expected_soft = (
            gain * entropy(scores, q * targets, reduction="sum") / (q * targets).sum().clamp(min=1)
        )
        expected_earl = (
            gain * (q * entropy(scores, targets, reduction="none")).sum()
        ) / targets.sum().clamp(min=1)
        assert float(found["soft"]["cls_loss"]) == pytest.approx(float(expected_soft), rel=1e-5)
        assert float(found["earl"]["cls_loss"]) == pytest.approx(float(expected_earl), rel=1e-5)


class Spy(torch.nn.Module):  # type: ignore[misc, name-defined]
    """Lets a test see what a module returns."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *given: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on
        return self.function(*given, **options)


class TestWeightedDataset:
    @pytest.mark.parametrize("base_weights", ["yolo26n.yaml"], indirect=True)
    def test_gives_every_box_its_own_weight(self, folder: Path, base_weights: Path) -> None:
        _, trainer = first_batch(folder, base_weights, "soft")

        labels = {
            Path(each["im_file"]).stem: each["cls"] for each in trainer.train_loader.dataset.labels
        }
        np.testing.assert_allclose(labels["i0"], [[3, 0.9]])  # p_true of the consensus
        assert labels["i2"].shape == (0, 2)

    @pytest.mark.parametrize("base_weights", ["yolo26n.yaml"], indirect=True)
    def test_notices_boxes_that_were_lost(self, folder: Path, base_weights: Path) -> None:
        file = folder / BOX_WEIGHTS
        before = file.read_text()
        file.write_text(json.dumps({**json.loads(before), "i0": [0.9, 0.9]}))

        with pytest.raises(LostLabelsError, match=r"i0.png has 2 boxes, of which .* reads 1"):
            first_batch(folder, base_weights, "soft")
        file.write_text(before)

    @pytest.mark.parametrize("base_weights", ["yolo26n.yaml"], indirect=True)
    def test_notices_images_that_were_lost(self, folder: Path, base_weights: Path) -> None:
        (folder / "images" / "i1.png").rename(folder / "i1.png")

        with pytest.raises(LostLabelsError, match="4 of 5 lines"):
            first_batch(folder, base_weights, "soft")
        (folder / "i1.png").rename(folder / "images" / "i1.png")
