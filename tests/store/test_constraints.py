"""The database itself refuses what the rules forbid."""

import pytest
from sqlalchemy import CheckConstraint, text
from sqlalchemy.exc import IntegrityError

from backend.domain.dataset import DatasetVersion
from backend.domain.nights import StepRecord, StepState
from backend.domain.predictions import Prediction
from backend.store.accounts import Account
from backend.store.adjudicators import AdjudicationDesk, Adjudicator
from backend.store.tables import Table
from backend.store.unit_of_work import Store
from tests.store.adjudication_samples import request, verdict, verdict_receipt
from tests.store.samples import (
    NOW,
    answer,
    entry,
    image,
    keep,
    mark,
    model,
    predicted,
    reading,
    register,
)

FORBIDDEN = [
    ("image", "width_px = 0", "size_positive"),
    ("image", "height_px = -1", "size_positive"),
    ("image", "split = 'training'", "split_known"),
    ("account", "role = 'king'", "role_known"),
    ("account", "reader_id = NULL", "reader_is_named"),
    ("model_version", "state = 'odd'", "state_known"),
    ("model_version", "map40 = 1.1", "map40_is_share"),
    ("predicted_box", "score = -0.1", "score_is_share"),
    ("training_run", "state = 'odd'", "state_known"),
    ("worklist_entry", "arm = 'odd'", "arm_known"),
    ("worklist_entry", "kind = 'odd'", "kind_known"),
    ("worklist_entry", "state = 'odd'", "state_known"),
    ("worklist_entry", "model_version = 'm1'", "unassisted_unshown"),
    ("worklist_entry", "rank = 0", "counts_from_one"),
    ("worklist_entry", "kind = 'second-look'", "second_look_of_reading"),
    ("worklist_entry", "skip_reason = 'odd'", "skip_reason_known"),
    ("reading", "arm = 'odd'", "arm_known"),
    ("reading", "state = 'odd', reason = 'x'", "state_known"),
    ("reading", "kind = 'odd'", "kind_known"),
    ("reading", "kind = 'second-look'", "second_look_follows"),
    ("reading", "model_version = 'm1'", "unassisted_unshown"),
    ("reading", "revision = 0", "counts_from_one"),
    ("reading", "lead_time_seconds = -1", "lead_time_positive"),
    ("reading", "state = 'quarantined'", "reason_given"),
    ("read_box", "origin = 'odd'", "origin_known"),
    ("read_box", "certainty = 'odd'", "certainty_known"),
    ("consensus", "p_no_finding = 2", "p_no_finding_is_share"),
    ("cluster", "state = 'odd'", "state_known"),
    ("cluster", "score = 2", "score_is_share"),
    ("cluster", "p_true = 2", "p_true_is_share"),
    ("cluster_alternative", "finding = 14", "finding_known"),
    ("cluster_alternative", "score = 2", "score_is_share"),
    ("adjudication", "state = 'odd', reason = 'x'", "state_known"),
    ("adjudication", "state = 'withdrawn'", "reason_given"),
    ("adjudication", "adjudicator_id = NULL", "adjudicator_is_named"),
    ("adjudication", "version = 0", "counts_from_one"),
    ("adjudication", "lead_time_seconds = -1", "lead_time_positive"),
    ("adjudication_decision", "act = 'odd'", "act_known"),
    ("adjudication_decision", "finding = 14", "finding_known"),
    ("adjudication_decision", "subject_finding = 14", "subject_known"),
    ("adjudication_decision", "x_max = x_min", "box_has_area"),
    ("adjudication_request", "round = 0", "counts_from_one"),
    ("adjudication_decision", "act = 'reject'", "rejected_leaves_nothing"),
    ("adjudication_decision", "act = 'draw'", "drawn_has_no_subject"),
    ("adjudication_request", "state = 'odd'", "state_known"),
    ("adjudication_request", "adjudicators = 3", "one_or_two"),
    ("adjudication_desk", "id = 2", "is_the_only_one"),
    ("dataset_version", "p_true_from = 2", "p_true_from_is_share"),
    ("dataset_image", "split = 'odd'", "split_known"),
    ("image", "sex = 'female'", "sex_known"),
    ("image", "age_group = '61'", "age_group_known"),
    ("image", "view = 'LL'", "view_known"),
    ("night_run", "state = 'odd'", "state_known"),
    ("night_run", "attempts = 0", "counts_from_one"),
    ("night_step", "state = 'odd'", "state_known"),
    ("night_step", "attempts = 0", "counts_from_one"),
    ("night_step", "duration_seconds = -1", "duration_positive"),
    *(
        (table, change, rule)
        for table in ("read_box", "predicted_box", "cluster")
        for change, rule in (
            ("finding = 14", "finding_known"),
            ("finding = -1", "finding_known"),
            ("x_max = x_min", "box_has_area"),
            ("y_max = y_min - 1", "box_has_area"),
            ("x_min = -1", "box_inside"),
        )
    ),
]


@pytest.fixture
def full(store: Store) -> Store:
    """Keep at least one row in every table that has a rule."""
    register(store, image("a"))
    keep(store, reading("a", "R1", mark()))
    reached = answer(store)
    with store.transaction() as unit:
        unit.models.add(model())
        unit.predictions.add([Prediction("a", "m1", (predicted(),))], now=NOW)
        unit.worklists.add([entry("a")], now=NOW)
        unit.accounts.put(Account("r@x", "reader", "R1"), now=NOW)
        [key] = unit.consensus.record([reached], now=NOW)
        unit.datasets.add(
            DatasetVersion("d1", "0" * 64, "overread-2-prior", NOW, ()), {}, p_true_from=0.5
        )
        unit.training_runs.begin_or_continue("d1", {}, now=NOW)
        step = StepRecord("sync", StepState.DONE, "0" * 64, {}, NOW)
        unit.nights.put_step(unit.nights.begin("nightly", now=NOW), step, {})
        unit.adjudicators.put([Adjudicator("A1", "a1@example.org", 5)], now=NOW)
        unit.adjudicators.set_desk(AdjudicationDesk(1, 900))
        [asked] = unit.adjudication_requests.add([request()], now=NOW)
        unit.adjudications.revise(verdict(), verdict_receipt(asked.key))
    with store._engine.begin() as connection:
        connection.execute(text("INSERT INTO cluster_alternative SELECT id, 1, 0.5 FROM cluster"))
        connection.execute(
            text("INSERT INTO dataset_image VALUES ('d1', 'a', :key, 'train', FALSE, 1, 1)"),
            {"key": key},
        )
    return store


class TestConstraints:
    def test_refuse_what_the_rules_forbid(self, full: Store) -> None:
        for table, change, rule in FORBIDDEN:
            with (
                pytest.raises(IntegrityError, match=f"ck_{table}_{rule}"),
                full._engine.begin() as connection,
            ):
                connection.execute(text(f"UPDATE {table} SET {change}"))  # noqa: S608 - from above

    def test_are_all_listed_above(self) -> None:
        stated = {
            str(constraint.name)
            for table in Table.metadata.tables.values()
            for constraint in table.constraints
            if isinstance(constraint, CheckConstraint)
        }

        assert stated == {f"ck_{table}_{rule}" for table, _, rule in FORBIDDEN}
