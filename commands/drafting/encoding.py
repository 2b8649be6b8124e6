"""Guesses a file's encoding, and says from which lines where little tells it."""

import codecs
import re
from pathlib import Path

from stages.preparing.layout import HEAD, UTF_16, UTF_32, WESTERN, guess_encoding, guess_utf_16

SLICE = 1 << 20  # bytes looked at one after another
SHOWN = 3  # lines that a comment names


def guess_file_encoding(path: Path) -> tuple[str, str]:
    """Return the mark's encoding, UTF-8, or the likeliest other, with what it was guessed from."""
    with path.open("rb") as file:
        head = file.read(SLICE)
    if head.startswith(UTF_32):
        return "utf-32", ""
    if head.startswith(UTF_16):
        return "utf-16", ""
    if encoding := guess_utf_16(head[:HEAD]):
        return encoding, f"read as {encoding}, which has no byte-order mark here"
    odd = _find_odd_lines(path)
    if not odd:
        return "utf-8", ""
    content = b"\n".join(line for _, line in odd)
    encoding = guess_encoding(content) or WESTERN
    shown = "; ".join(
        f"line {number}: {line.decode(encoding, errors='replace').strip()[:60]!r}"
        for number, line in odd[:SHOWN]
    )
    return encoding, f"no UTF-8: read as {encoding}, which is guessed from {shown}"


def _find_odd_lines(path: Path) -> list[tuple[int, bytes]]:
    """Return the lines beyond ASCII, with their numbers, of a file that is not UTF-8; else none."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while piece := file.read(SLICE):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        with path.open("rb") as file:
            lines = re.split(rb"\r\n|\r|\n", file.read(16 * SLICE))
        return [(n, line) for n, line in enumerate(lines, 1) if not line.isascii()][:2000]
    return []
