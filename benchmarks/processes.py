"""A process and all that it has started, as /proc shows them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all below it that are there."""
    yield pid
    with suppress(OSError):  # it ends just now
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from tree(int(child))


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a tree, of those included that have ended and were waited for."""
    return sum(sum(map(int, _words(it)[11:15])) for it in tree(pid)) / TICKS


def megabytes(pid: int) -> float:
    """Return the resident memory of a tree; what its processes share counts for each."""
    return sum(int("".join(_words(it)[21:22]) or 0) for it in tree(pid)) * PAGE / (1 << 20)


def _words(pid: int) -> list[str]:
    """Return what /proc says of a process from its state on; nothing where it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []
