"""The readings of many images as columns, for everything that looks at all of them at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.domain import boxes as geometry
from backend.domain.boxes import Boxes
from backend.domain.readings import Reading

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ReadingTable:
    """Who read which image, and what they marked.

    Readings and marks are sorted by content, so two tables of the same readings are equal
    whatever order these came in.

    Attributes
    ----------
    image_ids, reader_ids : tuple of str
        Sorted; the other columns refer to them by position.
    reading_images, reading_readers : ndarray of shape (m,)
        One entry per reading, sorted by image, then reader; no pair occurs twice.
    mark_images, mark_readers : ndarray of shape (n,)
        Whose mark on which image; each pair is a reading.
    mark_findings : ndarray of shape (n,)
        The finding's class id, 0 to 13.
    mark_boxes : ndarray of shape (n, 4), [px]
        Where. Sorted by image, finding, box, then reader; exact repeats by a reader are gone.
    mark_keys : ndarray of shape (n,)
        Key of each mark in the store; -1 where there is none.
    """

    image_ids: tuple[str, ...]
    reader_ids: tuple[str, ...]
    reading_images: Numbers
    reading_readers: Numbers
    mark_images: Numbers
    mark_readers: Numbers
    mark_findings: Numbers
    mark_boxes: Boxes
    mark_keys: Numbers

    @classmethod
    def of_rows(
        cls,
        readings: Sequence[tuple[str, str]],
        marks: Sequence[tuple[str, str, int]],
        boxes: Boxes,
        keys: Sequence[int] | None = None,
    ) -> "ReadingTable":
        """Make a table of rows.

        Parameters
        ----------
        readings : sequence of (str, str)
            Image id and reader id; repeats count once.
        marks : sequence of (str, str, int)
            Image id, reader id and class id of every mark; the pair need not be in `readings`.
        boxes : ndarray of shape (n, 4), [px]
            Where each mark is.
        keys : sequence of int, optional
            Key of each mark in the store; of exact repeats the lowest is kept.

        Returns
        -------
        ReadingTable
            The same, sorted.

        Raises
        ------
        MalformedBoxError
            If a box has no area or is not finite.
        """
        geometry.check_boxes(boxes)
        image_ids = tuple(sorted({row[0] for rows in (readings, marks) for row in rows}))
        reader_ids = tuple(sorted({row[1] for rows in (readings, marks) for row in rows}))
        images = {name: number for number, name in enumerate(image_ids)}
        readers = {name: number for number, name in enumerate(reader_ids)}
        mark_images = np.array([images[row[0]] for row in marks], dtype=np.int64)
        mark_readers = np.array([readers[row[1]] for row in marks], dtype=np.int64)
        findings = np.array([row[2] for row in marks], dtype=np.int64)
        # lexsort takes the last key first.
        mark_keys = np.array([-1] * len(marks) if keys is None else keys, dtype=np.int64)
        order = np.lexsort((mark_keys, mark_readers, *boxes.T[::-1], findings, mark_images))
        mark_images, mark_readers, findings, boxes, mark_keys = (
            column[order] for column in (mark_images, mark_readers, findings, boxes, mark_keys)
        )
        columns = (mark_images, mark_readers, findings, *boxes.T)
        repeats = [column[1:] == column[:-1] for column in columns]
        is_new = np.append(True, ~np.all(repeats, axis=0))[: len(order)]
        pairs = {(images[row[0]], readers[row[1]]) for row in readings}
        pairs |= set(zip(mark_images.tolist(), mark_readers.tolist(), strict=True))
        read = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
        return cls(
            image_ids,
            reader_ids,
            read[:, 0],
            read[:, 1],
            mark_images[is_new],
            mark_readers[is_new],
            findings[is_new],
            boxes[is_new],
            mark_keys[is_new],
        )

    @classmethod
    def of(cls, readings: Iterable[Reading]) -> "ReadingTable":
        """Make a table of readings.

        Parameters
        ----------
        readings : iterable of Reading
            One per reader and image; several count as one with the marks of all.

        Returns
        -------
        ReadingTable
            The same as columns; what the readers deleted is not in it.
        """
        listed = list(readings)
        marks = [(one.image_id, one.reader_id, box) for one in listed for box in one.boxes]
        return cls.of_rows(
            [(one.image_id, one.reader_id) for one in listed],
            [(image_id, reader_id, int(box.finding)) for image_id, reader_id, box in marks],
            geometry.stack([box.box for _, _, box in marks]),
            [-1 if box.id is None else box.id for _, _, box in marks],
        )

    def readings_only(self, chosen: NDArray[np.bool_]) -> "ReadingTable":
        """Return the table with some of its readings.

        Parameters
        ----------
        chosen : ndarray of shape (m,)
            Which readings stay.

        Returns
        -------
        ReadingTable
            The same images and readers, fewer readings and marks.
        """
        numbers = self.reading_images * len(self.reader_ids) + self.reading_readers
        of_mark = self.mark_images * len(self.reader_ids) + self.mark_readers
        kept = chosen[np.searchsorted(numbers, of_mark)]
        return replace(
            self,
            reading_images=self.reading_images[chosen],
            reading_readers=self.reading_readers[chosen],
            mark_images=self.mark_images[kept],
            mark_readers=self.mark_readers[kept],
            mark_findings=self.mark_findings[kept],
            mark_boxes=self.mark_boxes[kept],
            mark_keys=self.mark_keys[kept],
        )
