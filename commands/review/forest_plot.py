"""Draws intervals as text: it shows wherever Markdown does, in a comment and in a run's summary.

GitHub shows no picture there that lies beside the report, and none from a ``data:`` address.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from commands.review.compare import Compared
from commands.shared.paired import Difference

HALF = 24  # characters on each side of zero
LONGEST = 36  # characters of a name that are shown
WORST_SLICES = 3


@dataclass(frozen=True)
class Line:
    """A name, and a gain with its interval in per cent of the base: above 0 is better."""

    name: str
    gain: float
    low: float
    high: float

    @classmethod
    def of(cls, name: str, found: Difference) -> "Line":
        scale = 100 / (abs(found.base) or 1.0)
        return cls(name, *(value * scale for value in found.gain))


def draw_forest_plot(task: Compared) -> str:
    """Return the task's evidence, its other metrics and worst slices on one axis."""
    evidence = _make_evidence_lines(task)
    if not evidence:
        return ""
    limit = max(max(abs(line.low), abs(line.high)) for line in evidence) or 1.0
    lines = [*evidence, *_make_other_lines(task)]
    width = max(len(_clean_name(line.name)) for line in lines)
    drawn = [
        f"{_clean_name(line.name):{width}} {_draw_line(line, limit)}".rstrip() for line in lines
    ]
    return "\n".join(["```text", *_draw_axis(width, limit), *drawn, "```"])


def _make_evidence_lines(task: Compared) -> list[Line]:
    names = "test rows", "out of fold"
    found = zip(names, (task.own, task.out_of_fold), strict=True)
    return [
        Line.of(f"{difference.metric.name}, {name}", difference)
        for name, difference in found
        if difference
    ]


def _make_other_lines(task: Compared) -> list[Line]:
    others = [found for found in task.metrics if found is not task.own]
    worst = sorted(task.slices, key=lambda part: part.gain[0])[:WORST_SLICES]
    return [
        *(Line.of(found.name, found) for found in others),
        *(Line.of(f"{part.name} (n = {part.rows})", part) for part in worst),
    ]


def _draw_axis(width: int, limit: float) -> Sequence[str]:
    """Return the two lines above: which side is better, and the ends in per cent."""
    blank = " " * (width + 1)
    left, right = f"{-limit:.3g} %".replace("-", "\u2212"), f"+{limit:.3g} %"
    ends = f"{left:<{HALF}}0{right:>{HALF}}"
    return f"{blank}{'◄ worse':<{HALF}}│{'better ►':>{HALF}}", f"{blank}{ends}"


def _draw_line(line: Line, limit: float) -> str:
    """Return the interval as ``├──●──┤``; an arrow stands where it reaches beyond the axis."""
    low, gain, high = (_find_place(value, limit) for value in (line.low, line.gain, line.high))
    cells = [" "] * (2 * HALF + 1)
    cells[low : high + 1] = "─" * (high + 1 - low)
    cells[HALF] = "┼" if low <= HALF <= high else "│"
    cells[low], cells[high] = "├", "┤"
    if line.low < -limit:
        cells[low] = "◄"
    if line.high > limit:
        cells[high] = "►"
    if abs(line.gain) <= limit:
        cells[gain] = "●"
    return "".join(cells)


def _find_place(value: float, limit: float) -> int:
    return HALF + round(HALF * min(1.0, max(-1.0, value / limit)))


def _clean_name(name: str) -> str:
    """Return a name that stays within its line and its code block."""
    text = " ".join(name.replace("`", "'").split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
