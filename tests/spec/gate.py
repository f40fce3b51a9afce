"""When does a challenger become the champion?

This table is the specification; docs/retraining.md prints it (`python -m tests.spec.gate`). The
champion's mAP@0.4 is 0.300 everywhere; *challenger* is the challenger's, *not below* and *not
above* are the bounds of the difference with 95 % certainty.
"""

import sys
from dataclasses import dataclass

from backend.domain.findings import Finding
from backend.domain.promotion.changes import Change, Comparison, FindingChange, Flips, Harm
from backend.domain.promotion.verdicts import Circumstances

CHAMPION_MAP = 0.3


@dataclass(frozen=True, slots=True)
class Case:
    """One rule: what is so, and what the gate says."""

    name: str
    verdict: str
    challenger: float | None = 0.31
    bounds: tuple[float, float] | None = (-0.01, 0.03)
    images: int = 1500
    lesions: int = 2000
    news: float = 0.2
    look: int = 1
    best: float | None = None
    problem: str = ""
    unreadable: str = ""
    has_champion: bool = True
    sensitivity: tuple[float, float] = (-0.01, 0.02)
    p_unharmed: float = 0.9
    critical: Flips = Flips(40, 0, 0)  # noqa: RUF009 - frozen
    on_empties: tuple[float, float] = (0.5, 0.6)
    p_more_on_empties: float = 0.1
    p_less_calibrated: float = 0.1

    def facts(self) -> Circumstances:
        """Return what the gate has to know beside the comparison."""
        return Circumstances(
            challenger="m2",
            champion="m1" if self.has_champion else None,
            challenger_map=self.challenger,
            problems=(self.problem,) if self.problem else (),
            unreadable=self.unreadable,
            news=self.news,
            look=self.look,
            best_map=self.best,
        )

    def comparison(self) -> Comparison | None:
        """Return both models on the test images."""
        if self.bounds is None or self.challenger is None:
            return None
        low, high = self.bounds
        map40 = Change(CHAMPION_MAP, self.challenger, low, high, (high - low) / 3.29)
        empties = Harm(*self.on_empties, self.p_more_on_empties)
        calibration = Harm(0.03, 0.05, self.p_less_calibrated)
        return Comparison(
            images=self.images,
            lesions=self.lesions,
            map40=map40,
            by_finding={
                Finding.CARDIOMEGALY: FindingChange(200, map40, self.p_unharmed),
                Finding.ATELECTASIS: FindingChange(29, map40, 0.0),
            },
            sensitivity={0.5: Change(0.6, 0.6, *self.sensitivity, 0.01)},
            empties=empties,
            d_ece=calibration,
            la_ece=calibration,
            critical=self.critical,
        )


CASES = (
    Case("no champion yet", "first", 0.05, None, has_champion=False),
    Case("no champion yet, no lesion on the test images", "first", None, None, has_champion=False),
    Case("better", "better", 0.35, (0.02, 0.08)),
    Case("better, with nothing new", "better", 0.35, (0.02, 0.08), news=0.0),
    Case(
        "the same gain at the 20th look",
        "not worse, learned from more",
        0.35, (0.02, 0.08), look=20,
    ),
    Case("not worse, learned from more", "not worse, learned from more"),
    Case("not worse, nothing new", "not worse, nothing new", news=0.04),
    Case("exactly as good, learned from more", "not worse, learned from more", 0.3, (0.0, 0.0)),
    Case(
        "not worse than a champion that had lost before",
        "below the best that served",
        0.3, (-0.01, 0.01), best=0.33,
    ),
    Case("perhaps worse by more than 0.02", "too little evidence", 0.3, (-0.03, 0.03)),
    Case("perhaps worse by 0.015, 1,500 images", "not worse, learned from more",
         0.3, (-0.015, 0.015)),
    Case("perhaps worse by 0.015, 3,000 images", "too little evidence",
         0.3, (-0.015, 0.015), images=3000),
    Case("much better on 29 lesions", "too little evidence", 0.9, (0.4, 0.8), images=40,
         lesions=29),
    Case("no lesion on the test images", "too little evidence", None, None),
    Case("worse", "worse", 0.25, (-0.09, -0.01)),
    Case("better, but a sensitivity has fallen", "harmful", 0.35, (0.02, 0.08),
         sensitivity=(-0.04, -0.01)),
    Case("better, but a sensitivity may have fallen", "too little evidence", 0.35, (0.02, 0.08),
         sensitivity=(-0.03, 0.02)),
    Case("better, but one finding of at least 30 lesions is harmed", "harmful", 0.35,
         (0.02, 0.08), p_unharmed=0.1),
    Case("better, 1 of 40 pneumothoraces lost", "better", 0.35, (0.02, 0.08),
         critical=Flips(40, 1, 0)),
    Case("better, 2 of 40 pneumothoraces lost", "harmful", 0.35, (0.02, 0.08),
         critical=Flips(40, 2, 0)),
    Case("better, 3 of 40 lost and 2 gained", "better", 0.35, (0.02, 0.08),
         critical=Flips(40, 3, 2)),
    Case("better, but more marks on images without findings", "harmful", 0.35, (0.02, 0.08),
         p_more_on_empties=0.85),
    Case("better, 1 mark on 100 images without findings where there was none", "better", 0.35,
         (0.02, 0.08), on_empties=(0.0, 0.01), p_more_on_empties=0.0),
    Case("better, but scores mean less", "harmful", 0.35, (0.02, 0.08), p_less_calibrated=0.85),
    Case("better, but learned from a test image", "unsound", 0.35, (0.02, 0.08),
         problem="it learned from test images"),
    Case("the champion's weights cannot be read", "champion cannot be read", 0.35, None,
         unreadable="m1.pt is not what was registered"),
    Case("mAP@0.4 is no number", "unsound", float("nan"), None, has_champion=False),
)  # fmt: skip


def as_markdown() -> str:
    """Return the table as the documentation prints it."""
    head = (
        "| what is so | challenger | not below | not above | the gate says | champion then |",
        "|---|---|---|---|---|---|",
    )
    return "\n".join([*head, *(_row(case) for case in CASES)]) + "\n"


def _row(case: Case) -> str:
    passes = case.verdict in {"first", "better", "not worse, learned from more"}
    low, high = (f"{bound:+.3f}" for bound in case.bounds) if case.bounds else ("", "")
    challenger = "" if case.challenger is None else f"{case.challenger:.3f}"
    then = "m2" if passes else "m1" if case.has_champion else "none"
    return f"| {case.name} | {challenger} | {low} | {high} | {case.verdict} | {then} |"


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
