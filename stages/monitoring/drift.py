"""From statistics beyond the threshold to findings: one for each column, with all of its signs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.monitoring.calibration import SizeNull
from stages.monitoring.columns import Array
from stages.monitoring.findings import Direction, Finding, Group, Sign
from stages.monitoring.layout import Kind
from stages.monitoring.quality import Fault
from stages.monitoring.statistics import Statistic
from stages.monitoring.wording import Compared, describe_statistic

QUALITY: frozenset[Kind] = frozenset({"missing", "new values", "outliers"})
TOGETHER: frozenset[Kind] = frozenset(
    {"level given the rest", "spread given the rest", "relation", "joint level", "joint relations"}
)
WHOLE: frozenset[Kind] = frozenset({"joint level", "joint relations", "joint words"})
MOST_SIGNS, MOST_WORDS = 8, 4


@dataclass(frozen=True)
class Measured:
    """Every statistic of a window: its deviate, its size, and its probability in a whole check."""

    statistics: Sequence[Statistic]
    deviates: Array
    sizes: Array
    chances: Array
    threshold: float

    @classmethod
    def from_deviates(
        cls, statistics: Sequence[Statistic], deviates: Array, null: SizeNull
    ) -> "Measured":
        sizes = null.measure_sizes(deviates)
        chances = null.compute_probabilities(sizes)
        return cls(statistics, deviates, sizes, chances, null.threshold)

    def list_beyond(self) -> list[int]:
        """Return the places of the statistics beyond the threshold, the strongest first."""
        order = np.argsort(-self.sizes, kind="stable").tolist()
        return [place for place in order if self.sizes[place] > self.threshold]


def find_drift(measured: Measured, rows: Compared, answers: frozenset[str]) -> list[Finding]:
    """Return a finding for each column that has signs of its own.

    A column that moves also breaks its relations, those of columns that stayed among them: what
    relations alone show is told only where no column explains it.
    """
    beyond = measured.list_beyond()
    kinds = [statistic.kind for statistic in measured.statistics]
    own = [place for place in beyond if kinds[place] not in TOGETHER | WHOLE]
    if not own:
        return [_make_finding(measured, rows, beyond, answers)] if beyond else []
    by_column: dict[str | None, list[int]] = {}
    for place in own:
        by_column.setdefault(_find_column(measured, rows, place), []).append(place)
    for place in beyond:
        column = _find_column(measured, rows, place)
        if kinds[place] in TOGETHER and column in by_column:
            by_column[column].append(place)
    return [_make_finding(measured, rows, places, answers) for places in by_column.values()]


def _find_column(measured: Measured, rows: Compared, place: int) -> str | None:
    statistic = measured.statistics[place]
    return None if statistic.kind in WHOLE else rows.old.of[statistic.parts[0]]


def _make_finding(
    measured: Measured, rows: Compared, places: Sequence[int], answers: frozenset[str]
) -> Finding:
    said = [
        describe_statistic(measured.statistics[i], measured.deviates[i] > 0, rows) for i in places
    ]
    column = next((c for i in places if (c := _find_column(measured, rows, i))), None)
    others = [words for words in dict.fromkeys(said) if words != said[0]]
    return Finding(
        group=_choose_group(measured.statistics[places[0]], column, answers),
        column=column,
        severity="alarm",
        found=said[0],
        probability=round_figures(float(measured.chances[places[0]])),
        also=tuple(others[:MOST_WORDS]),
        signs=tuple(_make_sign(measured, place) for place in places[:MOST_SIGNS]),
    )


def _choose_group(statistic: Statistic, column: str | None, answers: frozenset[str]) -> Group:
    if column in answers:
        return "answers"
    if statistic.kind in QUALITY:
        return "quality"
    return "relations" if statistic.kind in TOGETHER else "inputs"


def _make_sign(measured: Measured, place: int) -> Sign:
    statistic = measured.statistics[place]
    has_sense = statistic.kind not in WHOLE and statistic.kind != "shape"
    sense: Direction = "more" if measured.deviates[place] > 0 else "less"
    return Sign(
        statistic=statistic.name,
        direction=sense if has_sense else "other",
        size=round_figures(float(measured.sizes[place])),
        probability=round_figures(float(measured.chances[place])),
    )


def add_faults(
    findings: Sequence[Finding], faults: Sequence[Fault], level: float, count: int
) -> list[Finding]:
    """Add the feed's faults that are unlikely even among ``count`` statistics (Bonferroni)."""
    found = {finding.column: finding for finding in findings}
    for fault in faults:
        chance = round_figures(min(1.0, fault.probability * count))
        if chance > level:
            continue
        known = found.get(fault.column)
        found[fault.column] = (
            Finding(
                group="quality",
                column=fault.column,
                severity="alarm",
                found=fault.found,
                probability=chance,
            )
            if known is None
            else known.model_copy(update={"group": "quality", "also": (*known.also, fault.found)})
        )
    return list(found.values())


def round_figures(value: float) -> float:
    """Return a number to four figures."""
    return float(f"{value:.4g}")
