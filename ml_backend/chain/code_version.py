"""Which state of the code trains."""

import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def code_version(root: Path = _ROOT) -> str:
    """Return the commit of the code, or the version of the package where there is no checkout.

    Parameters
    ----------
    root : Path
        Folder that holds the packages.

    Returns
    -------
    str
        Forty digits, with "-dirty" behind them when files differ from the commit; else like
        "0.2.0".
    """
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return version("overread")
    asked = ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    answer = subprocess.run(  # noqa: S603 - nothing of it comes from outside
        [git, "-C", str(root), *asked], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or version("overread")
