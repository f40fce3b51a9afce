"""Save and find images."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, func, insert, or_, select, update
from sqlalchemy.orm import Session

from backend.domain.image_metadata import ImageMetadata, Sex, View
from backend.domain.images import Image, Split
from backend.domain.readings import ReadingKind
from backend.store.membership import is_among
from backend.store.tables import ImageRow, ReadingRow


class Images:
    """The images kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, images: Sequence[Image], *, now: datetime) -> None:
        """Register images.

        Parameters
        ----------
        images : sequence of Image
            None of them registered before, neither the id nor the pixels.
        now : datetime
            The time; aware.
        """
        if images:
            self._session.execute(
                insert(ImageRow), [{**_columns(image), "registered_at": now} for image in images]
            )

    def get(self, image_id: str) -> Image | None:
        """Return one image.

        Parameters
        ----------
        image_id : str
            Its id.

        Returns
        -------
        Image or None
            None when it is not registered.
        """
        row = self._session.get(ImageRow, image_id)
        return None if row is None else _image(row)

    def all(self, image_ids: Iterable[str] | None = None) -> dict[str, Image]:
        """Return images by id.

        Parameters
        ----------
        image_ids : iterable of str or None
            Which; None for all.

        Returns
        -------
        dict of str to Image
            Ordered by id; unknown ids are missing.
        """
        query = select(ImageRow).order_by(ImageRow.id)
        if image_ids is not None:
            query = query.where(is_among(ImageRow.id, image_ids))
        return {row.id: _image(row) for row in self._session.scalars(query)}

    def like(self, image_ids: Iterable[str], pixel_hashes: Iterable[str]) -> list[Image]:
        """Return the images that have one of these ids, or show one of these pictures.

        Parameters
        ----------
        image_ids : iterable of str
            Ids, registered or not.
        pixel_hashes : iterable of str
            Pixel hashes, registered or not.

        Returns
        -------
        list of Image
            By id.
        """
        query = (
            select(ImageRow)
            .where(
                or_(is_among(ImageRow.id, image_ids), is_among(ImageRow.pixel_hash, pixel_hashes))
            )
            .order_by(ImageRow.id)
        )
        return [_image(row) for row in self._session.scalars(query)]

    def move(self, image_id: str, *, uri: str, sha256: str) -> None:
        """Remember that the same pixels now lie elsewhere.

        Parameters
        ----------
        image_id : str
            The image.
        uri : str
            Where its file is now.
        sha256 : str
            Hash of that file.
        """
        self._session.execute(
            update(ImageRow).where(ImageRow.id == image_id).values(uri=uri, sha256=sha256)
        )

    def set_splits(self, splits: Iterable[tuple[str, Split]]) -> None:
        """Allot images to splits, once and for all.

        Parameters
        ----------
        splits : iterable of (str, Split)
            Image ids that have no split yet.
        """
        rows = [{"image": image_id, "allotted": split} for image_id, split in splits]
        if rows:
            self._session.connection().execute(
                update(ImageRow)
                .where(ImageRow.id == bindparam("image"), ImageRow.split.is_(None))
                .values(split=bindparam("allotted")),
                rows,
            )

    def without_look(self) -> dict[str, Image]:
        """Return the images that nobody has looked at for near-duplicates.

        Returns
        -------
        dict of str to Image
            Ordered by id: those registered before looks were kept.
        """
        query = select(ImageRow).where(ImageRow.look_hash.is_(None)).order_by(ImageRow.id)
        return {row.id: _image(row) for row in self._session.scalars(query)}

    def set_looks(self, looks: Mapping[str, str]) -> None:
        """Remember what images look like.

        Parameters
        ----------
        looks : mapping of str to str
            Image id to look.
        """
        rows = [{"image": image_id, "look": look} for image_id, look in looks.items()]
        if rows:
            self._session.connection().execute(
                update(ImageRow)
                .where(ImageRow.id == bindparam("image"))
                .values(look_hash=bindparam("look")),
                rows,
            )

    def set_metadata(self, metadata: Mapping[str, ImageMetadata]) -> None:
        """Remember what is known of images, in place of what was known before.

        Parameters
        ----------
        metadata : mapping of str to ImageMetadata
            By image id.
        """
        rows = [
            {"image": image_id, **{f"new_{name}": value for name, value in _about(known).items()}}
            for image_id, known in metadata.items()
        ]
        if rows:
            self._session.connection().execute(
                update(ImageRow)
                .where(ImageRow.id == bindparam("image"))
                .values({name: bindparam(f"new_{name}") for name in _about(ImageMetadata())}),
                rows,
            )

    def count(self) -> int:
        """Return how many images are registered.

        Returns
        -------
        int
            Their number.
        """
        return self._session.scalar(select(func.count()).select_from(ImageRow)) or 0

    def readers_by_image(self) -> dict[str, set[str]]:
        """Return who has read what, in valid current readings.

        Returns
        -------
        dict of str to set of str
            Image id to reader ids; unread images are missing.
        """
        found: dict[str, set[str]] = {}
        query = select(ReadingRow.image_id, ReadingRow.reader_id).where(
            ReadingRow.is_current,
            ReadingRow.state == "valid",
            ReadingRow.kind == ReadingKind.READING,
        )
        for image_id, reader_id in self._session.execute(query):
            found.setdefault(image_id, set()).add(reader_id)
        return found


def _columns(image: Image) -> dict[str, object]:
    return {
        "id": image.id,
        "source": image.source,
        "uri": image.uri,
        "sha256": image.sha256,
        "pixel_hash": image.pixel_hash,
        "width_px": image.width_px,
        "height_px": image.height_px,
        "patient_key": image.patient_key,
        "split": image.split,
        "original_width_px": image.original_width_px,
        "original_height_px": image.original_height_px,
        "look_hash": image.look_hash,
        **_about(image.metadata),
    }


def _about(metadata: ImageMetadata) -> dict[str, str | None]:
    return {"sex": metadata.sex, "age_group": metadata.age_group, "view": metadata.view}


def _image(row: ImageRow) -> Image:
    return Image(
        id=row.id,
        source=row.source,
        uri=row.uri,
        sha256=row.sha256,
        pixel_hash=row.pixel_hash,
        width_px=row.width_px,
        height_px=row.height_px,
        patient_key=row.patient_key,
        split=None if row.split is None else Split(row.split),
        original_width_px=row.original_width_px,
        original_height_px=row.original_height_px,
        look_hash=row.look_hash,
        metadata=ImageMetadata(
            sex=None if row.sex is None else Sex(row.sex),
            age_group=row.age_group,
            view=None if row.view is None else View(row.view),
        ),
    )
