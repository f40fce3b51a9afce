"""What a step of the chain may ask and say while it works."""

from typing import Protocol


class NothingToDoError(Exception):
    """A step has nothing to do, and neither have those that need it; this is no failure."""


class StoppedError(RuntimeError):
    """A step was asked to stop, and did so at a place from which it can go on."""


class Progress(Protocol):
    """Shows people how far a job has come."""

    def step(self, what: str, total: int) -> None:
        """Begin a part of the job.

        Parameters
        ----------
        what : str
            What is done.
        total : int
            Its parts.
        """

    def advance(self, done: int, note: str = "") -> None:
        """Say how many parts are done.

        Parameters
        ----------
        done : int
            From the beginning of this part of the job.
        note : str
            Shown beside it.
        """
