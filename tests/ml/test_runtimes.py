"""The same weights say the same on every runtime."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from backend.demo import sample
from backend.formats.radiographs import read_file
from ml_backend.detector import Detections, detect
from ml_backend.letterbox import Radiograph

torch = pytest.importorskip("torch")
if find_spec("ultralytics") is None:  # not importorskip: it would import with telemetry on
    pytest.skip("needs the extra `ml`", allow_module_level=True)

from ml_backend.runtimes import choice  # noqa: E402
from ml_backend.runtimes.cuda_runtime import gather, surest  # noqa: E402
from ml_backend.runtimes.exported import exported, forget_exports  # noqa: E402
from ml_backend.runtimes.network import load_network  # noqa: E402
from ml_backend.runtimes.openvino_runtime import cpu_has_bfloat16  # noqa: E402
from ml_backend.runtimes.raw_output import select  # noqa: E402
from ml_backend.yolo_detector import YoloDetector  # noqa: E402

CPU = "cpu"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "weights"
TRAINED = [sample.WEIGHTS, SHARED / "yolov8n.pt", SHARED / "yolo26n.pt"]
IMAGE_SIZE_PX = 320


@pytest.fixture(scope="module")
def images() -> list[Radiograph]:
    """Radiographs of several shapes."""
    files = sorted(sample.sample_images().files)[:6]
    whole = [read_file(path).pixels for path in files]
    return [image[: image.shape[0] * 4 // (4 + n), :] for n, image in enumerate(whole)]


@pytest.fixture(scope="module", params=TRAINED, ids=lambda path: path.stem)
def weights(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this checkout")
    return path


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


def answers(
    weights: Path, exports: Path, images: list[Radiograph], runtime: str
) -> list[Detections]:
    detector = YoloDetector(
        weights,
        "m1",
        device="cpu",
        runtime=runtime,
        exports_dir=exports,
        image_size_px=IMAGE_SIZE_PX,
        min_score=0.005,
        titles=load_network(weights, CPU).facts.titles,
    )
    return detect(detector, images)


@pytest.fixture(scope="module")
def by_torch(weights: Path, exports: Path, images: list[Radiograph]) -> list[Detections]:
    found = answers(weights, exports, images, "torch")
    assert sum(len(each) for each in found) > 5, "nothing to compare"
    return found


class TestEveryRuntime:
    @pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
    def test_marks_what_torch_marks(
        self,
        weights: Path,
        exports: Path,
        images: list[Radiograph],
        by_torch: list[Detections],
        runtime: str,
    ) -> None:
        for ours, theirs in zip(answers(weights, exports, images, runtime), by_torch, strict=True):
            assert len(ours) == len(theirs)
            np.testing.assert_array_equal(ours.findings, theirs.findings)
            np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=1)
            np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-2)
            np.testing.assert_allclose(ours.spreads, theirs.spreads, atol=1)
            np.testing.assert_allclose(ours.features, theirs.features, atol=1e-2)

    @pytest.mark.skipif(not cpu_has_bfloat16(), reason="this CPU has no bfloat16")
    def test_marks_nearly_the_same_in_bfloat16(
        self, weights: Path, exports: Path, images: list[Radiograph], by_torch: list[Detections]
    ) -> None:
        found = answers(weights, exports, images, "openvino-bf16")

        for ours, theirs in zip(found, by_torch, strict=True):
            for finding, score in zip(theirs.findings, theirs.scores, strict=True):
                if score > 0.1:
                    nearest = np.abs(ours.scores[ours.findings == finding] - score).min()
                    assert nearest < 0.1

    def test_gives_features_of_every_image(self, by_torch: list[Detections]) -> None:
        assert {each.features.shape for each in by_torch} == {(896,)}
        assert len({each.features.tobytes() for each in by_torch}) == len(by_torch)


class TestExports:
    def test_are_made_once_per_weights(
        self, weights: Path, tmp_path: Path, images: list[Radiograph]
    ) -> None:
        answers(weights, tmp_path, images[:1], "onnxruntime")
        (made,) = tmp_path.glob("*.onnx")
        before = made.stat().st_mtime_ns

        answers(weights, tmp_path, images[:1], "onnxruntime")

        assert [path.stat().st_mtime_ns for path in tmp_path.glob("*.onnx")] == [before]


class TestChooseRuntime:
    def test_takes_the_fastest_that_says_the_same_as_torch(self) -> None:
        assert choice.choose_runtime("auto", CPU) == "openvino"

    @pytest.mark.skipif(not cpu_has_bfloat16(), reason="this processor has no bfloat16")
    def test_takes_bfloat16_when_asked(self) -> None:
        assert choice.choose_runtime("openvino-bf16", CPU) == "openvino-bf16"

    def test_takes_torch_on_a_gpu(self) -> None:
        assert choice.choose_runtime("auto", "cuda:0") == "torch"

    @pytest.mark.parametrize(
        ("wanted", "device"), [("tensorrt", "cpu"), ("openvino", "cuda:0"), ("", "cpu")]
    )
    def test_says_what_can_be_had(self, wanted: str, device: str) -> None:
        with pytest.raises(choice.UnavailableRuntimeError, match=r"expected .*torch"):
            choice.choose_runtime(wanted, device)


class TestGather:
    """What runs on a GPU, on whatever tensors there are here."""

    @pytest.mark.parametrize("least_logit", [-10.0, 1.5])
    def test_selects_the_same(self, least_logit: float) -> None:
        rng = np.random.default_rng(5)
        logits, distances, features = (
            rng.normal(size=shape).astype(np.float32)
            for shape in ((2, 3, 1500), (2, 4, 1500), (2, 8))
        )

        here = select(logits, distances, features, least_logit=least_logit)
        tensors = [torch.from_numpy(each) for each in (logits, distances, features)]
        there = gather(tensors, surest(tensors[0]), least_logit=least_logit)

        one, other = (
            np.lexsort((each.places, each.findings, each.images)) for each in (here, there)
        )
        for name in ("images", "findings", "places", "logits", "distances"):
            np.testing.assert_array_equal(getattr(here, name)[one], getattr(there, name)[other])
        np.testing.assert_array_equal(here.features, there.features)
        assert here.shape == there.shape
        assert here.is_finite
        assert there.is_finite

    def test_notices_a_score_that_is_no_number(self) -> None:
        logits = torch.zeros(1, 2, 9)
        logits[0, 1, 4] = torch.nan

        tensors = logits, torch.zeros(1, 4, 9), torch.zeros(1, 8)
        assert not gather(tensors, surest(logits), least_logit=0.5).is_finite


class TestExportedFile:
    def test_is_made_anew_when_it_was_changed(self, weights: Path, tmp_path: Path) -> None:
        network, _ = exported(weights, tmp_path)
        (path,) = tmp_path.glob("*.onnx")
        path.write_bytes(network[:-1] + bytes([network[-1] ^ 1]))

        again, _ = exported(weights, tmp_path)

        assert again == path.read_bytes() == network

    def test_is_forgotten_when_its_weights_are_not_kept(
        self, weights: Path, tmp_path: Path
    ) -> None:
        exported(weights, tmp_path)
        (first, second) = sorted(tmp_path.iterdir())
        sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()

        forget_exports(tmp_path, keep={sha256, "0" * 64})
        assert sorted(tmp_path.iterdir()) == [first, second]
        forget_exports(tmp_path, keep={"0" * 64})
        assert list(tmp_path.iterdir()) == []
        forget_exports(tmp_path / "missing", keep=())
