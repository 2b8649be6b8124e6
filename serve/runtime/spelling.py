"""How a cell is spelled: the rules that training and serving share.

``stages/preparing/casting.py`` applies them to whole columns, ``serve/files/cells.py`` to one cell
after another without pandas. Property tests hold the two equal.
"""

import unicodedata
from collections.abc import Iterable
from typing import Any, Literal

EXACT = 2**53  # from here on float64, in which models compute, skips integers
TRUE = ("true", "yes", "y", "t", "1", "1.0")
FALSE = ("false", "no", "n", "f", "0", "0.0")
# How texts write a null. In a file that has nulls of its own, such as Parquet, they are words.
WRITTEN_NULLS = frozenset({"NaN", "nan", "null", "None"})
BOOLEANS = {**dict.fromkeys(TRUE, True), **dict.fromkeys(FALSE, False)}  # by the lower-case text


def select_marks(
    marks: Iterable[str], own_marks: Iterable[str], has_nulls: bool
) -> tuple[str, ...]:
    """Return the texts that stand for a missing value in a column of a file.

    ``own_marks`` are those of this column alone; ``has_nulls`` says that its format has nulls.
    """
    kept = (mark for mark in marks if not (has_nulls and mark in WRITTEN_NULLS))
    return (*kept, *own_marks)


def clean_text(text: str, form: Literal["NFC", "NFKC"] | None) -> str:
    """Return a text as models see it: in a normalisation form, without blanks around it."""
    # Neither form changes ASCII.
    normal = unicodedata.normalize(form, text) if form and not text.isascii() else text
    return normal.strip()


def to_token(cell: Any) -> str:
    """Return a cell as the contract would write it: 3 for 3.0, true for True."""
    text = str(cell)
    if text in ("True", "False", "TRUE", "FALSE"):
        return text.lower()
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return text
    return str(int(number)) if number.is_integer() and abs(number) < EXACT else text
