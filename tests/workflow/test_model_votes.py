"""A model version joins the readers of a store, where it may, until it goes out of service."""

from dataclasses import replace
from datetime import timedelta

import pytest

from backend.domain.consensus import verdict
from backend.domain.consensus.clusters import Consensus
from backend.domain.consensus.model_reader import (
    JudgedOnTheseImagesError,
    ShownToReadersError,
    TrainedOnTheseReadingsError,
)
from backend.domain.consensus.survey import Survey
from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.domain.models import ModelState
from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.reading_table import ReadingTable
from backend.domain.readings import Arm
from backend.store.models import UnknownModelVersionError
from backend.store.unit_of_work import Store
from backend.workflow.choose_model import ModelOutOfServiceError, NothingPredictedError
from backend.workflow.cut_training_set import cut_training_set
from backend.workflow.nightly import NightRules, nightly
from backend.workflow.plan_worklists import QueueRules
from backend.workflow.reach_consensus import ids_by_image, reach_consensus
from backend.workflow.reconcile_again import reconcile_again
from backend.workflow.reconcile_store import (
    ModelWithoutReadersError,
    Reconciled,
    reconcile_store,
)
from backend.workflow.route_conflicts import RoutingRules
from tests.store.samples import (
    HERE,
    LATER,
    NOW,
    THERE,
    crowd,
    image,
    keep,
    mark,
    model,
    predicted,
    read_by_a_crowd,
    reading,
    register,
    serve,
)
from tests.workflow.test_nightly import DESK, NOBODY_WATCHES, BrokenTraining

IMAGES = 24
RULES = NightRules(QueueRules(3, 5, 0.0, 0.0, 1), RoutingRules(3, 1, 5, 1))


def said(image_id: str, version: str = "m1") -> Prediction:
    """Return what a model says that marks what the first reader marked, and one place more."""
    of = next((one for one in crowd(IMAGES) if one.image_id == image_id and one.boxes), None)
    boxes = [PredictedBox(box.finding, box.box, 0.8) for box in of.boxes] if of else []
    return Prediction(image_id, version, (*boxes, PredictedBox(Finding.ILD, THERE, 0.9)))


def ids(first: int = 0, last: int = IMAGES) -> list[str]:
    return [f"c{number:02d}" for number in range(first, last)]


@pytest.fixture
def read(store: Store) -> Store:
    """Keep a crowd's readings of images to learn from, and what m1 says of half of them."""
    read_by_a_crowd(store, IMAGES)
    with store.transaction() as unit:
        unit.images.set_splits((image_id, Split.TRAIN) for image_id in ids(0, 18))
        unit.images.set_splits((image_id, Split.VALIDATION) for image_id in ids(18))
    serve(store, *map(said, ids(0, 12)))
    return store


def reconcile(store: Store, version: str | None = "m1") -> Reconciled:
    return reconcile_store(store, clock=lambda: NOW, with_model=version)


def current(store: Store) -> dict[str, Consensus]:
    with store.snapshot() as unit:
        return {image_id: one for image_id, (_, one) in unit.consensus.current().items()}


def panel_readers(store: Store) -> tuple[str, ...]:
    with store.snapshot() as unit:
        found = unit.panels.current()
    assert found is not None
    return found[1].reader_ids


def reach(store: Store, *image_ids: str) -> dict[str, Consensus]:
    with store.transaction() as unit:
        return {one.image_id: one for one in reach_consensus(unit, image_ids, now=LATER)}


def drawn(answer: Consensus) -> set[object]:
    """Return what a model must leave as it is."""
    return {
        (one.finding, one.box, one.state, one.supporters, one.place) for one in answer.clusters
    }


def numbers(answer: Consensus) -> list[float]:
    return sorted(one.p_true for one in answer.clusters)


class TestReconcileStoreWithAModel:
    def test_changes_probabilities_where_the_model_votes_and_nothing_else(
        self, read: Store
    ) -> None:
        alone = reconcile(read, None)
        before = current(read)

        joined = reconcile(read)

        after = current(read)
        assert alone.model is None
        assert joined.model is not None
        assert (joined.model.images, joined.model.barred, joined.model.model_only) == (12, {}, 12)
        assert joined.method_version != alone.method_version
        assert panel_readers(read) == ("R1", "R2", "R3", "R4", "model:m1")
        assert {key: drawn(one) for key, one in after.items()} == {
            key: drawn(one) for key, one in before.items()
        }
        assert all(
            numbers(after[key]) != numbers(before[key])
            for key in ids(0, 12)
            if before[key].clusters
        )

    def test_is_repeated_and_taken_back(self, read: Store) -> None:
        alone, before = reconcile(read, None), current(read)

        assert reconcile(read) == reconcile(read)
        assert reconcile(read, None) == alone
        assert current(read) == before

    def test_refuses_a_model_that_was_trained_on_what_was_read(self, read: Store) -> None:
        reconcile(read, None)
        train(read, "m2")
        before = current(read)

        with pytest.raises(
            TrainedOnTheseReadingsError, match=r"m2 may not vote on 24 images: .*cross-fitting"
        ):
            reconcile(read, "m2")

        assert current(read) == before
        assert "model:m2" not in panel_readers(read)

    def test_takes_images_that_came_after_the_model_was_trained(self, read: Store) -> None:
        reconcile(read, None)
        train(read, "m2")
        register(read, image("new"))
        with read.transaction() as unit:
            unit.images.set_splits([("new", Split.TRAIN)])
            unit.predictions.add([Prediction("new", "m2", (predicted(),))], now=NOW)
        keep(read, reading("new", "R1", mark(HERE)), reading("new", "R2"))

        done = reconcile(read, "m2")

        assert done.model is not None
        assert done.model.images == 1
        assert done.model.barred == {"it was trained on their readings": IMAGES}

    def test_refuses_boxes_that_a_reader_was_shown(self, read: Store) -> None:
        with read.transaction() as unit:
            unit.models.add(model("m2"))
            unit.predictions.add([said("c00", "m2")], now=NOW)
        shown = replace(
            reading("c00", "R1", mark(HERE)), arm=Arm.ASSISTED, model_version="m2", round=2
        )
        keep(read, shown)

        with pytest.raises(ShownToReadersError, match="m2 may not vote on 1 images"):
            reconcile(read, "m2")

        keep(read, replace(reading("c00", "R1", mark(HERE)), round=3))
        with pytest.raises(ShownToReadersError):
            reconcile(read, "m2")
        assert reconcile(read).model is not None

    @pytest.mark.parametrize("split", [Split.TEST, None])
    def test_leaves_what_models_are_judged_on_to_people(
        self, store: Store, split: Split | None
    ) -> None:
        read_by_a_crowd(store, IMAGES)
        if split is not None:
            with store.transaction() as unit:
                unit.images.set_splits((image_id, split) for image_id in ids())
        serve(store, *map(said, ids()))

        with pytest.raises(JudgedOnTheseImagesError, match=r"on 24 images: .*overread retrain"):
            reconcile(store)

    def test_says_what_is_missing(self, read: Store) -> None:
        with read.transaction() as unit:
            unit.models.add(model("m2"))
        with pytest.raises(NothingPredictedError, match=r"any of the 24 images .*overread score"):
            reconcile(read, "m2")
        with pytest.raises(UnknownModelVersionError, match="there are: m1, m2"):
            reconcile(read, "m9")
        with pytest.raises(ModelWithoutReadersError, match="wbf does not estimate readers"):
            reconcile_store(read, clock=lambda: NOW, method="wbf", with_model="m1")

    def test_has_nothing_to_do_in_an_empty_store(self, store: Store) -> None:
        serve(store)

        assert reconcile(store).images == 0


def train(store: Store, name: str) -> None:
    """Register a model version that was trained on the consensus as it is, and let it predict."""
    with store.transaction() as unit:
        version = cut_training_set(unit, seed=1, now=NOW)
        unit.models.add(replace(model(name), dataset_version=version.name))
        unit.predictions.add([said(image_id, name) for image_id in ids()], now=NOW)


class TestReachConsensusWithAModel:
    def test_answers_one_image_like_all_at_once(self, read: Store) -> None:
        reconcile(read)
        every = current(read)

        assert {key: reach(read, key)[key] for key in every} == every

    def test_counts_the_model_for_a_new_reading(self, read: Store) -> None:
        done = reconcile(read)
        new = mark(THERE, Finding.ILD)
        keep(read, *(replace(reading(one, "R4", new), round=2) for one in ("c03", "c13")))

        answers = reach(read, "c03", "c13")

        [voted], [unknown] = (
            [one for one in answers[key].clusters if one.box == THERE] for key in ("c03", "c13")
        )
        assert {one.method_version for one in answers.values()} == {done.method_version}
        assert [who.reader_id for who in voted.supporters] == ["R4"]
        assert voted.p_true > unknown.p_true

    def test_leaves_people_alone_where_the_model_may_not_vote(self, read: Store) -> None:
        reconcile(read)
        shown = replace(reading("c03", "R1", mark(HERE)), arm=Arm.ASSISTED, model_version="m1")
        keep(read, replace(shown, round=2))

        answer = reach(read, "c03")["c03"]

        with read.snapshot() as unit:
            name, panel = unit.panels.current() or pytest.fail("there is no panel")
            readings = unit.readings.counting(["c03"])
        alone = verdict.reconcile(Survey.of(ReadingTable.of(readings)), panel)
        assert [answer] == list(verdict.answers(alone, name, ids_by_image(readings)))
        again = reconcile(read).model
        assert again is not None
        assert (again.images, again.barred) == (11, {"its boxes were shown to a reader": 1})


class TestReconcileAgain:
    def test_keeps_the_model_and_its_absence(self, read: Store) -> None:
        alone, _ = reconcile_again(read, clock=lambda: NOW)
        assert alone.model is None

        joined = reconcile(read)

        assert reconcile_again(read, clock=lambda: NOW) == (joined, None)

    def test_goes_on_without_a_model_that_was_replaced(self, read: Store) -> None:
        reconcile(read)
        with read.transaction() as unit:
            unit.models.add(model("m2", created_at=LATER))
            unit.models.crown("m2", now=NOW + timedelta(days=1))

        night = nightly(
            read, DESK, RULES, BrokenTraining(), clock=lambda: LATER, watchers=NOBODY_WATCHES
        )

        assert night.problems[0] == (
            "m1 may not vote: it is retired; the model versions in service are listed by: "
            "overread models list; the readers were reconciled without it"
        )
        assert night.consensus_images == IMAGES
        assert panel_readers(read) == ("R1", "R2", "R3", "R4")
        with pytest.raises(ModelOutOfServiceError, match="m1 may not vote: it is retired"):
            reconcile(read)

    def test_leaves_a_rejected_model_out(self, read: Store) -> None:
        with read.transaction() as unit:
            unit.models.set_state("m1", ModelState.REJECTED)

        with pytest.raises(ModelOutOfServiceError, match="it is rejected"):
            reconcile(read)
