"""Finds the cells of a column that stand for no value: known marks, far-off numbers, misfits."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from commands.drafting.values import Values
from stages.contract.source import Origin
from stages.shared.heuristics import find_sentinels
from stages.validating.spellings import BROKEN, suggest_form

USUAL: tuple[str, ...] = Origin.model_fields["missing"].default
FURTHER = ("-", "--", "n.a.", "n/a", "NULL", "nil", "#N/A", "#NA", "#VALUE!", "\\N")
AMONG_NUMBERS = (*FURTHER, ".", "missing", "unknown", "none", "NONE", "Null", "null", "N.A.")
MOSTLY = 0.5  # share of numbers that makes a column one of numbers, or of spoilt ones
NEARLY = 0.95  # the same where the other cells have no known reason
MOST_MISFITS = 20  # different cells that are listed
RARE = 0.005  # share of the rows up to which a misfit is an accident and no category
FEW_NUMBERS = 12  # different ones, that may be codes with a letter among them
SHOWN = 3
CODE = re.compile(r"[A-Z]{2}")  # of a country or a state, of which NA is one


@dataclass(frozen=True)
class Marks:
    """What stands for missing in one column: further ``marks``, and usual ones that are ``kept``.

    ``comment`` names the misfits among numbers, which count as missing until they are mended.
    """

    marks: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    comment: str = ""


def find_marks(values: Values) -> Marks:
    """Return what stands for missing in a column."""
    usual = [word for word in USUAL if word and (values.words == word).any()]
    rest = values.drop(usual)
    if not len(rest.words):
        return Marks()
    numeric = rest.share(np.isfinite(rest.numbers) | np.isinf(rest.numbers))
    if numeric <= MOSTLY:
        kept = tuple(word for word in usual if _is_value(word, values, rest))
        return Marks(_list_present(rest, FURTHER), kept)
    known = _list_present(rest, AMONG_NUMBERS)
    rest = rest.drop(known)
    misfits = _find_misfits(rest)
    numbers = np.repeat(rest.numbers, rest.counts)
    apart = tuple(f"{value:.15g}" for value in find_sentinels(numbers[~np.isnan(numbers)]))
    marks = (*known, *apart, *misfits)
    return Marks(marks, (), _describe_misfits(rest, misfits))


def _list_present(values: Values, marks: Sequence[str]) -> tuple[str, ...]:
    present = set(values.words)
    return tuple(mark for mark in marks if mark in present)


def _is_value(word: str, values: Values, rest: Values) -> bool:
    """Say whether a usual mark is a word of its own here.

    So is `None` among words, any mark where missing cells are blank, and `NA` among codes of
    countries.
    """
    if word in ("None", "none") or (values.blank and word != "?"):
        return True
    return word == "NA" and len(rest.words) > 2 and bool(rest.words.str.fullmatch(CODE).all())


def _find_misfits(values: Values) -> tuple[str, ...]:
    """Return the words among numbers, where they are accidents: single ones, or spoilt numbers."""
    odd = values.keep(np.isnan(values.numbers))
    if not 0 < len(odd.words) <= MOST_MISFITS or odd.total >= (1 - MOSTLY) * values.total:
        return ()
    if odd.words.str.contains("${", regex=False).any():
        return ()  # a source's texts are looked up twice: no backslash keeps this one as it is
    spoilt = bool(suggest_form(odd.words.tolist(), BROKEN))
    few = values.share(~np.isnan(values.numbers)) >= NEARLY
    amounts = len(values.words) - len(odd.words) > FEW_NUMBERS  # which are no codes
    rare = amounts or int(odd.counts.max()) <= max(2, RARE * values.total)
    return tuple(odd.words) if spoilt or (few and rare) else ()


def _describe_misfits(values: Values, misfits: Sequence[str]) -> str:
    if not misfits:
        return ""
    count = int(values.counts[values.words.isin(list(misfits))].sum())
    shown = ", ".join(repr(word[:40]) for word in misfits[:SHOWN])
    more = f" and {len(misfits) - SHOWN} more" if len(misfits) > SHOWN else ""
    rows = ", ".join(map(str, values.find_rows(misfits)))
    hint = suggest_form(list(misfits), BROKEN)
    listed = f"{shown}{more} (row {rows}{', …' if count > SHOWN else ''})"
    return (
        f"{count:,} cell{' is' if count == 1 else 's are'} no number: {listed}; "
        f"{hint + '; ' if hint else ''}they count as missing: mend them in the source, and take "
        "them out of missing_in"
    )
