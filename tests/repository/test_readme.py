"""README's tables are true; its commands, paths and links are tested in ``tests/docs``."""

import re
from pathlib import Path

import pytest

from tests.support.clone import ROOT, make_clone
from tests.support.readme import block, edits_table, results_table

pytestmark = pytest.mark.long
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_edits_table_is_the_one_that_is_tested() -> None:
    assert block(README, "edits") == edits_table()


def test_the_results_are_those_of_a_run_with_the_shipped_configuration(tmp_path: Path) -> None:
    """Words must be equal; numbers within 2 %, for another processor rounds differently."""
    clone = make_clone(tmp_path / "default")
    clone.repro()
    shown, found = cells(block(README, "results")), cells(results_table(clone.path))
    assert [word for word in shown if not isinstance(word, float)] == [
        word for word in found if not isinstance(word, float)
    ]
    numbers = [[cell for cell in side if isinstance(cell, float)] for side in (shown, found)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.02, abs=0.01)


def cells(table: str) -> list[str | float]:
    """Cut a table into words and numbers."""
    words = re.sub(r"[|\[\],](?!\d)|(?<=\d)\]", " ", table).replace(",", "").split()
    return [float(word) if re.fullmatch(r"-?[\d.]+", word) else word for word in words]
