"""Something that was left out of an import or a release, and why."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Skipped:
    """One thing that was left out.

    Attributes
    ----------
    what : str
        What it is, so that a person finds it: a file, or a file and its line.
    why : str
        What is wrong with it and what was expected.
    """

    what: str
    why: str
