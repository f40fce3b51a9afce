"""Images in the store."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from backend.domain.image_metadata import ImageMetadata, Sex, View
from backend.domain.images import Split
from backend.store.unit_of_work import Store
from tests.store.samples import NOW, image, keep, reading, register

MANY = [f"unknown-{number}" for number in range(40_000)]


class TestImages:
    def test_come_back_as_they_went_in(self, store: Store) -> None:
        resized = replace(image("b"), original_width_px=3000, original_height_px=2400)
        register(store, image("a", patient="p"), resized)

        with store.snapshot() as unit:
            assert unit.images.all() == {"a": image("a", patient="p"), "b": resized}
            assert unit.images.get("b") == resized
            assert unit.images.get("c") is None
            assert unit.images.count() == 2

    def test_refuse_the_same_pixels_twice(self, store: Store) -> None:
        register(store, image("a"))

        with pytest.raises(IntegrityError, match="pixel_hash"):
            register(store, replace(image("b"), pixel_hash="pixels-a"))

    def test_are_found_among_forty_thousand_ids(self, store: Store) -> None:
        register(store, image("a"), image("b"))

        with store.snapshot() as unit:
            assert list(unit.images.all([*MANY, "b", "b"])) == ["b"]
            assert unit.images.all([]) == {}

    def test_are_found_by_id_or_by_pixels(self, store: Store) -> None:
        register(store, image("a"), image("b"), image("c"))

        with store.snapshot() as unit:
            found = unit.images.like([*MANY, "a"], [*MANY, "pixels-c"])

        assert [one.id for one in found] == ["a", "c"]

    def test_keep_their_split_for_ever(self, store: Store) -> None:
        register(store, image("a"), image("b"))

        with store.transaction() as unit:
            unit.images.set_splits([])
            unit.images.set_splits([("a", Split.TEST)])
            unit.images.set_splits([("a", Split.TRAIN), ("b", Split.TRAIN)])
            splits = {one.id: one.split for one in unit.images.all().values()}

        assert splits == {"a": Split.TEST, "b": Split.TRAIN}

    def test_may_be_told_what_they_are_of(self, store: Store) -> None:
        known = ImageMetadata(Sex.FEMALE, "60-69", View.LATERAL)
        register(store, replace(image("a"), metadata=known), image("b"), image("c"))

        with store.transaction() as unit:
            unit.images.set_metadata({})
            unit.images.set_metadata({"b": known, "a": ImageMetadata(view=View.AP)})
        with store.snapshot() as unit:
            kept = {one.id: one.metadata for one in unit.images.all().values()}

        assert kept == {"a": ImageMetadata(view=View.AP), "b": known, "c": ImageMetadata()}

    def test_may_move(self, store: Store) -> None:
        register(store, image("a"))

        with store.transaction() as unit:
            before = unit.images.all()
            unit.images.move("a", uri="/elsewhere/a.jpg", sha256="f" * 64)
            after = unit.images.all()

        assert before["a"].uri == "/images/a.png"
        assert after["a"] == replace(image("a"), uri="/elsewhere/a.jpg", sha256="f" * 64)

    def test_know_who_read_them(self, store: Store) -> None:
        register(store, image("a"), image("b"))
        keep(store, reading("a", "R1"), reading("a", "R2"))

        with store.snapshot() as unit:
            assert unit.images.readers_by_image() == {"a": {"R1", "R2"}}

    def test_refuse_a_time_without_a_zone(self, store: Store) -> None:
        with pytest.raises(Exception, match="has no time zone"), store.transaction() as unit:
            unit.images.add([image("a")], now=NOW.replace(tzinfo=None))
