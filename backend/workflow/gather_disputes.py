"""What readers dispute, as far as an adjudicator is still needed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from backend.domain.adjudication.conflicts import FEWEST_READINGS, DisputedImage, find_conflicts
from backend.domain.adjudication.request import Request, RequestState
from backend.domain.adjudication.routing import raised_since
from backend.domain.consensus.clusters import Consensus
from backend.domain.images import Image, Split
from backend.domain.readings import Reading
from backend.domain.worklists import EntryKind
from backend.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Disputes:
    """What readers say of images.

    Attributes
    ----------
    answers : mapping of str to Consensus
        By image id, of the images that enough readers have read.
    readings : mapping of str to sequence of Reading
        What they are made of, where anything is marked.
    images : mapping of str to Image
        The same images.
    decided : mapping of str to sequence of Request
        What was asked on images with a complete verdict, and decided.
    gold_readers : mapping of str to set of str
        By image id, to whom it was given as a gold case.
    """

    answers: Mapping[str, Consensus]
    readings: Mapping[str, Sequence[Reading]]
    images: Mapping[str, Image]
    decided: Mapping[str, Sequence[Request]]
    gold_readers: Mapping[str, set[str]]

    def of(self, image_id: str, readings_needed: int, *, changed: bool) -> DisputedImage | None:
        """Return what an adjudicator should settle on an image.

        Parameters
        ----------
        image_id : str
            One of `answers`.
        readings_needed : int
            Before it has so many readings, nothing.
        changed : bool
            Whether a reader gave another answer on a second look.

        Returns
        -------
        DisputedImage or None
            None when nobody needs to look. A complete verdict is not unsettled by the readers
            whom it is to measure.
        """
        answer = self.answers[image_id]
        if len(answer.reading_ids) < readings_needed:
            return None
        marks = {
            box.id: box.box
            for reading in self.readings.get(image_id, ())
            for box in reading.boxes
            if box.id is not None
        }
        conflicts = find_conflicts(
            answer, marks, readings=len(answer.reading_ids), changed_on_second_look=changed
        )
        if image_id in self.decided:
            measured = self.gold_readers.get(image_id, set())
            conflicts = raised_since(
                conflicts, answer.clusters, self.decided[image_id], measured=measured
            )
        if not conflicts:
            return None
        is_test = self.images[image_id].split is Split.TEST
        return DisputedImage(image_id, conflicts, is_test=is_test)


def gather_disputes(store: UnitOfWork, image_ids: Collection[str] | None = None) -> Disputes:
    """Return what readers say of images.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    image_ids : collection of str or None
        Of which images; None for all.

    Returns
    -------
    Disputes
        Without the images that too few have read.
    """
    answers = {
        image_id: answer
        for image_id, (_, answer) in store.consensus.current(image_ids).items()
        if len(answer.reading_ids) >= FEWEST_READINGS
    }
    marked = {image_id for image_id, answer in answers.items() if answer.clusters}
    readings: dict[str, list[Reading]] = {}
    for reading in store.readings.counting(marked if image_ids is None else answers):
        readings.setdefault(reading.image_id, []).append(reading)
    gold_readers: dict[str, set[str]] = {}
    for (image_id, reader_id), kind in store.evidence.asked().items():
        if kind is EntryKind.GOLD:
            gold_readers.setdefault(image_id, set()).add(reader_id)
    return Disputes(
        answers, readings, store.images.all(answers), _decided(store, image_ids), gold_readers
    )


def _decided(store: UnitOfWork, image_ids: Collection[str] | None) -> dict[str, list[Request]]:
    """Return the decided requests of images with a complete verdict, whatever is asked since."""
    complete = {
        image_id: list[Request]()
        for image_id, verdicts in store.adjudications.parts(image_ids).items()
        if all(one.is_complete for one in verdicts)
    }
    for request in store.adjudication_requests.all(image_ids=complete):
        if request.state is RequestState.DECIDED:
            complete[request.image_id].append(request)
    return complete
