"""Reader panels in the store, and as text."""

import json
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from backend.domain.consensus.panel import Panel, fit_panel, prior_panel
from backend.domain.consensus.survey import Survey
from backend.domain.reading_table import ReadingTable
from backend.store import panel_numbers
from backend.store.panel_numbers import MalformedPanelError
from backend.store.panels import UnknownPanelError
from backend.store.unit_of_work import Store
from tests.store.samples import LATER, NOW, crowd

FITTED = fit_panel(Survey.of(ReadingTable.of(crowd())))


def bits(value: object) -> object:
    """Return a panel as nested tuples that are equal only if every bit is."""
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, float):
        return value.hex()
    if is_dataclass(value):
        return (type(value), *(bits(getattr(value, field.name)) for field in fields(value)))
    return value


def record(store: Store, panel: Panel) -> str:
    with store.transaction() as unit:
        return unit.panels.record(panel, now=NOW)


class TestPanels:
    def test_come_back_bit_by_bit(self, store: Store) -> None:
        name = record(store, FITTED)

        with store.snapshot() as unit:
            current = unit.panels.current()
            named = unit.panels.named(name)

        assert re.fullmatch(r"overread-2-[0-9a-f]{8}", name)
        assert current is not None
        assert current[0] == name
        assert bits(current[1]) == bits(named) == bits(FITTED)

    def test_are_kept_once_and_may_become_current_again(self, store: Store) -> None:
        with store.snapshot() as unit:
            assert unit.panels.current() is None
        first = record(store, FITTED)
        second = record(store, prior_panel())
        with store.snapshot() as unit:
            assert (unit.panels.current() or ("",))[0] == second != first

        assert record(store, FITTED) == first
        with store.snapshot() as unit:
            assert (unit.panels.current() or ("",))[0] == first
            assert bits(unit.panels.named(second)) == bits(prior_panel())

    def test_differ_in_name_when_one_bit_does(self, store: Store) -> None:
        share = float(np.nextafter(FITTED.normality.normal_share, 1.0))
        other = replace(FITTED, normality=replace(FITTED.normality, normal_share=share))

        assert record(store, FITTED) != record(store, other)

    def test_of_another_method_are_not_current(self, store: Store) -> None:
        record(store, FITTED)
        with store._engine.begin() as connection:
            connection.execute(text("UPDATE reader_panel SET method_version = 'overread-0-abc'"))

        with store.snapshot() as unit:
            assert unit.panels.current() is None

    def test_name_what_is_unknown(self, store: Store) -> None:
        name = record(store, FITTED)

        with (
            store.snapshot() as unit,
            pytest.raises(UnknownPanelError, match=f"'p7'; there are: {name}"),
        ):
            unit.panels.named("p7")

    def test_say_which_of_them_cannot_be_used(self, store: Store) -> None:
        name = record(store, FITTED)
        with store._engine.begin() as connection:
            connection.execute(text("UPDATE reader_panel SET parameters = '[1]'"))

        with (
            store.snapshot() as unit,
            pytest.raises(MalformedPanelError, match=f"{name}.*reader_ids.*overread consensus"),
        ):
            unit.panels.current()

    def test_refuse_two_current_ones(self, store: Store) -> None:
        record(store, FITTED)

        with pytest.raises(IntegrityError), store._engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO reader_panel (id, method_version, parameters, fitted_at, "
                    "is_current) VALUES (9, 'v9', '', :now, :is_current)"
                ),
                {"now": LATER.isoformat(), "is_current": True},
            )


def _set(*path: str, to: object) -> Callable[[dict[str, Any]], None]:
    def change(plain: dict[str, Any]) -> None:
        for part in path[:-1]:
            plain = plain[part]
        plain[path[-1]] = to

    return change


class TestPanelNumbers:
    def test_need_no_reader(self) -> None:
        empty = prior_panel()

        assert bits(panel_numbers.from_text(panel_numbers.as_text(empty))) == bits(empty)

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            (
                _set("skill", "reader_logit", to=[0.5]),
                r"panel\.skill\.reader_logit: expected finite .* \(4,\), got float64 .* \(1,\)",
            ),
            (_set("skill", "finding_logit", to=["0.5"] * 14), r"finding_logit.*got <U3"),
            (_set("skill", "finding_logit", to=[True] * 14), r"finding_logit.*got bool"),
            (_set("skill", "finding_logit", to=[float("nan")] * 14), "finding_logit"),
            (_set("skill", "finding_logit", to=None), "finding_logit.*got object"),
            (_set("precision", "bias", to=[[0.0], [0.0, 1.0]]), "precision.bias.*got object"),
            (_set("skill", to=7), "panel.skill: expected the parts finding_logit, .*got int"),
            (_set("skill", "gift", to=7), "panel.skill: expected the parts .*gift"),
            (_set("transfer", "usual", to="1"), "transfer.usual: expected a finite number"),
            (_set("transfer", "usual", to=float("inf")), "transfer.usual: expected a finite"),
            (_set("reader_ids", to="R1"), r"reader_ids: expected a list of texts, got 'R1'"),
            (_set("reader_ids", to=["R1", 2]), "reader_ids: expected a list of texts"),
            (_set("reader_ids", to=["R1", "R2"]), r"shape \(2,\), got float64 of shape \(4,\)"),
        ],
    )
    def test_say_what_was_expected(
        self, change: Callable[[dict[str, Any]], None], complaint: str
    ) -> None:
        plain = json.loads(panel_numbers.as_text(FITTED))
        change(plain)

        with pytest.raises(MalformedPanelError, match=complaint):
            panel_numbers.from_text(json.dumps(plain))

    def test_are_json(self) -> None:
        with pytest.raises(MalformedPanelError, match=r"expected JSON, got '\{'"):
            panel_numbers.from_text("{")

    def test_are_finite(self) -> None:
        broken = replace(FITTED, normality=replace(FITTED.normality, normal_share=float("nan")))

        with pytest.raises(ValueError, match="not JSON compliant"):
            panel_numbers.as_text(broken)
