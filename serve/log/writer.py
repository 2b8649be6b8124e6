"""Writes down what was predicted, for drift monitoring: a JSON object a line for each row.

    SERVE_PREDICTION_LOG=predictions SERVE_PREDICTION_LOG_REDACT=age,sex python -m serve

An answer never waits for it: a thread writes what a bounded queue holds, and what does not fit is
dropped and counted. Each process writes files of its own, and only whole lines at once, so that
a process that is killed leaves at most a torn last line, which `serve.log.reader` passes over.
"""

import logging
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

from serve.log.lines import Entry, format_lines
from serve.log.rotation import RotatingFiles
from serve.runtime.model import Model

log = logging.getLogger("serve")
MAX_WAITING = 10_000  # requests ...
MAX_BYTES = 64 << 20  # ... and their bytes, before more are dropped
BATCH = 200  # requests that are written at once
PAUSE = 0.2  # seconds between two looks at the queue: what a kill -9 may lose


class Options(NamedTuple):
    """Where the log is and how large it may grow, the share of requests, the columns left out."""

    folder: Path
    max_file_bytes: int
    max_files: int
    share: float
    hidden: frozenset[str]


class Counter(Protocol):
    """A number that grows."""

    def add(self, amount: float = 1.0) -> None: ...


class PredictionLog:
    """Writes what it is given, from a thread of its own; use it from any thread."""

    def __init__(self, options: Options, counter: Callable[[str], Counter]) -> None:
        """Start the thread; ``counter`` gives what counts rows by what became of them."""
        self._files = RotatingFiles(options.folder, options.max_file_bytes, options.max_files)
        self._hidden = options.hidden
        self._share = options.share * 2**32
        self._waiting: deque[Entry] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        # Each of these is raised by one thread at a time: dropped under the lock, the others below.
        self._dropped, self._written, self._lost = (
            counter(outcome) for outcome in ("dropped", "written", "lost")
        )
        self._is_broken = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prediction log", daemon=True)
        self._thread.start()

    def put(self, model: Model, request_id: str, body: bytes, content: bytes) -> None:
        """Note a request; costs a microsecond, and never fails."""
        if zlib.crc32(request_id.encode()) >= self._share:
            return
        entry = Entry(time.time(), model, request_id, body, content)
        size = len(body) + len(content)
        with self._lock:
            if len(self._waiting) >= MAX_WAITING or self._bytes + size > MAX_BYTES:
                self._dropped.add()
            else:
                self._waiting.append(entry)
                self._bytes += size

    @property
    def waiting(self) -> int:
        """How many requests are yet to be written."""
        return len(self._waiting)

    def close(self) -> None:
        """Write what waits, and end."""
        self._closing.set()
        self._thread.join()
        self._files.close()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._closing.wait(PAUSE)
            while entries := self._take():
                self._write(entries)

    def _take(self) -> list[Entry]:
        with self._lock:
            count = min(BATCH, len(self._waiting))
            entries = [self._waiting.popleft() for _ in range(count)]
            self._bytes -= sum(len(entry.body) + len(entry.content) for entry in entries)
        return entries

    def _write(self, entries: Iterable[Entry]) -> None:
        lines = [line for entry in entries for line in self._format(entry)]
        written, error = self._files.append(lines)
        self._written.add(written)
        self._lost.add(len(lines) - written)
        if error and not self._is_broken:
            log.error("the prediction log cannot be written: %s; answers go on", error)
        if self._is_broken and not error:
            log.warning("the prediction log can be written again")
        self._is_broken = error is not None

    def _format(self, entry: Entry) -> list[bytes]:
        """Return an entry's lines; what cannot be written as such must not end the thread."""
        try:
            return format_lines(entry, self._hidden)
        except Exception:
            log.exception("a request cannot be logged", extra={"request_id": entry.request_id})
            self._lost.add()
            return []
