"""Why an image is asked for, as a sentence for people."""

from backend.domain.acquisition.batch import Channel
from backend.domain.acquisition.missed import Doubt
from backend.domain.findings import Finding

_OF_CHANNELS = {
    Channel.RANDOM: "Drawn at random from all unread images, so that the figures stay unbiased.",
    Channel.COLD_START: "Drawn at random, because no model has scored this image yet.",
}
_OF_FINDINGS = {
    Channel.QUOTA: "Among the images that may teach most about {title}: {title} {score:.2f}.",
    Channel.UNCERTAIN: "Among the images that the model is least sure of: {title} {score:.2f}.",
    Channel.REREAD: "Its readers dispute {title}; a further reading helps to settle it.",
    Channel.FOREGROUND: "Drawn at random where the model marks most: {title} {score:.2f}.",
}
_OF_DOUBTS = {
    Doubt.CLASSIFIER: "as a whole it looks abnormal",
    Doubt.NEIGHBOURS: "read images that look like it show findings",
    Doubt.FORMER_CHAMPION: "the model before this one marks something",
}


def reason(
    channel: Channel,
    finding: Finding | None,
    score: float,
    doubt: Doubt | None = None,
) -> str:
    """Return why an image is asked for.

    Parameters
    ----------
    channel : Channel
        What chose it.
    finding : Finding or None
        Its top finding.
    score : float
        The model's score for that, in [0, 1].
    doubt : Doubt or None
        Of the missed-finding channel, what speaks against the image being empty.

    Returns
    -------
    str
        One sentence.
    """
    if channel in _OF_CHANNELS:
        return _OF_CHANNELS[channel]
    if channel is Channel.MISSED and doubt is not None:
        return f"The model marks nothing here with confidence, but {_OF_DOUBTS[doubt]}."
    if finding is None:
        how = "Drawn at random" if channel is Channel.FOREGROUND else "Next by uncertainty"
        return f"{how}; the model marks nothing here."
    return _OF_FINDINGS[channel].format(title=finding.title, score=score)
