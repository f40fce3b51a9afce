"""The gate over a month in which somebody reads something every day."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from backend.domain.boxes import Box
from backend.domain.dataset import DatasetVersion
from backend.domain.findings import Finding
from backend.domain.promotion.changes import Change, Comparison, Flips
from backend.domain.promotion.decision import GateDecision
from backend.domain.promotion.verdicts import Verdict, margin
from backend.store.unit_of_work import Store
from backend.workflow.cut_training_set import cut_training_set
from backend.workflow.judge_challenger import Challenge, judge_challenger, kept_verdict
from backend.workflow.promote_model import promote_model
from backend.workflow.reconcile_store import reconcile_store
from tests.store.samples import NOW, image, keep, mark, model, read_by_a_crowd, reading, register

NIGHTS = 30
WORSE_BY = 0.01
TEST_IMAGES = 1500


def compared(champion_map: float) -> Comparison:
    """A challenger that is a little worse, by less than the gate can tell."""
    challenger_map = champion_map - WORSE_BY
    return Comparison(
        images=TEST_IMAGES,
        lesions=2000,
        map40=Change(champion_map, challenger_map, -0.018, 0.001, 0.005),
        by_finding={},
        sensitivity={},
        empties=None,
        d_ece=None,
        la_ece=None,
        critical=Flips(0, 0, 0),
    )


def read_and_cut(store: Store, night: int) -> DatasetVersion:
    """Let two readers read a new image, which changes what is thought of both of them."""
    new = f"n{night:02}"
    register(store, image(new))
    keep(
        store,
        reading(new, "R1", mark(), mark(Box(500, 500, 600, 600), Finding.NODULE_MASS)),
        reading(new, "R2", mark(Box(30, 40, 120, 230))),
    )
    reconcile_store(store, clock=lambda: NOW + timedelta(days=night))
    with store.transaction() as unit:
        return cut_training_set(unit, seed=1, now=NOW + timedelta(days=night))


def meet(
    store: Store, version: DatasetVersion, night: int, comparison: Comparison | None
) -> GateDecision:
    with store.transaction() as unit:
        champion = unit.models.champion()
        shown = 0.4 if comparison is None else comparison.map40.challenger
        given = Challenge(
            f"m{night + 1}",
            version,
            shown,
            f"test images of night {night}",
            None if champion is None else champion.name,
            comparison,
        )
        decision = judge_challenger(unit, given)
        promote_model(
            unit,
            replace(model(given.name), dataset_version=version.name, map40=shown),
            decision,
            kept_verdict(given, decision),
            now=NOW + timedelta(days=night),
        )
    return decision


class TestManyNights:
    def test_do_not_let_the_champion_slide(self, store: Store) -> None:
        read_by_a_crowd(store, 40)
        meet(store, read_and_cut(store, 0), 0, None)
        lost = 0.0
        verdicts: Counter[Verdict] = Counter()

        for night in range(1, NIGHTS + 1):
            level = 0.4 + 0.03 * (night % 3)  # new readings make the test images harder or easier
            decision = meet(store, read_and_cut(store, night), night, compared(level - lost))
            verdicts[decision.verdict] += 1
            lost += WORSE_BY * decision.passed

        assert 0 < lost <= margin(TEST_IMAGES) + 1e-9
        assert set(verdicts) == {Verdict.NOT_WORSE, Verdict.NO_NEWS, Verdict.SLIPPING}
