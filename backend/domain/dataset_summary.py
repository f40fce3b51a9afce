"""What a dataset version holds: findings by split and by reader, and how uneven that is."""

from collections import Counter
from dataclasses import dataclass

from backend.domain.dataset import DatasetImage, DatasetVersion
from backend.domain.findings import Finding
from backend.domain.images import Split


@dataclass(frozen=True, slots=True)
class FindingSummary:
    """One finding in a dataset version.

    Attributes
    ----------
    images, boxes : dict of Split to int
        Images that show it, and its boxes, by split.
    by_reader : dict of (str, Split) to int
        How many of its boxes each reader marked, by split; readers without one are missing.
    showings : float
        How often training shows it per image that shows it, on average; from 1 on.
    share_in_test, natural_share : float or None
        Share of the test images that show it, as they are and as they are weighed; None
        without a test image.
    """

    images: dict[Split, int]
    boxes: dict[Split, int]
    by_reader: dict[tuple[str, Split], int]
    showings: float
    share_in_test: float | None
    natural_share: float | None


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """A dataset version in numbers.

    Attributes
    ----------
    images, negatives, adjudicated, patients : dict of Split to int
        By split.
    readings : dict of (str, Split) to int
        How many images each reader read, by split.
    findings : dict of Finding to FindingSummary
        All fourteen, the rarest first.
    imbalance : float or None
        How many times more images show the most frequent finding than the rarest that occurs;
        None when none does.
    """

    images: dict[Split, int]
    negatives: dict[Split, int]
    adjudicated: dict[Split, int]
    patients: dict[Split, int]
    readings: dict[tuple[str, Split], int]
    findings: dict[Finding, FindingSummary]
    imbalance: float | None

    @property
    def readers(self) -> tuple[str, ...]:
        """Everybody who read an image; R2 before R10."""
        return tuple(
            sorted({reader for reader, _ in self.readings}, key=lambda one: (len(one), one))
        )


def summarise(version: DatasetVersion) -> DatasetSummary:
    """Return what a dataset version holds.

    Parameters
    ----------
    version : DatasetVersion
        Any.

    Returns
    -------
    DatasetSummary
        Its numbers.
    """
    members = {split: version.in_split(split) for split in Split}
    found = {finding: _finding(finding, members) for finding in Finding}
    shown_on = {finding: sum(one.images.values()) for finding, one in found.items()}
    occurring = [count for count in shown_on.values() if count]
    return DatasetSummary(
        images={split: len(own) for split, own in members.items()},
        negatives={
            split: sum(not member.clusters for member in own) for split, own in members.items()
        },
        adjudicated={
            split: sum(member.is_adjudicated for member in own) for split, own in members.items()
        },
        patients={
            split: len({member.image.patient_key for member in own})
            for split, own in members.items()
        },
        readings=dict(
            Counter(
                (reader, split)
                for split, own in members.items()
                for member in own
                for reader in member.readers
            )
        ),
        findings={
            finding: found[finding]
            for finding in sorted(Finding, key=lambda one: (shown_on[one], one))
        },
        imbalance=max(occurring) / min(occurring) if occurring else None,
    )


def _finding(finding: Finding, members: dict[Split, tuple[DatasetImage, ...]]) -> FindingSummary:
    showing = {
        split: [
            member
            for member in own
            if any(cluster.finding is finding for cluster in member.clusters)
        ]
        for split, own in members.items()
    }
    boxes = [
        (split, cluster)
        for split, own in showing.items()
        for member in own
        for cluster in member.clusters
        if cluster.finding is finding
    ]
    trained, test = showing[Split.TRAIN], members[Split.TEST]
    return FindingSummary(
        images={split: len(own) for split, own in showing.items()},
        boxes={split: sum(part is split for part, _ in boxes) for split in Split},
        by_reader=dict(
            Counter(
                (supporter.reader_id, split)
                for split, cluster in boxes
                for supporter in cluster.supporters
            )
        ),
        showings=sum(one.repeat_factor for one in trained) / len(trained) if trained else 1.0,
        share_in_test=len(showing[Split.TEST]) / len(test) if test else None,
        natural_share=(
            sum(one.weight for one in showing[Split.TEST]) / sum(one.weight for one in test)
            if test
            else None
        ),
    )
