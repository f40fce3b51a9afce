"""From a dataset version to weights that serve."""

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from backend.domain.dataset import DatasetVersion
from backend.domain.images import Split
from backend.formats.radiographs import encode_png, read_file
from backend.workflow.chain_step import StoppedError
from ml_backend.detector import Detections
from ml_backend.image_source import read_registered
from tests.ml.conftest import WHITE_PATCH, dataset_version, radiograph

torch = pytest.importorskip("torch")
if find_spec("ultralytics") is None:  # not importorskip: it would import with telemetry on
    pytest.skip("needs the extra `ml`", allow_module_level=True)

from ml_backend.open_detector import LOWEST_SCORE  # noqa: E402
from ml_backend.scripted_detector import ScriptedDetector  # noqa: E402
from ml_backend.training.dataset_folder import (  # noqa: E402
    NothingToTrainOnError,
    write_dataset_folder,
)
from ml_backend.training.devices import TrainingDevices  # noqa: E402
from ml_backend.training.epochs import kept_epochs  # noqa: E402
from ml_backend.training.evaluate import evaluate  # noqa: E402
from ml_backend.training.fit import NotEnoughMemoryError, fit  # noqa: E402
from ml_backend.training.recipe import Recipe  # noqa: E402
from ml_backend.training.weights import (  # noqa: E402
    BaseWeightsMissingError,
    find_base_weights,
    remove_leftovers,
    store_weights,
)
from ml_backend.ultralytics_settings import import_part, import_ultralytics  # noqa: E402
from ml_backend.yolo_detector import YoloDetector  # noqa: E402

RECIPE = Recipe(epochs=2, image_size_px=64, batch=2, seed=1)


class KilledError(Exception):
    """The night was too short."""


def run_out_of_memory(
    monkeypatch: pytest.MonkeyPatch, *, from_epoch: int, from_images: int
) -> None:
    """Let memory suffice for fewer images than these at a time, from an epoch on."""
    trainer = import_part("models.yolo.detect").DetectionTrainer
    preprocess = trainer.preprocess_batch

    def preprocess_what_fits(self: object, batch: dict[str, Any]) -> object:
        if self.epoch + 1 >= from_epoch and len(batch["img"]) >= from_images:  # type: ignore[attr-defined]
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return preprocess(self, batch)

    monkeypatch.setattr(trainer, "preprocess_batch", preprocess_what_fits)


@pytest.fixture
def version(tmp_path: Path) -> DatasetVersion:
    images = tmp_path / "images"
    images.mkdir()
    return dataset_version(images)


@pytest.fixture
def base_weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = import_part("nn.tasks").DetectionModel("yolo26n.yaml", verbose=False)
    path = tmp_path / "base.pt"
    torch.save({"model": network, "train_args": {}}, path)
    return path


class TestWriteDatasetFolder:
    def test_writes_what_ultralytics_reads(self, version: DatasetVersion, tmp_path: Path) -> None:
        written = write_dataset_folder(
            version, ["i0", "i0", "i2"], tmp_path / "d1", image_size_px=64
        )

        folder = written.path
        assert written.training_lines == 3
        assert written.skipped == ()
        assert (folder / "train.txt").read_text().split() == [
            "./images/i0.png",
            "./images/i0.png",
            "./images/i2.png",
        ]
        assert len((folder / "val.txt").read_text().split()) == 3
        row = (folder / "labels" / "i0.txt").read_text().split()
        assert row[0] == "3"
        center_x = (WHITE_PATCH.x_min + WHITE_PATCH.x_max) / 2 / 120
        assert float(row[1]) == pytest.approx(center_x, abs=1e-6)
        assert (folder / "labels" / "i2.txt").read_text() == ""
        assert not (folder / "images" / "i1.png").exists()
        checked = import_part("data.utils").check_det_dataset(str(folder / "data.yaml"))
        assert checked["nc"] == 14
        assert checked["names"][3] == "Cardiomegaly"

    def test_shows_training_the_pixels_that_serving_sees(
        self, version: DatasetVersion, tmp_path: Path
    ) -> None:
        deep = tmp_path / "images" / "i0.png"
        cv2.imwrite(str(deep), np.linspace(0, 65535, 128 * 120, dtype=np.uint16).reshape(128, 120))
        member = version.images[0]
        fresh = read_file(deep).pixel_hash
        changed = replace(
            version,
            images=(
                replace(member, image=replace(member.image, pixel_hash=fresh)),
                *version.images[1:],
            ),
        )

        folder = write_dataset_folder(changed, ["i0"], tmp_path / "d1", image_size_px=128).path

        stored = cv2.imread(str(folder / "images" / "i0.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(stored, read_registered(changed.images[0].image))

    def test_names_the_images_that_it_could_not_read(
        self, version: DatasetVersion, tmp_path: Path
    ) -> None:
        Path(version.images[0].image.uri).write_bytes(b"")
        Path(version.images[1].image.uri).write_bytes(encode_png(radiograph(77)))

        written = write_dataset_folder(
            version, ["i0", "i1", "i2"], tmp_path / "d1", image_size_px=64
        )

        assert [each.what for each in written.skipped] == ["i0", "i1"]
        assert written.training_lines == 1

    def test_keeps_a_folder_that_holds_the_same(
        self, version: DatasetVersion, tmp_path: Path
    ) -> None:
        first = write_dataset_folder(version, ["i0"], tmp_path / "d1", image_size_px=64)
        (first.path / "run").mkdir()

        again = write_dataset_folder(version, ["i0"], tmp_path / "d1", image_size_px=64)
        assert again == first
        assert (first.path / "run").exists()

        write_dataset_folder(version, ["i1"], tmp_path / "d1", image_size_px=64)
        assert not (first.path / "run").exists()

    def test_leaves_nothing_behind_when_there_is_nothing_to_train_on(
        self, version: DatasetVersion, tmp_path: Path
    ) -> None:
        with pytest.raises(NothingToTrainOnError, match="training list"):
            write_dataset_folder(version, [], tmp_path / "d1", image_size_px=64)
        assert [path.name for path in tmp_path.iterdir()] == ["images"]

    def test_asks_for_validation_images(self, version: DatasetVersion, tmp_path: Path) -> None:
        training = replace(version, images=version.in_split(Split.TRAIN))

        with pytest.raises(NothingToTrainOnError, match="validation split"):
            write_dataset_folder(training, ["i0"], tmp_path / "d1", image_size_px=64)


class TestFit:
    @pytest.mark.parametrize("boxes_to_choose_by", [1, 100], ids=["best epoch", "last epoch"])
    def test_trains_resumes_after_being_killed_and_serves(
        self,
        version: DatasetVersion,
        base_weights: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        boxes_to_choose_by: int,
    ) -> None:
        monkeypatch.setattr("ml_backend.training.fit._BOXES_TO_CHOOSE_BY", boxes_to_choose_by)
        folder = write_dataset_folder(
            version, ["i0", "i0", "i1", "i2"], tmp_path / "d1", image_size_px=64
        ).path
        seen: list[int] = []

        def die(epoch: int, epochs: int, figures: Mapping[str, float]) -> None:
            assert epochs == 2
            assert figures["box_loss"] > 0
            assert figures["epoch"] == epoch
            seen.append(epoch)
            raise KilledError

        with pytest.raises(KilledError):
            fit(folder, base_weights, RECIPE, device="cpu", on_epoch=die)
        fitted = fit(
            folder,
            base_weights,
            RECIPE,
            device="cpu",
            on_epoch=lambda epoch, *_: seen.append(epoch),
        )
        assert seen == [1, 2]
        assert [figures["epoch"] for figures in fitted.epochs] == [1, 2]
        assert ("metrics/mAP50(B)" in fitted.epochs[0]) == (boxes_to_choose_by == 1)
        assert fitted.batch == 2

        again = fit(folder, base_weights, RECIPE, device="cpu", on_epoch=die)  # was through
        assert again == fitted
        assert seen == [1, 2]

        stored = store_weights(fitted.weights, tmp_path / "weights")
        detector = YoloDetector(stored.path, "m1", device="cpu", min_score=LOWEST_SCORE)
        assert detector.image_size_px == 64
        assert stored.size_bytes < 6_000_000
        done: list[tuple[int, int]] = []
        quality, predictions = evaluate(
            detector, version.in_split(Split.VALIDATION), lambda *at: done.append(at)
        )
        assert quality.images == len(predictions) == 3
        assert quality.map is not None
        assert done == [(3, 3)]

    def test_starts_anew_from_other_weights_of_the_same_name(
        self, version: DatasetVersion, base_weights: Path, tmp_path: Path
    ) -> None:
        folder = write_dataset_folder(version, ["i0", "i1"], tmp_path / "d1", image_size_px=64)
        once = replace(RECIPE, epochs=1)
        fit(folder.path, base_weights, once, device="cpu")
        (folder.path / "run" / "old").touch()

        fit(folder.path, base_weights, once, device="cpu")
        assert (folder.path / "run" / "old").exists()

        torch.manual_seed(1)
        network = import_part("nn.tasks").DetectionModel("yolo26n.yaml", verbose=False)
        torch.save({"model": network, "train_args": {}}, base_weights)
        fit(folder.path, base_weights, once, device="cpu")
        assert not (folder.path / "run" / "old").exists()

    def test_stops_through_a_file_where_other_processes_train(
        self,
        version: DatasetVersion,
        base_weights: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # Like two GPUs, but that ultralytics trains in this process.
        several = TrainingDevices("cpu", 2, precision=False)
        monkeypatch.setattr("ml_backend.training.fit.training_devices", lambda _: several)
        folder = write_dataset_folder(version, ["i0", "i1"], tmp_path / "d1", image_size_px=64)
        endless = replace(RECIPE, epochs=500)

        with pytest.raises(StoppedError):
            fit(folder.path, base_weights, endless, should_stop=lambda: True)

        run = folder.path / "run"
        assert 1 <= len(kept_epochs(run)) < 500
        assert (run / "resume.pt").exists()
        assert not (run / "finished.json").exists()

    def test_ends_when_validation_does_not_get_better(
        self,
        version: DatasetVersion,
        base_weights: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("ml_backend.training.fit._BOXES_TO_CHOOSE_BY", 1)
        trainer = import_part("engine.trainer").BaseTrainer
        fitness = iter([0.5, 0.4, 0.3, 0.2, 0.1])
        validate = trainer.validate

        def ever_worse(self: object) -> tuple[dict[str, float], float]:
            metrics, _ = validate(self)
            found = next(fitness)
            self.best_fitness = self.best_fitness or found  # type: ignore[attr-defined]
            return metrics, found

        monkeypatch.setattr(trainer, "validate", ever_worse)
        folder = write_dataset_folder(version, ["i0", "i1"], tmp_path / "d1", image_size_px=64)

        fitted = fit(
            folder.path,
            base_weights,
            replace(RECIPE, epochs=5, patience=2),
            device="cpu",
        )

        assert [figures["epoch"] for figures in fitted.epochs] == [1, 2, 3]

    @pytest.mark.parametrize("in_epoch", [1, 2])
    def test_computes_fewer_images_at_a_time_where_memory_is_short(
        self,
        version: DatasetVersion,
        base_weights: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        in_epoch: int,
    ) -> None:
        run_out_of_memory(monkeypatch, from_epoch=in_epoch, from_images=2)
        folder = write_dataset_folder(
            version, ["i0", "i1", "i2", "i0"], tmp_path / "d1", image_size_px=64
        )

        fitted = fit(folder.path, base_weights, replace(RECIPE, batch=4), device="cpu")

        assert fitted.batch == 1
        assert [figures["epoch"] for figures in fitted.epochs] == [1, 2]

    def test_says_what_to_do_when_not_even_one_image_fits(
        self,
        version: DatasetVersion,
        base_weights: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        run_out_of_memory(monkeypatch, from_epoch=1, from_images=1)
        folder = write_dataset_folder(version, ["i0", "i1"], tmp_path / "d1", image_size_px=64)

        with pytest.raises(NotEnoughMemoryError, match="OVERREAD_TRAIN_IMAGE_SIZE_PX"):
            fit(folder.path, base_weights, RECIPE, device="cpu")

    def test_asks_for_base_weights(self, tmp_path: Path) -> None:
        with pytest.raises(BaseWeightsMissingError, match="is no file"):
            fit(tmp_path, tmp_path / "none.pt", RECIPE)


class TestStoreWeights:
    def test_gives_equal_weights_one_small_file_without_traces(
        self, base_weights: Path, tmp_path: Path
    ) -> None:
        checkpoint = torch.load(base_weights, weights_only=False)
        checkpoint["train_args"] = {"imgsz": 64, "data": "/home/somebody/data.yaml"}
        checkpoint["optimizer"] = {"state": torch.zeros(1000)}
        torch.save(checkpoint, base_weights)

        first = store_weights(base_weights, tmp_path / "weights")
        again = store_weights(base_weights, tmp_path / "weights")

        assert first == again
        assert first.path.name == f"{first.sha256}.pt"
        assert list((tmp_path / "weights").iterdir()) == [first.path]
        content = first.path.read_bytes()
        assert b"somebody" not in content
        assert str(tmp_path).encode() not in content


class TestRemoveLeftovers:
    def test_removes_what_nobody_writes_any_more(self, tmp_path: Path) -> None:
        moment = datetime(2026, 11, 28, 2, tzinfo=UTC)
        for name, hours_old in (("a.partial", 2.0), ("b.partial", 0.5), ("c.pt", 2.0)):
            (tmp_path / name).touch()
            written = moment.timestamp() - 3600 * hours_old
            os.utime(tmp_path / name, (written, written))

        remove_leftovers(tmp_path, now=moment)

        assert {path.name for path in tmp_path.iterdir()} == {"b.partial", "c.pt"}

    def test_there_may_be_no_folder_yet(self, tmp_path: Path) -> None:
        remove_leftovers(tmp_path / "none", now=datetime(2026, 11, 28, tzinfo=UTC))


class TestFindBaseWeights:
    def test_takes_a_file(self, base_weights: Path, tmp_path: Path) -> None:
        assert find_base_weights(str(base_weights), tmp_path) == base_weights

    def test_takes_what_was_fetched_before(self, tmp_path: Path) -> None:
        kept = tmp_path / "base" / "yolo26n.pt"
        kept.parent.mkdir()
        kept.touch()

        assert find_base_weights("yolo26n.pt", tmp_path) == kept

    @pytest.mark.parametrize("name", ["yolo26n.pt", "mine.pt", "/nowhere/yolo26n.pt", "../x.pt"])
    def test_says_how_to_give_a_file_when_there_is_none(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(BaseWeightsMissingError, match="OVERREAD_BASE_WEIGHTS=") as caught:
            find_base_weights(name, tmp_path)
        assert name in str(caught.value)
        assert import_ultralytics().settings["sync"] is False


class TestEvaluate:
    def test_measures_a_perfect_detector_as_perfect(self, version: DatasetVersion) -> None:
        script = {
            member.image.pixel_hash: Detections(
                np.array([cluster.box for cluster in member.clusters]).reshape(-1, 4),
                np.array([int(cluster.finding) for cluster in member.clusters], dtype=np.int64),
                np.array([0.9 for _ in member.clusters]),
            )
            for member in version.images
        }

        quality, _ = evaluate(ScriptedDetector(script), version.images)

        assert quality.map == 1
        assert quality.images == 6
