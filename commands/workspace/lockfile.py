"""``dvc.lock`` as pieces of text, one a stage, so that they can be moved without a byte changed."""

from collections.abc import Iterable
from pathlib import Path

from stages.shared.storage import write_text

LOCK = Path("dvc.lock")


def read_lock() -> str:
    return LOCK.read_text(encoding="utf-8") if LOCK.exists() else ""


def blocks(text: str) -> list[tuple[str, str]]:
    """Cut the text before each stage; what is above the first goes by the name ""."""
    found = [("", "")]
    for line in text.splitlines(keepends=True):
        if line.startswith("  ") and line[2] not in " -":
            found.append((line.strip().removesuffix(":"), ""))
        found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def write_blocks(found: Iterable[tuple[str, str]]) -> None:
    write_text(LOCK, "".join(block for _, block in found))
