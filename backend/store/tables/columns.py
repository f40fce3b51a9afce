"""What all tables share: names of constraints, moments in UTC, boxes."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    MetaData,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped
from typing_extensions import override

from backend.domain.findings import Finding

_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment; stored in UTC, because SQLite keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; pass an aware time")
        return value and value.astimezone(UTC)

    @override
    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)


class Table(DeclarativeBase):
    """Base of every table; its metadata is what migrations are compared with."""

    metadata = MetaData(naming_convention=_NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads this class attribute
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
    }


def known(column: str, values: Iterable[str]) -> CheckConstraint:
    """Return the rule that a column holds one of these words, or NULL.

    Parameters
    ----------
    column : str
        The column.
    values : iterable of str
        The words.

    Returns
    -------
    CheckConstraint
        Named after the column.
    """
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def finding_rule() -> CheckConstraint:
    """Return the rule that the column ``finding`` holds one of the fourteen.

    Returns
    -------
    CheckConstraint
        For a table with that column.
    """
    return CheckConstraint(f"finding BETWEEN 0 AND {max(Finding)}", name="finding_known")


def box_rules() -> tuple[CheckConstraint, ...]:
    """Return the rules of a table with `BoxColumns`.

    Returns
    -------
    tuple of CheckConstraint
        One of the fourteen findings, a box with an area, not left of or above the image.
    """
    return (
        finding_rule(),
        CheckConstraint("x_max > x_min AND y_max > y_min", name="box_has_area"),
        CheckConstraint("x_min >= 0 AND y_min >= 0", name="box_inside"),
    )


class BoxColumns:
    """A finding and its box, in pixels of the registered image."""

    finding: Mapped[int]
    x_min: Mapped[float]
    y_min: Mapped[float]
    x_max: Mapped[float]
    y_max: Mapped[float]
