"""Which processor a benchmark ran on, and whether it multiplies bfloat16 numbers itself."""

import platform
import re
from pathlib import Path

_FLAGS = re.compile(r"\b(amx_bf16|avx512_bf16|avx512_fp16)\b")


def shown(information: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name and its instructions for short numbers, for people."""
    try:
        told = information.read_text()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    name = re.search(r"^model name\s*: (.+)$", told, re.MULTILINE)
    flags = sorted(set(_FLAGS.findall(told)))
    return ", ".join([name[1] if name else platform.machine(), *(flags or ["no bfloat16"])])
