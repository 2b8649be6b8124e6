"""Turns rows into numbers whose sums over a window are all that the statistics need.

It is fitted on a reference. A window's statistics follow from its rows' sums alone, so that
thousands of windows can be judged by adding up rows.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from stages.monitoring.columns import Array, Plain
from stages.monitoring.layout import Layout, fit_scales, read_factors
from stages.monitoring.scores import Scale

RIDGE = 0.02  # added to the factors' variances before their correlations are inverted
WEAKEST = 0.05  # variance of a direction, against the mean, below which joint tests leave it out
PER_DIRECTION = 15  # rows of the reference for each direction that a joint test looks at
MOST_DIRECTIONS = 60


@dataclass(frozen=True)
class Encoded:
    """Rows as numbers: ``bins`` (rows x numbers), ``counted`` 0 or 1, ``measured`` real ones."""

    bins: Array
    counted: Array
    measured: Array


@dataclass(frozen=True)
class Joint:
    """The directions in which rows vary most, each scaled to variance 1 in the reference."""

    centre: Array
    scale: Array
    basis: Array

    @classmethod
    def fit(cls, values: Array, scaled: bool = True) -> "Joint":
        """Find the directions; ``scaled``: as if every column varied as much."""
        centre, spread = values.mean(axis=0), _guard(values.std(axis=0))
        scale = spread if scaled else np.ones(len(centre))
        return cls(centre, scale, find_basis(np.clip((values - centre) / scale, -6, 6)))

    def project(self, values: Array) -> Array:
        return np.asarray(np.clip((values - self.centre) / self.scale, -6, 6) @ self.basis)


@dataclass(frozen=True)
class Encoder:
    """What is fitted on a reference of ``rows`` rows.

    ``precision`` is the inverse of the factors' correlations: it turns factors into what the
    others do not tell of each (residuals of ridge regressions), which ``rest`` scales.
    """

    layout: Layout
    scales: dict[str, Scale]
    rows: int
    centre: Array
    scale: Array
    precision: Array
    rest: Array
    level: Joint
    relations: Joint
    words: Joint
    known: dict[str, frozenset[str]]
    once: dict[str, frozenset[str]]

    def encode(self, plain: Plain, own: bool = False) -> Encoded:
        """Encode rows; ``own`` ones are those fitted on, which are not to count as known."""
        scales = [(self.scales[name], plain.numbers[name]) for name in self.layout.numbers]
        words = count_words(plain, self.layout)
        cells = count_cells(plain, self.layout, self.scales)
        return Encoded(
            _stack([scale.bin(cells) for scale, cells in scales], plain.rows).astype(np.int16),
            np.concatenate([_stack(cells, plain.rows), words], axis=1).astype(np.float32),
            self._measure(plain, words, own).astype(np.float32),
        )

    def _measure(self, plain: Plain, words: Array, own: bool) -> Array:
        """Return the columns that `list_measured` of `statistics` names, in its order."""
        z = (read_factors(plain, self.layout.factors, self.scales) - self.centre) / self.scale
        rest, products = self._measure_rest(z, own), multiply(z, self.layout)
        numbers = self.layout.number_factors
        unseen = [self._share_unseen(plain, name, own) for name in self.layout.words]
        blocks = [z[:, numbers], z[:, numbers] ** 2, rest, rest[:, numbers] ** 2, products]
        blocks += [_stack(unseen, plain.rows), self.level.project(z)]
        blocks += [self.relations.project(products), self.words.project(words)]
        return np.concatenate(blocks, axis=1)

    def _measure_rest(self, z: Array, own: bool) -> Array:
        """Return what of each factor the others do not tell, as if ``own`` rows had been left out.

        Rows fitted on would otherwise seem closer to what is expected than any later ones.
        """
        rest = z @ self.precision / self.rest
        if own:
            leverage = np.einsum("ij,ij->i", z @ self.precision, z) / self.rows
            rest = rest / (1 - np.clip(leverage, 0, 0.5))[:, None]
        return np.asarray(np.clip(rest, -8, 8))

    def _share_unseen(self, plain: Plain, name: str, own: bool) -> Array:
        """Return the share of each text's words that no other text of the reference has."""
        known = self.known[name] - self.once[name] if own else self.known[name]
        return np.array([_share_outside(words, known) for words in plain.texts[name]], float)


def fit_encoder(layout: Layout, plain: Plain) -> Encoder:
    """Fit the encoder on a reference, or on a half of one."""
    scales = fit_scales(plain)
    factors = read_factors(plain, layout.factors, scales)
    centre, scale = factors.mean(axis=0), _guard(factors.std(axis=0))
    z = (factors - centre) / scale
    precision = np.linalg.inv(z.T @ z / max(len(z), 1) + RIDGE * np.eye(z.shape[1]))
    found = {name: Counter(w for text in t for w in text) for name, t in plain.texts.items()}
    return Encoder(
        layout=layout,
        scales=scales,
        rows=plain.rows,
        centre=centre,
        scale=scale,
        precision=precision,
        rest=_guard((z @ precision).std(axis=0)),
        level=Joint.fit(z),
        relations=Joint.fit(multiply(z, layout)),
        words=Joint.fit(count_words(plain, layout), scaled=False),
        known={name: frozenset(counts) for name, counts in found.items()},
        once={name: frozenset(w for w in c if c[w] == 1) for name, c in found.items()},
    )


def count_cells(plain: Plain, layout: Layout, scales: dict[str, Scale]) -> list[Array]:
    """Return for each test of counts, but for those of words, which rows are counted."""
    found: list[Array] = []
    for name in layout.numbers:
        cells = plain.numbers[name]
        found += [np.isnan(cells), *scales[name].find_outliers(cells)]
    for name, values in layout.categories.items():
        cells = plain.categories[name]
        missing = cells == None  # noqa: E711 - element by element
        each = [cells == value for value in values]
        found += [missing, ~np.logical_or.reduce([missing, *each]), *each]
    return found


def count_words(plain: Plain, layout: Layout) -> Array:
    """Return which rows hold which of the layout's words."""
    found = np.zeros((plain.rows, sum(map(len, layout.words.values()))))
    start = 0
    for name, words in layout.words.items():
        places = {word: start + i for i, word in enumerate(words)}
        for row, text in enumerate(plain.texts[name]):
            found[row, [places[word] for word in text if word in places]] = 1
        start += len(words)
    return found


def multiply(z: Array, layout: Layout) -> Array:
    """Return the products of the pairs of factors."""
    pairs = np.array(layout.pairs, dtype=np.int64).reshape(-1, 2)
    return np.asarray(z[:, pairs[:, 0]] * z[:, pairs[:, 1]])


def find_basis(values: Array) -> Array:
    """Return the directions in which rows vary most, each scaled to variance 1."""
    if not values.size:
        return np.zeros((values.shape[1], 0))
    variances, vectors = np.linalg.eigh(values.T @ values / len(values))
    most = min(MOST_DIRECTIONS, len(values) // PER_DIRECTION)
    floor = WEAKEST * max(float(variances.mean()), 1e-12)
    kept = [i for i in range(len(variances) - 1, -1, -1) if variances[i] > floor][:most]
    return np.asarray(vectors[:, kept] / np.sqrt(variances[kept]))


def _share_outside(words: frozenset[str], known: frozenset[str]) -> float:
    return len(words - known) / len(words) if words else 0.0


def _guard(spread: Array) -> Array:
    return np.where(spread > 1e-9, spread, np.inf)


def _stack(columns: list[Array], rows: int) -> Array:
    return np.stack(columns, axis=1) if columns else np.zeros((rows, 0))
