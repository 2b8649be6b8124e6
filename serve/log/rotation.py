"""The files that one process writes of the prediction log: each up to a size, the oldest go."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from serve.log.format import ENDING, list_files


class RotatingFiles:
    """The files of this process: a new one after ``max_bytes``; of all, ``max_files`` are kept.

    A file is locked while it is written, so that no process takes another's away.
    """

    def __init__(self, folder: Path, max_bytes: int, max_files: int) -> None:
        self._folder, self._max_bytes, self._max_files = folder, max_bytes, max_files
        self._file: int | None = None
        self._size = 0

    def append(self, lines: list[bytes]) -> None:
        """Write whole lines, or none of them; raises OSError."""
        for part in _join_lines(lines, self._max_bytes):
            if self._file is None or self._size + len(part) > self._max_bytes:
                self._begin_file()
            self._write(part)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def _write(self, part: bytes) -> None:
        assert self._file is not None
        try:
            written = os.write(self._file, part)
        except OSError:
            self._abandon_file()
            raise
        if written < len(part):
            self._abandon_file()
            raise OSError(f"only {written:,} of {len(part):,} bytes could be written")
        self._size += written

    def _abandon_file(self) -> None:
        """Cut off what was written in part; the next lines go to another file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
        self.close()

    def _begin_file(self) -> None:
        """Begin a new file, and take the oldest ones away."""
        self.close()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns():020}-{os.getpid()}{ENDING}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file, self._size = os.open(self._folder / name, flags, 0o600), 0
        fcntl.flock(self._file, fcntl.LOCK_EX)
        for path in list_files(self._folder)[: -self._max_files]:
            _remove_unless_locked(path)


def _join_lines(lines: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    """Yield the lines joined, as many at once as a file may hold; one line at least."""
    part: list[bytes] = []
    size = 0
    for line in lines:
        if part and size + len(line) > max_bytes:
            yield b"".join(part)
            part, size = [], 0
        part.append(line)
        size += len(line)
    if part:
        yield b"".join(part)


def _remove_unless_locked(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("rb") as file:  # locked, or gone already
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
