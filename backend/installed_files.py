"""Files that come with the program but are not Python: found in a checkout and in a wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def locate(name: str) -> Path:
    """Return where a file or folder of the distribution is.

    Parameters
    ----------
    name : str
        Its path in the repository, for example "migrations".

    Returns
    -------
    Path
        In the wheel it lies inside the package, with an underscore before the name.
    """
    installed = _PACKAGE / f"_{name}"
    return installed if installed.exists() else _PACKAGE.parent / name
