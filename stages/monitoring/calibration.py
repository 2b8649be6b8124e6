"""What is known of windows to which nothing happened: ``calibration.json``, format 1."""

from typing import Literal

import numpy as np
from scipy.special import ndtr, stdtr, stdtrit

from stages.monitoring.columns import Array
from stages.shared.frozen import Frozen, Items

LEVEL = 0.01  # a statistic's size is 1 where its deviate is exceeded in so many windows ...
UNIT = 2.5758  # ... which for an exact one is this deviate


class SizeNull(Frozen):
    """How windows of so many rows vary.

    ``scales`` are the deviates that each statistic exceeds in 1 % of windows: divided by them,
    statistics have the same scale. ``threshold`` is what the largest of a whole check exceeds in a
    ``budget`` share of windows. ``largest`` are the largest sizes of the ``windows`` drawn, from
    the largest on. Where rows depend on those before them there is instead ``freedom``, the
    degrees of Student's t.
    """

    rows: int
    windows: int
    scales: Items[float]
    threshold: float
    largest: Items[float] = ()
    freedom: float | None = None

    def measure_sizes(self, deviates: Array) -> Array:
        """Return the statistics on their common scale."""
        return np.asarray(np.abs(deviates) / np.array(self.scales))

    def compute_probabilities(self, sizes: Array) -> Array:
        """Return how often a sound window has any statistic as large: over the whole check."""
        if self.freedom is not None:
            unit = stdtrit(self.freedom, 1 - LEVEL / 2)
            single = 2 * stdtr(self.freedom, -sizes * unit)
            return np.asarray(np.minimum(single * len(self.scales), 1.0))
        ordered = np.array(self.largest)
        beyond = np.searchsorted(-ordered, -sizes, side="right")
        counted = np.where(beyond < len(ordered), (beyond + 1) / (self.windows + 1), 1.0)
        tail = ndtr(-UNIT * sizes) / ndtr(-UNIT * ordered[0]) / (self.windows + 1)
        return np.asarray(np.where(sizes > ordered[0], tail, counted))


class ColumnPower(Frozen):
    """What would be found of one number's shifts, in windows of one size.

    ``smallest`` is the shift, in spreads of the reference, found with the stated probability;
    ``found`` the probability that the shift named in ``conf/`` is found. None: none that was tried.
    """

    part: str
    spread: float
    smallest: float | None
    found: float


class PowerCard(Frozen):
    """What windows of ``rows`` rows would show."""

    rows: int
    columns: Items[ColumnPower]


class Calibration(Frozen):
    """The reference's rows, the budget of a whole check, and each size of window that it allows.

    ``shift`` and ``probability`` are those of the power cards; ``in_order`` says whether rows
    that follow one another were taken to depend on one another; ``order`` is their time.
    """

    format: Literal[1] = 1
    rows: int
    budget: float
    statistics: int
    shift: float
    probability: float
    in_order: bool = False
    order: str | None = None
    sizes: Items[SizeNull] = ()
    power: Items[PowerCard] = ()

    def find_null(self, rows: int) -> SizeNull | None:
        """Return what holds for windows of ``rows`` rows: the wider of the sizes around it."""
        below = [null for null in self.sizes if null.rows <= rows]
        above = [null for null in self.sizes if null.rows >= rows]
        if not below or not above or below[-1] is above[0]:
            return below[-1] if below else None
        return _take_wider(below[-1], above[0])

    def find_card(self, rows: int) -> PowerCard | None:
        """Return the card of the largest size that is not above ``rows``."""
        fitting = [card for card in self.power if card.rows <= rows]
        return fitting[-1] if fitting else None


def _take_wider(one: SizeNull, other: SizeNull) -> SizeNull:
    wider = max(one, other, key=lambda null: null.threshold)
    scales = np.maximum(one.scales, other.scales).tolist()
    return wider.model_copy(update={"scales": tuple(scales), "rows": one.rows})
