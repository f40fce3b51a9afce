"""Which weights serve."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.domain.models import ModelState, ModelVersion
from ml_backend.live_model import LiveModel, WeightsTamperedError, verified_weights
from ml_backend.scripted_detector import ScriptedDetector


@pytest.fixture
def registered(tmp_path: Path) -> ModelVersion:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    created = datetime(2026, 1, 1, tzinfo=UTC)
    return ModelVersion("m2", ModelState.CHAMPION, str(path), sha256, created)


class TestLiveModel:
    def test_is_fine_without_a_model(self) -> None:
        live = LiveModel()

        assert live.current() is None
        assert live.model_version == "none"

    def test_serves_what_it_was_given_last(self) -> None:
        live = LiveModel(ScriptedDetector(model_version="m1"))

        live.swap(ScriptedDetector(model_version="m2"))

        assert live.model_version == "m2"


class TestVerifiedWeights:
    def test_returns_the_registered_file(self, registered: ModelVersion) -> None:
        assert verified_weights(registered) == Path(registered.weights_uri)

    @pytest.mark.parametrize("content", [b"", b"weighty", b"weights "])
    def test_refuses_another_file(self, registered: ModelVersion, content: bytes) -> None:
        Path(registered.weights_uri).write_bytes(content)

        with pytest.raises(WeightsTamperedError, match=r"m2 was registered with .*rollback"):
            verified_weights(registered)

    def test_says_so_when_the_file_is_gone(self, registered: ModelVersion) -> None:
        Path(registered.weights_uri).unlink()

        with pytest.raises(WeightsTamperedError, match="cannot be read"):
            verified_weights(registered)
