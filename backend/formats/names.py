"""Names from outside that may become file names, keys and links."""

import re
from functools import lru_cache

SAFE_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
"""Pattern of a name that is kept as it stands: no slash, space or control character."""

EXPECTED_NAME = (
    "expected a letter or digit first, then letters, digits, '.', '_' or '-', "
    "at most 128 characters"
)
"""What to tell the owner of another name."""


@lru_cache(maxsize=1 << 16)
def is_safe(name: str) -> bool:
    """Return whether a name may be kept as it stands.

    Parameters
    ----------
    name : str
        For example an image id.

    Returns
    -------
    bool
        Whether it is like `SAFE_NAME`.

    Examples
    --------
    >>> is_safe("00000013_005"), is_safe("../secret"), is_safe("two words")
    (True, False, False)
    """
    return re.fullmatch(SAFE_NAME, name) is not None
