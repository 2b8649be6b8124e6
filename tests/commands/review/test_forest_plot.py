"""The plot made of text: everything where it belongs, whatever the names and numbers."""

from types import SimpleNamespace
from typing import Any

import pytest

from commands.review.compare import Compared
from commands.review.forest_plot import HALF, LONGEST, draw_forest_plot
from commands.shared.paired import Difference
from stages.evaluating.metrics import find_metric

AUC = find_metric("roc_auc", "classification", "")
LOSS = find_metric("log_loss", "classification", "")


def task(*others: Difference, slices: tuple[Difference, ...] = ()) -> Compared:
    side: Any = SimpleNamespace(evaluation=SimpleNamespace(metric="roc_auc"))
    own = Difference("roc_auc", AUC, 75, 0.8, 0.76, -0.08, 0.0)
    return Compared("demo", "compared", here=side, metrics=(own, *others), slices=slices)


def find_line(plot: str, name: str) -> str:
    """Return the characters of the axis in the line of a name."""
    lines = plot.splitlines()
    (line,) = [line for line in lines if line.startswith(name)]
    start = lines[1].index("◄ worse")
    return line[start:].ljust(2 * HALF + 1)


def test_an_interval_lies_between_its_ends() -> None:
    cells = find_line(draw_forest_plot(task()), "roc_auc, test rows")
    assert (cells[0], cells[HALF // 2], cells[HALF]) == ("├", "●", "┤")
    assert set(cells[HALF + 1 :]) == {" "}


def test_less_of_a_loss_is_drawn_as_better() -> None:
    lower = Difference("log_loss", LOSS, 75, 0.5, 0.475, -0.05, 0.0)  # 5 % less, which is better
    cells = find_line(draw_forest_plot(task(lower)), "log_loss")
    assert cells[HALF + HALF // 2] == "●"
    assert cells[-1] == "┤"


def test_what_reaches_beyond_the_axis_ends_in_arrows() -> None:
    wide = Difference("sex = 0", AUC, 12, 0.8, 0.76, -0.4, 0.4)
    cells = find_line(draw_forest_plot(task(slices=(wide,))), "sex = 0 (n = 12)")
    assert (cells[0], cells[-1]) == ("◄", "►")


def test_a_gain_beyond_the_axis_is_not_drawn_at_its_end() -> None:
    far = Difference("log_loss", LOSS, 75, 0.5, 0.7, 0.1, 0.3)  # 40 % more, the axis ends at 10 %
    cells = find_line(draw_forest_plot(task(far)), "log_loss")
    assert cells[0] == "◄"
    assert "●" not in cells


@pytest.mark.parametrize("name", ["a```b", "a\nb", "x" * 200])
def test_no_name_leaves_its_line_or_the_code_block(name: str) -> None:
    plot = draw_forest_plot(task(slices=(Difference(name, AUC, 12, 0.8, 0.8, -0.01, 0.01),)))
    lines = plot.splitlines()
    assert plot.count("```") == 2
    assert len(lines) == 6  # the fences, two lines of axis, the metric, the slice
    assert max(map(len, lines)) <= LONGEST + 1 + 2 * HALF + 1


def test_without_evidence_there_is_no_plot() -> None:
    assert draw_forest_plot(Compared("demo", "unknown", "no file")) == ""
