"""The migrations make exactly the schema that the tables describe, and can be undone."""

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import DatabaseError

from backend.store import schema
from backend.store.engine import open_engine
from backend.store.tables import Table

YESTERDAY = (
    "INSERT INTO reader VALUES ('R1', TRUE, '2026-01-01 00:00:00')",
    """INSERT INTO image VALUES ('a', 'test', '/a', '0', '0', 9, 9, NULL, NULL, 'p', NULL,
    '2026-01-01 00:00:00')""",
    "INSERT INTO consensus VALUES (1, 'a', 'wbf-1', '0', 0.5, TRUE, '2026-01-01 00:00:00')",
    "INSERT INTO cluster VALUES (1, 1, 0.5, 0.5, 'majority', 3, 0, 0, 9, 9)",
    "INSERT INTO adjudication VALUES (1, 1, 'R1', 'accept', NULL, '2026-01-01 00:00:00')",
)
READ_YESTERDAY = """
INSERT INTO reading (id, image_id, reader_id, round, revision, is_current, state, no_finding, arm,
read_at, received_at) VALUES (1, 'a', 'R1', 1, 1, TRUE, 'valid', TRUE, 'unassisted',
'2026-01-01 00:00:00', '2026-01-01 00:00:00')
"""
SKIPPED_YESTERDAY = """
INSERT INTO worklist_entry (id, image_id, reader_id, round, rank, score, channel, reason, arm,
kind, state, created_at) VALUES (1, 'a', 'R1', 1, 1, 0.5, 'random', 'drawn', 'unassisted',
'reading', 'skipped', '2026-01-01 00:00:00')
"""


def tables_in(url: str) -> set[str]:
    engine = open_engine(url)
    try:
        return set(inspect(engine).get_table_names()) - {"alembic_version"}
    finally:
        engine.dispose()


class TestMigrations:
    def test_go_up_down_and_up_again_through_every_revision(self, database_url: str) -> None:
        config = schema.alembic_config(database_url)
        revisions = [
            script.revision for script in ScriptDirectory.from_config(config).walk_revisions()
        ][::-1]

        for revision in revisions:
            command.upgrade(config, revision)
            command.downgrade(config, "-1")
            command.upgrade(config, revision)

        assert tables_in(database_url) == set(Table.metadata.tables)
        command.downgrade(config, "base")
        assert tables_in(database_url) == set()

    def test_leave_nothing_for_autogenerate_to_find(self, database_url: str) -> None:
        schema.upgrade(database_url)

        command.check(schema.alembic_config(database_url))

    def test_are_known_to_be_missing(self, database_url: str) -> None:
        assert schema.pending(database_url)

        schema.upgrade(database_url)

        assert not schema.pending(database_url)


class TestPlaces:
    def test_are_given_to_clusters_that_have_none_and_taken_again(self, database_url: str) -> None:
        config = schema.alembic_config(database_url)
        command.upgrade(config, "0001")
        engine = open_engine(database_url)
        with engine.begin() as connection:
            for statement in YESTERDAY:
                connection.execute(text(statement))

        command.upgrade(config, "0002")
        with engine.begin() as connection:
            assert connection.execute(text("SELECT id, place FROM cluster")).all() == [(1, 0)]
            connection.execute(text("INSERT INTO cluster_alternative VALUES (1, 5, 0.25)"))
        command.downgrade(config, "0001")
        with engine.begin() as connection:
            assert connection.execute(text("SELECT cluster_id FROM adjudication")).all() == [(1,)]
        engine.dispose()


class TestSecondLooks:
    def test_are_no_readings_for_a_program_that_does_not_know_them(
        self, database_url: str
    ) -> None:
        config = schema.alembic_config(database_url)
        command.upgrade(config, "0005")
        engine = open_engine(database_url)
        with engine.begin() as connection:
            for statement in YESTERDAY[:2]:
                connection.execute(text(statement))
            for number in (1, 2):  # as yesterday's program writes them
                connection.execute(
                    text(
                        "INSERT INTO reading (id, image_id, reader_id, round, revision, "
                        "is_current, state, no_finding, arm, read_at, received_at) VALUES "
                        "(:number, 'a', 'R1', :number, 1, TRUE, 'valid', TRUE, 'unassisted', "
                        "'2026-01-01 00:00:00', '2026-01-01 00:00:00')"
                    ),
                    {"number": number},
                )
            kinds = connection.execute(text("SELECT DISTINCT kind FROM reading"))
            assert kinds.scalars().all() == ["reading"]
            connection.execute(text("UPDATE reading SET kind = 'second-look' WHERE id = 2"))

        command.downgrade(config, "-1")

        with engine.begin() as connection:
            states = connection.execute(text("SELECT state FROM reading ORDER BY id"))
            assert states.scalars().all() == ["valid", "withdrawn"]
        engine.dispose()


class TestNotes:
    def test_are_missing_from_what_was_read_before(self, database_url: str) -> None:
        config = schema.alembic_config(database_url)
        command.upgrade(config, "0002")
        engine = open_engine(database_url)
        with engine.begin() as connection:
            for statement in (*YESTERDAY[:2], READ_YESTERDAY, SKIPPED_YESTERDAY):
                connection.execute(text(statement))

        command.upgrade(config, "0003")
        with engine.begin() as connection:
            assert connection.execute(text("SELECT note FROM reading")).all() == [(None,)]
            connection.execute(text("UPDATE worklist_entry SET skip_reason = 'other, see note'"))
        command.downgrade(config, "0002")
        with engine.begin() as connection:
            kept = connection.execute(text("SELECT state FROM worklist_entry")).all()
        assert kept == [("skipped",)]
        engine.dispose()


class TestAuditTrail:
    @pytest.mark.parametrize(
        "change", ["UPDATE audit_event SET actor = 'x'", "DELETE FROM audit_event"]
    )
    def test_cannot_be_changed(self, database_url: str, change: str) -> None:
        schema.upgrade(database_url)
        engine = open_engine(database_url)
        with engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO audit_event (id, at, actor, action, subject, detail) VALUES "
                    "(1, '2026-01-01 00:00:00', 'R8', 'read', 'image', '{}')"
                )
            )

        with pytest.raises(DatabaseError, match="append-only"), engine.begin() as connection:
            connection.execute(text(change))
        engine.dispose()
