"""What a challenger learned from that the champion did not."""

from backend.domain.dataset import DatasetImage, DatasetVersion
from backend.domain.images import Split


def share_of_news(before: DatasetVersion | None, after: DatasetVersion) -> float:
    """Return which share of the training images is new or was read anew.

    Parameters
    ----------
    before : DatasetVersion or None
        What the champion learned from; None where that is not known.
    after : DatasetVersion
        What the challenger learned from.

    Returns
    -------
    float
        In [0, 1]: 0 the same images with the same boxes … 1 nothing that the champion knew.
    """
    learned = after.in_split(Split.TRAIN)
    if before is None or not learned:
        return 1.0
    known = {member.image.id: _boxes(member) for member in before.in_split(Split.TRAIN)}
    news = sum(known.get(member.image.id) != _boxes(member) for member in learned)
    return news / len(learned)


def _boxes(member: DatasetImage) -> list[tuple[float, ...]]:
    return sorted(
        (float(cluster.finding), *(round(edge, 2) for edge in cluster.box))
        for cluster in member.clusters
    )
