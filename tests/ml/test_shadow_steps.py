"""The steps of the night that concern the shadow and the cards."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from backend.domain.models import ModelState, ModelVersion
from backend.formats.radiographs import encode_png
from backend.settings import Settings
from backend.store import schema
from backend.store.unit_of_work import Store, UnitOfWork
from backend.terminal import now
from backend.workflow.chain_step import NothingToDoError
from backend.workflow.register_images import ImageSet, register_images
from tests.ml.conftest import radiograph

pytest.importorskip("torch")

from ml_backend.chain.clear_disk import clear_disk
from ml_backend.chain.describe import describe
from ml_backend.chain.score import score
from ml_backend.chain.shadow import shadow
from ml_backend.chain.workshop import Workshop
from ml_backend.runtimes.exported import FORM

GATE = {
    "verdict": "better",
    "passed": True,
    "reason": "m2 passes against m1: it is better.",
    "checks": [],
    "look": 1,
    "best_map": 0.3,
    "test_sha256": "a" * 64,
    "champion": "m1",
}


class Silence:
    """Progress that nobody watches."""

    def step(self, what: str, total: int) -> None:
        """Begin a step."""

    def advance(self, done: int, note: str = "") -> None:
        """Go on."""


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Four radiographs, a champion, m1, and m2 in its shadow; both scripted."""
    settings = Settings(data_dir=tmp_path / "data", detector="scripted", shadow_images=2)
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(4):
        (folder / f"i{seed}.png").write_bytes(encode_png(radiograph(seed)))
    schema.upgrade(settings.sqlalchemy_url)
    store = Store(settings.sqlalchemy_url)
    register_images(
        store, ImageSet("test", {path: path.stem for path in folder.iterdir()}), now=now()
    )
    with store.transaction() as unit:
        for name in ("m1", "m2"):
            unit.models.add(
                ModelVersion(
                    name,
                    ModelState.CHALLENGER,
                    str(tmp_path / f"{name}.pt"),
                    "0" * 64,
                    created_at=now(),
                )
            )
        unit.models.crown("m1", now=now())
        unit.model_history.enter_shadow("m2", now() - timedelta(hours=1))
    return Workshop(store, settings, now, Silence())


class TestScore:
    def test_lets_the_challenger_in_the_shadow_score_too(self, workshop: Workshop) -> None:
        outcome = score(workshop)

        assert (outcome["model_version"], outcome["shadow"]) == ("m1", "m2")
        with workshop.store.snapshot() as unit:
            assert unit.predictions.image_ids("m1") == unit.predictions.image_ids("m2")
            assert len(unit.predictions.image_ids("m2")) == 4


class TestShadow:
    def test_waits_and_records_that_it_does(self, workshop: Workshop) -> None:
        kept: list[Mapping[str, object]] = []

        def keep(unit: UnitOfWork, outcome: Mapping[str, object]) -> None:
            kept.append(outcome)

        outcome = shadow(replace(workshop, keep=keep))

        assert outcome["passed"] is None
        assert kept == [outcome]

    def test_lets_it_serve_when_shadow_mode_is_off(self, workshop: Workshop) -> None:
        off = workshop.settings.model_copy(update={"shadow_images": 0})

        shadow(replace(workshop, settings=off))

        with workshop.store.snapshot() as unit:
            champion = unit.models.champion()
        assert champion is not None
        assert champion.name == "m2"
        with pytest.raises(NothingToDoError):
            shadow(workshop)


class TestDescribe:
    def test_writes_the_cards_whose_standing_changed(
        self, workshop: Workshop, tmp_path: Path
    ) -> None:
        for name in ("m1", "m2"):
            (tmp_path / f"{name}.pt").touch()
        with workshop.store.transaction() as unit:
            unit.model_history.keep_gate("m2", GATE)

        first = describe(workshop)
        again = describe(workshop)
        off = workshop.settings.model_copy(update={"shadow_images": 0})
        shadow(replace(workshop, settings=off))
        after = describe(workshop)

        names = [f"{name}.card.{form}" for name in ("m1", "m2") for form in ("html", "json")]
        assert first == after
        assert first["cards"] == [str(tmp_path / name) for name in names]
        assert again == {"cards": [], "problems": []}
        states = [
            json.loads((tmp_path / f"{name}.card.json").read_text())["state"]
            for name in ("m1", "m2")
        ]
        assert states == ["retired", "champion"]

    def test_says_which_could_not_be_written(self, workshop: Workshop, tmp_path: Path) -> None:
        for name in ("m1", "m2"):
            (tmp_path / f"{name}.pt").touch()
        (tmp_path / "m1.card.partial").mkdir()

        outcome = describe(workshop)

        assert "the model card of m1 could not be written" in str(outcome["problems"])
        assert str(tmp_path / "m2.card.json") in str(outcome["cards"])


class TestClearDisk:
    def test_keeps_the_exports_of_who_is_in_line_to_serve(self, workshop: Workshop) -> None:
        rejected, champions = "3", "456"
        with workshop.store.transaction() as unit:
            for number in (rejected, *champions):
                model = replace(
                    unit.models.get("m2"), name=f"m{number}", weights_sha256=number * 64
                )
                unit.models.add(model)
            unit.models.set_state(f"m{rejected}", ModelState.REJECTED)
            for day, number in enumerate(champions):
                unit.models.crown(f"m{number}", now=now() + timedelta(days=day))
        exports = workshop.settings.exports_dir
        exports.mkdir(parents=True)
        for number in "03456":
            for suffix in ("onnx", "json"):
                (exports / f"{number * 64}-{FORM}.{suffix}").touch()

        clear_disk(workshop)

        champion, previous, in_the_shadow = "6", "5", "0"
        assert {path.name[0] for path in exports.iterdir()} == {champion, previous, in_the_shadow}
        assert len(list(exports.iterdir())) == 6
