"""The two ways in which readers get their log-ins in Label Studio."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from backend.label_studio import provision, shared_organisation
from backend.label_studio.provision import ProvisionedReader, ProvisioningError, ReaderAccount


class Registrar(Protocol):
    """Gives readers their log-ins, and takes them away."""

    @property
    def keeps_readers_apart(self) -> bool:
        """Whether Label Studio itself keeps readers from one another's work."""

    def register(self, accounts: Sequence[ReaderAccount]) -> tuple[ProvisionedReader, ...]:
        """Make users, or find them.

        Parameters
        ----------
        accounts : sequence of ReaderAccount
            Whose.

        Returns
        -------
        tuple of ProvisionedReader
            In the order given.
        """

    def close(self, reader_ids: Sequence[str]) -> None:
        """Let readers log in no more.

        Parameters
        ----------
        reader_ids : sequence of str
            Who.
        """


@dataclass(frozen=True, slots=True)
class OrganisationEach:
    """An organisation of their own for every reader, through Label Studio's shell.

    Attributes
    ----------
    command : Path
        The `label-studio` executable.
    environment : mapping of str to str
        Its environment, naming its database.
    """

    command: Path
    environment: Mapping[str, str] = field(repr=False)

    @property
    def keeps_readers_apart(self) -> bool:
        """It does."""
        return True

    def register(self, accounts: Sequence[ReaderAccount]) -> tuple[ProvisionedReader, ...]:
        """Make organisations and users, or find them.

        Parameters
        ----------
        accounts : sequence of ReaderAccount
            Whose.

        Returns
        -------
        tuple of ProvisionedReader
            In the order given.
        """
        return provision.provision_readers(self.command, self.environment, accounts)

    def close(self, reader_ids: Sequence[str]) -> None:
        """Let readers log in no more.

        Parameters
        ----------
        reader_ids : sequence of str
            Who.
        """
        provision.close_log_ins(self.command, self.environment, reader_ids)


@dataclass(frozen=True, slots=True)
class SharedOrganisation:
    """One organisation for all, through its invitation; where there is no shell.

    Attributes
    ----------
    base_url : str
        Where Label Studio is.
    admin_token : str
        API token of one of its users.
    """

    base_url: str
    admin_token: str = field(repr=False)

    @property
    def keeps_readers_apart(self) -> bool:
        """It does not: blinding is procedural."""
        return False

    def register(self, accounts: Sequence[ReaderAccount]) -> tuple[ProvisionedReader, ...]:
        """Sign users up, or find them.

        Parameters
        ----------
        accounts : sequence of ReaderAccount
            Whose.

        Returns
        -------
        tuple of ProvisionedReader
            In the order given.
        """
        return shared_organisation.provision_readers(self.base_url, self.admin_token, accounts)

    def close(self, reader_ids: Sequence[str]) -> None:
        """Refuse: only Label Studio's shell can close a log-in.

        Parameters
        ----------
        reader_ids : sequence of str
            Who.

        Raises
        ------
        ProvisioningError
            Always.
        """
        raise ProvisioningError(
            f"the log-in of {', '.join(reader_ids)} in Label Studio can only be closed by its own "
            "shell, which is out of reach here; ask whoever runs the server"
        )
