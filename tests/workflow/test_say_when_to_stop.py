"""Whether to go on reading, from what the store knows."""

from dataclasses import replace
from datetime import timedelta

import pytest

from backend.domain.acquisition.stop_signal import StopSignal
from backend.domain.dataset import DatasetImage, DatasetVersion
from backend.domain.images import Split
from backend.domain.predictions import Prediction
from backend.domain.worklists import EntryState
from backend.store.unit_of_work import Store
from backend.workflow.reach_consensus import reach_consensus
from backend.workflow.say_when_to_stop import say_when_to_stop
from tests.store.samples import (
    LATER,
    NOW,
    enrol,
    entry,
    image,
    keep,
    mark,
    model,
    predicted,
    reading,
    register,
    serve,
)


def signal(store: Store, more_images: int = 300) -> StopSignal:
    with store.snapshot() as unit:
        return say_when_to_stop(unit, readers_per_image=3, more_images=more_images)


def audit(store: Store, *image_ids: str, channel: str = "random") -> None:
    """Draw images for R1, and have them read."""
    with store.transaction() as unit:
        unit.worklists.add(
            [replace(entry(name, "R1", rank=1), channel=channel) for name in image_ids],
            now=LATER,
        )
        for one in unit.worklists.all():
            unit.worklists.set_state(one.key, EntryState.READ, now=LATER)
        reach_consensus(unit, image_ids, now=LATER)


def train(store: Store, name: str, *, images: int, map40: float, test: int = 2) -> None:
    """Keep a model version that was trained on the first so many images of the store."""
    with store.transaction() as unit:
        known = list(unit.images.all().values())
        answers = unit.consensus.current()
        members = [
            DatasetImage(
                replace(one, split=Split.TEST if place < test else Split.TRAIN), (), ("R1",)
            )
            for place, one in enumerate(known[: images + test])
        ]
        version = DatasetVersion(f"d-{name}", f"{name:0>64}", "prior", NOW, tuple(members))
        keys = {member.image.id: answers[member.image.id][0] for member in members}
        unit.datasets.add(version, keys, p_true_from=0.5)
        unit.models.add(
            replace(
                model(name, created_at=NOW + timedelta(hours=images)),
                dataset_version=version.name,
                map40=map40,
            )
        )


@pytest.fixture
def audited(store: Store) -> Store:
    """Keep six images that m1 has answered; it calls e0 to e3 empty, and R1 marks e0."""
    names = ("e0", "e1", "e2", "e3", "full", "unread")
    register(store, *map(image, names))
    enrol(store, "R1")
    serve(
        store,
        *(Prediction(name, "m1", (predicted(0.04),)) for name in ("e0", "e1", "e2", "unread")),
        Prediction("e3", "m1", ()),
        Prediction("full", "m1", (predicted(0.8),)),
    )
    keep(store, reading("e0", "R1", mark()), *(reading(name, "R1") for name in names[1:5]))
    return store


class TestHiddenFindings:
    def test_are_counted_among_what_was_drawn_at_random_and_read(self, audited: Store) -> None:
        audit(audited, "e0", "e1", "full")

        hidden = signal(audited).hidden

        assert (hidden.audited, hidden.with_findings, hidden.unread) == (2, 1, 1)
        assert "1 of 2 confidently empty images" in hidden.sentence()

    def test_follow_the_rule_of_three_when_nothing_was_found(self, audited: Store) -> None:
        audit(audited, "e1", "e2", "e3")

        hidden = signal(audited).hidden

        assert (hidden.audited, hidden.with_findings) == (3, 0)
        assert list(hidden.interval) == pytest.approx([0.0, 1.0 - 0.05 ** (1 / 3)])
        assert "at most 63.2% (95 %)" in hidden.sentence()

    def test_are_not_told_by_what_the_queue_chose(self, audited: Store) -> None:
        audit(audited, "e0", "e1", channel="uncertain")

        hidden = signal(audited).hidden

        assert hidden.audited == 0
        assert "nobody knows" in hidden.sentence()

    def test_are_judged_by_the_model_of_the_day(self, audited: Store) -> None:
        audit(audited, "e0", "e1", "full")
        with audited.transaction() as unit:
            unit.models.add(model("m2"))
            unit.models.crown("m2", now=LATER + timedelta(hours=1))
            unit.predictions.add(
                [Prediction(name, "m2", ()) for name in ("full", "e0", "unread")],
                now=LATER + timedelta(hours=1),
            )

        hidden = signal(audited).hidden

        assert (hidden.audited, hidden.with_findings, hidden.unread) == (2, 1, 1)


class TestForecast:
    @pytest.fixture
    def grown(self, store: Store) -> Store:
        """Keep three model versions of 10, 20 and 40 images, the readings three a piece."""
        names = [f"n{number:02d}" for number in range(50)]
        register(store, *map(image, names))
        enrol(store, "R1")
        keep(store, *(reading(name, one) for name in names for one in ("R1", "R2", "R3")))
        with store.transaction() as unit:
            reach_consensus(unit, names, now=NOW)
        train(store, "m1", images=10, map40=0.20)
        train(store, "m2", images=20, map40=0.27)
        train(store, "m3", images=40, map40=0.31)
        return store

    def test_follows_the_model_versions(self, grown: Store) -> None:
        found = signal(grown, more_images=20)

        assert [(one.model_version, one.read_images) for one in found.points] == [
            ("m1", 10),
            ("m2", 20),
            ("m3", 40),
        ]
        assert found.has_same_test
        assert found.forecast is not None
        assert 0.0 < found.forecast.gain < 0.1
        assert found.as_many_again is not None
        assert found.as_many_again.more_images == 40
        assert found.hours == pytest.approx(20 * 3 * 45 / 3600)
        assert found.sentences()[1].startswith("20 more images are expected to bring +0.0")
        assert "about 0.8 reader-hours" in found.sentences()[1]

    def test_leaves_out_what_was_measured_on_other_test_images(self, grown: Store) -> None:
        train(grown, "m0", images=5, map40=0.9, test=3)

        assert "m0" not in {one.model_version for one in signal(grown).points}

    def test_says_when_the_test_images_changed_on_the_way(self, grown: Store) -> None:
        train(grown, "m4", images=45, map40=0.33, test=4)

        found = signal(grown)

        assert len(found.points) == 4
        assert not found.has_same_test
        assert "a rough guide only" in found.sentences()[1]

    def test_is_refused_with_the_reason(self, store: Store) -> None:
        found = signal(store)

        assert (found.forecast, found.hours) == (None, None)
        assert "0 of the 3 points" in found.sentences()[1]
