"""What was predicted, written down for drift monitoring: a JSON object a line for each row.

    SERVE_PREDICTION_LOG=predictions SERVE_PREDICTION_LOG_REDACT=age,sex python -m serve

An answer never waits for it: a thread writes what a bounded queue holds, and what does not fit is
dropped and counted. Each process writes files of its own, and only whole lines at once, so that
a process that is killed leaves at most a torn last line, which `read_predictions` passes over.
"""

import contextlib
import fcntl
import json
import logging
import os
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from serve.http.metrics.meters import Telemetry
from serve.http.settings import Settings
from serve.runtime.json_rows import as_json, parse
from serve.runtime.model import Model

log = logging.getLogger("serve")
ENDING = ".jsonl"
MOST_WAITING = 10_000  # requests ...
MOST_BYTES = 64 << 20  # ... and their bytes, before more are dropped
BATCH = 200  # requests that are written at once
PAUSE = 0.2  # seconds between two looks at the queue: what a kill -9 may lose
Json = dict[str, Any]


class Entry(NamedTuple):
    """One answered request: its rows and its answer are the JSON that was sent."""

    moment: float
    model: Model
    request_id: str
    body: bytes
    content: bytes


class PredictionLog:
    """Writes what it is given, from a thread of its own; use it from any thread."""

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        folder = settings.prediction_log
        assert folder is not None, "without a folder there is no log"
        self._files = _Files(folder, settings.prediction_log_bytes, settings.prediction_log_files)
        self._hidden = frozenset(settings.prediction_log_redact)
        self._share = settings.prediction_log_share * 2**32
        self._waiting: deque[Entry] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        # Each of these is raised by one thread at a time: dropped under the lock, the others below.
        self._dropped, self._written, self._lost = (
            telemetry.cell("serve_prediction_log_rows", outcome)
            for outcome in ("dropped", "written", "lost")
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
            if len(self._waiting) >= MOST_WAITING or self._bytes + size > MOST_BYTES:
                self._dropped.add()
            else:
                self._waiting.append(entry)
                self._bytes += size

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
            self._bytes -= sum(len(it.body) + len(it.content) for it in entries)
        return entries

    def _write(self, entries: Iterable[Entry]) -> None:
        lines = [line for entry in entries for line in lines_of(entry, self._hidden)]
        try:
            self._files.append(lines)
        except OSError as error:
            self._lost.add(len(lines))
            if not self._is_broken:
                log.error("the prediction log cannot be written: %s; answers go on", error)
            self._is_broken = True
            return
        self._written.add(len(lines))
        if self._is_broken:
            log.warning("the prediction log can be written again")
        self._is_broken = False


def lines_of(entry: Entry, hidden: frozenset[str]) -> Iterator[bytes]:
    """Yield a line for each row of a request, without the values of hidden columns."""
    rows: Any = parse(entry.body)
    moment = datetime.fromtimestamp(entry.moment, UTC).isoformat(timespec="microseconds")
    about = {
        "time": moment,
        "request_id": entry.request_id,
        "task": entry.model.manifest.task,
        "version": entry.model.manifest.version,
    }
    answers = json.loads(entry.content)["predictions"]
    for row, answer in zip(rows if isinstance(rows, list) else [rows], answers, strict=True):
        inputs = {name: value for name, value in row.items() if name not in hidden}
        answer["warnings"] = [_without_values(it, hidden) for it in answer["warnings"]]
        yield as_json({**about, "inputs": inputs, "output": answer}) + b"\n"


def _without_values(finding: Json, hidden: frozenset[str]) -> Json:
    """Return a warning; of one about a hidden column only where and what kind it is."""
    if finding["loc"][-1] not in hidden:
        return finding
    return {"loc": finding["loc"], "type": finding["type"]}


class _Files:
    """The files of this process: a new one after ``most_bytes``; of all, ``most_files`` are kept.

    A file is locked while it is written, so that no process takes another's away.
    """

    def __init__(self, folder: Path, most_bytes: int, most_files: int) -> None:
        self._folder, self._most_bytes, self._most_files = folder, most_bytes, most_files
        self._file: int | None = None
        self._size = 0

    def append(self, lines: list[bytes]) -> None:
        """Write whole lines, or none of them; raises OSError."""
        for part in _parts(lines, self._most_bytes):
            if self._file is None or self._size + len(part) > self._most_bytes:
                self._turn()
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
            self._give_up()
            raise
        if written < len(part):
            self._give_up()
            raise OSError(f"only {written:,} of {len(part):,} bytes could be written")
        self._size += written

    def _give_up(self) -> None:
        """Cut off what was written in part; the next lines go to another file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
        self.close()

    def _turn(self) -> None:
        """Begin a new file, and take the oldest ones away."""
        self.close()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns():020}-{os.getpid()}{ENDING}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file, self._size = os.open(self._folder / name, flags, 0o600), 0
        fcntl.flock(self._file, fcntl.LOCK_EX)
        for path in sorted(self._folder.glob(f"*{ENDING}"))[: -self._most_files]:
            _remove_unless_written(path)


def _parts(lines: Iterable[bytes], most: int) -> Iterator[bytes]:
    """Yield the lines joined, as many at once as a file may hold; one line at least."""
    part: list[bytes] = []
    size = 0
    for line in lines:
        if part and size + len(line) > most:
            yield b"".join(part)
            part, size = [], 0
        part.append(line)
        size += len(line)
    if part:
        yield b"".join(part)


def _remove_unless_written(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("rb") as file:  # locked, or gone already
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


def read_predictions(folder: Path) -> Iterator[Json]:
    """Yield every row that was logged, file by file as they were begun, with the keys

    ``time`` (ISO 8601, UTC), ``request_id``, ``task``, ``version``, ``inputs`` (the row, without
    hidden columns) and ``output`` (as `/predict` answers a row). A torn line at a file's end, which
    a killed process may leave, is passed over. Files may be written meanwhile.
    """
    for path in sorted(folder.glob(f"*{ENDING}")):
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line)
