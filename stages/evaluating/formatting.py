"""Numbers as files and people get them."""

from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

DIGITS = 6  # significant ones in JSON: as many as mean anything, and stable ones


def round_floats(content: Any) -> Any:
    """Return plain JSON data: floats to 6 significant digits, what is not finite as None.

    Dataclasses become dicts, tuples and arrays lists.
    """
    if isinstance(content, float | np.floating):
        return float(f"{content:.{DIGITS}g}") if np.isfinite(content) else None
    if isinstance(content, dict):
        return {key: round_floats(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [round_floats(value) for value in content]
    if isinstance(content, np.ndarray | np.generic):
        return round_floats(content.tolist())
    if is_dataclass(content) and not isinstance(content, type):
        return round_floats(asdict(content))
    return content


def format_number(value: float | None) -> str:
    """Return a number as a table shows it: three decimals, none for large ones; a dash for none."""
    if value is None or not np.isfinite(value):
        return "\u2013"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"
