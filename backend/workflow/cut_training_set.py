"""Cut the consensus into an immutable dataset version."""

from dataclasses import replace
from datetime import datetime

from backend.domain.consensus.clusters import Cluster, Consensus
from backend.domain.dataset import DatasetImage, DatasetVersion, content_sha256
from backend.domain.images import Image
from backend.domain.training_set import Member, assign_splits
from backend.store.unit_of_work import UnitOfWork

P_TRUE_FROM = 0.5
"""A dataset version holds the clusters that are more likely real than not."""


class NothingToCutError(ValueError):
    """No image has a consensus."""


def cut_training_set(store: UnitOfWork, *, seed: int, now: datetime) -> DatasetVersion:
    """Freeze the current consensus as a dataset version.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    seed : int
        Decides which new patients go to which split.
    now : datetime
        The time; aware.

    Returns
    -------
    DatasetVersion
        A new one, or the one that has exactly this content already.

    Raises
    ------
    NothingToCutError
        If no image has a consensus yet.
    """
    answers = store.consensus.current()
    if not answers:
        raise NothingToCutError(
            "no image has a consensus yet; import readings or have images read, then run: "
            "overread consensus"
        )
    images = store.images.all(answers)
    patients = {image.patient_key for image in images.values()}
    relatives = [
        image
        for image in store.images.all().values()
        if image.split and image.id not in answers and image.patient_key in patients
    ]
    readers = store.consensus.readers()
    settled = store.adjudications.standing(answers)

    released = {image_id: _released(consensus) for image_id, (_, consensus) in answers.items()}
    splits = assign_splits(
        [
            *(_member(image, released[image.id]) for image in images.values()),
            *(_member(image, ()) for image in relatives),
        ],
        seed=seed,
    )
    members = tuple(
        DatasetImage(
            image=replace(image, split=splits[image.id]),
            clusters=released[image.id],
            readers=readers.get(answers[image.id][0], ()),
            is_adjudicated=image.id in settled and settled[image.id].is_complete,
        )
        for image in images.values()
    )
    sha256 = content_sha256(members)

    store.images.set_splits(
        (image.id, splits[image.id]) for image in images.values() if image.split is None
    )
    known = store.datasets.named(sha256)
    if known is not None:
        return store.datasets.get(known)
    version = DatasetVersion(
        name=store.datasets.next_name(),
        sha256=sha256,
        consensus_method=", ".join(
            sorted({consensus.method_version for _, consensus in answers.values()})
        ),
        created_at=now,
        images=members,
    )
    keys = {image_id: key for image_id, (key, _) in answers.items()}
    store.datasets.add(version, keys, p_true_from=P_TRUE_FROM)
    return version


def _released(consensus: Consensus) -> tuple[Cluster, ...]:
    return tuple(cluster for cluster in consensus.clusters if cluster.p_true >= P_TRUE_FROM)


def _member(image: Image, clusters: tuple[Cluster, ...]) -> Member:
    return Member(
        image_id=image.id,
        patient_key=image.patient_key,
        findings=frozenset(cluster.finding for cluster in clusters),
        split=image.split,
    )
