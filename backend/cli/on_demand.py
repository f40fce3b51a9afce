"""Commands that are imported when they are asked for, so that every other one starts quickly."""

from collections import UserDict
from importlib.metadata import EntryPoint
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group
from typing_extensions import override


class Commands(UserDict[str, Any]):
    """Commands by name.

    Made of where each is defined, ``module:attribute``: a Typer app or a function. What is taken
    out is the command itself.
    """

    @override
    def __getitem__(self, name: str) -> object:
        command = super().__getitem__(name)
        if isinstance(command, str):
            command = self[name] = _load(name, command)
        return command


def group_of(places: dict[str, str]) -> type[TyperGroup]:
    """Return the kind of group that holds these commands.

    Parameters
    ----------
    places : dict of str to str
        Command to ``module:attribute``, in the order of the help.

    Returns
    -------
    type of TyperGroup
        For ``typer.Typer(cls=...)``.
    """

    class Group(TyperGroup):
        def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - passed on as they are
            super().__init__(**attributes)
            self.commands = Commands(places)

    return Group


def _load(name: str, place: str) -> object:
    found = EntryPoint(name, place, "overread.commands").load()
    parent = typer.Typer(add_completion=False)
    if isinstance(found, typer.Typer):
        parent.add_typer(found, name=name)
    else:
        parent.command(name)(found)
    return get_group(parent).commands[name]
