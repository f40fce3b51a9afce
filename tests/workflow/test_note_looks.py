"""Looking at images that were registered before near-duplicates were watched for."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from backend.formats.radiographs import encode_png
from backend.store.unit_of_work import Store
from backend.workflow.note_looks import note_looks
from tests.store.samples import image, register


class TestNoteLooks:
    def test_looks_once_at_every_image_and_names_the_unreadable(
        self, store: Store, tmp_path: Path
    ) -> None:
        rng = np.random.default_rng(0)
        for name in ("a", "b"):
            pixels = rng.integers(0, 255, (80, 90), dtype=np.uint8)
            (tmp_path / f"{name}.png").write_bytes(encode_png(pixels))
        register(
            store, *(replace(image(name), uri=str(tmp_path / f"{name}.png")) for name in "abc")
        )
        done: list[int] = []

        skipped = note_looks(store, on_images=done.append)

        assert [one.what for one in skipped] == ["c"]
        assert done == [3]
        with store.snapshot() as unit:
            looks = {one.id: one.look_hash for one in unit.images.all().values()}
        assert looks["a"] != looks["b"]
        assert len(looks["a"] or "") == len(looks["b"] or "") == 64
        assert looks["c"] is None
        (tmp_path / "a.png").unlink()
        assert [one.what for one in note_looks(store)] == ["c"]
