"""Says in words what a statistic found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stages.monitoring.columns import Plain
from stages.monitoring.scores import Scale
from stages.monitoring.statistics import Statistic


@dataclass(frozen=True)
class Compared:
    """The reference's and the window's rows, and the reference's scales."""

    old: Plain
    new: Plain
    scales: dict[str, Scale]


def describe_statistic(statistic: Statistic, above: bool, rows: Compared) -> str:
    """Return what is other in the window, with both values."""
    describe = WORDINGS.get(statistic.kind)
    if describe is None:
        return f"rows differ as a whole ({statistic.kind}), in no single column"
    return describe(statistic, above, rows)


def _describe_missing(statistic: Statistic, above: bool, rows: Compared) -> str:
    shares = [_share(_missing(plain, statistic.parts[0])) for plain in (rows.new, rows.old)]
    return f"{'more' if above else 'fewer'} missing: {shares[0]}, it was {shares[1]}"


def _describe_category(statistic: Statistic, above: bool, rows: Compared) -> str:
    part = statistic.parts[0]
    shares = [_share(_held(plain, part, statistic.label)) for plain in (rows.new, rows.old)]
    return f"{statistic.label} {'more' if above else 'less'} often: {shares[0]}, it was {shares[1]}"


def _describe_new(statistic: Statistic, above: bool, rows: Compared) -> str:
    del above
    known = set(rows.old.categories[statistic.parts[0]].tolist())
    cells: Sequence[str | None] = rows.new.categories[statistic.parts[0]].tolist()
    strange = [cell for cell in cells if cell is not None and cell not in known]
    named = ", ".join(repr(value) for value in list(dict.fromkeys(strange))[:5])
    return f"values never seen before: {named} ({len(strange)} of {rows.new.rows} rows)"


def _describe_outliers(statistic: Statistic, above: bool, rows: Compared) -> str:
    del above
    part = statistic.parts[0]
    count = int(rows.scales[part].find_outliers(rows.new.numbers[part])[-1].sum())
    return f"outliers: {count} values farther out than the reference's tails explain"


def _describe_level(statistic: Statistic, above: bool, rows: Compared) -> str:
    return f"{'higher' if above else 'lower'}: {_compare_medians(rows, statistic.parts[0])}"


def _describe_spread(statistic: Statistic, above: bool, rows: Compared) -> str:
    what = "wider" if above else "narrower"
    return f"{what} spread; {_compare_medians(rows, statistic.parts[0])}"


def _describe_shape(statistic: Statistic, above: bool, rows: Compared) -> str:
    del above
    return f"distributed otherwise: {_compare_medians(rows, statistic.parts[0])}"


def _describe_given_rest(statistic: Statistic, above: bool, rows: Compared) -> str:
    del rows
    what = f"{statistic.label} " if statistic.label else ""
    return f"{what}{'higher' if above else 'lower'} than the other columns let expect"


def _describe_rest_spread(statistic: Statistic, above: bool, rows: Compared) -> str:
    del statistic, rows
    return f"{'farther from' if above else 'closer to'} what the other columns let expect"


def _describe_relation(statistic: Statistic, above: bool, rows: Compared) -> str:
    del rows
    return f"relation of {statistic.label} {'more' if above else 'less'} positive than it was"


def _describe_word(statistic: Statistic, above: bool, rows: Compared) -> str:
    del above
    part = statistic.parts[0]
    shares = [_share(_hold_word(plain, part, statistic.label)) for plain in (rows.new, rows.old)]
    return f"'{statistic.label}' in {shares[0]} of the texts, it was {shares[1]}"


def _describe_new_words(statistic: Statistic, above: bool, rows: Compared) -> str:
    del statistic, rows
    return f"{'more' if above else 'fewer'} words that the reference does not have"


WORDINGS: dict[str, Callable[[Statistic, bool, Compared], str]] = {
    "missing": _describe_missing,
    "category": _describe_category,
    "new values": _describe_new,
    "outliers": _describe_outliers,
    "level": _describe_level,
    "spread": _describe_spread,
    "shape": _describe_shape,
    "level given the rest": _describe_given_rest,
    "spread given the rest": _describe_rest_spread,
    "relation": _describe_relation,
    "words": _describe_word,
    "new words": _describe_new_words,
}


def _share(value: float) -> str:
    return f"{100 * value:.3g} %"


def _missing(plain: Plain, part: str) -> float:
    if part in plain.numbers:
        return float(np.isnan(plain.numbers[part]).mean())
    return float((plain.categories[part] == None).mean())  # noqa: E711


def _held(plain: Plain, part: str, value: str) -> float:
    return float((plain.categories[part] == value).mean())


def _hold_word(plain: Plain, part: str, word: str) -> float:
    return sum(word in words for words in plain.texts[part]) / max(plain.rows, 1)


def _compare_medians(rows: Compared, part: str) -> str:
    medians = [_median(plain.numbers[part]) for plain in (rows.new, rows.old)]
    return f"median {medians[0]}, it was {medians[1]}"


def _median(cells: object) -> str:
    known = np.asarray(cells, dtype=np.float64)
    known = known[~np.isnan(known)]
    return f"{np.median(known):.5g}" if len(known) else "missing"
