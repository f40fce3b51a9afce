"""Cut the consensus into an immutable dataset version."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from backend.domain.acquisition.batch import Channel
from backend.domain.consensus.clusters import Cluster, Consensus
from backend.domain.dataset import DatasetImage, DatasetVersion, content_sha256
from backend.domain.frozen_test import check_never_learned_from, natural_weights, rarest_findings
from backend.domain.images import Image, Split
from backend.domain.near_duplicates import near_duplicates
from backend.domain.splits import Member, assign_splits, leave_out_duplicates
from backend.domain.training_set import REPEAT_BELOW, repeat_factors
from backend.store.unit_of_work import UnitOfWork

P_TRUE_FROM = 0.5
"""A dataset version holds the clusters that are more likely real than not."""

_LEARNED_FROM = (Split.TRAIN, Split.VALIDATION)
_CHANCE = (Channel.RANDOM, Channel.COLD_START)


class NothingToCutError(ValueError):
    """No image has a consensus."""


def cut_training_set(
    store: UnitOfWork, *, seed: int, now: datetime, repeat_below: float = REPEAT_BELOW
) -> DatasetVersion:
    """Freeze the current consensus as a dataset version.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    seed : int
        Decides which new patients go to which split.
    now : datetime
        The time; aware.
    repeat_below : float
        Training shows findings on a smaller share of its images than this more than once.

    Returns
    -------
    DatasetVersion
        A new one, or the one that has exactly this content already.

    Raises
    ------
    NothingToCutError
        If no image has a consensus yet.
    LearnedFromTestError
        If an image, a patient or pixels of the test split are or ever were learned from.
    """
    answers = store.consensus.current()
    if not answers:
        raise NothingToCutError(
            "no image has a consensus yet; import readings or have images read, then run: "
            "overread consensus"
        )
    everything = store.images.all()
    images = {image_id: everything[image_id] for image_id in answers}
    alike = near_duplicates({one.id: one.look_hash or "" for one in everything.values()})
    readers = store.consensus.readers()
    settled = store.adjudications.standing(answers)
    by_design = store.dataset_history.chosen_by_design(_CHANCE)

    released = {image_id: _released(consensus) for image_id, (_, consensus) in answers.items()}
    splits = assign_splits(
        [
            *(_member(image, released[image.id]) for image in images.values()),
            *(_member(image, ()) for image in _relatives(images, everything, alike)),
        ],
        seed=seed,
        alike=alike,
    )
    learned = store.dataset_history.ever_in(_LEARNED_FROM)
    left_out = [
        one for one in leave_out_duplicates(splits, alike, learned=learned) if one.what in answers
    ]
    members = _weighed(
        [
            DatasetImage(
                image=replace(image, split=splits[image.id]),
                clusters=released[image.id],
                readers=readers.get(answers[image.id][0], ()),
                is_adjudicated=image.id in settled and settled[image.id].is_complete,
            )
            for image in images.values()
            if image.id not in {one.what for one in left_out}
        ],
        by_design,
        repeat_below,
    )
    _check_test(store, everything, members)
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
        seed=seed,
        left_out=tuple(left_out),
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


def _relatives(
    images: Mapping[str, Image],
    everything: Mapping[str, Image],
    alike: Iterable[tuple[str, str]],
) -> list[Image]:
    """Return images without a consensus whose split binds those that have one."""
    patients = {image.patient_key for image in images.values()}
    near = {one for pair in alike if not images.keys().isdisjoint(pair) for one in pair}
    return [
        image
        for image in everything.values()
        if image.split
        and image.id not in images
        and (image.patient_key in patients or image.id in near)
    ]


def _weighed(
    members: list[DatasetImage], by_design: set[str], repeat_below: float
) -> tuple[DatasetImage, ...]:
    """Return the images with weights in the test split and repeat factors in training."""
    shown = {one.image.id: [each.finding for each in one.clusters] for one in members}
    test = [one.image.id for one in members if one.split is Split.TEST]
    train = [one.image.id for one in members if one.split is Split.TRAIN]
    weights = natural_weights(
        rarest_findings(shown), test=test, undesigned=shown.keys() - by_design
    )
    factors = dict(
        zip(
            train,
            repeat_factors([shown[one] for one in train], threshold=repeat_below).tolist(),
            strict=True,
        )
    )
    return tuple(
        replace(
            one,
            weight=weights.get(one.image.id, 1.0),
            repeat_factor=factors.get(one.image.id, 1.0),
        )
        for one in members
    )


def _check_test(
    store: UnitOfWork, images: Mapping[str, Image], members: tuple[DatasetImage, ...]
) -> None:
    """Make sure that the test split was never learned from, in any dataset version."""
    test, learned = (
        store.dataset_history.ever_in(splits)
        | {one.image.id for one in members if one.split in splits}
        for splits in ((Split.TEST,), _LEARNED_FROM)
    )
    check_never_learned_from([images[one] for one in test], [images[one] for one in learned])
