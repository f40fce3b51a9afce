"""Our frame and our suppression against ultralytics' own, on networks without training."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typing_extensions import override

from backend.domain import boxes as box_rules
from backend.domain.findings import Finding
from backend.domain.predictions import shown_boxes
from backend.domain.score_calibration import ScoreCurve, Scoring
from backend.settings import Settings
from tests.ml.conftest import radiograph

torch = pytest.importorskip("torch")
if find_spec("ultralytics") is None:  # not importorskip: it would import with telemetry on
    pytest.skip("needs the extra `ml`", allow_module_level=True)

from ml_backend.detector import as_predicted_boxes, detect  # noqa: E402
from ml_backend.open_detector import LOWEST_SCORE, load_yolo  # noqa: E402
from ml_backend.runtimes.device import choose_device  # noqa: E402
from ml_backend.runtimes.network_facts import UnusableWeightsError  # noqa: E402
from ml_backend.training.evaluate import as_probabilities  # noqa: E402
from ml_backend.ultralytics_settings import import_part, import_ultralytics  # noqa: E402
from ml_backend.yolo_detector import BrokenDetectorError, YoloDetector  # noqa: E402

FAMILIES = ["yolov8n", "yolo11n", "yolo26n"]


def untrained(path: Path, family: str, names: dict[int, str] | None = None) -> Path:
    """Write an untrained network that sees cardiomegaly here and there and nothing else.

    One batch sets the statistics of its normalising layers; without them every place of an
    untrained network scores alike.
    """
    names = names or {int(each): each.title for each in Finding}
    torch.manual_seed(3)
    network: Any = import_part("nn.tasks").DetectionModel(
        f"{family}.yaml", nc=len(names), verbose=False
    )
    network.names = names
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.rand(4, 3, 128, 128))
    for layers in network.model[-1].cv3:
        last = layers[-1]
        torch.nn.init.constant_(last.bias, -20.0)
        last.bias.data[3] = -1.0
        last.weight.data[:] = 0
        torch.nn.init.normal_(last.weight.data[3], std=0.01)
    torch.save({"model": network.half(), "train_args": {"imgsz": 128}}, path)
    return path


@pytest.fixture(scope="module", params=FAMILIES)
def weights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("weights") / "w.pt", request.param)


class TestAgainstUltralytics:
    @pytest.mark.parametrize(("height_px", "width_px"), [(128, 128), (128, 100), (70, 128)])
    def test_marks_the_same_boxes(
        self, weights: Path, tmp_path: Path, height_px: int, width_px: int
    ) -> None:
        image = cv2.GaussianBlur(radiograph(5, height_px, width_px), (0, 0), 4)
        path = tmp_path / "image.png"
        cv2.imwrite(str(path), image)

        (theirs,) = import_ultralytics().YOLO(str(weights))(
            str(path), imgsz=128, conf=0.05, iou=0.5, max_det=300, device="cpu"
        )
        (ours,) = detect(
            YoloDetector(weights, "m1", device="cpu", runtime="torch"), [np.asarray(image)]
        )

        found = theirs.boxes.data.numpy()
        found = found[(found[:, 2:4] - found[:, :2] >= 1).all(axis=1)]  # they keep empty boxes
        found = found[:50]  # we stop at 100 boxes of one finding, they do not

        assert len(found) > 10
        np.testing.assert_allclose(ours.boxes[:50], found[:, :4], atol=1)
        np.testing.assert_allclose(ours.scores[:50], found[:, 4], atol=1e-2)
        np.testing.assert_array_equal(ours.findings[:50], found[:, 5])


class TestYoloDetector:
    def test_answers_every_image_of_a_mixed_batch_as_it_would_alone(self, weights: Path) -> None:
        detector = YoloDetector(weights, "m1", device="cpu", runtime="onnxruntime", min_score=0.01)
        images = [radiograph(n, 60 + 7 * n, 128) for n in range(6)] * 4

        together = detect(detector, images)

        assert len(together) == len(images)
        for image, found in zip(images[:6], together, strict=False):
            (alone,) = detect(detector, [image])
            np.testing.assert_allclose(alone.boxes, found.boxes, atol=0.05)
            box_rules.check_boxes(found.boxes)

    @pytest.mark.parametrize("intercept", [3.0, 5.0])
    def test_shows_in_serving_what_it_shows_where_its_thresholds_are_learned(
        self, weights: Path, tmp_path: Path, intercept: float
    ) -> None:
        checkpoint = torch.load(weights, weights_only=False)
        head = checkpoint["model"].model[-1]
        for layers in (*head.cv3, *getattr(head, "one2one_cv3", ())):
            layers[-1].bias.data[3] = -4.0  # raw scores of about 0.02
        torch.save(checkpoint, tmp_path / "unsure.pt")
        weights = tmp_path / "unsure.pt"
        curve = ScoreCurve(slope=1.0, intercept=intercept)
        scoring = Scoring({Finding.CARDIOMEGALY: curve}, {Finding.CARDIOMEGALY: 0.3}, 1.0)
        settings = Settings(data_dir=tmp_path, device="cpu", runtime="torch")
        images = [radiograph(n, 128, 128) for n in range(3)]
        measured = load_yolo(settings, weights, "m1", min_score=LOWEST_SCORE)
        serving = load_yolo(settings, weights, "m1", scoring=scoring)
        raw: list[float] = []

        for found, served in zip(detect(measured, images), detect(serving, images), strict=True):
            learned = as_probabilities(as_predicted_boxes(found), scoring)
            kept = as_predicted_boxes(served)
            assert shown_boxes(kept, serving.thresholds) == shown_boxes(
                learned, scoring.thresholds
            )
            assert kept == tuple(box for box in learned if box.score >= 0.05)
            raw += [box.raw_score or 0.0 for box in kept]
        assert raw
        assert min(raw) < 0.05, sorted(raw)

    def test_answers_no_images_with_nothing(self, weights: Path) -> None:
        assert YoloDetector(weights, "m1", device="cpu", runtime="torch").detect_in([]) == []

    def test_sees_at_the_size_of_its_training(self, weights: Path) -> None:
        assert YoloDetector(weights, "m1", device="cpu").image_size_px == 128

    def test_answers_several_threads(self, weights: Path) -> None:
        detector = YoloDetector(weights, "m1", device="cpu", runtime="onnxruntime", min_score=0.01)
        images = [radiograph(n, 64 + 32 * (n % 3), 128) for n in range(12)]
        expected = detect(detector, images)

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda image: detect(detector, [image])[0], images))

        for answer, right in zip(answers, expected, strict=True):
            np.testing.assert_allclose(answer.boxes, right.boxes, atol=0.05)

    def test_says_so_when_its_numbers_are_broken(self, tmp_path: Path) -> None:
        path = untrained(tmp_path / "w.pt", "yolo11n")
        checkpoint = torch.load(path, weights_only=False)
        checkpoint["model"].model[0].conv.weight.data[:] = float("nan")
        torch.save(checkpoint, path)

        with pytest.raises(BrokenDetectorError, match="not finite"):
            detect(YoloDetector(path, "m1", device="cpu", runtime="torch"), [radiograph()])

    def test_refuses_weights_of_other_findings(self, tmp_path: Path) -> None:
        names = {0: "person", 1: "bicycle", 2: "car", 3: "cat"}

        with pytest.raises(UnusableWeightsError, match="expected the 14 findings"):
            YoloDetector(untrained(tmp_path / "w.pt", "yolo11n", names), "m1", device="cpu")

    @pytest.mark.parametrize("content", [b"", b"weights", b"PK\x03\x04 cut short"])
    def test_refuses_a_file_that_is_no_checkpoint(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "w.pt"
        path.write_bytes(content)

        with pytest.raises(UnusableWeightsError, match="no ultralytics checkpoint"):
            YoloDetector(path, "m1", device="cpu")

    def test_runs_no_code_that_a_checkpoint_brings(self, tmp_path: Path) -> None:
        class Evil:
            @override
            def __reduce__(self) -> tuple[object, tuple[object, ...]]:
                return Path.touch, (tmp_path / "owned",)

        torch.save({"model": Evil()}, tmp_path / "w.pt", pickle_module=pickle)

        with pytest.raises(UnusableWeightsError):
            YoloDetector(tmp_path / "w.pt", "m1", device="cpu")
        assert not (tmp_path / "owned").exists()


class TestChooseDevice:
    @pytest.mark.parametrize(("wanted", "chosen"), [("cpu", "cpu"), ("1", "cuda:1")])
    def test_takes_what_is_wanted(self, wanted: str, chosen: str) -> None:
        assert choose_device(wanted) == chosen

    def test_takes_the_gpu_when_there_is_one(self) -> None:
        expected = "cuda:0" if torch.cuda.is_available() else "cpu"
        assert choose_device("auto") == expected


class TestImportUltralytics:
    def test_switches_off_whatever_phones_home(self) -> None:
        package = import_ultralytics()

        assert package.settings["sync"] is False
        assert not import_part("utils").ONLINE
        assert not import_part("utils").AUTOINSTALL
        assert not import_part("utils.events").events.enabled
        assert import_part("nn.tasks").SAFE_LOAD
