"""When does a challenger become the champion?

The table is the specification; the documentation prints it.
"""

import pytest

from backend.domain.findings import Finding
from backend.domain.metrics.average_precision import DetectionQuality
from backend.domain.promotion import IncomparableModelsError, decide


def quality(mean: float | None, *, images: int = 40) -> DetectionQuality:
    by_finding = {} if mean is None else {Finding.ILD: mean}
    return DetectionQuality(
        map=mean, by_finding=by_finding, positives=dict.fromkeys(by_finding, 9), images=images
    )


@pytest.mark.parametrize(
    ("challenger", "champion", "promoted", "reason"),
    [
        (0.31, 0.30, True, "mAP@0.4 is 0.310, not lower than the champion's 0.300."),
        (0.30, 0.30, True, "mAP@0.4 is 0.300, not lower than the champion's 0.300."),
        (0.29, 0.30, False, "mAP@0.4 is 0.290, lower than the champion's 0.300."),
        (0.0, "none", True, "There is no champion yet; mAP@0.4 is 0.000."),
        (None, "none", True, "There is no champion yet; the test split holds no finding."),
        (None, None, False, "The test split holds no finding, so the two cannot be compared."),
    ],
)
def test_gate(
    challenger: float | None, champion: float | str | None, *, promoted: bool, reason: str
) -> None:
    incumbent = None if isinstance(champion, str) else quality(champion)

    decision = decide(quality(challenger), incumbent)

    assert decision.promoted is promoted
    assert decision.reason == reason
    assert decision.challenger_map == challenger
    assert decision.champion_map == (None if isinstance(champion, str) else champion)


def test_a_challenger_without_a_number_is_never_promoted() -> None:
    assert not decide(quality(float("nan")), None).promoted


def test_models_measured_on_different_images_are_not_compared() -> None:
    with pytest.raises(IncomparableModelsError, match="evaluate the champion again"):
        decide(quality(0.4, images=40), quality(0.3, images=41))
