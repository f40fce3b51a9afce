"""A verdict in sentences that a radiologist can follow."""

from collections.abc import Sequence
from statistics import NormalDist

from backend.domain.promotion.changes import Comparison
from backend.domain.promotion.guards import ENOUGH_LESIONS, Check, Outcome
from backend.domain.promotion.verdicts import NEWS_FROM, Circumstances, Verdict, margin

_BY_HAND = "overread models promote {} --reason TEXT"


def reason(
    verdict: Verdict,
    comparison: Comparison | None,
    facts: Circumstances,
    checks: Sequence[Check],
) -> str:
    """Return why, in words and numbers.

    Parameters
    ----------
    verdict : Verdict
        What was decided.
    comparison : Comparison or None
        Both models on the test images.
    facts : Circumstances
        What else counts.
    checks : sequence of Check
        Everything else that was looked at.

    Returns
    -------
    str
        A few sentences.
    """
    new, old = facts.challenger, facts.champion
    if verdict is Verdict.UNSOUND:
        problems = facts.problems or (f"its mAP@0.4 is {facts.challenger_map}",)
        return f"{new} is not sound and is not used: {'; '.join(problems)}."
    if verdict is Verdict.FIRST:
        shown = facts.challenger_map
        measured = (
            "the test images show no finding" if shown is None else f"mAP@0.4 is {shown:.3f}"
        )
        return f"No model serves yet, so {new} does; {measured}."
    if verdict is Verdict.UNREADABLE:
        return (
            f"{old} stays, but its weights cannot be read, so {new} could not be held against it: "
            f"{facts.unreadable}. A person may decide: {_BY_HAND.format(new)}."
        )
    if comparison is None:
        return f"{old} stays: the test images show no finding, so the two cannot be compared."
    said = {
        Verdict.BETTER: f"{new} passes against {old}: it is better.",
        Verdict.NOT_WORSE: f"{new} passes against {old}: it is not worse, and {facts.news:.0%} of "
        "what it learned from is new.",
        Verdict.NO_NEWS: f"{old} stays: {new} is as good, but only {facts.news:.0%} of what it "
        f"learned from is new; a swap of equals needs {NEWS_FROM:.0%}.",
        Verdict.SLIPPING: f"{old} stays: {new} is not worse than it, but too far below the best "
        f"that served, whose mAP@0.4 on these images would be {facts.best_map or 0:.3f}.",
        Verdict.TOO_LITTLE: f"{old} stays: there is too little evidence that {new} is not worse.",
        Verdict.WORSE: f"{old} stays: {new} is worse.",
        Verdict.HARMFUL: f"{old} stays: {new} does harm.",
    }[verdict]
    decisive = {Verdict.HARMFUL: Outcome.HARMED, Verdict.TOO_LITTLE: Outcome.UNCLEAR}.get(verdict)
    return " ".join(
        [
            said,
            *(check.sentence for check in checks if check.outcome is decisive),
            _numbers(comparison),
            *(_what_would_tell(comparison, facts) if verdict is Verdict.TOO_LITTLE else ()),
        ]
    )


def _numbers(comparison: Comparison) -> str:
    change = comparison.map40
    return (
        f"On {comparison.images:,} test images with {comparison.lesions:,} lesions mAP@0.4 is "
        f"{change.challenger:.3f} against {change.champion:.3f}: {change.difference:+.3f}, with "
        f"95 % certainty not below {change.low:+.3f}, nor above {change.high:+.3f} (allowed: not "
        f"below {-margin(comparison.images):+.3f})."
    )


def _what_would_tell(comparison: Comparison, facts: Circumstances) -> Sequence[str]:
    """Return how large a test set would have to be, and who may decide meanwhile."""
    by_hand = f"A person may decide: {_BY_HAND.format(facts.challenger)}."
    if comparison.lesions < ENOUGH_LESIONS:
        return (f"Nothing can be told of fewer than {ENOUGH_LESIONS} lesions.", by_hand)
    width = NormalDist().inv_cdf(0.95) * comparison.map40.standard_error
    wanted = comparison.images * (width / margin(comparison.images)) ** 2
    if wanted <= comparison.images:
        return (by_hand,)
    return (f"About {round(wanted, -2):,.0f} such images could tell.", by_hand)
