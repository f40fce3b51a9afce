"""Find what a model version says of images, and where that is no news to their readers."""

from collections.abc import Iterable

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from backend.domain.consensus.model_reader import ModelReader
from backend.domain.images import Split
from backend.domain.readings import Arm, ReadingKind
from backend.store.membership import is_among
from backend.store.models import Models
from backend.store.predictions import Predictions
from backend.store.tables import DatasetImageRow, ImageRow, ReadingRow


class ModelReaders:
    """The model versions of the store, as readers.

    Parameters
    ----------
    session : Session
        The transaction to read in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, version: str, image_ids: Iterable[str]) -> ModelReader:
        """Return a model version as a reader of images.

        Parameters
        ----------
        version : str
            Which.
        image_ids : iterable of str
            Of which images; what it says of others is left out.

        Returns
        -------
        ModelReader
            Trained on the train and validation splits of its dataset version; one from outside
            has none. Shown where any revision of a reading was assisted by it. Judged on images
            of the test split and, as the next dataset version may put them there, those
            without a split.

        Raises
        ------
        UnknownModelVersionError
            If there is none of that name.
        """
        wanted = set(image_ids)
        model = Models(self._session).get(version)
        trained_on = select(DatasetImageRow.image_id).where(
            DatasetImageRow.dataset_version == model.dataset_version,
            DatasetImageRow.split.in_([Split.TRAIN, Split.VALIDATION]),
            is_among(DatasetImageRow.image_id, wanted),
        )
        shown_on = select(ReadingRow.image_id).where(
            ReadingRow.arm == Arm.ASSISTED,
            ReadingRow.kind == ReadingKind.READING,  # the boxes of a second look came after it
            ReadingRow.model_version == version,
            is_among(ReadingRow.image_id, wanted),
        )
        judged_on = select(ImageRow.id).where(
            ImageRow.split.is_(None) | (ImageRow.split == Split.TEST),
            is_among(ImageRow.id, wanted),
        )
        return ModelReader(
            version,
            Predictions(self._session).of_model(version, wanted),
            trained_on=self._found(trained_on),
            shown_on=self._found(shown_on),
            judged_on=self._found(judged_on),
        )

    def _found(self, query: Select[str]) -> frozenset[str]:
        return frozenset(self._session.scalars(query))
