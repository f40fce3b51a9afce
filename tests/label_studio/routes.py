"""Every address that Label Studio answers at, as its own router lists them."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from tests.label_studio_server import LabelStudioServer

_MARKER = "route:"
_PROGRAM = r"""
import json, re
from django.urls import get_resolver, resolve
from django.urls.exceptions import Resolver404
from django.urls.resolvers import URLPattern

def walk(patterns, prefix=""):
    for one in patterns:
        whole = prefix + str(one.pattern)
        if not isinstance(one, URLPattern):
            yield from walk(one.url_patterns, whole)
            continue
        whole = whole.replace("<drf_format_suffix:format>", ".json")
        path = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)\??", r"<\1>", whole)
        path = re.sub(r"<\w+:(\w+)>", r"<\1>", path)
        path = "/" + path.replace("^", "").replace("$", "").replace("/?", "/").replace("\\.", ".")
        yield path.replace("<format>", "json")

def is_route(path):
    for value in ("1", "tasks", "a"):
        try:
            return bool(resolve(re.sub(r"<\w+>", value, path)))
        except Resolver404:
            pass
    return False

for path in dict.fromkeys(walk(get_resolver().url_patterns)):
    print("route:" + json.dumps([path, is_route(path)]))
"""


@dataclass(frozen=True, slots=True)
class Route:
    """One address, its parameters in angle brackets."""

    path: str
    is_understood: bool

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters, in order."""
        return [part.partition(">")[0] for part in self.path.split("<")[1:]]

    def filled(self, values: Mapping[str, Sequence[object]], keys: Sequence[int]) -> Iterator[str]:
        """Yield the address with every combination of values; numbers where none is named."""
        names = self.parameters
        for chosen in product(*(values.get(name, keys) for name in names)):
            path = self.path
            for name, value in zip(names, chosen, strict=True):
                path = path.replace(f"<{name}>", str(value), 1)
            yield path


def routes_of(server: LabelStudioServer) -> list[Route]:
    """Ask Label Studio's own router, in its shell."""
    finished = subprocess.run(
        [str(server.command), "shell"],
        env=server.environment,
        input=f"exec(__import__('json').loads(input()))\n{json.dumps(_PROGRAM)}\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    lines = [line for line in finished.stdout.splitlines() if line.startswith(_MARKER)]
    return [Route(*json.loads(line.removeprefix(_MARKER))) for line in lines]
