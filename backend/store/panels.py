"""Save and find what is known of the readers; an older panel is never overwritten."""

import hashlib
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.domain.consensus.panel import Panel
from backend.store import panel_numbers
from backend.store.tables import ReaderPanelRow

METHOD = "overread-2"
"""The method that panels belong to; a panel's own name is this and a hash of its numbers."""

PRIOR_VERSION = f"{METHOD}-prior"
"""The method version of answers that were reached before any panel was estimated."""


class UnknownPanelError(LookupError):
    """No reader panel has this method version."""


class Panels:
    """The reader panels kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def record(self, panel: Panel, *, now: datetime) -> str:
        """Make a panel the current one; the same numbers are kept once.

        Parameters
        ----------
        panel : Panel
            What was learned of the readers.
        now : datetime
            The time; aware.

        Returns
        -------
        str
            Its method version, for example "overread-2-3f9a2c71".
        """
        parameters = panel_numbers.as_text(panel)
        method_version = f"{METHOD}-{hashlib.sha256(parameters.encode()).hexdigest()[:8]}"
        self._session.execute(
            update(ReaderPanelRow)
            .where(ReaderPanelRow.is_current, ReaderPanelRow.method_version != method_version)
            .values(is_current=False)
        )
        row = self._row(method_version)
        if row is None:
            row = ReaderPanelRow(
                method_version=method_version, parameters=parameters, fitted_at=now
            )
            self._session.add(row)
        row.is_current = True
        self._session.flush()
        return method_version

    def current(self) -> tuple[str, Panel] | None:
        """Return the panel that new readings are reconciled with.

        Returns
        -------
        tuple of (str, Panel) or None
            Method version and panel; None before the first one, and after a change of the
            method, until the readers are estimated anew.

        Raises
        ------
        MalformedPanelError
            If its numbers cannot be understood.
        """
        row = self._session.scalar(
            select(ReaderPanelRow).where(
                ReaderPanelRow.is_current, ReaderPanelRow.method_version.startswith(f"{METHOD}-")
            )
        )
        return None if row is None else (row.method_version, _panel(row))

    def named(self, method_version: str) -> Panel:
        """Return one panel.

        Parameters
        ----------
        method_version : str
            Its name.

        Returns
        -------
        Panel
            As it was recorded.

        Raises
        ------
        UnknownPanelError
            If there is none of that name.
        MalformedPanelError
            If its numbers cannot be understood.
        """
        row = self._row(method_version)
        if row is None:
            query = select(ReaderPanelRow.method_version).order_by(ReaderPanelRow.id)
            known = ", ".join(self._session.scalars(query)) or "none yet"
            raise UnknownPanelError(f"no reader panel {method_version!r}; there are: {known}")
        return _panel(row)

    def _row(self, method_version: str) -> ReaderPanelRow | None:
        return self._session.scalar(
            select(ReaderPanelRow).where(ReaderPanelRow.method_version == method_version)
        )


def _panel(row: ReaderPanelRow) -> Panel:
    try:
        return panel_numbers.from_text(row.parameters)
    except panel_numbers.MalformedPanelError as error:
        raise panel_numbers.MalformedPanelError(
            f"reader panel {row.method_version} cannot be used: {error}; estimate the readers "
            "anew: overread consensus"
        ) from error
