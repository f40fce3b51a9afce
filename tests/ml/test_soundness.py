"""Whether freshly trained weights can be trusted at all."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from typing_extensions import override

from backend.domain.dataset import DatasetImage, DatasetVersion
from backend.domain.images import Image, Split
from backend.domain.predictions import PredictedBox
from backend.formats.radiographs import encode_png, read_file
from ml_backend.detector import as_predicted_boxes, detect
from ml_backend.scripted_detector import ScriptedDetector
from tests.ml.conftest import radiograph
from tests.store.samples import NOW, image, predicted

torch = pytest.importorskip("torch")
if find_spec("ultralytics") is None:  # not importorskip: it would import with telemetry on
    pytest.skip("needs the extra `ml`", allow_module_level=True)

from ml_backend.live_model import WeightsTamperedError, sha256_of  # noqa: E402
from ml_backend.training.soundness import find_problems, learned_from_test  # noqa: E402
from ml_backend.training.weights import StoredWeights  # noqa: E402
from ml_backend.ultralytics_settings import import_part  # noqa: E402


def version(*images: Image) -> DatasetVersion:
    members = tuple(DatasetImage(one, (), ("R1",)) for one in images)
    return DatasetVersion("d1", "0" * 64, "method", NOW, members)


class Trap:
    """A pickle that leaves a file when it is opened."""

    def __init__(self, leaves: Path) -> None:
        self.leaves = leaves

    @override
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, (str(self.leaves),)


TAUGHT = replace(image("a"), split=Split.TRAIN)
TESTED = replace(image("b"), split=Split.TEST)


class TestLearnedFromTest:
    def test_is_silent_when_splits_share_nothing(self) -> None:
        assert learned_from_test(version(TAUGHT, TESTED)) == ""

    @pytest.mark.parametrize(
        ("tested", "what"),
        [
            (replace(TESTED, patient_key="a"), "patient"),
            (replace(TESTED, pixel_hash="pixels-a"), "picture"),
        ],
    )
    def test_says_what_is_shared(self, tested: Image, what: str) -> None:
        found = learned_from_test(version(TAUGHT, tested))

        assert found == f"it learned from 1 {what}(s) of the test split"


class TestFindProblems:
    @pytest.fixture
    def weights(self, tmp_path: Path) -> StoredWeights:
        return self.stored(tmp_path / "weights.pt")

    @pytest.fixture
    def tested(self, tmp_path: Path) -> DatasetVersion:
        (tmp_path / "b.png").write_bytes(encode_png(radiograph(0)))
        file = read_file(tmp_path / "b.png")
        registered = replace(TESTED, uri=str(tmp_path / "b.png"), pixel_hash=file.pixel_hash)
        return version(TAUGHT, registered)

    @staticmethod
    def stored(path: Path, *, broken: bool = False) -> StoredWeights:
        network = import_part("nn.tasks").DetectionModel("yolo26n.yaml", verbose=False)
        if broken:
            next(network.parameters()).data.fill_(float("nan"))
        torch.save({"model": network, "train_args": {}}, path)
        return StoredWeights(path, sha256_of(path), path.stat().st_size)

    @staticmethod
    def marked() -> dict[str, Sequence[PredictedBox]]:
        [found] = detect(ScriptedDetector(model_version="m1"), [radiograph(0)])
        return {"b": as_predicted_boxes(found)}

    def test_finds_none_usually(self, weights: StoredWeights, tested: DatasetVersion) -> None:
        found = find_problems(
            weights, tested, self.marked(), lambda: ScriptedDetector(model_version="m1")
        )

        assert found == ()

    def test_finds_weights_that_are_not_finite(
        self, tmp_path: Path, tested: DatasetVersion
    ) -> None:
        broken = self.stored(tmp_path / "broken.pt", broken=True)

        [found] = find_problems(
            broken, tested, self.marked(), lambda: ScriptedDetector(model_version="m1")
        )

        assert "not finite" in found

    def test_does_not_open_a_file_that_is_not_the_one_that_was_stored(
        self, tmp_path: Path, tested: DatasetVersion
    ) -> None:
        trap = tmp_path / "trap.pt"
        torch.save({"model": Trap(tmp_path / "sprung")}, trap)
        swapped = StoredWeights(trap, "0" * 64, trap.stat().st_size)

        with pytest.raises(WeightsTamperedError, match="train again"):
            find_problems(
                swapped, tested, self.marked(), lambda: ScriptedDetector(model_version="m1")
            )

        assert not (tmp_path / "sprung").exists()

    def test_finds_other_answers(self, weights: StoredWeights, tested: DatasetVersion) -> None:
        found = find_problems(
            weights,
            tested,
            {"b": [predicted(0.123)]},
            lambda: ScriptedDetector(model_version="m1"),
        )

        assert found == ("opened anew, its weights mark other boxes on 1 of 1 images",)
