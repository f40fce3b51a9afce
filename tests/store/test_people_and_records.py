"""Readers, accounts, leases and the audit trail in the store."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, IntegrityError

from backend.store.accounts import Account
from backend.store.readers import ReaderProject, UnknownReaderError
from backend.store.records import AuditEvent, LeaseTakenError
from backend.store.unit_of_work import Store
from tests.store.samples import LATER, NOW, enrol

HOUR = timedelta(hours=1)


class TestReaders:
    def test_are_added_once(self, store: Store) -> None:
        with store.transaction() as unit:
            unit.readers.ensure(["R2", "R1", "R2"], now=NOW)
            unit.readers.ensure(["R1", "R3"], now=NOW)
            assert unit.readers.ids() == ["R1", "R2", "R3"]

    def test_have_one_project_each(self, store: Store) -> None:
        first = ReaderProject("R1", "r1@example.org", 7, 70)
        moved = replace(first, organisation_id=8, project_id=80)
        with store.transaction() as unit:
            unit.readers.ensure(["R1", "R2"], now=NOW)
            unit.readers.add_project(first)
            unit.readers.set_synced("R1", LATER)
            assert unit.readers.projects() == [replace(first, synced_until=LATER)]
            unit.readers.add_project(moved)
            assert unit.readers.project_of("R1") == moved
            with pytest.raises(UnknownReaderError, match="overread readers add R2"):
                unit.readers.project_of("R2")

    def test_share_no_project(self, store: Store) -> None:
        enrol(store, "R1", "R2")

        with pytest.raises(IntegrityError, match="project_id"), store.transaction() as unit:
            unit.readers.add_project(ReaderProject("R2", "r2@example.org", 7, 101))


class TestAccounts:
    def test_are_found_by_name_and_token(self, store: Store) -> None:
        admin = Account("admin", "admin", token_sha256="a" * 64)
        with store.transaction() as unit:
            unit.accounts.put(admin, now=NOW)
            assert unit.accounts.get("admin") == admin
            assert unit.accounts.get("nobody") is None
            assert unit.accounts.by_token("a" * 64) == admin
            assert unit.accounts.by_token("b" * 64) is None

    def test_replace_the_one_of_the_same_reader(self, store: Store) -> None:
        old, new = Account("old@x", "reader", "R1", "hash"), Account("new@x", "reader", "R1", "h")
        with store.transaction() as unit:
            unit.readers.ensure(["R1"], now=NOW)
            for account in (old, replace(old, role="admin"), new):
                unit.accounts.put(account, now=NOW)
            assert unit.accounts.get("old@x") is None
            assert unit.accounts.get("new@x") == new


class TestLeases:
    def test_keep_others_out_until_they_end(self, store: Store) -> None:
        with store.transaction() as unit:
            unit.records.take_lease("nightly", "one", now=NOW, duration=HOUR)
            with pytest.raises(LeaseTakenError, match=r"nightly is already running \(one\)"):
                unit.records.take_lease("nightly", "two", now=NOW, duration=HOUR)
            unit.records.take_lease("sync", "two", now=NOW, duration=HOUR)
            unit.records.end_lease("nightly", "two")
            with pytest.raises(LeaseTakenError):
                unit.records.take_lease("nightly", "two", now=NOW, duration=HOUR)
            unit.records.end_lease("nightly", "one")
            unit.records.take_lease("nightly", "two", now=NOW, duration=HOUR)

    def test_expire_unless_they_are_renewed(self, store: Store) -> None:
        with store.transaction() as unit:
            unit.records.take_lease("nightly", "one", now=NOW, duration=HOUR)
            unit.records.take_lease("nightly", "one", now=NOW + HOUR / 2, duration=HOUR)
            with pytest.raises(LeaseTakenError):
                unit.records.take_lease("nightly", "two", now=NOW + HOUR, duration=HOUR)
            unit.records.take_lease("nightly", "two", now=NOW + 2 * HOUR, duration=HOUR)
            with pytest.raises(LeaseTakenError):
                unit.records.take_lease("nightly", "one", now=NOW + 2 * HOUR, duration=HOUR)


class TestAuditTrail:
    def test_keeps_events_in_order(self, store: Store) -> None:
        events = [
            AuditEvent(LATER, "R1", "read", "image:a", {"reason": None}),
            AuditEvent(NOW, "gate", "promote", "model:m1", {"map40": 0.5}),
        ]
        with store.transaction() as unit:
            for event in events:
                unit.records.note(event)
            assert unit.records.events() == events
            assert unit.records.events("model:m1") == events[1:]

    @pytest.mark.parametrize(
        "change", ["UPDATE audit_event SET actor = 'x'", "DELETE FROM audit_event"]
    )
    def test_cannot_be_changed(self, store: Store, change: str) -> None:
        with store.transaction() as unit:
            unit.records.note(AuditEvent(NOW, "R1", "read", "image:a", {}))

        with (
            pytest.raises(DatabaseError, match="append-only"),
            store._engine.begin() as connection,
        ):
            connection.execute(text(change))
        with store.snapshot() as unit:
            assert len(unit.records.events()) == 1
