"""The marks that git leaves in a file where two branches differ."""

import re

MARK = re.compile(r"^(<{7}|\|{7}|={7}|>{7})(?: .*)?$", re.M)


def has_conflict(text: str) -> bool:
    """Tell whether a text holds both sides of a conflict, between git's marks."""
    return {"<", "=", ">"} <= {mark[0] for mark in MARK.findall(text)}


def split_conflict(text: str) -> tuple[str, str]:
    """Return a text with marks as each of the two sides has it."""
    return _take_side(text, "<"), _take_side(text, "=")


def _take_side(text: str, side: str) -> str:
    """Keep what is outside of the marks, and what follows the side's own."""
    lines, within = list[str](), ""
    for line in text.splitlines(keepends=True):
        if mark := MARK.match(line.rstrip("\r\n")):
            within = "" if mark[1][0] == ">" else mark[1][0]
        elif within in ("", side):
            lines.append(line)
    return "".join(lines)
