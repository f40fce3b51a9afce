"""A night with real training: killed, on a full disk, and with input that nobody wishes for."""

import os
import resource
import signal
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.domain.nights import RunState, StepState
from backend.formats.original_sizes import SizePx
from backend.formats.placement import MarkedBox, PlacedReadings
from backend.opened import open_store
from backend.terminal import now
from backend.workflow.oversee_night import night_status, stop_night
from benchmarks.night_kills import Killer
from benchmarks.night_stage import Stage, set_stage
from benchmarks.night_watch import Watch, expect_promoted, expect_same

torch = pytest.importorskip("torch")
if find_spec("ultralytics") is None:  # not importorskip: it would import with telemetry on
    pytest.skip("needs the extra `ml`", allow_module_level=True)

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.xdist_group("night"),
    pytest.mark.timeout(1200),
]

IMAGES = 38
HEART = MarkedBox(Finding.CARDIOMEGALY, Box(10.0, 40.0, 60.0, 80.0))


def nobody_read(_: str, __: SizePx) -> tuple[PlacedReadings, SizePx | None]:
    return PlacedReadings({}, (), is_size_assumed=False), None


def all_normal(_: str, __: SizePx) -> tuple[PlacedReadings, SizePx | None]:
    return PlacedReadings({"R1": (), "R2": ()}, (), is_size_assumed=False), None


def states(stage: Stage) -> dict[str, StepState]:
    store = open_store(stage.settings)
    found = night_status(store, lines=0, now=now()).record
    store.close()
    return {step.name: step.state for step in found.steps}


def champion(stage: Stage) -> list[tuple[str]]:
    return stage.ask("SELECT name FROM model_version WHERE state = 'champion'")


class TestANight:
    def test_goes_on_where_it_was_killed_and_the_next_one_has_nothing_to_do(
        self, tmp_path: Path
    ) -> None:
        stage = set_stage(tmp_path)
        child = stage.play_apart()
        training = stage.settings.data_dir / "training" / "d1" / "run"
        give_up = time.monotonic() + 120
        while not training.exists() and time.monotonic() < give_up:
            time.sleep(0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert champion(stage) == [("m1",)]

        night = stage.play()
        model_versions = stage.told("model versions")
        again = stage.play()

        assert night.run == 1
        assert night.state is again.state is RunState.FINISHED
        assert night.retrained.model_version == "m2"
        expect_promoted(stage, "killed in training")
        assert night.scored["scored"] == IMAGES
        assert night.queued > 0
        assert any("expected Label Studio" in problem for problem in night.problems)
        assert again.retrained.model_version is None
        assert again.retrained.reason == "nothing was read since the last finished run"
        assert (again.scored["scored"], again.queued) == (0, 0)
        assert stage.told("model versions") == model_versions
        assert len(model_versions) == 2

    def test_crowns_the_first_champion_once_when_it_is_killed_at_the_gate(
        self, tmp_path: Path
    ) -> None:
        stage = set_stage(tmp_path, with_champion=False)
        child = stage.play_apart()
        give_up = time.monotonic() + 300
        begun = "SELECT 1 FROM night_step WHERE name = 'gate'"
        while not stage.ask(begun) and time.monotonic() < give_up:
            time.sleep(0.005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert champion(stage) in ([], [("m1",)])

        night = stage.play()

        assert night.retrained.promoted
        assert champion(stage) == [("m1",)]
        assert len(stage.told("model versions")) == len(stage.told("reasons of the gate")) == 1
        assert night.scored["scored"] == IMAGES

    def test_promotes_its_challenger_once_when_it_is_killed_at_the_gate_and_after_it(
        self, tmp_path: Path
    ) -> None:
        killer = Killer(Watch(set_stage(tmp_path)))

        killer.kill("gate")
        killer.kill("score")
        killer.finish()

        stage = killer.stage
        assert killer.kills.total() == 2
        expect_same(stage, {}, "killed twice")
        assert [row[:2] for row in stage.told("terms of service")] == [("m1", 1), ("m2", 0)]
        assert stage.told("decisions") == [
            ("system", "adopt", "model:m1"),
            ("gate", "promote", "model:m2"),
        ]

    def test_keeps_the_champion_when_the_disk_is_full_and_goes_on_when_it_is_not(
        self, tmp_path: Path
    ) -> None:
        stage = set_stage(tmp_path)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        # No file may grow beyond 4 MiB: the database fits, weights and checkpoints do not.
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 * 2**20, limits[1]))
        try:
            child = stage.play_apart()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        os.waitpid(child, 0)

        assert states(stage)["train"] is StepState.FAILED
        assert states(stage)["report"] is StepState.DONE
        assert champion(stage) == [("m1",)]
        assert len(stage.told("model versions")) == 1

        assert stage.play().retrained.model_version == "m2"
        for uri, sha256 in stage.ask("SELECT weights_uri, weights_sha256 FROM model_version"):
            assert Path(uri).stem == sha256

    def test_stops_after_an_epoch_when_it_is_cancelled_and_the_next_one_trains_on(
        self, tmp_path: Path
    ) -> None:
        stage = set_stage(tmp_path, epochs=4)
        child = stage.play_apart()
        kept = stage.settings.data_dir / "training" / "d1" / "run" / "resume.pt"
        give_up = time.monotonic() + 300
        while not kept.exists() and time.monotonic() < give_up:
            time.sleep(0.02)
        store = open_store(stage.settings)
        asked = stop_night(store, who="me", clock=now)
        store.close()
        os.waitpid(child, 0)

        assert asked.state is RunState.RUNNING
        assert states(stage)["train"] is StepState.STOPPED
        assert stage.ask("SELECT state, cancelled_by FROM night_run") == [("cancelled", "me")]
        assert kept.exists()
        assert champion(stage) == [("m1",)]

        assert stage.play().retrained.model_version == "m2"


class TestBadInput:
    def test_no_readings_at_all(self, tmp_path: Path) -> None:
        stage = set_stage(tmp_path, place_readings=nobody_read)

        night = stage.play()

        assert night.state is RunState.FINISHED
        assert "no image has a consensus yet" in night.retrained.reason
        assert states(stage)["train"] is states(stage)["gate"] is StepState.NOTHING
        assert night.scored["scored"] == IMAGES
        assert night.queued > 0

    def test_only_normals(self, tmp_path: Path) -> None:
        stage = set_stage(tmp_path, place_readings=all_normal)

        night = stage.play()

        assert night.state is RunState.FINISHED
        assert night.consensus_images == IMAGES
        assert night.retrained.model_version is None
        assert night.retrained.reason
        assert champion(stage) == [("m1",)]

    def test_one_finding_with_one_example_and_an_empty_test_set(self, tmp_path: Path) -> None:
        splits = (*[Split.TRAIN] * 5, *[Split.VALIDATION] * 3)
        marked: list[str] = []

        def one_heart(image_id: str, _: SizePx) -> tuple[PlacedReadings, SizePx | None]:
            marks = (HEART,) if not marked or marked == [image_id] else ()
            marked[:] = marked or [image_id]
            return PlacedReadings({"R1": marks, "R2": marks}, (), is_size_assumed=False), None

        stage = set_stage(tmp_path, place_readings=one_heart, splits=splits)

        night = stage.play()

        assert states(stage)["train"] is StepState.DONE
        assert not night.retrained.promoted
        assert night.retrained.reason
        assert champion(stage) == [("m1",)]
        assert night.scored["scored"] == 8

    def test_a_champion_that_cannot_be_read_stays_and_the_night_says_what_to_do(
        self, tmp_path: Path
    ) -> None:
        stage = set_stage(tmp_path)
        [kept] = stage.settings.weights_dir.iterdir()
        whole = kept.read_bytes()
        kept.write_bytes(whole[:1000])

        night = stage.play()

        assert champion(stage) == [("m1",)]
        assert states(stage)["gate"] is StepState.DONE
        assert states(stage)["score"] is StepState.FAILED
        assert night.retrained.standing == "rejected"
        assert night.retrained.map40 is not None
        [told] = [problem for problem in night.problems if "m1 stays" in problem]
        assert "restore it from a backup, or `overread models rollback`" in told
        assert "overread models promote m2 --reason" in told
        assert stage.told("who serves")[1][4:] == ("champion cannot be read", 0)

        kept.write_bytes(whole)
        assert stage.play().scored["scored"] == IMAGES

    def test_corrupt_weights(self, tmp_path: Path) -> None:
        stage = set_stage(tmp_path)
        broken = tmp_path / "broken.pt"
        broken.write_bytes(b"no weights")
        [kept] = stage.settings.weights_dir.iterdir()
        kept.write_bytes(kept.read_bytes()[:1000])
        settings = stage.settings.model_copy(update={"base_weights": str(broken)})

        night = Stage(settings, stage.untouched).play()

        assert night.state is RunState.FAILED
        assert states(stage)["train"] is states(stage)["score"] is StepState.FAILED
        assert any("sha256" in problem for problem in night.problems)
        assert night.queued > 0
        assert champion(stage) == [("m1",)]
