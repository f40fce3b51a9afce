"""`overread consensus --with-model`: what people are told."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.domain.images import Split
from backend.domain.predictions import Prediction
from backend.settings import Settings
from backend.store.unit_of_work import Store
from backend.workflow.cut_training_set import cut_training_set
from tests.cli.conftest import CommandLine
from tests.store.samples import NOW, image, keep, mark, model, predicted, reading, register, serve


@pytest.fixture
def store(overread: CommandLine) -> Iterator[Store]:
    """Six images, read by R1 and R2; m1 has answered all of them, m2 none."""
    assert overread("db", "upgrade").code == 0
    opened = Store(Settings(data_dir=overread.data_dir).sqlalchemy_url)
    names = [f"i{number}" for number in range(6)]
    register(opened, *map(image, names), readers=("R1", "R2"))
    keep(opened, *(reading(name, reader, mark()) for name in names for reader in ("R1", "R2")))
    serve(opened, *(Prediction(name, "m1", (predicted(),)) for name in names))
    with opened.transaction() as unit:
        unit.models.add(model("m2"))
    yield opened
    opened.close()


@pytest.mark.usefixtures("store")
class TestConsensusWithAModel:
    def test_says_where_the_model_voted(self, overread: CommandLine, store: Store) -> None:
        with store.transaction() as unit:
            unit.images.set_splits([(f"i{number}", Split.TRAIN) for number in range(4)])

        told = overread("consensus", "--with-model", "m1", "--json").json
        shown = overread("consensus", "--with-model", "m1").told

        assert told["clusters"] == {"unanimous": 6}
        assert told["model"] == {
            "version": "m1",
            "images": 4,
            "barred": {"models are, or may come to be, judged on them": 2},
            "model_only": 0,
        }
        assert "m1 voted on 4 images" in shown
        assert "m1 did not vote on 2 images: models are, or may come to be, judged on" in shown
        assert "model" not in overread("consensus", "--json").json

    def test_refuses_a_model_that_was_trained_on_these_readings(
        self, overread: CommandLine, store: Store
    ) -> None:
        with store.transaction() as unit:
            unit.images.set_splits([(f"i{number}", Split.TRAIN) for number in range(6)])
        before = overread("consensus", "--json").json
        with store.transaction() as unit:
            trained_on = cut_training_set(unit, seed=1, now=NOW).name
            unit.models.add(replace(model("m3"), dataset_version=trained_on))
            answers = [Prediction(f"i{number}", "m3", (predicted(),)) for number in range(6)]
            unit.predictions.add(answers, now=NOW)

        refused = overread("consensus", "--with-model", "m3")

        assert refused.code == 1
        assert "m3 may not vote on 6 images: it was trained on their readings" in refused.told
        assert "cross-fitting" in refused.told
        assert "Traceback" not in refused.told
        assert overread("consensus", "--json").json == before

    def test_says_what_else_is_in_the_way(self, overread: CommandLine, tmp_path: Path) -> None:
        unsplit = overread("consensus", "--with-model", "m1")
        silent = overread("consensus", "--with-model", "m2")
        unknown = overread("consensus", "--with-model", "m9")
        method = overread("consensus", "--with-model", "m1", "--method", "wbf")
        files = overread("consensus", "--with-model", "m1", "--input", "x", "--output", tmp_path)

        assert {one.code for one in (unsplit, silent, unknown, method)} == {1}
        assert "m1 may not vote on 6 images: models are, or may come to be" in unsplit.told
        assert "run: overread score" in silent.told
        assert "there are: m1, m2" in unknown.told
        assert "wbf does not estimate readers" in method.told
        assert files.code == 2
        assert "of the store only" in files.told
