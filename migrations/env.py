"""Alembic's entry: runs the migrations on the database that is asked for."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from backend.settings import Settings
from backend.store.engine import open_engine
from backend.store.tables import Table
from backend.store.tables.columns import UtcDateTime


def _render(kind: str, item: object, _: AutogenContext) -> str | Literal[False]:
    # Migrations name SQLAlchemy's own types, so that they do not change with our code.
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


engine = open_engine(context.config.attributes.get("url") or Settings().sqlalchemy_url)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=_render,
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
