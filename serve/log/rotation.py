"""The files that one process writes of the prediction log: each up to a size, the oldest go."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from serve.log.format import ENDING, list_files, read_number


class RotatingFiles:
    """The files of this process: a new one after ``max_bytes``; of all, ``max_files`` are kept.

    A file is locked while it is written, so that no process takes another's away. An old file goes
    only when a new one holds lines: a full disk costs nothing that was written before.
    """

    def __init__(self, folder: Path, max_bytes: int, max_files: int) -> None:
        self._folder, self._max_bytes, self._max_files = folder, max_bytes, max_files
        self._file: int | None = None
        self._path = folder
        self._size = 0
        self._is_new = False  # no line of it was written yet, or the oldest are still there

    def append(self, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Write whole lines; return how many, and what kept the others out."""
        written = 0
        for part in _group_lines(lines, self._max_bytes):
            count, error = self._append_part(part)
            written += count
            if error:
                return written, error
        return written, None

    def close(self) -> None:
        """Let go of the file; one that never held a line goes."""
        if self._file is not None:
            if not self._size:
                with contextlib.suppress(OSError):
                    self._path.unlink()
            os.close(self._file)
        self._file = None

    def _append_part(self, lines: list[bytes]) -> tuple[int, OSError | None]:
        content = b"".join(lines)
        try:
            file = self._open_for(len(content))
            written = os.write(file, content)
        except OSError as error:
            return 0, error
        if written == len(content):
            self._size += written
            self._remove_oldest()
            return len(lines), None
        whole = content[:written].rfind(b"\n") + 1
        self._cut_off(whole)
        seen = f"only {written:,} of {len(content):,} bytes could be written"
        return content[:whole].count(b"\n"), OSError(seen)

    def _cut_off(self, whole: int) -> None:
        """Take away the torn line; where that cannot be, the next lines go to another file."""
        self._size += whole
        try:
            os.ftruncate(self._file or 0, self._size)
        except OSError:
            self.close()

    def _open_for(self, size: int) -> int:
        """Return the file that has room for so many bytes, a new one if need be."""
        if self._file is not None and self._is_in_place():
            self._size = os.fstat(self._file).st_size
            if not self._size or self._size + size <= self._max_bytes:
                return self._file
        return self._begin_file()

    def _is_in_place(self) -> bool:
        """Say whether the file is still found by its name: lines of a removed one are lost."""
        try:
            found, own = self._path.stat(), os.fstat(self._file or 0)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)

    def _begin_file(self) -> int:
        """Begin a new file, which comes after all others even where the clock was set back."""
        self.close()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        last = max(map(read_number, list_files(self._folder)), default=0)
        number = max(time.time_ns(), last + 1)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._path = self._folder / f"{number:020}-{os.getpid()}{ENDING}"
        self._file, self._size = os.open(self._path, flags, 0o600), 0
        self._is_new = True
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return self._file

    def _remove_oldest(self) -> None:
        """Take away the files beyond the limit, once this one's first lines are written."""
        if self._is_new:
            self._is_new = False
            for path in list_files(self._folder)[: -self._max_files]:
                _remove_unless_locked(path)


def _group_lines(lines: Iterable[bytes], max_bytes: int) -> Iterator[list[bytes]]:
    """Yield the lines, as many at once as a file may hold; one line at least."""
    part: list[bytes] = []
    size = 0
    for line in lines:
        if part and size + len(line) > max_bytes:
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line)
    if part:
        yield part


def _remove_unless_locked(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("rb") as file:  # locked, or gone already
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
