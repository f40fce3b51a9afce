"""What the benchmark of detection trains on, and how it measures."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.domain.predictions import PredictedBox
from tests.ml.conftest import WHITE_PATCH, dataset_version

pytest.importorskip("torch")
if find_spec("ultralytics") is None:  # not importorskip: it would import with telemetry on
    pytest.skip("needs the extra `ml`", allow_module_level=True)

from benchmarks.detection import VARIANTS, Data, measure


class TestData:
    def test_changes_the_training_labels_only(self, tmp_path: Path) -> None:
        version = dataset_version(tmp_path)
        doubtful = {one.image.id: replace(one, clusters=()) for one in version.images}
        data = Data(version, doubtful)

        assert data.training(VARIANTS["hard"]) is version
        changed = data.training(VARIANTS["every_box"])
        assert changed.sha256 != version.sha256
        assert all(not one.clusters for one in changed.in_split(Split.TRAIN))
        assert changed.in_split(Split.VALIDATION) == version.in_split(Split.VALIDATION)


class TestMeasure:
    def test_finds_a_perfect_detector_perfect(self, tmp_path: Path) -> None:
        test = dataset_version(tmp_path).images
        mark = PredictedBox(Finding.CARDIOMEGALY, WHITE_PATCH, 1.0)

        found = measure(test, {one.image.id: (mark,) * bool(one.clusters) for one in test})

        assert found["map40"] == found["map50"] == found["map40_low"] == 1.0
        assert found["sensitivity_at_0.125fp"] == 1.0
        assert found["d_ece"] == pytest.approx(0.0, abs=1e-6)

    def test_finds_nothing_in_nothing(self, tmp_path: Path) -> None:
        test = dataset_version(tmp_path).images

        found = measure(test, {one.image.id: () for one in test})

        assert (found["map40"], found["sensitivity_at_1fp"], found["d_ece"]) == (0.0, 0.0, None)
