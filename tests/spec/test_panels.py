"""The specification of panels holds."""

from pathlib import Path

import pytest

from backend.domain.acquisition.panels import PanelRules
from backend.domain.further_reading import further_gains
from tests.spec import panels
from tests.spec.tables import agree, readings_in


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in panels.CASES])
class TestPanel:
    def test_has_as_many_readers_as_the_table_says(self, case: panels.Case) -> None:
        readings = readings_in(case.readings)
        gain = further_gains([agree(readings).clusters]).sum()

        wanted = PanelRules(most=3, is_adaptive=True).readings_wanted(len(readings), gain)

        assert wanted == case.wanted

    def test_has_three_when_the_manager_says_so(self, case: panels.Case) -> None:
        readings = readings_in(case.readings)
        gain = further_gains([agree(readings).clusters]).sum()

        assert PanelRules(most=3).readings_wanted(len(readings), gain) == 3


def test_documentation_prints_the_tables() -> None:
    text = (Path(__file__).parents[2] / "docs" / "queue.md").read_text(encoding="utf-8")

    assert panels.as_markdown() in text, "print them anew: python -m tests.spec.panels"
