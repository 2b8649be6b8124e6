"""Numbers that grow while requests are answered: as cheap as a list item, and shared by workers.

A cell costs some 0.1 µs to raise, a tenth of a lock-guarded counter, because only one thread may
touch it: the event loop's, but for those that another thread asked for. With a folder the cells lie
in a memory-mapped file there, so that every worker can read the cells of all, dead ones included;
without one they are this process's own.
"""

import fcntl
import json
import mmap
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CELLS = mmap.ALLOCATIONGRANULARITY // 8  # in one page of the file
Key = tuple[str, ...]  # a metric's name and its labels' values


class Cell:
    """One number, to be touched by one thread alone."""

    __slots__ = ("index", "page")

    def __init__(self, page: "memoryview[float]", index: int) -> None:
        self.page, self.index = page, index

    def add(self, amount: float = 1.0) -> None:
        self.page[self.index] += amount

    def set(self, value: float) -> None:
        self.page[self.index] = value


@dataclass(frozen=True)
class Worker:
    """What one process has counted, by key; ``lives`` says whether it still does."""

    pid: int
    lives: bool
    values: dict[Key, float]


class Memory:
    """Cells of this process alone."""

    def __init__(self) -> None:
        self._pages: list[memoryview[float]] = []
        self._keys: list[Key] = []

    def cell(self, key: Key) -> Cell:
        """Return a new cell, at 0; one thread at a time may ask."""
        page, index = divmod(len(self._keys), CELLS)
        if page == len(self._pages):
            self._pages.append(self._new_page(page))
        self._keys.append(key)
        return Cell(self._pages[page], index)

    def workers(self) -> list[Worker]:
        """Return what every process that shares the cells has counted."""
        return [Worker(os.getpid(), True, dict(zip(self._keys, self._numbers(), strict=False)))]

    def close(self) -> None:
        """Forget nothing: the cells end with the process."""

    def _new_page(self, number: int) -> "memoryview[float]":  # noqa: ARG002 - the file needs it
        return memoryview(bytearray(CELLS * 8)).cast("d")

    def _numbers(self) -> Iterator[float]:
        for page in self._pages:
            yield from page


class SharedMemory(Memory):
    """Cells in ``<folder>/<pid>.cells``, their keys in ``<pid>.keys``, one JSON list a line.

    The process holds a lock on its cells while it lives: the kernel lets go of it even after
    kill -9, so that others can tell.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise PermissionError(f"{folder} belongs to somebody else: set SERVE_METRICS_DIR")
        self._folder = folder
        path = _find_unused(folder / f"{os.getpid()}.keys")
        self._names = path.open("xb", buffering=0)  # first: where there are cells there are keys
        self._cells = path.with_suffix(".cells").open("x+b", buffering=0)
        fcntl.flock(self._cells, fcntl.LOCK_EX)

    def cell(self, key: Key) -> Cell:
        made = super().cell(key)
        self._names.write(json.dumps(key).encode() + b"\n")
        return made

    def workers(self) -> list[Worker]:
        return [_read_worker(path) for path in sorted(self._folder.glob("*.cells"))]

    def close(self) -> None:
        """Let go of the cells; the last process to do so takes the folder away."""
        fcntl.flock(self._cells, fcntl.LOCK_UN)  # its mapped pages would keep the lock
        self._cells.close()
        self._names.close()
        if not any(worker.lives for worker in self.workers()):
            shutil.rmtree(self._folder, ignore_errors=True)

    def _new_page(self, number: int) -> "memoryview[float]":
        size = CELLS * 8
        self._cells.truncate((number + 1) * size)
        page = mmap.mmap(self._cells.fileno(), size, offset=number * size)
        return memoryview(page).cast("d")


def _find_unused(path: Path) -> Path:
    """Return the path, or one with a number where a dead process had the same pid."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


def _read_worker(path: Path) -> Worker:
    keys = path.with_suffix(".keys").read_bytes().split(b"\n")[:-1]
    numbers = memoryview(path.read_bytes()).cast("d")
    values = {tuple(json.loads(key)): number for key, number in zip(keys, numbers, strict=False)}
    return Worker(int(path.stem.partition("-")[0]), _is_locked(path), values)


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
