"""Weights from elsewhere become the champion once."""

from pathlib import Path

from backend.domain.models import ModelVersion
from backend.store.unit_of_work import Store
from backend.workflow.adopt_weights import adopt_weights
from tests.store.samples import NOW


def adopt(store: Store, weights: Path, folder: Path) -> ModelVersion:
    with store.transaction() as unit:
        return adopt_weights(unit, weights, folder, origin="a colleague", now=NOW)


class TestAdoptWeights:
    def test_keeps_a_copy_and_says_where_it_comes_from(self, store: Store, tmp_path: Path) -> None:
        weights = tmp_path / "given.pt"
        weights.write_bytes(b"first")
        first = adopt(store, weights, tmp_path / "kept")
        again = adopt(store, weights, tmp_path / "kept")
        weights.write_bytes(b"second")
        second = adopt(store, weights, tmp_path / "kept")

        assert first == again
        assert Path(first.weights_uri).read_bytes() == b"first"
        assert first.report == {"origin": "a colleague"}
        assert [first.name, second.name] == ["m1", "m2"]
        with store.snapshot() as unit:
            champion = unit.models.champion()
            events = unit.records.events("model:m1")
        assert champion is not None
        assert champion.name == "m2"
        assert [event.action for event in events] == ["adopt"]
        assert len(list((tmp_path / "kept").iterdir())) == 2
