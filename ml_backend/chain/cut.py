"""Cut: the consensus of today as an immutable dataset version."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from backend.domain.images import Split
from backend.domain.skipped import Skipped
from backend.workflow.chain_step import NothingToDoError
from backend.workflow.cut_training_set import NothingToCutError, cut_training_set
from backend.workflow.note_looks import note_looks
from ml_backend.chain.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Cut:
    """A dataset version that was cut.

    Attributes
    ----------
    dataset_version : str
        Its name.
    sha256 : str
        Hash of its content.
    images : dict of str to int
        Its images, by split.
    problems : tuple of str
        Which images could not be compared with the others.
    left_out : int
        Images that take no part, because they are near-duplicates across splits.
    """

    dataset_version: str
    sha256: str
    images: dict[str, int]
    problems: tuple[str, ...] = ()
    left_out: int = 0

    def as_json(self) -> dict[str, object]:
        """Return plain values.

        Returns
        -------
        dict
            For the record of the night.
        """
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Cut":
        """Return what `as_json` was made of.

        Parameters
        ----------
        values : mapping
            From the record of the night.

        Returns
        -------
        Cut
            The same.
        """
        return cls(
            values["dataset_version"],
            values["sha256"],
            dict(values["images"]),
            tuple(values.get("problems", ())),
            values.get("left_out", 0),
        )


def cut(workshop: Workshop) -> Cut:
    """Cut a dataset version, or find the one that has exactly this content already.

    Parameters
    ----------
    workshop : Workshop
        What to work with.

    Returns
    -------
    Cut
        Which dataset version it is.

    Raises
    ------
    NothingToDoError
        If no image has a consensus yet.
    """
    settings, progress = workshop.settings, workshop.progress
    unseen = note_looks(
        workshop.store,
        on_start=lambda total: progress.step("looking for near-duplicates", total),
        on_images=progress.advance,
    )
    with workshop.store.transaction() as unit:
        try:
            version = cut_training_set(
                unit,
                seed=settings.seed,
                now=workshop.clock(),
                repeat_below=settings.train_repeat_below,
            )
        except NothingToCutError as error:
            raise NothingToDoError(str(error)) from error
        counted = Counter(member.image.split for member in version.images)
        done = Cut(
            version.name,
            version.sha256,
            {split.value: counted[split] for split in Split},
            _told(unseen),
            len(version.left_out),
        )
        workshop.keep(unit, done.as_json())
    return done


def _told(unseen: Sequence[Skipped]) -> tuple[str, ...]:
    if not unseen:
        return ()
    first = unseen[0]
    number = f"near-duplicates of {len(unseen)} images go unnoticed, because these cannot be read"
    return (f"{number}; first {first.what}: {first.why}",)
