"""How many cores this process may use."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def cores(cgroup: Path = _CGROUP) -> int:
    """Return how many cores this process may use.

    Parameters
    ----------
    cgroup : Path
        Where the system tells a container's limits.

    Returns
    -------
    int
        At least 1: those that it may run on, or fewer where a container's quota allows less.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    usable = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, math.ceil(min(usable, _quota(cgroup))))


def _quota(cgroup: Path) -> float:
    for quota, period in (
        ("cpu.max", "cpu.max"),  # cgroup 2: both in one file
        ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"),
    ):
        try:
            allowed = int((cgroup / quota).read_text().split()[0])
            return (
                math.inf
                if allowed < 0
                else (allowed / int((cgroup / period).read_text().split()[-1]))
            )
        except (OSError, ValueError, IndexError, ZeroDivisionError):
            continue  # "max", or not told
    return math.inf
