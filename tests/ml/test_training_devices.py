"""Training on the CPU, on one GPU, on several."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
if find_spec("ultralytics") is None:  # not importorskip: it would import with telemetry on
    pytest.skip("needs the extra `ml`", allow_module_level=True)

from ml_backend.runtimes.device import choose_device  # noqa: E402
from ml_backend.training.devices import SeveralGpusError, training_devices  # noqa: E402
from ml_backend.training.epochs import keep_epoch, watch_epochs  # noqa: E402

ROOT = Path(__file__).parents[2]


class TestTrainingDevices:
    def test_of_a_machine_without_a_gpu_are_the_cpu(self) -> None:
        if torch.cuda.is_available():
            pytest.skip("has a GPU")

        assert training_devices("auto").arguments() == {
            "device": "cpu",
            "amp": False,
            "workers": 0,
        }

    def test_are_several_where_several_are_named(self) -> None:
        found = training_devices("0, 1")

        assert found.are_several
        assert found.arguments()["device"] == "0,1"
        assert choose_device("0, 1") == "cuda:0"  # evaluates and serves

    def test_are_one_where_one_is_named(self) -> None:
        assert not training_devices("1").are_several
        assert training_devices("1").arguments()["device"] == "1"

    @pytest.mark.parametrize("wanted", ["0,0", "0,cpu", "0,"])
    def test_have_to_be_different_gpus(self, wanted: str) -> None:
        with pytest.raises(SeveralGpusError, match="different CUDA indices"):
            training_devices(wanted)


class TestWorkerProcess:
    def test_may_import_ultralytics_before_us(self) -> None:
        # So does the script that ultralytics starts once per GPU.
        program = (
            "from ml_backend.ultralytics_settings import import_ultralytics\n"
            "import subprocess, sys\n"
            "import_ultralytics()\n"
            "worker = 'import ultralytics; from ml_backend.training.weighted_trainer import '\n"
            "worker += 'SoftTargetTrainer; assert not ultralytics.settings[\"sync\"]'\n"
            "subprocess.run([sys.executable, '-c', worker], check=True)\n"
        )
        subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)

    def test_tells_of_its_epochs_through_a_file(self, tmp_path: Path) -> None:
        keep_epoch(tmp_path, 1, {"box_loss": 2.0})
        told: list[float] = []

        with watch_epochs(tmp_path, lambda figures: told.append(figures["epoch"])):
            keep_epoch(tmp_path, 2, {"box_loss": 1.0})
            keep_epoch(tmp_path, 3, {"box_loss": 0.5})

        assert told == [2, 3]
