"""Tables of sex, age and view: what is understood, what is refused, and that nothing is told."""

from pathlib import Path

import pytest

from backend.domain.image_metadata import AGE_GROUPS, ImageMetadata, Sex, View, age_group
from backend.formats.metadata_csv import MetadataTable, read_metadata
from backend.formats.tables import UnreadableTableError

NIH = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
REFUSED = {
    "sex": "its sex cannot be used; expected F or M, or nothing",
    "age": "its age cannot be used; expected an age from 0 to 120 years such as 58, 058Y or 010M "
    "(never a date), or nothing",
    "view": "its view cannot be used; expected PA, AP or lateral, or nothing",
}
NAME = "Doe^Jane 1950-03-14"


def read(tmp_path: Path, text: str) -> MetadataTable:
    path = tmp_path / "about.csv"
    path.write_text(text)
    return read_metadata(path)


def one(tmp_path: Path, heading: str, cell: str) -> MetadataTable:
    return read(tmp_path, f'image_id,{heading}\na,"{cell}"\n')


class TestReadMetadata:
    def test_understands_a_simple_table(self, tmp_path: Path) -> None:
        table = read(
            tmp_path, "image_id,sex,age,view,note\na,F,64,PA,x\nb,m,9,lateral,\nc,,,AP,\n"
        )

        assert table.skipped == ()
        assert {row.image: row.metadata for row in table.rows} == {
            "a": ImageMetadata(Sex.FEMALE, "60-69", View.PA),
            "b": ImageMetadata(Sex.MALE, "<10", View.LATERAL),
            "c": ImageMetadata(view=View.AP),
        }

    @pytest.mark.parametrize(("in_heading", "in_row"), [("", ""), (",", ""), (",", ",")])
    @pytest.mark.parametrize("sex", ["Patient Gender", "Patient Sex"])
    def test_understands_the_nih_table(
        self, tmp_path: Path, in_heading: str, in_row: str, sex: str
    ) -> None:
        heading = NIH.replace("Patient Gender", sex) + in_heading
        row = f"made_up_000.png,Mass,0,1,058Y,M,PA,2682,2749,0.143,0.143{in_row}"

        table = read(tmp_path, f"{heading}\n{row}\n")

        [found] = table.rows
        assert table.skipped == ()
        assert found.image == "made_up_000.png"
        assert found.metadata == ImageMetadata(Sex.MALE, "50-59", View.PA)

    @pytest.mark.parametrize(
        ("cell", "group"),
        [
            ("0", "<10"),
            ("9.9", "<10"),
            ("058Y", "50-59"),
            ("58y", "50-59"),
            ("58.0", "50-59"),
            ("011M", "<10"),
            ("130M", "10-19"),
            ("003W", "<10"),
            ("011D", "<10"),
            ("89", "80-89"),
            ("90", "90+"),
            ("120", "90+"),
            ("60-69", "60-69"),
            ("90+", "90+"),
            ("nan", None),
            ("", None),
        ],
    )
    def test_keeps_ages_as_decades(self, tmp_path: Path, cell: str, group: str | None) -> None:
        table = one(tmp_path, "age", cell)

        assert table.rows[0].metadata == ImageMetadata(age_group=group)
        assert table.skipped == ()

    @pytest.mark.parametrize(
        ("heading", "cell"),
        [
            *(("age", cell) for cell in ("1950-03-14", "19500314", "14.03.1950", "1950", NAME)),
            *(("age", cell) for cell in ("414Y", "121", "-1", "058X", "1e2", "inf", "60-70")),
            ("age", "\N{ARABIC-INDIC DIGIT FIVE}8"),
            *(("sex", cell) for cell in ("1", "O", "Fem", NAME, "=cmd()")),
            *(("view", cell) for cell in ("PA AP", "AP AXIAL", "L", NAME)),
            ("view", "\N{CYRILLIC CAPITAL LETTER ER}A"),
        ],
    )
    def test_refuses_a_cell_without_repeating_it_and_keeps_the_rest(
        self, tmp_path: Path, heading: str, cell: str
    ) -> None:
        other, value = ("sex", "F") if heading != "sex" else ("age", "40")

        table = read(tmp_path, f'image_id,{other},{heading}\na,{value},"{cell}"\n')

        [row] = table.rows
        assert row.metadata == (
            ImageMetadata(Sex.FEMALE) if other == "sex" else ImageMetadata(age_group="40-49")
        )
        [refused] = table.skipped
        assert refused.what == "about.csv:2"
        assert refused.why == REFUSED[heading]

    def test_counts_every_line_that_cannot_be_used(self, tmp_path: Path) -> None:
        table = read(tmp_path, "image_id,sex\n,F\na,F,extra\nb\n\nc,M\n")

        assert [row.image for row in table.rows] == ["c"]
        assert sorted(skipped.what for skipped in table.skipped) == [
            f"about.csv:{line}" for line in (2, 3, 4)
        ]

    @pytest.mark.parametrize(
        ("heading", "told"),
        [
            ("sex,age", "names the image"),
            ("image_id,patient_name,birth_date", "at least one of sex, age, view"),
            ("image_id,file,sex", "2 columns for the image: image_id, file"),
            ("image_id,sex,Patient Gender", "2 columns for the sex"),
            (f"{NAME},F", "names the image"),
            ("", "names the image"),
        ],
    )
    def test_refuses_another_table(self, tmp_path: Path, heading: str, told: str) -> None:
        with pytest.raises(UnreadableTableError, match=told) as refused:
            read(tmp_path, f"{heading}\n{NAME},F,3\n")

        assert NAME not in str(refused.value)


class TestAgeGroup:
    def test_is_the_decade_that_an_age_lies_in(self) -> None:
        for years in range(121):
            group = age_group(years)
            first = 0 if group == "<10" else int(group[:2])
            last = {"<10": 9, "90+": 120}.get(group) or int(group[-2:])
            assert first <= years <= last

        assert {age_group(years) for years in range(121)} == set(AGE_GROUPS)
