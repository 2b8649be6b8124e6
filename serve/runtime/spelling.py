"""How a cell is spelled: the rules that training and serving share.

``stages/preparing/casting.py`` applies them to whole columns, ``serve/files/cells.py`` to one cell
after another without pandas. Property tests hold the two equal.
"""

import unicodedata
from typing import Any, Literal

EXACT = 2**53  # from here on float64, in which models compute, skips integers
TRUE = ("true", "yes", "y", "t", "1", "1.0")
FALSE = ("false", "no", "n", "f", "0", "0.0")
BOOLEANS = {**dict.fromkeys(TRUE, True), **dict.fromkeys(FALSE, False)}  # by the lower-case text


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
