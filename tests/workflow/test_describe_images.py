"""What a table says of images reaches the images that it means, and no others."""

from dataclasses import replace
from pathlib import Path

import pytest

from backend.domain.image_metadata import ImageMetadata, Sex, View
from backend.formats.metadata_csv import DescribedImage, MetadataTable
from backend.store.unit_of_work import Store
from backend.workflow.describe_images import describe_images
from tests.store.samples import image, register

WOMAN = ImageMetadata(Sex.FEMALE, "60-69", View.PA)
MAN = ImageMetadata(Sex.MALE, "20-29", View.AP)
FILES = [
    Path("/now/one.png"),
    Path("/now/two.jpg"),
    Path("/now/deep/same.png"),
    Path("/now/same.png"),
]


@pytest.fixture
def imported(store: Store) -> Store:
    """Four images of this import, with ids made of their pixels, and one of another."""
    register(
        store,
        *(replace(image(f"x{at}"), uri=str(path)) for at, path in enumerate(FILES)),
        replace(image("old"), uri="/then/old.png"),
    )
    return store


def table(*rows: tuple[str, ImageMetadata]) -> MetadataTable:
    described = (
        DescribedImage(f"t.csv:{line}", name, said) for line, (name, said) in enumerate(rows, 2)
    )
    return MetadataTable(tuple(described), ())


def known(store: Store) -> dict[str, ImageMetadata]:
    with store.snapshot() as unit:
        images = unit.images.all().values()
    return {one.id: one.metadata for one in images if one.metadata != ImageMetadata()}


class TestDescribeImages:
    @pytest.mark.parametrize("name", ["x0", "one", "one.png", "one.jpg"])
    def test_finds_an_image_by_id_and_by_file(self, imported: Store, name: str) -> None:
        report = describe_images(imported, table((name, WOMAN)), FILES)

        assert known(imported) == {"x0": WOMAN}
        assert (report.changed, report.unchanged, report.unknown_rows) == (1, 0, 0)
        assert report.without_row == 3

    def test_counts_rows_that_name_no_image_of_this_import(self, imported: Store) -> None:
        rows = table(("old", WOMAN), ("/now/one.png", WOMAN), ("on", WOMAN), ("..", WOMAN))

        report = describe_images(imported, rows, FILES)

        assert (report.changed, report.unknown_rows, report.skipped) == (0, 4, ())
        assert known(imported) == {}

    def test_takes_what_is_newer_and_leaves_what_is_left_open(self, imported: Store) -> None:
        describe_images(imported, table(("one", WOMAN), ("two", MAN)), FILES)
        corrected = table(("one", ImageMetadata(sex=Sex.MALE)), ("two", MAN))

        report = describe_images(imported, corrected, FILES)

        assert known(imported) == {"x0": replace(WOMAN, sex=Sex.MALE), "x1": MAN}
        assert (report.changed, report.unchanged) == (1, 1)

    def test_lines_may_complete_each_other(self, imported: Store) -> None:
        rows = table(("one", replace(WOMAN, sex=None)), ("one.png", ImageMetadata(WOMAN.sex)))

        report = describe_images(imported, rows, FILES)

        assert known(imported) == {"x0": WOMAN}
        assert report.skipped == ()

    def test_says_where_lines_contradict_and_where_names_mean_two(self, imported: Store) -> None:
        rows = table(("one", WOMAN), ("one.png", MAN), ("x0", WOMAN), ("same.png", MAN))

        report = describe_images(imported, rows, FILES)

        assert known(imported) == {"x0": WOMAN}
        assert [(one.what, one.why.split(";")[0]) for one in report.skipped] == [
            ("t.csv:3", "an earlier line says otherwise of this image"),
            ("t.csv:5", "2 images have this name"),
        ]
