"""Save and find consensus; an older answer is never overwritten."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, bindparam, func, select, update
from sqlalchemy.orm import Session

from backend.domain.consensus.clusters import Consensus
from backend.store.consensus_rows import add_answers, identity_of, load_answers
from backend.store.membership import is_among
from backend.store.tables import ClusterRow, ConsensusReadingRow, ConsensusRow, ReadingRow


class UnknownMethodVersionError(LookupError):
    """No answer was reached by this method version."""


@dataclass(frozen=True, slots=True)
class AnswersOfVersion:
    """What there is of one method version.

    Attributes
    ----------
    method_version : str
        For example "overread-1-3f9a2c71".
    images : int
        How many images it has answered.
    current : int
        How many of its answers are the current ones.
    first_reached_at, last_reached_at : datetime
        When the first and the last of its answers were new.
    """

    method_version: str
    images: int
    current: int
    first_reached_at: datetime
    last_reached_at: datetime


class ConsensusAnswers:
    """The consensus answers kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def record(
        self, answers: Sequence[Consensus], *, now: datetime, make_current: bool = True
    ) -> list[int]:
        """Keep answers.

        The same method on the same readings gives the same answer, so it is kept once.

        Parameters
        ----------
        answers : sequence of Consensus
            At most one per image; every supporter has a box id.
        now : datetime
            The time; aware.
        make_current : bool
            Whether they become the current ones of their images; else they stand beside those,
            to be compared with.

        Returns
        -------
        list of int
            Keys of the answers, in their order.
        """
        identities = [identity_of(answer) for answer in answers]
        rows = self._session.scalars(
            select(ConsensusRow).where(
                is_among(ConsensusRow.image_id, (answer.image_id for answer in answers)),
                ConsensusRow.is_current
                | ConsensusRow.method_version.in_({answer.method_version for answer in answers}),
            )
        ).all()
        known = {(row.image_id, row.method_version, row.readings_sha256): row.id for row in rows}
        if make_current:
            wanted = {known[identity] for identity in identities if identity in known}
            current = {row.id for row in rows if row.is_current}
            self._mark(current - wanted, is_current=False)
            self._mark(wanted - current, is_current=True)
        new = [answer for answer in answers if identity_of(answer) not in known]
        keys = add_answers(self._session.connection(), new, now=now, is_current=make_current)
        known |= zip(map(identity_of, new), keys, strict=True)
        return [known[identity] for identity in identities]

    def retire(self, image_ids: Iterable[str]) -> None:
        """Leave images without a current answer, because no valid reading is left.

        Parameters
        ----------
        image_ids : iterable of str
            The images.
        """
        keys = self._session.scalars(
            select(ConsensusRow.id).where(
                ConsensusRow.is_current, is_among(ConsensusRow.image_id, image_ids)
            )
        )
        self._mark(keys.all(), is_current=False)

    def current(self, image_ids: Iterable[str] | None = None) -> dict[str, tuple[int, Consensus]]:
        """Return the current answers.

        Parameters
        ----------
        image_ids : iterable of str or None
            Of which images; None for all.

        Returns
        -------
        dict of str to (int, Consensus)
            Image id to key and answer; by image id.
        """
        query = select(ConsensusRow).where(ConsensusRow.is_current)
        if image_ids is not None:
            query = query.where(is_among(ConsensusRow.image_id, image_ids))
        return {
            consensus.image_id: (key, consensus)
            for key, consensus in load_answers(self._session.connection(), query)
        }

    def current_image_ids(self) -> set[str]:
        """Return which images have a current answer.

        Returns
        -------
        set of str
            Image ids.
        """
        return set(
            self._session.scalars(select(ConsensusRow.image_id).where(ConsensusRow.is_current))
        )

    def versions(self) -> list[AnswersOfVersion]:
        """Return which method versions there are answers of.

        Returns
        -------
        list of AnswersOfVersion
            In the order in which they were first used.
        """
        first = func.min(ConsensusRow.reached_at)
        query = (
            select(
                ConsensusRow.method_version,
                func.count(ConsensusRow.image_id.distinct()),
                func.count().filter(ConsensusRow.is_current),
                first,
                func.max(ConsensusRow.reached_at),
            )
            .group_by(ConsensusRow.method_version)
            .order_by(first, ConsensusRow.method_version)
        )
        return [AnswersOfVersion(*row) for row in self._session.execute(query)]

    def of_version(self, method_version: str) -> dict[str, Consensus]:
        """Return what a method version answered.

        Parameters
        ----------
        method_version : str
            For example "overread-1-3f9a2c71".

        Returns
        -------
        dict of str to Consensus
            By image id: the current answer if it is of this version, else the newest that is.

        Raises
        ------
        UnknownMethodVersionError
            If there is no answer of that version.
        """
        query = select(ConsensusRow).where(ConsensusRow.id.in_(_keys_of(method_version)))
        found = load_answers(self._session.connection(), query)
        if not found:
            known = ", ".join(one.method_version for one in self.versions()) or "none yet"
            raise UnknownMethodVersionError(
                f"no consensus by {method_version!r}; there are: {known}"
            )
        return {consensus.image_id: consensus for _, consensus in found}

    def by_key(self, keys: Select[int]) -> dict[int, Consensus]:
        """Return answers by key, current or not.

        Parameters
        ----------
        keys : Select
            A query for the keys.

        Returns
        -------
        dict of int to Consensus
            By key.
        """
        return dict(
            load_answers(
                self._session.connection(), select(ConsensusRow).where(ConsensusRow.id.in_(keys))
            )
        )

    def readers(self, keys: Select[int] | None = None) -> dict[int, tuple[str, ...]]:
        """Return whose readings answers were made of.

        Parameters
        ----------
        keys : Select or None
            A query for the keys of the answers; None for the current ones.

        Returns
        -------
        dict of int to tuple of str
            Key to reader ids, sorted.
        """
        if keys is None:
            keys = select(ConsensusRow.id).where(ConsensusRow.is_current)
        query = (
            select(ConsensusReadingRow.consensus_id, ReadingRow.reader_id)
            .join(ReadingRow, ReadingRow.id == ConsensusReadingRow.reading_id)
            .where(ConsensusReadingRow.consensus_id.in_(keys))
        )
        found: dict[int, set[str]] = {}
        for key, reader_id in self._session.execute(query):
            found.setdefault(key, set()).add(reader_id)
        return {key: tuple(sorted(readers)) for key, readers in found.items()}

    def cluster_states(self, method_version: str | None = None) -> dict[str, int]:
        """Return how many clusters are in each state.

        Parameters
        ----------
        method_version : str or None
            Of its answers, as in `of_version`; None for the current answers.

        Returns
        -------
        dict of str to int
            State to number; states that do not occur are missing.
        """
        keys = select(ConsensusRow.id).where(ConsensusRow.is_current)
        query = (
            select(ClusterRow.state, func.count())
            .where(
                ClusterRow.consensus_id.in_(
                    keys if method_version is None else _keys_of(method_version)
                )
            )
            .group_by(ClusterRow.state)
        )
        return dict(self._session.execute(query).all())

    def _mark(self, keys: Iterable[int], *, is_current: bool) -> None:
        rows = [{"key": key} for key in sorted(keys)]
        if rows:
            self._session.connection().execute(
                update(ConsensusRow)
                .where(ConsensusRow.id == bindparam("key"))
                .values(is_current=is_current),
                rows,
            )


def _keys_of(method_version: str) -> Select[int]:
    """Ask for one answer per image: the current one if it is of this version, else the newest."""
    newest_first = (ConsensusRow.is_current.desc(), ConsensusRow.id.desc())
    numbered = (
        select(
            ConsensusRow.id,
            func.row_number()
            .over(partition_by=ConsensusRow.image_id, order_by=newest_first)
            .label("number"),
        )
        .where(ConsensusRow.method_version == method_version)
        .subquery()
    )
    return select(numbered.c.id).where(numbered.c.number == 1)
