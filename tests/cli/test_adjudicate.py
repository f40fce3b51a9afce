"""`overread adjudicate`, on a store whose readers dispute one image."""

from pathlib import Path

import pytest

from backend.domain.adjudication.request import RequestState
from backend.settings import Settings
from backend.store.adjudicators import Adjudicator
from backend.store.unit_of_work import Store
from tests.cli.conftest import CommandLine, write_radiograph
from tests.store.adjudication_samples import REJECTED, verdict, verdict_receipt
from tests.store.samples import LATER, NOW


@pytest.fixture
def disputed(overread: CommandLine, tmp_path: Path) -> CommandLine:
    """Two images; on i1 one reader sees a nodule where the other sees a calcification."""
    rows = ["image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max"]
    for number in range(2):
        write_radiograph(tmp_path / "images" / f"i{number}.png", number)
    rows += [f"i0,No finding,14,{reader},,,," for reader in ("R1", "R2")]
    rows += ["i1,Nodule/Mass,8,R1,10,10,40,40", "i1,Calcification,2,R2,10,10,40,40"]
    labels = tmp_path / "train.csv"
    labels.write_text("\n".join(rows) + "\n")
    outcome = overread("import", "vinbigdata", "--images", tmp_path / "images", "--labels", labels)
    assert outcome.code == 0, outcome.told
    assert overread("consensus").code == 0
    return overread


def route(command: CommandLine, *words: str) -> dict[str, list[dict[str, object]]]:
    outcome = command("adjudicate", "route", *words, "--json", OVERREAD_READERS_PER_IMAGE="2")
    assert outcome.code == 0, outcome.told
    return outcome.json  # type: ignore[no-any-return]


class TestAdjudicate:
    def test_tells_what_it_would_send_and_sends_it_once(self, disputed: CommandLine) -> None:
        planned = route(disputed, "--dry-run")
        assert disputed("adjudicate", "status", "--json").json["waiting"] == []

        sent = route(disputed)

        assert sent["sent"] == planned["sent"]
        [row] = sent["sent"]
        assert row["image"] == "i1"
        assert row["kinds"] == ["class-conflict"]
        assert row["consequence"] == 3.0
        assert route(disputed)["sent"] == []
        status = disputed("adjudicate", "status", "--json").json
        assert status["requests"]["open"] == 1
        assert [one["image"] for one in status["waiting"]] == ["i1"]
        assert status["quarantined"] == []

    def test_tells_people_the_same_and_that_nobody_adjudicates(
        self, disputed: CommandLine
    ) -> None:
        routed = disputed("adjudicate", "route", OVERREAD_READERS_PER_IMAGE="2")

        assert "i1" in routed.output
        assert "One place, called" in routed.output
        assert "overread adjudicate adjudicators add" in routed.told
        assert "i1" in disputed("adjudicate", "status").output

    def test_shows_verdicts_and_reopens_them(self, disputed: CommandLine) -> None:
        route(disputed)
        store = Store(Settings(data_dir=disputed.data_dir).sqlalchemy_url)
        with store.transaction() as unit:
            unit.adjudicators.put([Adjudicator("A1", "a1@x", 5)], now=NOW)
            [asked] = unit.adjudication_requests.all()
            unit.adjudications.revise(verdict(REJECTED, image_id="i1"), verdict_receipt(asked.key))
            unit.adjudication_requests.set_state(asked.key, RequestState.DECIDED, now=LATER)
        store.close()

        [row] = disputed("adjudicate", "show", "i1", "--json").json
        assert (row["adjudicator"], row["stands"], row["state"]) == ("A1", True, "valid")
        assert "an artefact" in disputed("adjudicate", "show", "i1").output
        people = disputed("adjudicate", "adjudicators", "list", "--json").json
        assert people == [{"adjudicator": "A1", "email": "a1@x", "images": 1}]

        reopened = disputed("adjudicate", "reopen", "i1", "--reason", "a CT came in", "--json")
        assert reopened.json["question"] == 2
        assert disputed("adjudicate", "show", "i1", "--json").json[0]["stands"] is False

    def test_cannot_reopen_what_was_never_asked(self, disputed: CommandLine) -> None:
        outcome = disputed("adjudicate", "reopen", "i0", "--reason", "why not")

        assert outcome.code == 1
        assert "no adjudicator was ever asked about 'i0'" in outcome.told
