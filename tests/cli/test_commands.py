"""The other commands, on a store with two readers' readings."""

import json
from pathlib import Path

import pytest

from backend.domain.predictions import Prediction
from backend.domain.worklists import EntryState, Skip, SkipReason
from backend.settings import Settings
from backend.store.unit_of_work import Store
from backend.workflow.plan_worklists import QueueRules
from backend.workflow.top_up_worklists import top_up_worklists
from tests.cli.conftest import CommandLine, write_radiograph
from tests.store.samples import NOW, enrol, predicted, serve


@pytest.fixture
def filled(overread: CommandLine, tmp_path: Path) -> CommandLine:
    """Six images, read by R1 and R2."""
    rows = ["image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max"]
    for number in range(6):
        write_radiograph(tmp_path / "images" / f"i{number}.png", number)
        mark = "Cardiomegaly,3,{},10,10,40,40" if number % 2 else "No finding,14,{},,,,"
        rows += [f"i{number}," + mark.format(reader) for reader in ("R1", "R2")]
    labels = tmp_path / "train.csv"
    labels.write_text("\n".join(rows) + "\n")
    outcome = overread("import", "vinbigdata", "--images", tmp_path / "images", "--labels", labels)
    assert outcome.code == 0, outcome.told
    return overread


@pytest.fixture
def served(filled: CommandLine) -> CommandLine:
    """The same with a champion, m1, and R3, who has two images on the worklist."""
    store = Store(Settings(data_dir=filled.data_dir).sqlalchemy_url)
    enrol(store, "R3")
    serve(store, *(Prediction(f"i{number}", "m1", (predicted(),)) for number in range(6)))
    top_up_worklists(store, QueueRules(3, 2, 0.0, 0.0, 1), clock=lambda: NOW)
    store.close()
    return filled


class TestRelease:
    def test_is_made_listed_and_found_out_when_changed(self, filled: CommandLine) -> None:
        made = filled("release", "create", "--format", "yolo", "--json").json
        assert filled("release", "verify", made["name"]).code == 0
        assert filled("release", "list", "--json").json[0]["name"] == "d1-yolo"
        assert filled("release", "show", "d1-yolo", "--json").json["boxes"] == 3

        label = next(Path(made["uri"]).rglob("i1.txt"))
        label.write_text("")

        verified = filled("release", "verify", made["name"])
        assert verified.code == 1
        assert "i1.txt" in verified.told
        again = filled("release", "create", "--format", "yolo")
        assert again.code == 1
        assert "never overwritten" in again.told


class TestDatasets:
    def test_are_listed_shown_drawn_and_compared(
        self, filled: CommandLine, tmp_path: Path
    ) -> None:
        assert filled("release", "create", "--format", "yolo").code == 0
        labels = tmp_path / "train.csv"
        labels.write_text(labels.read_text().replace(",10,10,40,40", ",12,12,44,44", 2))
        imported = ("--images", tmp_path / "images", "--labels", labels)
        assert filled("import", "vinbigdata", *imported).code == 0
        assert filled("consensus").code == 0
        assert filled("release", "create", "--format", "coco").code == 0

        assert [one["name"] for one in filled("datasets", "list", "--json").json] == ["d1", "d2"]
        picture, manifest = tmp_path / "imbalance.png", tmp_path / "manifest.json"
        shown = filled("datasets", "show", "d2", "--figure", picture, "--manifest", manifest)
        assert "Cardiomegaly" in shown.output
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert len(json.loads(manifest.read_text())["content"]) == 6
        found = filled("datasets", "show", "d2", "--json").json
        assert found["findings"]["Cardiomegaly"]["images"]["train"] >= 1
        assert sum(found["readings"]["R1"].values()) == 6
        changes = filled("datasets", "diff", "d1", "d2", "--json").json["boxes"]["Cardiomegaly"]
        assert (changes["added"], changes["removed"], changes["moved"]) == (0, 0, 1)
        assert "in another split" in filled("datasets", "diff", "d1", "d2").output

    def test_that_nobody_cut_are_named(self, filled: CommandLine) -> None:
        outcome = filled("datasets", "show", "d9")

        assert outcome.code == 1
        assert "no dataset version 'd9'" in outcome.told


class TestConsensus:
    def test_counts_the_states(self, filled: CommandLine) -> None:
        told = filled("consensus", "--json").json

        assert told.pop("method_version").startswith("overread-2-")
        assert told == {"images": 6, "clusters": {"unanimous": 3}}

    def test_keeps_other_methods_beside_ours_and_tells_how_they_differ(
        self, filled: CommandLine
    ) -> None:
        by_union = filled("consensus", "--method", "union", "--json").json
        assert by_union == {
            "images": 6,
            "method_version": "union-1",
            "clusters": {"single-reader": 6},
        }

        [ours, other] = filled("consensus", "versions", "--json").json
        assert (ours["images"], ours["current"]) == (6, 6)
        assert (other["method_version"], other["images"], other["current"]) == ("union-1", 6, 0)
        name = ours["method_version"]
        changes = filled("consensus", "diff", name, "union-1", "--json").json
        assert (changes["images"], changes["clusters_before"]) == (6, 3)
        assert (changes["appeared"], changes["changed_state"]) == (3, 3)
        assert {one["image_id"] for one in changes["most_changed"]} == {"i1", "i3", "i5"}

    def test_shows_tables_to_people(self, filled: CommandLine) -> None:
        name = filled("consensus", "--json").json["method_version"]

        assert f"kept as {name}\n" in filled("consensus").told
        assert "beside" in filled("consensus", "--method", "union").told
        assert "union-1" in filled("consensus", "versions").output
        shown = filled("consensus", "diff", name, "union-1").output
        assert f"From {name} to union-1" in shown
        assert "clusters that appeared" in shown
        assert "Cardiomegaly appeared with 1.00" in shown

    def test_says_which_methods_and_versions_there_are(self, filled: CommandLine) -> None:
        method = filled("consensus", "--method", "nms")
        version = filled("consensus", "diff", "overread-2-prior", "nothing")

        assert method.code == version.code == 1
        assert "overread, wbf, majority, union" in method.told
        assert "there are: overread-2-" in version.told
        assert "Traceback" not in method.told + version.told


class TestQueue:
    def test_is_empty_before_anybody_reads_in_label_studio(self, filled: CommandLine) -> None:
        assert filled("queue", "show", "--json").json == []
        assert "add a reader" in filled("sync").told

    def test_is_compared_with_label_studio_and_a_person_is_called(
        self, served: CommandLine
    ) -> None:
        outcome = served("sync", "--check", "--json")

        assert outcome.code == 1
        assert "nothing was changed" in outcome.told
        assert outcome.json["needs_person"] == 1
        [finding] = outcome.json["findings"]
        assert set(finding) == {"what", "reader_id", "state", "remedy"}
        assert (finding["what"], finding["reader_id"]) == ("project", "R3")
        assert "overread doctor" in finding["remedy"]
        assert "mend R3, project" in served("sync", "--check").told

    def test_is_kept_while_label_studio_is_down(self, served: CommandLine) -> None:
        shown = served("queue", "show", "--json").json
        outcome = served("sync")

        assert outcome.code == 1
        assert "nothing is lost" in outcome.told
        assert "OVERREAD_LABEL_STUDIO_URL" in outcome.told
        assert served("queue", "show", "--json").json == shown
        assert [(one["rank"], one["readers"]) for one in shown] == [(1, ["R3"]), (2, ["R3"])]
        assert set(shown[0]) == {
            *("rank", "image_id", "score", "channel", "reason", "readers"),
            *("top_finding", "expected_seconds"),
        }

    def test_is_shown_to_people_with_the_time_it_takes(self, served: CommandLine) -> None:
        shown = served("queue", "show")

        assert "Cardiomegaly" in shown.output
        assert "about 1 minute of reading; 15 s per image and 12 s per box" in shown.told
        assert "assumed until 50 readings are timed" in shown.told
        assert "nobody knows what the empty ones hide" in shown.told
        assert "No forecast yet: the learning curve has 0 of the 3 points" in shown.told

    def test_says_whether_to_go_on(self, served: CommandLine, tmp_path: Path) -> None:
        told = served("queue", "signal", "--figure", tmp_path / "curve.png")
        assert "no picture: there is no forecast" in told.told

        signal = served("queue", "signal", "--json").json
        assert (signal["forecast"], signal["reader_hours"]) == (None, None)
        assert signal["hidden"] == {
            "audited": 0,
            "with_findings": 0,
            "unread": 0,
            "low": 0.0,
            "high": 1.0,
        }
        assert len(signal["sentences"]) == 2

    def test_reckons_with_the_two_readers_with_whom_an_image_starts(
        self, overread: CommandLine
    ) -> None:
        assert overread("db", "upgrade").code == 0

        assert overread("queue", "signal", "--json").json["readings_per_image"] == 2

    def test_can_be_tried_without_changing_anything(self, served: CommandLine) -> None:
        before = served("queue", "show", "--json").json
        with Store(Settings(data_dir=served.data_dir).sqlalchemy_url).transaction() as unit:
            for entry in unit.worklists.all():
                unit.worklists.set_state(entry.key, EntryState.SKIPPED, now=NOW)

        dry = ("queue", "refill", "--dry-run", "--size", "2", "--strategy", "random")
        assert served(*dry, "--json").json == []  # two readers have read everything, and agree
        told = served(*dry, "--json", OVERREAD_ADAPTIVE_PANELS="False").json
        assert [one["rank"] for one in told] == [3, 4]
        # Two have read them: they are drawn, but are no part of the random sample.
        assert {one["channel"] for one in told} == {"cold-start"}
        assert {tuple(one["readers"]) for one in told} == {("R3",)}
        assert set(told[0]) == set(before[0])
        shown = served(*dry, OVERREAD_ADAPTIVE_PANELS="False")
        assert "Would be chosen by random" in shown.output
        assert "nothing was changed" in shown.told
        assert served("queue", "show", "--json").json == []

    def test_names_the_strategies_when_there_is_no_such(self, served: CommandLine) -> None:
        outcome = served("queue", "refill", "--strategy", "best", "--dry-run")

        assert outcome.code == 1
        assert "there is no strategy 'best'; expected one of random" in outcome.told

    def test_says_what_was_set_aside_and_why(self, served: CommandLine) -> None:
        assert served("queue", "skipped", "--json").json == []
        with Store(Settings(data_dir=served.data_dir).sqlalchemy_url).transaction() as unit:
            entry = unit.worklists.all(reader_id="R3")[0]
            unit.worklists.set_state(entry.key, EntryState.SKIPPED, now=NOW)
            unit.worklists.set_skip(entry.key, Skip(SkipReason.OTHER, "two patients"))

        (told,) = served("queue", "skipped", "--json").json
        assert told == {
            "image_id": entry.image_id,
            "reader": "R3",
            "reason": "other, see note",
            "note": "two patients",
        }
        assert "two patients" in served("queue", "skipped").output


class TestReaders:
    def test_who_leave_while_label_studio_is_down_are_fetched_later_and_told_so(
        self, served: CommandLine
    ) -> None:
        told = served("readers", "deactivate", "R3").told

        assert "R3: 2 open images go to other readers" in told
        assert "R3: what was submitted last could not be fetched" in told
        assert told.count("OVERREAD_LABEL_STUDIO_URL") == 1, "said once"
        [left] = served("readers", "deactivate", "R3", "--json").json
        assert (left["reader_id"], left["fetched"], left["withdrawn"]) == ("R3", False, 0)
        assert left["sync_problems"][0].startswith("R3: ")


class TestReaderHistory:
    def test_shows_every_revision_with_its_boxes(self, filled: CommandLine) -> None:
        told = filled("readers", "history", "i1", "--json").json
        assert [(one["reader"], one["revision"]) for one in told["revisions"]] == [
            ("R1", 1), ("R2", 1),
        ]  # fmt: skip
        (box,) = told["revisions"][0]["boxes"]
        assert (box["finding"], box["origin"], box["adjustment"]) == (
            "Cardiomegaly",
            "drawn",
            None,
        )
        assert told["skipped"] == []
        assert "1 drawn" in filled("readers", "history", "i1").output
        assert "No finding" in filled("readers", "history", "i0").output
        assert "nobody has read" in filled("readers", "history", "i9").told


class TestDoctor:
    def test_names_what_is_to_be_mended_and_how(self, overread: CommandLine) -> None:
        outcome = overread("doctor")

        assert outcome.code == 1
        assert "overread up" in outcome.told
        assert "overread db upgrade" in outcome.told
        assert overread("db", "upgrade").code == 0
        healthy = overread("doctor").told
        assert "overread db upgrade" not in healthy
        assert "image cache: 0.0 GB of at most 20 GB" in healthy


class TestDatabase:
    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    def test_of_a_team_is_migrated_only_when_somebody_says_so(
        self, overread: CommandLine, database_url: str
    ) -> None:
        team = {"OVERREAD_DATABASE_URL": database_url}

        before = overread("models", "list", **team)
        assert before.code == 1
        assert "overread db upgrade" in before.told
        assert "migrated" in overread("db", "upgrade", **team).told
        assert "up to date" in overread("db", "upgrade", **team).told
        assert overread("models", "list", "--json", **team).json == []


class TestTokens:
    def test_are_shown_once_and_can_be_revoked(self, overread: CommandLine) -> None:
        made = overread("tokens", "add", "grafana", "--json").json
        assert made["token"].startswith("ovr_")
        assert made["token"].encode() not in (overread.data_dir / "overread.sqlite3").read_bytes()
        assert overread("tokens", "revoke", "grafana").code == 0
        assert overread("tokens", "revoke", "grafana").code == 1


class TestTheCommandItself:
    def test_tells_which_setting_is_wrong(self, overread: CommandLine) -> None:
        outcome = overread("consensus", OVERREAD_UNASSISTED_SHARE="2")

        assert outcome.code == 1
        assert "OVERREAD_UNASSISTED_SHARE" in outcome.told
        assert "Traceback" not in outcome.told

    def test_tells_its_version(self, overread: CommandLine) -> None:
        assert overread("--version").output.startswith("overread ")
