"""What a challenger learned from that the champion did not."""

from collections.abc import Mapping


def share_of_news(before: Mapping[str, str] | None, after: Mapping[str, str]) -> float:
    """Return which share of the training images is new or was read anew.

    Parameters
    ----------
    before : mapping of str to str or None
        What the champion learned from: image id to a hash of the readings and verdicts that its
        boxes come from. None where that is not known.
    after : mapping of str to str
        What the challenger learned from.

    Returns
    -------
    float
        In [0, 1]: 0 the same images with the same readings … 1 nothing that the champion knew.

    Notes
    -----
    Boxes do not tell: every new reading changes what is thought of its reader, and with it the
    boxes of all images that this reader ever read.

    Examples
    --------
    >>> share_of_news({"a": "read by R1", "b": "read by R2"}, {"a": "read by R1", "c": "by R1"})
    0.5
    """
    if before is None or not after:
        return 1.0
    return sum(before.get(image) != readings for image, readings in after.items()) / len(after)
