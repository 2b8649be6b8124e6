"""Holds texts against the contract, and looks for what a bad decoding leaves in them."""

import re
from collections import Counter
from collections.abc import Iterator

import pandas as pd

from stages.shared.schema import TARGET
from stages.validating.cells import Mask
from stages.validating.findings import Finding
from stages.validating.prepared import Prepared

NEXT_LINE = "\u0085"  # a line end among the control characters: legal, if rare
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
REPLACED = "\ufffd"
WORDS = re.compile(r"\w+")
WORDS_AND_SIGNS = re.compile(r"\w+|[^\w\s]")  # an emoji may tell the class, too
MOST_TEXTS = 20_000  # different ones that are looked through for mojibake, and for tell-tale words
GIVEN_AWAY = 0.98  # of the texts with a word that are of one class
OFTEN = 0.2  # share of a class's texts that hold it
ENOUGH = 20  # texts that hold it


def check_lengths(prepared: Prepared) -> Iterator[Finding]:
    """Texts with fewer or more characters than their column declares."""
    for name, column in prepared.columns.items():
        if column.type != "text" or not column.length:
            continue
        count = prepared.frame[name].str.len()
        least, most = column.length
        short, long = (count < least).to_numpy(bool), (count > most).to_numpy(bool)
        if short.any() or long.any():
            yield prepared.make_finding(
                "length",
                name,
                short | long,
                found=f"{int((short | long).sum()):,} of {len(count):,} texts are out of length: "
                f"{short.sum():,} shorter, {long.sum():,} longer",
                expected=f"{least:,} to {most:,} characters",
                remedy="correct the source, or change "
                f"{prepared.locate_key(f'columns.{name}.length')}",
            )


def check_decoding(prepared: Prepared) -> Iterator[Finding]:
    """Text read in the wrong encoding, characters lost in it, and control characters."""
    for name, column in prepared.columns.items():
        if column.type not in ("text", "category"):
            continue
        cells = prepared.frame[name]
        broken = cells.isin(
            _find_broken(cells.dropna().drop_duplicates().head(MOST_TEXTS))
        ).to_numpy()
        if broken.any():
            yield prepared.make_finding(
                "mojibake",
                name,
                broken,
                found=f"{_format_count(int(broken.sum()))} characters that a wrong encoding "
                "leaves, "
                "or control characters",
                expected="text that was decoded as it was encoded",
                remedy="read the original again with the right `encoding` of the source, or mend "
                "the values there",
            )


def _format_count(count: int) -> str:
    return f"{count:,} value holds" if count == 1 else f"{count:,} values hold"


def _find_broken(texts: pd.Series) -> list[str]:
    from ftfy.badness import is_bad

    return [
        text
        for text in texts
        if CONTROL.search(text)
        or REPLACED in text
        or (not text.isascii() and is_bad(text.replace(NEXT_LINE, "\n")))
    ]


def check_labels_in_text(prepared: Prepared) -> Iterator[Finding]:
    """A word that nearly only one class's texts hold, and often, may be the label written out."""
    labels = prepared.target.labels
    for name, column in prepared.columns.items():
        if column.type != "text" or not labels:
            continue
        known = prepared.frame[[name, TARGET]].dropna().head(MOST_TEXTS)
        if known[TARGET].nunique() < 2:  # then every word is of one class
            continue
        for word, label, texts in _find_tell_tales(known[name], known[TARGET]):
            yield prepared.make_finding(
                "label_in_text",
                name,
                _find_holding(prepared.frame[name], word),
                found=f"{texts:,} texts hold {word!r}, and nearly all of them are {label}",
                expected="texts from which the class has to be understood",
                remedy="take the label out of the texts, or write `checks: { label_in_text: off }` "
                f"in {prepared.locate_key(f'columns.{name}')} where the word belongs there",
            )


def _find_tell_tales(texts: pd.Series, labels: pd.Series) -> Iterator[tuple[str, str, int]]:
    """Yield each word that gives a class away, the class, and how many texts hold the word."""
    sizes = labels.value_counts()
    holding: dict[str, Counter[str]] = {}
    for text, label in zip(texts, labels, strict=True):
        for word in set(WORDS_AND_SIGNS.findall(text.casefold())):
            holding.setdefault(word, Counter())[label] += 1
    for word, counts in holding.items():
        label, times = counts.most_common(1)[0]
        total = counts.total()
        if total >= ENOUGH and times >= GIVEN_AWAY * total and times >= OFTEN * sizes[label]:
            yield word, label, total


def _find_holding(texts: pd.Series, word: str) -> Mask:
    held = texts.str.contains(rf"(?<!\w){re.escape(word)}(?!\w)", case=False)
    return held.fillna(False).to_numpy(dtype=bool)
