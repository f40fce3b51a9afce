"""Ask for many rows by their ids, in one parameter.

SQLite takes at most 32,766 parameters in a statement and PostgreSQL 65,535, one per value of an
ordinary IN list; a JSON array is one parameter however long it is.
"""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, String, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class _JsonTexts(GenericFunction[str]):
    """The texts of a JSON array as rows with one column, ``value``."""

    name = "json_each"
    type = String()
    inherit_cache = True


@compiles(_JsonTexts, "postgresql")
def _on_postgresql(function: _JsonTexts, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    return (
        f"json_array_elements_text(CAST({compiler.process(function.clauses, **options)} AS JSON))"
    )


def is_among(column: InstrumentedAttribute[str], values: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition that a column holds one of these values.

    Parameters
    ----------
    column : InstrumentedAttribute
        A column of text.
    values : iterable of str
        Any number of them; with none the condition is false.

    Returns
    -------
    ColumnElement
        For ``where``.
    """
    rows = _JsonTexts(json.dumps(sorted(set(values)))).table_valued("value")
    return column.in_(select(rows.c.value))
