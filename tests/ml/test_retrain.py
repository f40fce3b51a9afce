"""Gather, fit, evaluate, gate: from readings in the store to the champion that serves."""

import hashlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update
from typing_extensions import override

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.domain.models import ModelState, ModelVersion
from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.score_calibration import Scoring
from backend.formats.metadata_csv import read_metadata
from backend.formats.model_card import render_model_card
from backend.formats.original_sizes import SizePx
from backend.formats.placement import MarkedBox, PlacedReadings
from backend.formats.radiographs import encode_png
from backend.settings import Settings
from backend.store import schema
from backend.store.tables import ImageRow
from backend.store.unit_of_work import Store
from backend.terminal import now
from backend.workflow.describe_images import describe_images
from backend.workflow.describe_model import describe_model
from backend.workflow.promote_model import roll_back
from backend.workflow.reconcile_store import reconcile_store
from backend.workflow.register_images import ImageSet, register_images
from backend.workflow.retrain_report import RetrainReport
from ml_backend.champion_watch import ChampionWatch
from ml_backend.detector import Detections
from ml_backend.letterbox import Letterbox
from ml_backend.live_model import LiveModel, WeightsTamperedError
from ml_backend.score_pool import score_pool
from ml_backend.scripted_detector import ScriptedDetector
from tests.ml.conftest import radiograph

torch = pytest.importorskip("torch")
if find_spec("ultralytics") is None:  # not importorskip: it would import with telemetry on
    pytest.skip("needs the extra `ml`", allow_module_level=True)

from ml_backend.chain.calibrate import Calibrated, calibrate  # noqa: E402
from ml_backend.chain.cut import Cut, cut  # noqa: E402
from ml_backend.chain.evaluate import evaluate  # noqa: E402
from ml_backend.chain.train import Trained, train  # noqa: E402
from ml_backend.chain.workshop import Workshop  # noqa: E402
from ml_backend.retrain import retrain as train_a_challenger  # noqa: E402
from ml_backend.training.start import DamagedWeightsError, choose_start  # noqa: E402
from ml_backend.training.weights import StoredWeights  # noqa: E402
from ml_backend.ultralytics_settings import import_part  # noqa: E402

ROOT = Path(__file__).parents[2]
SPLITS = [Split.TRAIN] * 4 + [Split.VALIDATION] * 2 + [Split.TEST] * 2
HEART = MarkedBox(Finding.CARDIOMEGALY, Box(10.0, 40.0, 60.0, 80.0))


class Silence:
    """Progress that nobody watches."""

    def step(self, what: str, total: int) -> None:
        """Begin a step."""

    def advance(self, done: int, note: str = "") -> None:
        """Go on."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    torch.manual_seed(0)
    network = import_part("nn.tasks").DetectionModel("yolo26n.yaml", verbose=False)
    torch.save({"model": network, "train_args": {}}, tmp_path / "base.pt")
    return Settings(
        data_dir=tmp_path / "data",
        base_weights=str(tmp_path / "base.pt"),
        train_image_size_px=64,
        train_epochs=1,
        train_batch_size=2,
        device="cpu",
    )


@pytest.fixture
def filled(settings: Settings, tmp_path: Path) -> Iterator[Store]:
    """Eight radiographs, every second one with a large heart, read by two readers."""
    schema.upgrade(settings.sqlalchemy_url)
    store = Store(settings.sqlalchemy_url)
    fill(store, tmp_path / "images", SPLITS)
    yield store
    store.close()


def fill(store: Store, folder: Path, splits: Sequence[Split]) -> None:
    folder.mkdir(exist_ok=True)
    for seed in range(len(splits)):
        (folder / f"i{seed}.png").write_bytes(encode_png(radiograph(seed)))

    def place(image_id: str, _: SizePx) -> tuple[PlacedReadings, SizePx | None]:
        marks = (HEART,) if int(image_id[1:]) % 2 else ()
        return PlacedReadings({"R1": marks, "R2": marks}, (), is_size_assumed=False), None

    register_images(
        store,
        ImageSet(
            "test",
            {path: path.stem for path in sorted(folder.iterdir())},
            splits={f"i{seed}": split for seed, split in enumerate(splits)},
            place_readings=place,
        ),
        now=now(),
    )
    reconcile_store(store, clock=now)


def retrain(store: Store, settings: Settings, *, force: bool = False) -> RetrainReport:
    return train_a_challenger(store, settings, clock=now, progress=Silence(), force=force)


class TestRetrain:
    def test_makes_the_first_champion_and_then_waits_for_news(
        self, filled: Store, settings: Settings
    ) -> None:
        training = settings.data_dir / "training"
        for left in (".d0-killed", "d0"):
            (training / left).mkdir(parents=True)
        stale = settings.exports_dir / f"{'0' * 64}-1.onnx"
        stale.parent.mkdir(parents=True)
        stale.touch()
        first = retrain(filled, settings)
        second = retrain(filled, settings)

        assert list(training.iterdir()) == []
        assert not stale.exists()
        assert (first.model_version, first.promoted) == ("m1", True)
        assert first.map40 is not None
        assert (second.model_version, second.promoted) == (None, False)
        with filled.snapshot() as unit:
            champion = unit.models.champion()
            runs = unit.training_runs.all()
        assert champion is not None
        assert champion.dataset_version == "d1"
        assert Path(champion.weights_uri).is_file()
        assert [run.state for run in runs] == ["finished"]
        assert champion.scoring is not None
        assert champion.scoring.false_marks_per_image == settings.false_marks_per_image
        calibration = champion.report["calibration"]
        assert isinstance(calibration, dict)
        assert {"d_ece_before", "d_ece_after", "reliability_after"} <= set(calibration)

    def test_leaves_the_champion_when_it_is_cut_off(
        self, filled: Store, settings: Settings, tmp_path: Path
    ) -> None:
        retrain(filled, settings)
        Path(settings.base_weights).unlink()

        with pytest.raises(FileNotFoundError, match="OVERREAD_BASE_WEIGHTS"):
            retrain(filled, settings.model_copy(update={"train_from": "base"}), force=True)

        with filled.snapshot() as unit:
            champion = unit.models.champion()
            states = [run.state for run in unit.training_runs.all()]
        assert champion is not None
        assert champion.name == "m1"
        assert states == ["finished", "failed"]

    def test_fine_tunes_the_champion_on_what_it_got_wrong_and_records_how(
        self, filled: Store, settings: Settings
    ) -> None:
        retrain(filled, settings)
        saw_something = Prediction("i0", "m1", (PredictedBox(Finding.ILD, HEART.box, 0.99),))
        with filled.transaction() as unit:
            unit.predictions.add([saw_something], now=now())

        retrain(filled, settings, force=True)

        with filled.snapshot() as unit:
            first, second = unit.training_runs.all()
            challenger = unit.models.get("m2")
        assert first.progress["started_from"] == settings.base_weights
        assert first.progress["training_list"]["hard_negatives"] == 0
        assert second.progress["started_from"] == "m1"
        assert second.progress["training_list"]["hard_negatives"] == 1
        assert second.progress["batch"] == 2
        [epoch] = second.progress["epochs"]
        assert epoch["epoch"] == 1
        assert epoch["cls_loss"] > 0
        assert second.recipe["consensus_weights"] == "soft"
        assert first.recipe["training_list_seed"] == second.recipe["training_list_seed"]
        with filled.snapshot() as unit:
            card = describe_model(unit, "m2")["training"]
        assert (card["started_from"], card["why"]) == ("m1", second.progress["why"])
        assert card["recipe"] == {
            **second.recipe,
            "repeat_below": settings.train_repeat_below,
            "batch_used": 2,
        }
        curves = Path(challenger.weights_uri).with_suffix(".training.png")
        assert curves.read_bytes().startswith(b"\x89PNG")

    def test_trains_anew_when_it_is_forced_though_the_run_before_was_left_on_disk(
        self, filled: Store, settings: Settings
    ) -> None:
        from_base = settings.model_copy(update={"train_from": "base"})
        workshop = Workshop(filled, from_base, now, Silence())
        done = cut(workshop)
        first = train(workshop, done)
        for left in (".d0-killed", "d0"):
            (settings.data_dir / "training" / left).mkdir()
        kept = settings.data_dir / "training" / done.dataset_version / "run"
        (kept / "old").touch()

        train(workshop, done)  # was cut off before its end was recorded: goes on
        assert (kept / "old").exists()

        with filled.transaction() as unit:
            unit.training_runs.end(
                first.training_run, state="finished", outcome="", model_version=None, now=now()
            )
        second = train(workshop, done, force=True)
        assert [folder.name for folder in kept.parents[1].iterdir()] == ["d1"]
        assert second.training_run != first.training_run
        assert (kept / "finished.json").exists()
        assert not (kept / "old").exists()


class TestCut:
    def test_says_which_images_could_not_be_looked_at(
        self, filled: Store, settings: Settings, tmp_path: Path
    ) -> None:
        with filled.transaction() as unit:
            unit.images._session.execute(update(ImageRow).values(look_hash=None))
        for name in ("i2", "i5"):
            (tmp_path / "images" / f"{name}.png").write_bytes(b"")

        done = cut(Workshop(filled, settings, now, Silence()))

        [problem] = done.problems
        assert problem.startswith("near-duplicates of 2 images go unnoticed")
        assert "i2: " in problem
        assert Cut.from_json(json.loads(json.dumps(done.as_json()))) == done


class TestSlices:
    def test_of_a_night_come_from_the_table_and_reach_the_card(
        self, filled: Store, settings: Settings, tmp_path: Path
    ) -> None:
        fill(filled, tmp_path / "images", [*SPLITS, *[Split.TEST] * 24])
        about = tmp_path / "about.csv"
        views = ["PA"] * 18 + ["AP"] * 11 + ["LL"] * 2
        about.write_text(
            "Image Index,Patient Age,Patient Gender,View Position\n"
            + "".join(f"i{at}.png,{40 + at},F,{view}\n" for at, view in enumerate(views))
        )
        describe_images(filled, read_metadata(about), (tmp_path / "images").iterdir())

        retrain(filled, settings)

        with filled.snapshot() as unit:
            card = describe_model(unit, "champion")
            test = [one.image for one in unit.datasets.get("d1").in_split(Split.TEST)]
        slices = card["detection"]["slices"]
        assert {name for name, values in slices.items() if values} == {"age group", "view"}
        assert list(slices["age group"]) == ["40-49", "50-59", "60-69", "70-79"]
        for view, one in slices["view"].items():
            members = [image for image in test if image.metadata.view == view]
            assert one["images"] == len(members)
            assert one["lesions"] == sum(int(image.id[1:]) % 2 for image in members)
        assert slices["view"]["AP"]["map40"].keys() == {"estimate", "low", "high"}
        assert "map40" not in slices["view"]["lateral"]
        html = render_model_card(card)
        assert re.search(r"<tr><td>AP<td class=\"n\">11<td class=\"n\">\d+<td class=\"n\">", html)
        assert re.search(r"<tr><td>lateral<td class=\"n\">2<.*too few images", html)


class TestStoredWeights:
    def test_are_not_opened_by_any_step_when_another_file_is_in_their_place(
        self, filled: Store, settings: Settings
    ) -> None:
        workshop = Workshop(filled, settings, now, Silence())
        done = cut(workshop)
        with filled.transaction() as unit:
            run = unit.training_runs.begin_or_continue(done.dataset_version, {}, now=now())
        trained = Trained(run, StoredWeights(Path(settings.base_weights), "0" * 64, 1), ())
        scoring = Calibrated(Scoring({}, {}, 1.0))

        with pytest.raises(WeightsTamperedError, match="train again"):
            calibrate(workshop, done, trained)
        with pytest.raises(WeightsTamperedError, match="train again"):
            evaluate(workshop, done, trained, scoring)


class TestChooseStart:
    def test_says_why_the_champion_will_not_do(
        self, filled: Store, settings: Settings, tmp_path: Path
    ) -> None:
        assert choose_start(filled, settings).why == "there is no champion yet"
        weights = tmp_path / "champion.pt"
        torch.save(torch.load(settings.base_weights, weights_only=False), weights)
        sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
        with filled.transaction() as unit:
            unit.models.add(
                ModelVersion("m1", ModelState.CHALLENGER, str(weights), sha256, created_at=now())
            )
            unit.models.crown("m1", now=now())

        other_findings = choose_start(filled, settings)
        assert other_findings.name == settings.base_weights
        assert "trained on other findings" in other_findings.why

        weights.write_bytes(b"damaged")
        assert "m1 cannot be used" in choose_start(filled, settings).why

    def test_names_damaged_base_weights(self, filled: Store, settings: Settings) -> None:
        Path(settings.base_weights).write_bytes(b"damaged")

        with pytest.raises(DamagedWeightsError, match="OVERREAD_BASE_WEIGHTS"):
            choose_start(filled, settings)


class Picky(ScriptedDetector):
    """Fails on one radiograph, alone and in company."""

    @override
    def detect_in(self, frames: Sequence[Letterbox]) -> list[Detections]:
        odd = self.frame(radiograph(3)).pixels
        if any(np.array_equal(frame.pixels, odd) for frame in frames):
            raise RuntimeError("not finite")
        return super().detect_in(frames)


def add_challenger(store: Store) -> None:
    with store.transaction() as unit:
        unit.models.add(
            ModelVersion("m1", ModelState.CHALLENGER, "none", "0" * 64, created_at=now())
        )


class TestScorePool:
    def test_goes_on_where_it_stopped_and_tries_damaged_images_again(
        self, filled: Store, tmp_path: Path
    ) -> None:
        with filled.transaction() as unit:
            unit.models.add(
                ModelVersion("m1", ModelState.CHALLENGER, "none", "0" * 64, created_at=now())
            )
        damaged = tmp_path / "images" / "i3.png"
        content = damaged.read_bytes()
        damaged.write_bytes(content[:100])
        detector = ScriptedDetector(model_version="m1")

        first = score_pool(filled, detector, clock=now)
        with filled.snapshot() as unit:
            failures = unit.predictions.failures("m1")
        damaged.write_bytes(content)
        second = score_pool(filled, detector, clock=now)
        third = score_pool(filled, detector, clock=now)

        assert (first.scored, len(first.failed)) == (7, 1)
        assert "i3" in first.failed[0].what
        assert (second.scored, second.failed) == (1, [])
        assert third.scored == 0
        assert set(failures) == {"i3"}
        assert "damaged or cut short" in failures["i3"]
        with filled.snapshot() as unit:
            assert len(unit.predictions.of_model("m1")) == 8
            assert unit.predictions.failures("m1") == {}

    def test_records_what_the_detector_fails_on_and_keeps_the_rest(self, filled: Store) -> None:
        add_challenger(filled)

        first = score_pool(filled, Picky(model_version="m1"), clock=now)
        again = score_pool(filled, Picky(model_version="m1"), clock=now)

        assert (first.scored, again.scored) == (7, 0)
        with filled.snapshot() as unit:
            failures = unit.predictions.failures("m1")
        assert failures == {"i3": "RuntimeError: not finite"}

    def test_ends_when_the_detector_answers_nothing_at_all(self, filled: Store) -> None:
        class Down(ScriptedDetector):
            @override
            def detect_in(self, frames: Sequence[Letterbox]) -> list[Detections]:
                raise RuntimeError("CUDA error")

        add_challenger(filled)

        with pytest.raises(RuntimeError, match="CUDA"):
            score_pool(filled, Down(model_version="m1"), clock=now)

        with filled.snapshot() as unit:
            assert len(unit.predictions.failures("m1")) == 8

    def test_loses_nothing_and_doubles_nothing_when_it_is_killed(
        self, filled: Store, settings: Settings, tmp_path: Path
    ) -> None:
        with filled.transaction() as unit:
            unit.models.add(
                ModelVersion("m1", ModelState.CHALLENGER, "none", "0" * 64, created_at=now())
            )
        program = (
            "import os, signal, sys\n"
            "from datetime import UTC, datetime\n"
            "from backend.store.unit_of_work import Store\n"
            "from ml_backend import score_pool as scoring\n"
            "from ml_backend.scripted_detector import ScriptedDetector\n"
            "scoring._KEPT_TOGETHER = 3\n"
            "scoring.score_pool(\n"
            "    Store(sys.argv[1]), ScriptedDetector(model_version='m1'),\n"
            "    clock=lambda: datetime.now(UTC),\n"
            "    on_images=lambda _: os.kill(os.getpid(), signal.SIGKILL),\n"
            ")\n"
        )
        killed = subprocess.run(
            [sys.executable, "-c", program, settings.sqlalchemy_url], check=False, cwd=ROOT
        )
        with filled.snapshot() as unit:
            before = unit.predictions.image_ids("m1")

        rest = score_pool(filled, ScriptedDetector(model_version="m1"), clock=now)

        assert killed.returncode == -signal.SIGKILL
        assert len(before) == 3
        assert rest.scored == 5
        with filled.snapshot() as unit:
            assert len(unit.predictions.of_model("m1")) == unit.predictions.count() == 8


class TestChampionWatch:
    def test_follows_promotions_and_rollbacks_and_never_serves_changed_weights(
        self, filled: Store, settings: Settings
    ) -> None:
        live = LiveModel()
        watch = ChampionWatch(settings, filled, live)
        retrain(filled, settings)
        watch.look()
        assert live.model_version == "m1"

        with filled.transaction() as unit:
            champion = unit.models.get("m1")
            unit.models.add(
                ModelVersion(
                    "m2", ModelState.CHALLENGER, champion.weights_uri, "0" * 64, created_at=now()
                )
            )
            unit.models.crown("m2", now=now())
        with pytest.raises(WeightsTamperedError):
            watch.look()
        assert live.model_version == "m1"

        with filled.transaction() as unit:
            assert roll_back(unit, actor="test", now=now()).name == "m1"
        watch.look()
        assert live.model_version == "m1"
