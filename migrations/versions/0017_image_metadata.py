"""Sex, age group and view of a radiograph, where a table names them."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_AGES = "'<10', '10-19', '20-29', '30-39', '40-49', '50-59', '60-69', '70-79', '80-89', '90+'"
_KNOWN = {"sex": "'F', 'M'", "age_group": _AGES, "view": "'PA', 'AP', 'lateral'"}


def upgrade() -> None:
    for name, values in _KNOWN.items():
        rule = sa.CheckConstraint(f"{name} IN ({values})", name=op.f(f"ck_image_{name}_known"))
        op.add_column("image", sa.Column(name, sa.String(), rule, nullable=True))


def downgrade() -> None:
    # Not in a batch: on SQLite that drops the table and makes it anew, which the rows that
    # refer to it forbid. The rules go with their columns.
    for name in reversed(_KNOWN):
        op.drop_column("image", name)
